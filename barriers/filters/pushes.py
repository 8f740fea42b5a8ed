"""The push of the predictive drift filter (Q.6) in numpy, for clouds in this process's memory."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from barriers.chances import Chances
from barriers.filters.normal import depth
from barriers.filters.push import NARROW
from barriers.small import Columns, summed


class Pushes(NamedTuple):
    """How many standard deviations each particle is inside a half-space of the same chance, its push, and by
    how much its chance falls per unit of the multiplier, to first order.
    """

    depth: Float[np.ndarray, "*q n"]
    push: Columns
    slope: Float[np.ndarray, "*q n"]

    @classmethod
    def of(cls, found: Chances) -> "Pushes":
        """r(p)∇p of these chances."""
        t = depth(found.value)
        push = found.gradient * narrowing(t)
        return cls(t, push, along(found.gradient, push))


def narrowing(t: Float[np.ndarray, "*q n"]) -> Float[np.ndarray, "*q n"]:
    """r(p), p = Φ(t): `push.narrowing`."""
    r = t * t
    r *= -0.5 * (NARROW**-2 - 1)
    np.exp(r, out=r)
    r *= 1 / NARROW
    return r


def along(gradient: Columns, push: Columns) -> Float[np.ndarray, "*q n"]:
    """The derivative of each chance along its push."""
    return summed(gradient * push)
