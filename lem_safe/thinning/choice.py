"""Which rows stay: one number in [0, 1) per row, a hash of the seed and of the row's number in its file, decides.

The result depends on the seed and the order of the rows, not on the kind of file nor on the size of a block.
`Counted` keeps as many rows of each group as planned, every choice of so many rows being equally likely: a row
stays if u·(rows left of its group) < (rows wanted still), Knuth's selection sampling. `Single` decides each row
on its own, with the probability of its group, and leaves out the rows that the probabilities were learned
from; so the rows it keeps are independent of one another if the rows it is given are.
"""

from collections.abc import Callable, Iterator

import numpy as np
from jaxtyping import Bool, Float, Int64

from lem_safe.auditor.inside import scrambled
from lem_safe.keys import Key
from lem_safe.thinning.membership import MISSING

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
        for g in np.unique(group[group != MISSING]).tolist():
            rows = np.flatnonzero(group == g)
            left, wanted = int(self._left[g]), int(self._wanted[g])
            if wanted in (0, left):
                chosen = [wanted > 0] * len(rows)
                wanted -= wanted and len(rows)
            else:
                chosen, wanted = _selected(u[rows].tolist(), left, wanted)
            kept[rows] = chosen
            self._left[g], self._wanted[g] = left - len(rows), wanted
        return kept

    @property
    def done(self) -> bool:
        """Whether every row was seen, and no more than those counted."""
        return not self._left.any() and not self._wanted.any()


class Single:
    """Each row on its own, with the probability of its group; none of the rows that these were learned from."""

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
    """Which rows stay, as many at a time as whoever copies them has at hand."""

    def __init__(self, blocks: Iterator[Kept], done: Callable[[], object]):
        """done: called once when rows are asked for and none are left, and by `finish`."""
        self._blocks, self._done = blocks, done
        self._held: Kept = np.zeros(0, dtype=bool)
        self.seen = self.kept = 0

    def take(self, n: int) -> Kept:
        """The flags of the next n rows."""
        while len(self._held) < n:
            block = next(self._blocks, None)
            if block is None:
                self._done()
                break
            self._held = np.concatenate([self._held, block])
        taken, self._held = self._held[:n], self._held[n:]
        self.seen, self.kept = self.seen + len(taken), self.kept + int(taken.sum())
        return taken


def _selected(u: list[float], left: int, wanted: int) -> tuple[list[bool], int]:
    """Which of the next rows of a group stay, and how many are wanted after them."""
    chosen = []
    for number in u:
        stays = number * left < wanted
        chosen.append(stays)
        left -= 1
        wanted -= stays
    return chosen, wanted
