"""The chances of particles of being inside a set after the noise (Q.5), in numpy (`barriers.small`).

Each number is computed from its particle alone, in the same order, so that no cloud's depend on how many
there are.
"""

from collections.abc import Callable
from functools import cached_property

import numpy as np
from jaxtyping import Float, Int

from barriers.noise import Noise
from barriers.pairs import ball_of, chance_along
from barriers.sets.ball import Ball
from barriers.sets.base import UnsafeSet
from barriers.shell import shell
from barriers.small import Columns, as_columns, rows_of, summed


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
        return as_columns(found.gradient.reshape(*y.shape[1:], len(y)))

    return Chances(found.value.numpy(force=True).reshape(y.shape[1:]), gradient)


def near(ball: Ball, y: Float[np.ndarray, "d n"], noise: Noise) -> Int[np.ndarray, "k"]:
    """The particles within BEYOND standard deviations of a ball, and some more."""
    _, within = shell(ball.radius, len(y), noise.std, y.dtype)
    offset = y - ball.middle(y.dtype, 2)
    offset *= offset
    return np.flatnonzero(~(summed(offset) > within * within))  # NaN is near


def mapped(change: Columns, noise: Noise) -> Columns:
    """A change of the whitened positions as one of the positions."""
    if noise.factor is None:
        return change
    rows = rows_of(change)
    return as_columns(rows @ noise.factor.to(rows.dtype).T)


def _in_ball(ball: Ball, y: Columns, noise: Noise) -> Chances:
    own, _ = shell(ball.radius, len(y), noise.std, y.dtype)
    offset = y - ball.middle(y.dtype, y.ndim)
    ρ = summed(offset * offset)
    ρ += own.tiny
    np.sqrt(ρ, out=ρ)
    value, z = own.chance(ρ)

    def gradient() -> Columns:
        slope = own.slope(z)
        slope /= ρ
        return offset * slope

    return Chances(value, gradient)
