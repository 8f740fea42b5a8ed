"""Paths in a stream: each row of a path with the row before it, so that the segment between them can be
checked.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int64

from barriers.arrays import Tensor, torch
from barriers.sets import Anywhere, Separation, UnsafeSet, exactly
from barriers.sets.segments import at, lowest


class Tracks:
    """The last row of each path so far, in the memory of these rows. The rows of one path come in the order
    of time; paths may be interleaved.
    """

    def __init__(self) -> None:
        self._levels: list[_Last] = []  # the newest last, each more than twice as large as the next

    def before(self, x: Float[Tensor, "b d"], unit: Int64[np.ndarray, "b"]) -> Float[Tensor, "b d"]:
        """The row before each row on its path; the row itself where a path begins."""
        rows = x.numpy()
        previous = rows.copy()
        order = np.argsort(unit, kind="stable")
        follows = unit[order][1:] == unit[order][:-1]
        previous[order[1:][follows]] = rows[order[:-1][follows]]
        first = order[np.concatenate([[True], ~follows])]
        last = order[np.concatenate([~follows, [True]])]
        for level in self._levels:
            known, held = level.of(unit[first])
            previous[first[known]] = held
        self._keep(_Last(unit[last], rows[last]))
        return torch.from_numpy(previous)

    def _keep(self, fresh: "_Last") -> None:
        while self._levels and len(self._levels[-1].numbers) <= 2 * len(fresh.numbers):
            fresh = self._levels.pop().then(fresh)
        self._levels.append(fresh)


class _Last(NamedTuple):
    """The last rows of some paths, by their numbers, ascending."""

    numbers: Int64[np.ndarray, "u"]
    rows: Float[np.ndarray, "u d"]

    def of(self, numbers: Int64[np.ndarray, "k"]) -> tuple[Bool[np.ndarray, "k"], Float[np.ndarray, "j d"]]:
        """Which of these paths are there, and their last rows."""
        at = np.minimum(np.searchsorted(self.numbers, numbers), len(self.numbers) - 1)
        known = self.numbers[at] == numbers
        return known, self.rows[at[known]]

    def then(self, later: "_Last") -> "_Last":
        """The last rows after later ones."""
        kept = ~np.isin(self.numbers, later.numbers)
        numbers = np.concatenate([self.numbers[kept], later.numbers])
        order = np.argsort(numbers, kind="stable")
        return _Last(numbers[order], np.concatenate([self.rows[kept], later.rows])[order])


def deepest(
    region: UnsafeSet, before: Float[Tensor, "b d"], x: Float[Tensor, "b d"]
) -> tuple[Bool[Tensor, "b"], Float[Tensor, "b d"]]:
    """Whether each row, or the segment that ends at it, is inside; and the point of that segment where the
    region is deepest or nearest.

    For a region without a distance it is the row itself, or a point of the segment that was found inside.
    """
    inside, t = lowest(region, before, x)
    return inside, at(before, x, t)


def what_is_judged(region: UnsafeSet, between: str | None) -> str | None:
    """What of paths is checked: of the paths that are units of an audit (`between`), or of those that a
    region is about; None for neither.
    """
    if between is not None:
        return (
            between
            if between == "points"
            else f"segments, {'exactly' if exactly(region) else 'every 1/256 of each'}"
        )
    found = sorted({part.looked for part in region.modules() if isinstance(part, Anywhere | Separation)})
    return "; ".join(found) or None
