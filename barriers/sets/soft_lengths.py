"""Limits of speed, acceleration and separation for a drift filter: twice differentiable, and bounded from
the safe side (B.5, B.13).

the set         −w log Σ_g e^{−s_g/(f_g w)}                       at most the least s
its complement   w log Σ_g e^{−s_g/(f_g w)} − w log(number of g)   at most the largest −s

f_g is 1 over the data's units; in coordinates z ↦ x, the largest factor by which s_g changes where z moves.
For the distance of agents between waypoints s_g is that of the relative path of a pair, bounded piece by
piece as in (B.12).
"""

import math

from jaxtyping import Bool, Float

from barriers.arrays import Tensor, torch
from barriers.coordinates import Coordinates
from barriers.derivatives import Jet, Scalar, autodiff_jet
from barriers.sets.algebra import Not
from barriers.sets.anywhere import Anywhere
from barriers.sets.ball import Ball
from barriers.sets.base import FARTHEST, UnsafeSet
from barriers.sets.lengths import Lengths
from barriers.sets.separation import Separation
from barriers.sets.soft import soften, soften_complement
from barriers.sets.soft_path import SoftPath


class SoftLengths(UnsafeSet):
    """A softened limit (sign −1) or its complement (sign +1); membership is that of `hard`."""

    exact = False
    smooth = True
    factors: Tensor

    def __init__(
        self,
        hard: UnsafeSet,
        limit: Lengths | Separation,
        width: Scalar,
        sign: int,
        coordinates: Coordinates | None,
    ):
        super().__init__()
        self.hard, self.limit, self.width, self.sign = hard, limit, width, sign
        self.coordinates, self.dimension = coordinates, hard.dimension
        one = torch.ones(1, dtype=torch.float64)
        factors = one if coordinates is None else limit.stretch(coordinates)
        self.pair: SoftPath | None = None
        if isinstance(limit, Separation) and limit.joined:
            factors = factors.amax(0, keepdim=True)
            names = [str(i) for i in range(limit.times * limit.size)]
            path = Anywhere(Ball([0.0] * limit.size, limit.below), names)
            whole = path if sign < 0 else ~path
            self.pair = SoftPath(whole, path, width * float(factors) * 2**0.5, sign, None)
        self.register_buffer("factors", factors)

    def forward(self, x: Float[Tensor, "*n d"]) -> Float[Tensor, "*n"]:
        at = x if self.coordinates is None else self.coordinates(x)
        if self.pair is not None and isinstance(self.limit, Separation):
            relative = self.limit.relative(at).transpose(-2, -3).flatten(-2)
            s = self.pair(relative) / (float(self.factors) * 2**0.5)
        else:
            s = -self.sign * self._scaled(self.limit.levels(at))
        soft = self.sign * self.width * torch.logsumexp(self.sign * s / self.width, -1)
        return soft - (self.width * math.log(s.shape[-1]) if self.sign > 0 else 0.0)

    def _scaled(self, s: Float[Tensor, "*n l"]) -> Float[Tensor, "*n l"]:
        """In coordinates, a bound of the first-order distance: at most FARTHEST in size, as that is."""
        if self.coordinates is None:
            return s
        return s / (self.factors.to(s.dtype).square() + (s / FARTHEST).square()).sqrt()

    def contains(self, x: Float[Tensor, "*n d"]) -> Bool[Tensor, "*n"]:
        return self.hard.contains(x)

    def jet(self, x: Float[Tensor, "n d"]) -> Jet:
        return autodiff_jet(self, x)


@soften.register(Lengths)
@soften.register(Separation)
def _soft_lengths(unsafe: Lengths | Separation, width: Scalar) -> UnsafeSet:
    return SoftLengths(unsafe, unsafe, width, -1, None)


@soften_complement.register(Lengths)
@soften_complement.register(Separation)
def _soft_complement_of_lengths(inner: Lengths | Separation, width: Scalar) -> UnsafeSet:
    return SoftLengths(Not(inner), inner, width, +1, None)
