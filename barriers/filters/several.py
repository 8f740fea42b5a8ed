"""The search for the multiplier of one constraint on each of several small clouds in this process (Q.6), side
by side: what `single` does of one cloud, with the same bits.

Positions are stored coordinate by coordinate, [d, q, n] (`barriers.chances`).
"""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from barriers.arrays import Tensor
from barriers.chances import Chances, chances, mapped
from barriers.counting import members
from barriers.filters import single
from barriers.filters.flat import Flat, stepped
from barriers.filters.one_constraint import ROUNDS, Numbers, continued, unsettled
from barriers.filters.pushes import Pushes, along
from barriers.noise import Noise
from barriers.sets.base import UnsafeSet
from barriers.small import Columns

FEW = 4
"""So many clouds that are not yet at their limits are looked at one after the other."""


class Pushed(NamedTuple):
    """The mean chance of each cloud after a change of its particles, the change, and by how much the mean is
    too large.
    """

    mean: Numbers
    change: Float[np.ndarray, "q d n"]
    violation: Numbers

    @classmethod
    def of(cls, at: single.Tried, one: "Clouds") -> "Pushed":
        """What was found of a single cloud."""
        change = np.zeros_like(one.y) if at.change is None else at.change[:, None]
        return cls(np.array([at.mean]), change.swapaxes(0, 1), np.array([at.violation]))

    def longest(self) -> Numbers:
        """The largest change of a coordinate of each cloud; NaN where one is NaN."""
        found: np.ndarray = np.absolute(self.change).max((1, 2), initial=0.0)
        return found

    def out_of_reach(self, farthest: float) -> Int[np.ndarray, "k"]:
        """The clouds that violate their constraint still, or have a particle that is moved farther."""
        return (~(self.longest() <= farthest) | (self.violation > 0)).nonzero()[0]


class Clouds(NamedTuple):
    """Clouds and the chance of each of their particles with its gradient, what is added to their mean
    chances, and the limits of these.
    """

    y: Columns
    found: Chances
    error: Numbers
    limit: Numbers

    @classmethod
    def of(cls, ahead: single.Ahead, error: float, limit: float) -> "Clouds":
        """A single cloud."""
        found, y = ahead.found, ahead.y
        assert y is not None, "the places of a whole cloud are known"
        own = Chances(found.value[None], lambda: found.gradient[:, None])
        return cls(y[:, None], own, np.array([error]), np.array([limit]))

    def at(self, which: Int[np.ndarray, "k"]) -> "Clouds":
        """Those at these places, in ascending order."""
        if len(which) == self.y.shape[1]:
            return self
        found = Chances(self.found.value[which], lambda: self.found.gradient.take(which, axis=1))
        return Clouds(self.y.take(which, axis=1), found, self.error[which], self.limit[which])


def moved(unsafe: UnsafeSet, y: Columns, noise: Noise, change: Columns) -> tuple[Numbers, Chances]:
    """The mean chance of each cloud at y after a change of its particles, and their chances."""
    found = chances(unsafe, y + mapped(change, noise), noise)
    return means(found.value), found


def least_push(
    unsafe: UnsafeSet, clouds: Clouds, noise: Noise, aim: float, farthest: float
) -> tuple[Numbers, Pushed, Columns]:
    """The least multiplier of each cloud whose push takes the mean chance to its limit, or up to four times
    `aim` below it, what it does, and the push. Clouds with a move farther than `farthest` are not looked into
    further.
    """
    t, push, slope = Pushes.of(clouds.found)

    def too_far(at: Pushed) -> np.ndarray:
        return ~(at.longest() <= farthest)

    def tried(which: np.ndarray | None, μ: np.ndarray) -> tuple[Pushed, Callable[[], np.ndarray]]:
        y, own, error, limit = clouds.y, push, clouds.error, clouds.limit
        if which is not None and len(which) < len(limit):
            y, own, error, limit = y.take(which, axis=1), own.take(which, axis=1), error[which], limit[which]
        change = times(own, -μ)
        mean, found = moved(unsafe, y, noise, change)
        mean = mean + error
        return Pushed(mean, change.swapaxes(0, 1), mean - limit), lambda: means(along(found.gradient, own))

    mean = means(clouds.found.value) + clouds.error
    start = Pushed(mean, np.zeros_like(push).swapaxes(0, 1), mean - clouds.limit)
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
        y, one = (np.ascontiguousarray(part[:, r]) for part in (clouds.y, push))
        own = single.pushed(unsafe, y, noise, one, clouds.error.item(r), clouds.limit.item(r))
        found = single.continued(own, begun, here, aim, lambda one: not one.longest <= farthest)
        first[r], at.mean[r], at.violation[r] = found.multiplier, found.mean, found.violation
        at.change[r] = 0.0 if found.change is None else found.change
    return first, at, push


def times(push: Columns, μ: Numbers) -> Columns:
    """A multiple of the push of each cloud."""
    return push * μ.astype(push.dtype)[:, None]


def _of(pushed: Pushed, r: int) -> tuple[float, float]:
    return pushed.mean.item(r), pushed.violation.item(r)


def _first(flat: Flat, over: Numbers, falls: Numbers, aim: float) -> Numbers:
    """The multipliers that flat boundaries would have (Q.7)."""
    μ, done = stepped(np.zeros_like(over), over, -falls, flat.bends[0], flat.bends[1], aim)
    limit: Numbers | None = None
    for _ in range(ROUNDS):
        if done.all():
            break
        limit = flat.value() - over if limit is None else limit
        value, (slope, second, third) = flat.at(μ[:, None])
        better, near = stepped(μ, value - limit, slope, second, third, aim)
        μ, done = np.where(done, μ, better), done | near
    return np.where(np.isfinite(μ), μ, 0.0)


def fractions(unsafe: UnsafeSet, x: Float[Tensor, "q n d"]) -> Float[np.ndarray, "q"]:
    """The fraction of each cloud inside."""
    q, n, d = x.shape
    inside = members((unsafe,), x.reshape(-1, d)).reshape(q, n)
    return np.asarray(inside.sum(1) / n)


def means(values: Float[np.ndarray, "*q n"]) -> Float[np.ndarray, "*q"]:
    """The mean over the particles of each cloud, in float64."""
    found: np.ndarray = values.astype(np.float64, copy=False).sum(-1) / values.shape[-1]
    return found
