"""Conditions without a distance: a cell that is one of some values, a cell that is missing, and comparisons
of codes and dates.

Their level is flat, far below 0 inside and far above outside: beside a comparison of numbers, joined by `and`
or `or`, it leaves that one's level where that one decides. Where a cell is missing, a comparison has no value
and its row is inside, for the condition and for its complement alike; whether a cell is missing is always
defined.
"""

from abc import abstractmethod
from collections.abc import Sequence

from jaxtyping import Bool, Float

from barriers.arrays import Tensor, torch
from barriers.derivatives import Jet
from barriers.sets.algebra import complement
from barriers.sets.base import UnsafeSet
from barriers.sets.comparison import UNDEFINED


class Flat(UnsafeSet):
    """A set known by membership alone."""

    exact = False
    smooth = False

    @abstractmethod
    def undefined(self, x: Float[Tensor, "*n d"]) -> Bool[Tensor, "*n"]:
        """The rows where the condition has no value."""

    def forward(self, x: Float[Tensor, "*n d"]) -> Float[Tensor, "*n"]:
        limit = torch.finfo(x.dtype).max ** 0.75
        level = torch.where(self.contains(x), x.new_tensor(-limit), x.new_tensor(limit))
        return torch.where(self.undefined(x), x.new_tensor(UNDEFINED), level)

    def jet(self, x: Float[Tensor, "n d"]) -> Jet:
        level = self.forward(x.detach())
        return Jet(level, torch.zeros_like(x), torch.zeros_like(level))


class Stepped(Flat):
    """The members of another set, without its level."""

    def __init__(self, inner: UnsafeSet):
        super().__init__()
        self.inner, self.dimension = inner, inner.dimension

    def contains(self, x: Float[Tensor, "*n d"]) -> Bool[Tensor, "*n"]:
        return self.inner.contains(x)

    def undefined(self, x: Float[Tensor, "*n d"]) -> Bool[Tensor, "*n"]:
        return self.inner.contains(x) & complement(self.inner).contains(x)


class Among(Flat):
    """Where the only column has one of these values; with `inside` false, another one."""

    codes: Tensor

    def __init__(self, codes: Sequence[float], inside: bool = True):
        super().__init__()
        self.register_buffer("codes", torch.tensor(list(codes), dtype=torch.float64))
        self.inside, self.dimension = inside, 1

    def contains(self, x: Float[Tensor, "*n d"]) -> Bool[Tensor, "*n"]:
        found = torch.isin(x[..., 0].detach().double(), self.codes)
        return (found if self.inside else ~found) | self.undefined(x)

    def undefined(self, x: Float[Tensor, "*n d"]) -> Bool[Tensor, "*n"]:
        return ~torch.isfinite(x[..., 0].detach())


class Absent(Flat):
    """Where the only column has no value; with `inside` false, where it has one."""

    def __init__(self, inside: bool = True):
        super().__init__()
        self.inside, self.dimension = inside, 1

    def contains(self, x: Float[Tensor, "*n d"]) -> Bool[Tensor, "*n"]:
        found = torch.isnan(x[..., 0].detach())
        return found if self.inside else ~found

    def undefined(self, x: Float[Tensor, "*n d"]) -> Bool[Tensor, "*n"]:
        return torch.zeros(x.shape[:-1], dtype=torch.bool, device=x.device)


def flat_in(unsafe: UnsafeSet) -> bool:
    """Whether any part of a set is known by membership alone."""
    return any(isinstance(part, Flat) for part in unsafe.modules())


@complement.register
def _complement_of_stepped(unsafe: Stepped) -> UnsafeSet:
    return Stepped(complement(unsafe.inner))


@complement.register
def _complement_of_among(unsafe: Among) -> UnsafeSet:
    return Among(unsafe.codes.tolist(), not unsafe.inside)


@complement.register
def _complement_of_absent(unsafe: Absent) -> UnsafeSet:
    return Absent(not unsafe.inside)
