"""The search for the multiplier of one constraint on each of several small clouds in this process (Q.6), side
by side: what `single` does of one cloud, with the same bits.

Positions are tensors [q, n, d]; what there is one number of for each cloud is a column [q, 1], or in numpy.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from barriers.arrays import Tensor, torch
from barriers.filters.one_constraint import if_flat, least
from barriers.filters.push import depth, inner, narrowing, normal_profile
from barriers.noise import Noise
from barriers.pairs import chance_along
from barriers.sets.base import UnsafeSet


class Pushed(NamedTuple):
    """The change of the particles of each cloud, the mean chance with it, and by how much that is too
    large.
    """

    change: Float[Tensor, "q n d"]
    mean: Float[Tensor, "q 1"]
    violation: Float[Tensor, "q 1"]

    def longest(self) -> Float[Tensor, "q"]:
        """The largest change of a coordinate of each cloud; NaN where one is NaN."""
        return self.change.abs().amax((1, 2))

    def out_of_reach(self, farthest: float) -> Bool[np.ndarray, "q"]:
        """The clouds that violate their constraint still, or have a particle that is moved farther."""
        return (~(self.longest() <= farthest) | (self.violation[:, 0] > 0)).numpy()


class Clouds(NamedTuple):
    """Clouds and the chance of each of their particles with its gradient, what is added to their mean
    chances, and the limits of these.
    """

    y: Float[Tensor, "q n d"]
    chance: Float[Tensor, "q n"]
    gradient: Float[Tensor, "q n d"]
    error: Float[Tensor, "q 1"]
    limit: Float[Tensor, "q 1"]

    def mean(self) -> Float[Tensor, "q 1"]:
        """The mean chance of each, with its error."""
        return _mean(self.chance) + self.error


def chances(
    unsafe: UnsafeSet, y: Float[Tensor, "q n d"], noise: Noise
) -> tuple[Float[Tensor, "q n"], Float[Tensor, "q n d"]]:
    """The chance of every particle, with its gradient, however far it is: no cloud's depend on how many there
    are.
    """
    p, gradient = chance_along(unsafe, y.reshape(-1, y.shape[-1]), noise._replace(every=True))
    return p.reshape(y.shape[:-1]), gradient.reshape(y.shape)


def least_push(
    unsafe: UnsafeSet, clouds: Clouds, noise: Noise, aim: float, farthest: float
) -> tuple[Float[Tensor, "q 1"], Pushed]:
    """The least multiplier of each cloud whose push takes the mean chance to its limit, or up to four times
    `aim` below it, and what it does. Clouds with a move farther than `farthest` are not looked into further.
    """
    y, p, gradient, error, limit = clouds
    t = depth(p)
    push = narrowing(t)[..., None] * gradient
    factor = None if noise.factor is None else noise.factor.to(push.dtype).T

    def tried(which: Tensor | None, μ: Tensor) -> tuple[Pushed, Tensor]:
        parts = (y, push, error, limit)
        z, own, ε, L = parts if which is None else (part.index_select(0, which) for part in parts)
        change = own * μ.neg().to(own.dtype)[..., None]
        moved = change if factor is None else change @ factor
        p, gradient = chances(unsafe, z + moved, noise)
        mean = _mean(p) + ε
        return Pushed(change, mean, mean - L), _mean(inner(gradient, own))

    mean, target = clouds.mean(), torch.tensor([aim], dtype=torch.float64)
    start = Pushed(torch.zeros_like(y), mean, mean - limit)
    slope = inner(gradient, push)
    first, falls = if_flat(
        normal_profile, -t[..., None], slope[..., None], start.violation + aim, _mean_of_columns, target
    )
    return least(tried, start, falls, first, target, lambda at: ~(at.longest() <= farthest))


def fractions(unsafe: UnsafeSet, x: Float[Tensor, "q n d"]) -> Float[np.ndarray, "q"]:
    """The fraction of each cloud inside."""
    q, n, d = x.shape
    inside: np.ndarray = unsafe.contains(x.reshape(-1, d)).numpy().reshape(q, n)
    return np.asarray(inside.sum(1) / n)


def _mean(values: Float[Tensor, "q n"]) -> Float[Tensor, "q 1"]:
    return values.mean(1, keepdim=True, dtype=torch.float64)


def _mean_of_columns(values: Float[Tensor, "q n 1"]) -> Float[Tensor, "q 1"]:
    return values.mean(1, dtype=torch.float64)
