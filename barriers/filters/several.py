"""The search for the multiplier of one constraint on each of several small clouds in this process (Q.6), side
by side: what `single` does of one cloud, with the same bits.

Positions are tensors [q, n, d]; what there is one number of for each cloud is a column [q, 1], or in numpy.
"""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from barriers.arrays import Tensor, torch
from barriers.filters import single
from barriers.filters.flat import Flat, stepped
from barriers.filters.one_constraint import (
    ROUNDS,
    Numbers,
    column,
    continued,
    numbers,
    unsettled,
)
from barriers.filters.push import depth, narrowing
from barriers.noise import Noise
from barriers.pairs import chance_along
from barriers.predicted import Chance
from barriers.sets.base import UnsafeSet
from barriers.squares import inner

FEW = 4
"""So many clouds that are not yet at their limits are looked at one after the other."""


class Pushed(NamedTuple):
    """The change of the particles of each cloud, the mean chance with it, and by how much that is too
    large.
    """

    change: Float[Tensor, "q n d"]
    mean: Numbers
    violation: Numbers

    @classmethod
    def of(cls, at: single.Tried, one: "Clouds") -> "Pushed":
        """What was found of a single cloud."""
        change = torch.zeros_like(one.y) if at.change is None else at.change[None]
        return cls(change, np.array([at.mean]), np.array([at.violation]))

    def longest(self) -> Numbers:
        """The largest change of a coordinate of each cloud; NaN where one is NaN."""
        return numbers(self.change.flatten(1).abs().amax(1, keepdim=True))

    def out_of_reach(self, farthest: float) -> Int[np.ndarray, "k"]:
        """The clouds that violate their constraint still, or have a particle that is moved farther."""
        return (~(self.longest() <= farthest) | (self.violation > 0)).nonzero()[0]


class Clouds(NamedTuple):
    """Clouds and the chance of each of their particles with its gradient, what is added to their mean
    chances, and the limits of these.
    """

    y: Float[Tensor, "q n d"]
    chance: Float[Tensor, "q n"]
    gradient: Float[Tensor, "q n d"]
    error: Numbers
    limit: Numbers

    def at(self, which: Int[np.ndarray, "k"]) -> "Clouds":
        """Those at these places, in ascending order."""
        if len(which) == len(self.y):
            return self
        places = torch.from_numpy(which)
        y, chance, gradient = (part.index_select(0, places) for part in self[:3])
        return Clouds(y, chance, gradient, self.error[which], self.limit[which])


def chances(unsafe: UnsafeSet, y: Float[Tensor, "q n d"], noise: Noise) -> Chance:
    """The chance of every particle, with its gradient, however far it is: no cloud's depend on how many there
    are.
    """
    found = chance_along(unsafe, y.reshape(-1, y.shape[-1]), noise._replace(every=True))
    return Chance(found.value.reshape(y.shape[:-1]), lambda: found.gradient.reshape(y.shape))


def moved(
    unsafe: UnsafeSet, y: Float[Tensor, "q n d"], noise: Noise, change: Float[Tensor, "q n d"]
) -> tuple[Numbers, Chance]:
    """The mean chance of each cloud at y after a change of its particles, and their chances."""
    mapped = change if noise.factor is None else change @ noise.factor.to(change.dtype).T
    found = chances(unsafe, y + mapped, noise)
    return means(found.value), found


def least_push(
    unsafe: UnsafeSet, clouds: Clouds, noise: Noise, aim: float, farthest: float
) -> tuple[Numbers, Pushed, Float[Tensor, "q n d"]]:
    """The least multiplier of each cloud whose push takes the mean chance to its limit, or up to four times
    `aim` below it, what it does, and the push. Clouds with a move farther than `farthest` are not looked into
    further.
    """
    t = depth(clouds.chance)
    push = narrowing(t)[..., None] * clouds.gradient

    def too_far(at: Pushed) -> np.ndarray:
        return ~(at.longest() <= farthest)

    def tried(which: np.ndarray | None, μ: np.ndarray) -> tuple[Pushed, Callable[[], np.ndarray]]:
        y, own, error, limit = clouds.y, push, clouds.error, clouds.limit
        if which is not None and len(which) < len(push):
            places = torch.from_numpy(which)
            y, own, error, limit = y[places], push[places], error[which], limit[which]
        change = own * column(-μ, own)[..., None]
        mean, found = moved(unsafe, y, noise, change)
        mean = mean + error
        return Pushed(change, mean, mean - limit), lambda: means(inner(found.gradient, own))

    mean = means(clouds.chance) + clouds.error
    start = Pushed(torch.zeros_like(push), mean, mean - clouds.limit)
    slope = inner(clouds.gradient, push)
    falls = means(slope)
    first = _first(Flat(t, slope, t.shape[1]), start.violation + aim, falls, aim)
    at, falling = tried(None, first)
    going = unsettled(at, aim, too_far).nonzero()[0]
    if len(going) > FEW:
        return *continued(tried, start, falls, (first, at, falling), aim, too_far), push
    if len(going):
        slopes = falling()
    for r in going.tolist():
        begun = single.Tried(0.0, None, *_of(start, r), partial(falls.item, r))
        here = single.Tried(first.item(r), at.change[r], *_of(at, r), partial(slopes.item, r))
        own = single.pushed(unsafe, clouds.y[r], noise, push[r], clouds.error.item(r), clouds.limit.item(r))
        found = single.continued(own, begun, here, aim, lambda one: not one.longest() <= farthest)
        first[r], at.mean[r], at.violation[r] = found.multiplier, found.mean, found.violation
        at.change[r] = 0.0 if found.change is None else found.change
    return first, at, push


def _of(pushed: Pushed, r: int) -> tuple[float, float]:
    return pushed.mean.item(r), pushed.violation.item(r)


@np.errstate(all="ignore")
def _first(flat: Flat, over: Numbers, falls: Numbers, aim: float) -> Numbers:
    """The multipliers that flat boundaries would have (Q.7)."""
    μ, done = stepped(np.zeros_like(over), over, -falls, flat.bends[0], flat.bends[1], aim)
    limit: Numbers | None = None
    for _ in range(ROUNDS):
        if done.all():
            break
        limit = flat.value() - over if limit is None else limit
        value, slope, second, third = flat.at(μ[:, None])
        better, near = stepped(μ, value - limit, slope, second, third, aim)
        μ, done = np.where(done, μ, better), done | near
    return np.where(np.isfinite(μ), μ, 0.0)


def fractions(unsafe: UnsafeSet, x: Float[Tensor, "q n d"]) -> Float[np.ndarray, "q"]:
    """The fraction of each cloud inside."""
    q, n, d = x.shape
    inside: np.ndarray = unsafe.contains(x.reshape(-1, d)).numpy().reshape(q, n)
    return np.asarray(inside.sum(1) / n)


def means(values: Float[Tensor, "*q n"]) -> Float[np.ndarray, "*q"]:
    """The mean over the particles of each cloud."""
    return numbers(values.mean(-1, keepdim=True, dtype=torch.float64))
