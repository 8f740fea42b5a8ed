"""Which rows stay: one number in [0, 1) per row, a hash of the seed and of the row's number in its file,
decides.

The result depends on the seed and the order of the rows, not on the kind of file nor on the size of a block.
`Counted` keeps as many rows of each group as planned, every choice of so many rows being equally likely: a
row stays if u·(rows left of its group) < (rows wanted still), Knuth's selection sampling. `Single` decides
each row on its own, with the probability of its group, and leaves out the rows that the probabilities were
learned from; so the rows it keeps are independent of one another if the rows it is given are.
"""

from collections.abc import Callable, Iterator

import numpy as np
from jaxtyping import Bool, Float, Int64

from lem_safe.auditor.inside import scrambled
from lem_safe.keys import Key
from lem_safe.thinning.membership import MISSING, changed

Groups = Int64[np.ndarray, "b"]
Kept = Bool[np.ndarray, "b"]


def uniforms(key: Key, start: int, n: int) -> Float[np.ndarray, "n"]:
    """One number in [0, 1) for each of the rows start, start + 1, ..., start + n − 1."""
    mixed = scrambled(scrambled(np.arange(start, start + n)) ^ np.uint64(key.value))
    return (mixed >> np.uint64(11)) * 2.0**-53


class Counted:
    """As many rows of each group as wanted, of as many as there are."""

    def __init__(self, counts: Int64[np.ndarray, "g"], wanted: Int64[np.ndarray, "g"], key: Key):
        self._left, self._wanted, self._key = counts.copy(), wanted.copy(), key

    def of(self, group: Groups, start: int) -> Kept:
        """Which rows of the next block stay; its first row is row `start`."""
        u = uniforms(self._key, start, len(group))
        kept = np.zeros(len(group), dtype=bool)
        order = np.argsort(group, kind="stable")
        first = np.flatnonzero(np.diff(group[order], prepend=MISSING - 1))
        for rows in np.split(order, first[1:]) if len(group) else []:
            g = int(group[rows[0]])
            if g != MISSING:
                kept[rows] = self._of_one(g, u[rows])
        return kept

    def _of_one(self, g: int, u: Float[np.ndarray, "k"]) -> Kept:
        left, wanted = int(self._left[g]), int(self._wanted[g])
        self._left[g] -= len(u)
        if wanted in (0, left):
            self._wanted[g] -= len(u) * (wanted > 0)
            return np.full(len(u), wanted > 0)
        chosen, self._wanted[g] = _selected(u.tolist(), left, wanted)
        return np.array(chosen)

    @property
    def done(self) -> bool:
        """Whether every row was seen, and no more than those counted."""
        return not self._left.any() and not self._wanted.any()


class Single:
    """Each row on its own, with the probability of its group; none of the rows that these were learned
    from."""

    def __init__(self, chance: Float[np.ndarray, "g"], key: Key, learned_from: float):
        self._chance, self._key, self._share = chance, key, learned_from

    def of(self, group: Groups, start: int) -> Kept:
        """Which rows of the next block stay; its first row is row `start`."""
        fresh = ~learning(self._key, start, len(group), self._share) & (group != MISSING)
        return fresh & (uniforms(self._key.fold("keep"), start, len(group)) < self._chance[group])


def learning(key: Key, start: int, n: int, share: float) -> Kept:
    """Which of n rows are those that probabilities are learned from: each with this probability."""
    return uniforms(key.fold("learn"), start, n) < share


def flags(blocks: Iterator[Groups], of: Callable[[Groups, int], Kept]) -> Iterator[Kept]:
    """Which rows stay, block by block in the order of the file."""
    start = 0
    for group in blocks:
        yield of(group, start)
        start += len(group)


class Flags:
    """Which rows of a source stay, as many at a time as whoever copies them has at hand; BadInput where there
    are not as many as are asked for in all.
    """

    def __init__(self, blocks: Iterator[Kept], source: str):
        self._blocks, self._source = blocks, source
        self._held: Kept = np.zeros(0, dtype=bool)

    def take(self, n: int) -> Kept:
        """The flags of the next n rows."""
        while len(self._held) < n:
            block = next(self._blocks, None)
            if block is None:
                raise changed(self._source)
            self._held = np.concatenate([self._held, block])
        taken, self._held = self._held[:n], self._held[n:]
        return taken

    def finish(self) -> None:
        """Every flag must have been taken."""
        if len(self._held) or any(len(block) for block in self._blocks):
            raise changed(self._source)


def _selected(u: list[float], left: int, wanted: int) -> tuple[list[bool], int]:
    """Which of the next rows of a group stay, and how many are wanted after them."""
    chosen = []
    for number in u:
        stays = number * left < wanted
        chosen.append(stays)
        left -= 1
        wanted -= stays
    return chosen, wanted
