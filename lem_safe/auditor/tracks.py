"""Paths in a stream: each row of a path with the row before it, so that the segment between them can be
checked.
"""

import numpy as np
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from barriers.sets import Anywhere, Separation, UnsafeSet, exactly
from barriers.sets.segments import at, lowest


class Tracks:
    """The last row of each path so far. The rows of one path come in the order of time; paths may be
    interleaved.
    """

    def __init__(self) -> None:
        self._last: dict[int, Tensor] = {}

    def before(self, x: Float[Tensor, "b d"], unit: Int64[np.ndarray, "b"]) -> Float[Tensor, "b d"]:
        """The row before each row on its path; the row itself where a path begins."""
        previous = x.clone()
        order = np.argsort(unit, kind="stable")
        follows = unit[order][1:] == unit[order][:-1]
        previous[order[1:][follows]] = x[order[:-1][follows]]
        first = order[np.concatenate([[True], ~follows])]
        last = order[np.concatenate([~follows, [True]])]
        for i in first.tolist():
            previous[i] = self._last.get(int(unit[i]), x[i])
        self._last.update((int(unit[i]), x[i].clone()) for i in last.tolist())
        return previous


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
