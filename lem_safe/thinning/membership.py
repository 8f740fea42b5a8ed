"""Which rows are inside which sets, a block at a time: every row belongs to a group, the rows of one pattern
of membership, and of one unit (a cloud, a chain) where the file numbers units.

The first pass finds the groups and counts their rows; later passes must find the same ones. Memory is that of
one block and of the groups.
"""

from collections.abc import Callable, Iterator, Mapping

import numpy as np
from jaxtyping import Bool, Float, Int64

from barriers.arrays import torch
from barriers.sets import UnsafeSet
from lem_safe.auditor.matching import Match
from lem_safe.auditor.samples import Samples
from lem_safe.errors import BadInput, Fault

MISSING = -1
"""The group of a row that misses a value, and is left out."""


class Membership:
    """The groups of the rows of some samples, numbered as they are found.

    patterns: which sets the rows of each group are in. units: the unit of each group, 0 where rows are units
    of their own.
    """

    def __init__(self, samples: Samples, match: Match, sets: Mapping[str, UnsafeSet]):
        self._samples, self._match, self._sets = samples, match, sets
        self._numbers: dict[bytes, int] = {}
        self._patterns: list[Bool[np.ndarray, m]] = []
        self._units: list[int] = []
        self.complete, self.dropped = False, 0

    @property
    def patterns(self) -> Bool[np.ndarray, "g m"]:
        """The sets that the rows of each group are in."""
        return np.array(self._patterns, dtype=bool).reshape(len(self._patterns), len(self._sets))

    @property
    def units(self) -> Int64[np.ndarray, "g"]:
        """The unit of each group."""
        return np.array(self._units, dtype=np.int64)

    def blocks(self, size: int) -> Iterator[Int64[np.ndarray, "b"]]:
        """The group of every row, `size` rows at a time, in file order; MISSING where the row misses a value.
        Raises BadInput where a complete membership finds another group: then the file has changed.
        """
        dropped = 0
        for x, unit, missing, _ in self._match.marked(self._samples, size):
            group = np.full(len(x), MISSING, dtype=np.int64)
            there = ~missing
            group[there] = self._groups(x[there], None if unit is None else unit[there])
            dropped += int(missing.sum())
            yield group
        self.dropped = dropped

    def counts(self, blocks: Iterator[Int64[np.ndarray, "b"]]) -> Int64[np.ndarray, "g"]:
        """The number of rows of each group; the membership is complete then."""
        found = np.zeros(0, dtype=np.int64)
        for group in blocks:
            own = np.bincount(group[group != MISSING], minlength=len(self._patterns))
            own[: len(found)] += found
            found = own.astype(np.int64)
        self.complete = True
        return found

    def _groups(
        self, x: Float[np.ndarray, "b d"], unit: Int64[np.ndarray, "b"] | None
    ) -> Int64[np.ndarray, "b"]:
        inside = inside_each(x, self._sets)
        keys = np.packbits(inside, axis=1)
        if unit is not None:
            keys = np.concatenate([keys, unit[:, None].view(np.uint8)], 1)
        first, which = _distinct(keys)
        numbers = [
            self._number(keys[i].tobytes(), inside[i], 0 if unit is None else int(unit[i])) for i in first
        ]
        return np.array(numbers, dtype=np.int64)[which]

    def _number(self, key: bytes, inside: Bool[np.ndarray, "m"], unit: int) -> int:
        if key not in self._numbers:
            if self.complete:
                raise changed(self._samples.source)
            self._numbers[key] = len(self._patterns)
            self._patterns.append(inside.copy())
            self._units.append(unit)
        return self._numbers[key]


def inside_each(x: Float[np.ndarray, "b d"], sets: Mapping[str, UnsafeSet]) -> Bool[np.ndarray, "b m"]:
    """Which rows are inside each set, as the audit decides it (A.1)."""
    rows = torch.from_numpy(np.ascontiguousarray(x))
    with torch.no_grad():
        each: list[Callable[[torch.Tensor], torch.Tensor]] = [region.contains for region in sets.values()]
        return np.stack([contains(rows).numpy() for contains in each], 1)


def changed(source: str) -> BadInput:
    """The fault of a file that is not the same in a later pass."""
    return BadInput(Fault("changed while it was read; try again when it is complete", source))


def _distinct(keys: np.ndarray) -> tuple[Int64[np.ndarray, "k"], Int64[np.ndarray, "b"]]:
    """The first row of each different key, and which of them each row has."""
    if not len(keys):
        return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64)
    whole = (
        np.ascontiguousarray(keys).view([("", np.uint8)] * keys.shape[1])[:, 0]
        if keys.shape[1] > 1
        else keys[:, 0]
    )
    _, first, which = np.unique(whole, return_index=True, return_inverse=True)
    return first, which
