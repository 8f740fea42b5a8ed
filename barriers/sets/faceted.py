"""Sets bounded by planes: inside where every face distance fᵢ(x) = nᵢ·x − bᵢ (‖nᵢ‖ = 1, outward) is at most
0.

max fᵢ has kinks, so a drift filter uses the log-sum-exp over all faces (B.5):

set          w log Σ e^{fᵢ/w} − w log k ≤ max fᵢ ≤ s
complement  −w log Σ e^{fᵢ/w}           ≤ −max fᵢ, which is −s inside the set and ≤ 0 outside it

With p = softmax(f/w) and g = Σpᵢnᵢ the first has ∇ = g and Δ = (1 − ‖g‖²)/w (C.2).
"""

import math
from abc import abstractmethod

from jaxtyping import Bool, Float

from barriers.arrays import Tensor, torch
from barriers.derivatives import Jet, Scalar
from barriers.sets.algebra import Not
from barriers.sets.base import UnsafeSet
from barriers.sets.soft import soften, soften_complement
from barriers.squares import squared_norm


class Faceted(UnsafeSet):
    """A set given by its k faces."""

    @abstractmethod
    def faces(self, x: Float[Tensor, "*n d"]) -> Float[Tensor, "*n k"]:
        """The signed distance to every face's plane, > 0 outside."""

    @abstractmethod
    def blend(self, weights: Float[Tensor, "n k"]) -> Float[Tensor, "n d"]:
        """Σ weightsᵢ nᵢ, nᵢ the outward unit normals."""

    @abstractmethod
    def planes(self) -> tuple[Float[Tensor, "k d"], Float[Tensor, "k"]]:
        """Outward unit normals and offsets, float64: nᵢ·x ≤ bᵢ inside."""


class SoftFaces(UnsafeSet):
    """The log-sum-exp of a faceted set's faces (sign +1) or of its complement's (sign −1); membership is that
    of `hard`.
    """

    exact = False
    smooth = True

    def __init__(self, hard: UnsafeSet, shape: Faceted, width: Scalar, sign: int):
        super().__init__()
        self.hard, self.shape, self.width, self.sign, self.dimension = (
            hard,
            shape,
            width,
            sign,
            hard.dimension,
        )

    def forward(self, x: Float[Tensor, "*n d"]) -> Float[Tensor, "*n"]:
        return self._level(self.shape.faces(x))

    def contains(self, x: Float[Tensor, "*n d"]) -> Bool[Tensor, "*n"]:
        return self.hard.contains(x)

    def jet(self, x: Float[Tensor, "n d"]) -> Jet:
        f = self.shape.faces(x)
        g = self.shape.blend(torch.softmax(f / self.width, -1))
        return Jet(self._level(f), self.sign * g, self.sign * (1 - squared_norm(g)) / self.width)

    def _level(self, f: Tensor) -> Tensor:
        shift = self.width * math.log(f.shape[-1]) if self.sign > 0 else 0.0
        return self.sign * self.width * torch.logsumexp(f / self.width, -1) - shift


@soften.register
def _soft_faceted(unsafe: Faceted, width: Scalar) -> UnsafeSet:
    return unsafe if unsafe.smooth else SoftFaces(unsafe, unsafe, width, +1)


@soften_complement.register
def _soft_outside_faceted(inner: Faceted, width: Scalar) -> UnsafeSet:
    return Not(inner) if inner.smooth else SoftFaces(Not(inner), inner, width, -1)
