"""The predictive drift filter's change where Newton's moves a particle too far, or misses the limit."""

from collections.abc import Callable, Sequence
from functools import partial

from barriers.arrays import Tensor, torch
from barriers.filters.ahead import Ahead
from barriers.filters.push import against, along, narrowed
from barriers.filters.smallest_change import Trials, smallest
from barriers.filters.whole import Whole
from barriers.squares import inner

AT_ONCE = 16384
"""Coordinates of the particles for which several multiples of a change are tried at once."""
MOST = 1e18
"""The largest multiple of a push."""


def bounded(
    ahead_of: Callable[[Tensor], Ahead],
    outwards: Callable[[Tensor], Tensor],
    start: Ahead,
    μ: Tensor,
    whole: Whole,
    farthest: float,
) -> tuple[Tensor, Ahead]:
    """With no coordinate moved further than `farthest`: the push scaled up until Q ≤ L, or all particles
    inside moved outwards, or the best of these.

    ahead_of: what is ahead after a change. outwards: unit steps out of the sets that are chosen.
    """
    pushed = narrowed(start.chance, start.gradient)
    wanted = torch.where(start.violation > 0, 1.0, 0.0).to(μ)
    usable, first = (μ > 0) & (μ < torch.inf), μ
    if not bool(usable.all()):
        slope = whole.mean(inner(start.gradient, pushed))
        first = torch.where(usable, μ, wanted * start.violation / slope.clamp(min=1e-200))
    first = first.clamp(max=largest(pushed))
    push, best = against(pushed, first), (0.0, start)
    at_once = AT_ONCE // max(whole.size(push) * push.shape[-1], 1)
    # a long move along a straight line may re-enter a curved set
    for longest in (farthest, farthest / 2, farthest / 4):
        found = _searched(partial(along, push, longest), ahead_of, MOST, at_once, push.device)
        if bool((found[1].violation <= 0).all()):
            return found[0] * first, found[1]
        best = min(best, found, key=lambda b: float(b[1].violation.max()))
    unit = outwards(wanted)
    led = _searched(lambda c: (farthest * c).to(unit.dtype) * unit, ahead_of, 1.0, at_once, push.device)[1]
    # equal where all are too deep to be distinguished: move outwards anyway
    if led.violation.max() <= best[1].violation.max():
        return torch.full_like(μ, torch.nan), led
    return best[0] * first, best[1]


def _searched(
    change: Callable[[Tensor], Tensor],
    ahead_of: Callable[[Tensor], Ahead],
    most: float,
    at_once: int,
    device: torch.device,
) -> tuple[float, Ahead]:
    """The smallest c ≤ most whose change brings Q within L; where none does, the best of those tried."""
    seen: dict[float, tuple[Ahead, int]] = {}

    def tried(multiples: Sequence[float]) -> Trials:
        c = torch.tensor(multiples, dtype=torch.float64, device=device)[:, None, None]
        found = ahead_of(change(c))
        seen.update({one: (found, i) for i, one in enumerate(multiples)})
        worst = found.violation.amax(1)
        return Trials((found.violation > 0).any(1).tolist(), worst.tolist())

    c = smallest(tried, most, at_once)
    found, i = seen[c]
    return c, Ahead(*(part[i] for part in found))


def largest(push: Tensor) -> float:
    """The largest multiplier of a push: infinity times a push that is none is not a number."""
    return float(torch.finfo(push.dtype).max ** 0.5)
