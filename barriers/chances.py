"""The chances of particles of being inside a set after the noise (Q.5), in numpy (`barriers.small`).

Each number is computed from its particle alone, in the same order, so that
no cloud's depend on how many there are.
"""

from collections.abc import Callable
from functools import cached_property, lru_cache
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Int

from barriers.arrays import torch
from barriers.noise import DENSITY, SQRT2, Noise, beyond, reach_of
from barriers.pairs import WANDER, ball_of, chance_along
from barriers.sets.ball import Ball, smoothing
from barriers.sets.base import UnsafeSet
from barriers.small import Columns, columns_of, rows_of, summed

FARTHEST = {4: 9.0}
"""The largest argument of erfc for numbers of so many bytes, 26 of others: what is below the smallest normal
number takes several times as long, and is nothing beside any chance that counts.
"""


class Chances:
    """The chance of each particle, and its gradient, which is computed when it is first asked for."""

    def __init__(self, value: Float[np.ndarray, "*q n"], gradient: Callable[[], Columns]):
        self.value, self._gradient = value, gradient

    @cached_property
    def gradient(self) -> Columns:
        """The gradient of each chance; under a metric along the columns of its factor."""
        return self._gradient()


def chances(unsafe: UnsafeSet, y: Columns, noise: Noise) -> Chances:
    """The chance that y + Lξ is inside, of every particle, however far it is."""
    ball = ball_of(unsafe) if noise.factor is None else None
    if ball is not None:
        return _in_ball(ball, y, noise)
    found = chance_along(unsafe, rows_of(y).flatten(0, -2), noise._replace(every=True))

    def gradient() -> Columns:
        return columns_of(found.gradient.reshape(*y.shape[1:], len(y)))

    return Chances(found.value.numpy(force=True).reshape(y.shape[1:]), gradient)


def near(ball: Ball, y: Float[np.ndarray, "d n"], noise: Noise) -> Int[np.ndarray, "k"]:
    """The particles within BEYOND standard deviations of a ball, and some more."""
    _, σ = reach_of(ball.radius, len(y), noise)
    within = ball.radius + (beyond(torch.from_numpy(y).dtype) + WANDER) * σ
    offset = y - ball.center.numpy(force=True).astype(y.dtype)[:, None]
    offset *= offset
    return np.flatnonzero(~(summed(offset) > within * within))  # NaN is near


def mapped(change: Columns, noise: Noise) -> Columns:
    """A change of the whitened positions as one of the positions."""
    if noise.factor is None:
        return change
    rows = rows_of(change)
    return columns_of(rows @ noise.factor.to(rows.dtype).T)


class _Shell(NamedTuple):
    """A ball as its chance is computed: what is added to a squared distance from the centre, −r and r, √2σ,
    and 1/√(2π)σ, for positions of a dtype.
    """

    tiny: float
    ends: Float[np.ndarray, "2"]
    width: float
    height: float


@lru_cache(maxsize=64)
def _shell(radius: float, d: int, std: float, dtype: np.dtype[Any]) -> _Shell:
    reach, σ = reach_of(radius, d, Noise(std))
    tiny = smoothing(torch.from_numpy(np.empty(0, dtype)).dtype, radius)
    return _Shell(tiny, np.array([-reach, reach], dtype), SQRT2 * σ, DENSITY / σ)


def _in_ball(ball: Ball, y: Columns, noise: Noise) -> Chances:
    tiny, ends, width, height = _shell(ball.radius, len(y), noise.std, y.dtype)
    center, ones = ball.center.numpy(force=True), (1,) * (y.ndim - 1)
    offset = y - center.astype(y.dtype).reshape(-1, *ones)
    ρ = summed(offset * offset)
    ρ += tiny
    np.sqrt(ρ, out=ρ)
    z = ends.reshape(2, *ones) + ρ
    z /= width
    np.minimum(z, FARTHEST.get(z.itemsize, 26.0), out=z)
    far, near = torch.special.erfc(torch.from_numpy(z)).numpy()
    value = far - near
    value *= 0.5

    def gradient() -> Columns:
        square = z * z
        np.negative(square, out=square)
        φ_far, φ_near = np.exp(square, out=square)
        slope = φ_near - φ_far
        slope *= height
        slope /= ρ
        return offset * slope

    return Chances(value, gradient)
