"""The same set over sampler coordinates z, each leaf measured by its first-order distance s/‖∇_z s‖.

A level function is not a distance, and a distance in data units is none after whitening. To first order at the boundary
s(x(z))/‖∇_z s‖ is the distance in z, whatever s was; the sign, and so the set, is untouched. Membership stays a statement about
the values as saved: `contains(z)` maps, casts and asks the original set (A.1).
"""

from functools import singledispatch

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from barriers.coordinates import Coordinates
from barriers.derivatives import Jet, autodiff_jet
from barriers.sets.algebra import AllOf, AnyOf, Not
from barriers.sets.base import UnsafeSet
from barriers.sets.soft import soften


class FirstOrder(UnsafeSet):
    """s/‖∇_z s‖ of a leaf, over z. Where the gradient vanishes the value is bounded by |s| over a tiny floor, its sign kept."""

    exact = False

    def __init__(self, original: UnsafeSet, coordinates: Coordinates):
        super().__init__()
        self.original, self.coordinates = original, coordinates
        self.smooth, self.dimension = original.smooth, coordinates.dimension

    def forward(self, x: Float[Tensor, "*n d"]) -> Float[Tensor, "*n"]:
        differentiable = torch.is_grad_enabled()
        with torch.enable_grad():
            z = x if x.requires_grad else x.detach().requires_grad_()
            s = self.original(self.coordinates(z))
            if not s.requires_grad:
                return s
            (gradient,) = torch.autograd.grad(s.sum(), z, create_graph=differentiable)
            floor = torch.finfo(s.dtype).tiny ** 0.5
            distance = s / (gradient.square().sum(-1) + floor).sqrt()
        return distance if differentiable else distance.detach()

    def contains(self, x: Float[Tensor, "*n d"]) -> Bool[Tensor, "*n"]:
        return self.original.contains(self.coordinates.saved(x).double())

    def jet(self, x: Float[Tensor, "n d"]) -> Jet:
        return autodiff_jet(self, x)


class Pulled(UnsafeSet):
    """A set over z given by a level function over z, counted by the original set over x."""

    def __init__(self, original: UnsafeSet, level: UnsafeSet, coordinates: Coordinates):
        super().__init__()
        self.original, self.level, self.coordinates = original, level, coordinates
        self.exact, self.smooth, self.dimension = level.exact, level.smooth, coordinates.dimension

    def forward(self, x: Float[Tensor, "*n d"]) -> Float[Tensor, "*n"]:
        return self.level(x)

    def contains(self, x: Float[Tensor, "*n d"]) -> Bool[Tensor, "*n"]:
        return self.original.contains(self.coordinates.saved(x).double())

    def jet(self, x: Float[Tensor, "n d"]) -> Jet:
        return self.level.jet(x)


@singledispatch
def pull(unsafe: UnsafeSet, coordinates: Coordinates) -> UnsafeSet:
    """`unsafe` as a set over sampler coordinates."""
    if coordinates.identity and unsafe.exact:
        return Pulled(unsafe, unsafe, coordinates)
    return FirstOrder(unsafe, coordinates)


@pull.register
def _any(unsafe: AnyOf, coordinates: Coordinates) -> UnsafeSet:
    return AnyOf([pull(s, coordinates) for s in unsafe.members()])


@pull.register
def _all(unsafe: AllOf, coordinates: Coordinates) -> UnsafeSet:
    return AllOf([pull(s, coordinates) for s in unsafe.members()])


@pull.register
def _not(unsafe: Not, coordinates: Coordinates) -> UnsafeSet:
    return Not(pull(unsafe.inner, coordinates))


@soften.register
def _soft_pulled(unsafe: Pulled, width: float) -> UnsafeSet:
    if unsafe.smooth:
        return unsafe
    return Pulled(unsafe.original, soften(unsafe.level, width), unsafe.coordinates)
