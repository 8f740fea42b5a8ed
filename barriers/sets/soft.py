"""Twice differentiable bounds of sets with kinks, from the safe side: s_soft ≤ max(s, 0), so φ∘s_soft is a
majorant (B.2, B.5).

union         −w log Σ e^{−sᵢ/w} ≤ min sᵢ
intersection   w log Σ e^{sᵢ/w} − w log k ≤ max sᵢ

With p the softmax weights, ∇ = Σpᵢ∇sᵢ and Δ = Σpᵢ(Δsᵢ ∓ ‖∇sᵢ‖²/w) ± ‖Σpᵢ∇sᵢ‖²/w, upper signs for the union
(C.2).
"""

import math
from functools import singledispatch

from jaxtyping import Bool, Float

from barriers.arrays import Tensor, torch
from barriers.derivatives import Jet, Scalar
from barriers.members import Members
from barriers.sets.algebra import AllOf, AnyOf, Not
from barriers.sets.base import NotSmooth, UnsafeSet
from barriers.squares import squared_norm


class SoftExtremum(UnsafeSet):
    """A soft union (sign −1) or intersection (sign +1) of smooth sets; membership is that of the hard set."""

    exact = False
    smooth = True

    def __init__(self, hard: UnsafeSet, sets: list[UnsafeSet], width: Scalar, sign: int):
        super().__init__()
        self.hard, self.sets, self.width, self.sign, self.dimension = (
            hard,
            Members(sets),
            width,
            sign,
            hard.dimension,
        )
        self.shift = width * math.log(len(sets)) if sign > 0 else 0.0

    def forward(self, x: Float[Tensor, "*n d"]) -> Float[Tensor, "*n"]:
        return self._extremum(torch.stack([member(x) for member in self.sets], -1))

    def contains(self, x: Float[Tensor, "*n d"]) -> Bool[Tensor, "*n"]:
        return self.hard.contains(x)

    def jet(self, x: Float[Tensor, "n d"]) -> Jet:
        jets = [member.jet(x) for member in self.sets]
        s, g, lap = (torch.stack(part, 1) for part in zip(*jets, strict=True))
        p = torch.softmax(self.sign * s / self.width, 1)
        gradient = torch.einsum("nk,nkd->nd", p, g)
        spread = (p * squared_norm(g)).sum(1) - squared_norm(gradient)
        return Jet(self._extremum(s), gradient, (p * lap).sum(1) + self.sign * spread / self.width)

    def _extremum(self, s: Tensor) -> Tensor:
        return self.sign * self.width * torch.logsumexp(self.sign * s / self.width, -1) - self.shift


@singledispatch
def soften(unsafe: UnsafeSet, width: Scalar) -> UnsafeSet:
    """A smooth set with s_soft ≤ s outside `unsafe` and s_soft ≤ 0 inside it; raises NotSmooth where none is
    known.

    Unions, intersections and growths of such sets have this property too.
    """
    if unsafe.smooth:
        return unsafe
    raise NotSmooth(
        f"{type(unsafe).__name__} has no twice differentiable form; use the filter `step` or `gate`"
    )


@singledispatch
def soften_complement(inner: UnsafeSet, width: Scalar) -> UnsafeSet:
    """`soften(Not(inner), width)`: a set without a softened form may have a complement with one, and the
    reverse.
    """
    if inner.smooth:
        return Not(inner)
    raise NotSmooth(
        f"not {type(inner).__name__} has no twice differentiable form; use the filter `step` or `gate`"
    )


@soften.register
def _soft_not(unsafe: Not, width: Scalar) -> UnsafeSet:
    return soften_complement(unsafe.inner, width)


@soften.register
def _soft_any_of(unsafe: AnyOf, width: Scalar) -> UnsafeSet:
    return SoftExtremum(unsafe, [soften(s, width) for s in unsafe.members()], width, -1)


@soften.register
def _soft_all_of(unsafe: AllOf, width: Scalar) -> UnsafeSet:
    return SoftExtremum(unsafe, [soften(s, width) for s in unsafe.members()], width, +1)
