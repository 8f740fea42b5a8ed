"""The mean of the chances of being inside beside a flat boundary, as a function of the multiplier (Q.7): of
one cloud or of each of several, in numpy, whose operations on so few numbers take half as long as torch's.
"""

import math

import numpy as np
from jaxtyping import Bool, Float

from barriers.arrays import Tensor, torch
from barriers.noise import DENSITY, SQRT2

LEAST, MOST = 0.5, 2.0
"""How far a step of the third order may be from one of Halley's."""

Numbers = Float[np.ndarray, "q"]


class Flat:
    """The mean of Φ(−s − cμ) over a cloud of n particles, or each of several, of which those that matter are
    given: s = −t before anything is moved, where each chance falls by `slope` per unit of μ.
    """

    @np.errstate(all="ignore")
    def __init__(self, t: Float[Tensor, "*q k"], slope: Float[Tensor, "*q k"], n: int):
        self.n, self.s = n, -t.numpy(force=True)
        density = _density(self.s)
        self.c = slope.numpy(force=True) / density  # a depth is finite, and its density not 0
        self.squared = self.c * self.c
        self.cubed = self.squared * self.c
        bent, parts = self.s * density, np.empty((2, *self.s.shape))
        np.multiply(self.squared, bent, out=parts[0])
        density -= self.s * bent
        np.multiply(self.cubed, density, out=parts[1])
        self.bends = parts.sum(-1) / n
        """The second and the third derivative at μ = 0."""

    def value(self) -> Float[np.ndarray, "*q"]:
        """The mean at μ = 0."""
        return np.asarray(_beyond(self.s).sum(-1, dtype=np.float64) / self.n)

    def at(self, μ: float | Float[np.ndarray, "q 1"]) -> Float[np.ndarray, "4 *q"]:
        """The mean at μ, and its three derivatives in μ."""
        s = self.s + self.c * np.asarray(μ, self.s.dtype)
        density = _density(s)
        bent = s * density
        parts = np.empty((4, *s.shape))
        parts[0] = _beyond(s)
        np.multiply(self.c, -density, out=parts[1])
        np.multiply(self.squared, bent, out=parts[2])
        density -= s * bent
        np.multiply(self.cubed, density, out=parts[3])
        found: np.ndarray = parts.sum(-1) / self.n
        return found


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


def _density(s: Float[np.ndarray, "*q k"]) -> Float[np.ndarray, "*q k"]:
    """The standard normal density."""
    found = s * s
    found *= -0.5
    np.exp(found, out=found)
    found *= DENSITY
    return found


def _beyond(s: Float[np.ndarray, "*q k"]) -> Float[np.ndarray, "*q k"]:
    """Φ(−s)."""
    found: np.ndarray = torch.special.erfc(torch.from_numpy(s * s.dtype.type(1 / SQRT2))).numpy()
    found *= 0.5
    return found
