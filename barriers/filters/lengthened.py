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
    seen: list[dict[float, float]] = [{} for _ in push]
    multiple = np.empty(len(push))
    while wanted:
        of = np.repeat(list(wanted), [len(own) for own in wanted.values()])
        c = torch.tensor([one for own in wanted.values() for one in own], dtype=torch.float64)
        rows, trials = torch.from_numpy(of), clouds.at(of)
        change = along(push.index_select(0, rows), farthest, c[:, None, None])
        mean = moved(unsafe, trials, noise, change)[0]
        results, begin = list(zip(mean.tolist(), (mean - trials.limit).tolist(), strict=True)), 0
        for r, own in list(wanted.items()):
            means, over = zip(*results[begin : begin + len(own)], strict=True)
            begin += len(own)
            seen[r].update(zip(own, means, strict=True))
            found = _told(searches[r], over)
            if isinstance(found, float):
                multiple[r] = found
                del wanted[r]
            else:
                wanted[r] = found
    change = along(push, farthest, torch.from_numpy(multiple)[:, None, None])
    mean = np.array([own[c] for own, c in zip(seen, multiple.tolist(), strict=True)])
    over = mean - clouds.limit
    return Lengthened(multiple, Pushed(change, mean, over), over <= 0)


def _told(own: Search, over: tuple[float, ...]) -> list[float] | float:
    """What a search wants tried next, after these violations, or what it has found."""
    try:
        return own.send(Trials([v > 0 for v in over], list(over)))
    except StopIteration as end:
        return float(end.value)
