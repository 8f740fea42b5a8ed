"""The search for the multiplier of one constraint on each of several small clouds in this process (Q.6), side
by side: what `single` does of one cloud, with the same bits.

Positions are tensors [q, n, d]; what there is one number of for each cloud is a column [q, 1], or in numpy.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from barriers.arrays import Tensor, torch
from barriers.filters.one_constraint import Numbers, column, if_flat, least, numbers
from barriers.filters.push import depth, inner, narrowing, normal_profile
from barriers.noise import Noise
from barriers.pairs import chance_along
from barriers.sets.base import UnsafeSet


class Pushed(NamedTuple):
    """The change of the particles of each cloud, the mean chance with it, and by how much that is too
    large.
    """

    change: Float[Tensor, "q n d"]
    mean: Numbers
    violation: Numbers

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


def chances(
    unsafe: UnsafeSet, y: Float[Tensor, "q n d"], noise: Noise
) -> tuple[Float[Tensor, "q n"], Float[Tensor, "q n d"]]:
    """The chance of every particle, with its gradient, however far it is: no cloud's depend on how many there
    are.
    """
    p, gradient = chance_along(unsafe, y.reshape(-1, y.shape[-1]), noise._replace(every=True))
    return p.reshape(y.shape[:-1]), gradient.reshape(y.shape)


def moved(
    unsafe: UnsafeSet, clouds: Clouds, noise: Noise, change: Float[Tensor, "q n d"]
) -> tuple[Numbers, Float[Tensor, "q n"], Float[Tensor, "q n d"]]:
    """The mean chance of each cloud after a change of its particles, their chances, and the gradients."""
    mapped = change if noise.factor is None else change @ noise.factor.to(change.dtype).T
    p, gradient = chances(unsafe, clouds.y + mapped, noise)
    return means(p) + clouds.error, p, gradient


def least_push(
    unsafe: UnsafeSet, clouds: Clouds, noise: Noise, aim: float, farthest: float
) -> tuple[Numbers, Pushed, Float[Tensor, "q n d"]]:
    """The least multiplier of each cloud whose push takes the mean chance to its limit, or up to four times
    `aim` below it, what it does, and the push. Clouds with a move farther than `farthest` are not looked into
    further.
    """
    t = depth(clouds.chance)
    push = narrowing(t)[..., None] * clouds.gradient

    def tried(which: np.ndarray | None, μ: np.ndarray) -> tuple[Pushed, np.ndarray]:
        few, own = clouds, push
        if which is not None and len(which) < len(push):
            few, own = clouds.at(which), push.index_select(0, torch.from_numpy(which))
        change = own * column(-μ, own)[..., None]
        mean, _, gradient = moved(unsafe, few, noise, change)
        return Pushed(change, mean, mean - few.limit), means(inner(gradient, own))

    mean = means(clouds.chance) + clouds.error
    start = Pushed(torch.zeros_like(push), mean, mean - clouds.limit)
    slope = inner(clouds.gradient, push)
    first, falls = if_flat(normal_profile, -t, slope, start.violation + aim, means, aim)
    μ, found = least(tried, start, falls, first, aim, lambda at: ~(at.longest() <= farthest))
    return μ, found, push


def fractions(unsafe: UnsafeSet, x: Float[Tensor, "q n d"]) -> Float[np.ndarray, "q"]:
    """The fraction of each cloud inside."""
    q, n, d = x.shape
    inside: np.ndarray = unsafe.contains(x.reshape(-1, d)).numpy().reshape(q, n)
    return np.asarray(inside.sum(1) / n)


def means(values: Float[Tensor, "*q n"]) -> Float[np.ndarray, "*q"]:
    """The mean over the particles of each cloud."""
    return numbers(values.mean(-1, keepdim=True, dtype=torch.float64))
