"""The pushes of several clouds, side by side, scaled up until their constraints hold, with no coordinate
moved further than it may be: what `bounded` tries first of a cloud alone, with the same bits.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from barriers.arrays import Tensor, torch
from barriers.filters.bounded import AT_ONCE, MOST
from barriers.filters.one_constraint import Numbers
from barriers.filters.push import along
from barriers.filters.several import Clouds, Pushed, moved
from barriers.filters.smallest_change import Search, Trials, search
from barriers.noise import Noise
from barriers.sets.base import UnsafeSet


class Lengthened(NamedTuple):
    """By how much each push is scaled, what that does, and where it is enough."""

    multiple: Numbers
    pushed: Pushed
    enough: Bool[np.ndarray, "q"]


def lengthened(
    unsafe: UnsafeSet, clouds: Clouds, noise: Noise, push: Float[Tensor, "q n d"], farthest: float
) -> Lengthened:
    """The smallest multiple of each push that is enough; where none is, the best."""
    searches = [search(MOST, AT_ONCE // max(push[0].numel(), 1)) for _ in push]
    wanted = {r: next(own) for r, own in enumerate(searches)}
    seen: list[dict[float, tuple[float, Tensor, int]]] = [{} for _ in push]
    multiples = np.empty(len(push))
    while wanted:
        of = np.repeat(list(wanted), [len(own) for own in wanted.values()])
        c = torch.from_numpy(np.array([one for own in wanted.values() for one in own]))
        rows = torch.from_numpy(of)
        change = along(push.index_select(0, rows), farthest, c[:, None, None])
        mean = moved(unsafe, clouds.y.index_select(0, rows), noise, change)[0] + clouds.error[of]
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
    mean, moves = np.array([one for one, _, _ in best]), torch.stack([change[k] for _, change, k in best])
    over = mean - clouds.limit
    return Lengthened(multiples, Pushed(moves, mean, over), over <= 0)


def _told(own: Search, over: list[float]) -> list[float] | float:
    """What a search wants tried next, after these violations, or what it has found."""
    try:
        return own.send(Trials([v > 0 for v in over], over))
    except StopIteration as end:
        return float(end.value)
