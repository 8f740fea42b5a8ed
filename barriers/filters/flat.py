"""The mean of the chances of being inside beside a flat boundary, as a function of the multiplier (Q.7): of
one cloud or of each of several, in numpy, whose operations on so few numbers take half as long as torch's.
"""

import math
from functools import lru_cache

import numpy as np
from jaxtyping import Bool, Float

from barriers.filters.normal import beyond, density
from barriers.noise import DENSITY

LEAST, MOST = 0.5, 2.0
"""How far a step of the third order may be from one of Halley's."""

Numbers = Float[np.ndarray, "q"]


class Flat:
    """The mean of Φ(−s − cμ) over a cloud of n particles, or each of several, of which those that matter are
    given: s = −t before anything is moved, where each chance falls by `slope` per unit of μ.
    """

    def __init__(self, t: Float[np.ndarray, "*q k"], slope: Float[np.ndarray, "*q k"], n: int):
        self.n, self.s = n, -t
        self.powers = np.empty((3, *t.shape), t.dtype)
        c, squared, cubed = self.powers
        np.divide(slope, density(self.s), out=c)  # a depth is finite, and its density not 0
        np.multiply(c, c, out=squared)
        np.multiply(squared, c, out=cubed)
        self.signs = _signs(n, t.ndim)
        self.bends = self._derivatives(self.s)[1:]
        """The second and the third derivative at μ = 0."""

    def value(self) -> Float[np.ndarray, "*q"]:
        """The mean at μ = 0."""
        return self._mean(self.s)

    def at(
        self, μ: float | Float[np.ndarray, "q 1"]
    ) -> tuple[Float[np.ndarray, "*q"], Float[np.ndarray, "3 *q"]]:
        """The mean at μ, and its three derivatives in μ."""
        s = self.powers[0] * np.asarray(μ, self.s.dtype)
        s += self.s
        return self._mean(s), self._derivatives(s)

    def _mean(self, s: Float[np.ndarray, "*q k"]) -> Float[np.ndarray, "*q"]:
        return np.asarray(beyond(s).astype(np.float64, copy=False).sum(-1) / self.n)

    def _derivatives(self, s: Float[np.ndarray, "*q k"]) -> Float[np.ndarray, "3 *q"]:
        """The means of −cφ, c²sφ and c³(1 − s²)φ, φ the density at s."""
        parts = np.empty((3, *s.shape), s.dtype)
        φ, bent, twisted = parts
        np.multiply(s, s, out=φ)
        φ *= -0.5
        np.exp(φ, out=φ)
        np.multiply(s, φ, out=bent)
        np.multiply(s, bent, out=twisted)
        np.subtract(φ, twisted, out=twisted)
        parts *= self.powers
        found: np.ndarray = parts.sum(-1) * self.signs
        return found


@lru_cache(maxsize=64)
def _signs(n: int, dimensions: int) -> Float[np.ndarray, "3 ..."]:
    """The signs and the heights of the means of the derivatives."""
    return np.array([-DENSITY, DENSITY, DENSITY]).reshape(3, *[1] * (dimensions - 1)) / n


def stepped(
    μ: Numbers, f: Numbers, first: Numbers, second: Numbers, third: Numbers, aim: float
) -> tuple[Numbers, Bool[np.ndarray, "q"]]:
    """Householder's step of the third order from μ, or Halley's where that is too far from it; and whether
    what it leaves of f, which is of the order of f times the cube of how much of the slope the step bends, is
    the aim at most.
    """
    newton = f / first
    bent, twisted = newton * (second / first), newton * newton * (third / first)
    halley = 1 / np.maximum(1 - 0.5 * bent, 0.5)
    ratio = (1 - 0.5 * bent) / (1 - bent + twisted / 6)
    ratio = np.where((ratio > LEAST * halley) & (ratio < MOST * halley), ratio, halley)
    bend = np.absolute(bent) + np.sqrt(np.absolute(twisted))
    return np.maximum(μ - newton * ratio, 0.0), np.absolute(f * bend * bend * bend) <= aim


def stepped_alone(
    μ: float, f: float, first: float, second: float, third: float, aim: float
) -> tuple[float, bool]:
    """`stepped` of a single cloud."""
    newton = divided(f, first)
    bent, twisted = newton * divided(second, first), newton * newton * divided(third, first)
    halley = 1 / max(1 - 0.5 * bent, 0.5)
    ratio = divided(1 - 0.5 * bent, 1 - bent + twisted / 6)
    ratio = ratio if LEAST * halley < ratio < MOST * halley else halley
    bend = abs(bent) + math.sqrt(abs(twisted))
    return max(μ - newton * ratio, 0.0), abs(f * bend * bend * bend) <= aim


def divided(a: float, b: float) -> float:
    """a/b, as arrays divide."""
    if b != 0:
        return a / b
    return math.nan if a == 0 or math.isnan(a) else math.copysign(math.inf, a) * math.copysign(1.0, b)
