"""The pushes of several clouds, side by side, scaled up until their constraints hold, with no coordinate
moved further than it may be: what `bounded` tries first of a cloud alone, with the same bits.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool

from barriers.filters.bounded import AT_ONCE, MOST
from barriers.filters.one_constraint import Numbers
from barriers.filters.several import Clouds, Pushed, moved, times
from barriers.filters.smallest_change import Search, Trials, search
from barriers.noise import Noise
from barriers.sets.base import UnsafeSet
from barriers.small import Columns


class Lengthened(NamedTuple):
    """By how much each push is scaled, what that does, and where it is enough."""

    multiple: Numbers
    pushed: Pushed
    enough: Bool[np.ndarray, "q"]


def lengthened(unsafe: UnsafeSet, clouds: Clouds, noise: Noise, push: Columns, farthest: float) -> Lengthened:
    """The smallest multiple of each push that is enough; where none is, the best."""
    d, q, n = push.shape
    searches = [search(MOST, AT_ONCE // max(d * n, 1)) for _ in range(q)]
    wanted = {r: next(own) for r, own in enumerate(searches)}
    seen: list[dict[float, tuple[float, Columns, int]]] = [{} for _ in range(q)]
    multiples = np.empty(q)
    while wanted:
        of = np.repeat(list(wanted), [len(own) for own in wanted.values()])
        c = np.array([one for own in wanted.values() for one in own])
        change = shortened(times(push.take(of, axis=1), c), farthest)
        mean = moved(unsafe, clouds.y.take(of, axis=1), noise, change)[0] + clouds.error[of]
        means, over, begin = mean.tolist(), (mean - clouds.limit[of]).tolist(), 0
        for r, own in list(wanted.items()):
            for k, multiple in enumerate(own, begin):
                seen[r][multiple] = means[k], change, k
            begin += len(own)
            found = _told(searches[r], over[begin - len(own) : begin])
            if isinstance(found, float):
                multiples[r] = found
                del wanted[r]
            else:
                wanted[r] = found
    best = [own[c] for own, c in zip(seen, multiples.tolist(), strict=True)]
    mean, moves = np.array([one for one, _, _ in best]), np.stack([change[:, k] for _, change, k in best])
    over = mean - clouds.limit
    return Lengthened(multiples, Pushed(mean, moves, over), over <= 0)


def shortened(change: Columns, farthest: float) -> Columns:
    """`push.shortened`, with the same bits."""
    longest = np.absolute(change).max(0)
    np.maximum(longest, np.finfo(change.dtype).tiny, out=longest)
    np.divide(farthest, longest, out=longest)
    np.minimum(longest, 1.0, out=longest)
    change *= longest
    return change


def _told(own: Search, over: list[float]) -> list[float] | float:
    """What a search wants tried next, after these violations, or what it has found."""
    try:
        return own.send(Trials([v > 0 for v in over], over))
    except StopIteration as end:
        return float(end.value)
