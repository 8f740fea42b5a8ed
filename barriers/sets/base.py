"""An unsafe set 𝒰 ⊂ R^d: a signed distance s(x), negative inside, and an exact membership test.

`forward` may be differentiated and may be a bound or a level function (`exact` states which); `contains` is
never an approximation. Every set is declared once, by its constructor: the annotated parameters are the
scenario's schema.
"""

from abc import ABC, abstractmethod
from typing import ClassVar

from jaxtyping import Bool, Float

from barriers.arrays import Tensor, nn, torch
from barriers.derivatives import Jet

FARTHEST = 1e3
"""The longest first-order distance (sampler coordinates): a longer one would be a division by a gradient near
0.
"""


class NotSmooth(ValueError):
    """A drift filter was given a set whose kinks would hide Itô mass (B.5)."""


class UnsafeSet(nn.Module, ABC):
    """A region that samples should avoid.

    exact: forward is the Euclidean signed distance (else a bound or a level function with the same sign).
    clearance: forward is the Euclidean distance at least where it is positive, as for a union of exact sets.
    smooth: forward is twice differentiable wherever a drift filter needs it (B.5).
    dimension: d, or None where the set fits any d.
    resolution: distances up to this are lost to rounding among the shape's own numbers; 0 unless its parts
    differ enormously in size.
    rounding: how far forward may be from the distance by construction, in addition to the spacing of the
    numbers that enter it.
    """

    exact: bool
    clearance: bool = False
    resolution: float = 0.0
    rounding: float = 0.0
    has_gradient: bool = False
    smooth: bool
    dimension: int | None
    example: ClassVar[dict[str, object]]
    """A specification of a member over `example_columns` columns, for the law tests."""
    example_columns: ClassVar[int] = 2

    @abstractmethod
    def forward(self, x: Float[Tensor, "*n d"]) -> Float[Tensor, "*n"]:
        """s(x) in the units of x: < 0 inside, > 0 outside."""

    @abstractmethod
    def contains(self, x: Float[Tensor, "*n d"]) -> Bool[Tensor, "*n"]:
        """Whether each row is inside; computed in float64 on the values given."""

    @abstractmethod
    def jet(self, x: Float[Tensor, "n d"]) -> Jet:
        """s, ∇s and Δs at every row: a closed form, or `autodiff_jet(self, x)`."""

    def with_gradient(self, x: Float[Tensor, "*n d"]) -> tuple[Float[Tensor, "*n"], Float[Tensor, "*n d"]]:
        """s and ∇s at every row, for `value_and_gradient`; a set with a closed form that agrees with its
        `forward` to the last bit says `has_gradient = True` and defines it.
        """
        raise NotImplementedError

    def __or__(self, other: "UnsafeSet") -> "UnsafeSet":
        from barriers.sets.algebra import AnyOf

        return AnyOf([self, other])

    def __and__(self, other: "UnsafeSet") -> "UnsafeSet":
        from barriers.sets.algebra import AllOf

        return AllOf([self, other])

    def __invert__(self) -> "UnsafeSet":
        from barriers.sets.algebra import complement

        return complement(self)

    def __sub__(self, other: "UnsafeSet") -> "UnsafeSet":
        return self & ~other


def of_sign(s: Float[Tensor, "*n"], inside: Bool[Tensor, "*n"]) -> Float[Tensor, "*n"]:
    """s where its sign is that of membership, else 0 (rounding, or a lift that keeps derivatives finite),
    with the same gradient.
    """
    at = s.detach()
    return s + torch.where(torch.where(inside, at > 0, at < 0), -at, 0.0)


def vector(owner: str, name: str, values: object) -> Float[Tensor, "d"]:
    """A float64 vector from a list of numbers; ValueError names the value and the rule."""
    return _numbers(owner, name, values, 1, "a list of numbers")


def matrix(owner: str, name: str, values: object) -> Float[Tensor, "r d"]:
    """A float64 matrix from a list of equally long rows; ValueError names the value and the rule."""
    return _numbers(owner, name, values, 2, "a list of equally long rows of numbers")


def rotation(owner: str, values: object, dimension: int) -> Float[Tensor, "d d"]:
    """An orthogonal matrix whose rows are a shape's own axes; ValueError names the value and the rule."""
    rows = matrix(owner, "rotation", values)
    if rows.shape != (dimension, dimension):
        raise ValueError(
            f"{owner}: rotation must be {dimension} x {dimension}, a row per axis; got {tuple(rows.shape)}"
        )
    skew = float((rows @ rows.T - torch.eye(dimension, dtype=torch.float64)).abs().max())
    if skew > 1e-8:
        raise ValueError(
            f"{owner}: rotation must have orthonormal rows (within 1e-8); they are off by {skew:.2g}"
        )
    return rows


LARGEST = 1e18
"""The largest size of a number of a shape, and 1/LARGEST the smallest length: their squares are finite in
float32 too.
"""


def finite(owner: str, name: str, value: float) -> float:
    """The number itself if it is finite in float32 too, with room for sums; otherwise raises ValueError."""
    if not abs(value) <= LARGEST**2:
        raise ValueError(
            f"{owner}: {name} must be at most {LARGEST**2:g} in size; got {value:g}; use larger units"
        )
    return float(value)


def positive(owner: str, name: str, value: float) -> float:
    """The number itself if it is > 0 and neither its square nor that of its inverse overflows; otherwise
    raises ValueError.
    """
    if not value > 0:
        raise ValueError(f"{owner}: {name} must be > 0; got {value:g}")
    if not 1 / LARGEST <= value <= LARGEST:
        raise ValueError(
            f"{owner}: {name} must be between {1 / LARGEST:g} and {LARGEST:g}; got {value:g}; use other units"
        )
    return float(value)


def lost(longest: float, shortest: float) -> float:
    """The rounding of distances to a shape whose parts have sizes from `shortest` to `longest`; 0 where
    negligible.
    """
    rounding = 64 * torch.finfo(torch.float64).eps * longest
    return rounding if rounding > 1e-6 * shortest else 0.0


def _numbers(owner: str, name: str, values: object, axes: int, what: str) -> Tensor:
    try:
        tensor = torch.as_tensor(values, dtype=torch.float64).detach().clone()
    except (TypeError, ValueError) as error:
        raise ValueError(f"{owner}: {name} must be {what}; got {values!r}") from error
    if tensor.ndim != axes or tensor.numel() == 0:
        raise ValueError(f"{owner}: {name} must be {what}; got {values!r}")
    if not torch.isfinite(tensor).all():
        raise ValueError(f"{owner}: {name} must be finite; got {values!r}")
    if tensor.abs().max() > LARGEST:
        largest = float(tensor.abs().max())
        raise ValueError(
            f"{owner}: {name} must hold numbers of at most {LARGEST:g} in size; got {largest:g}; use "
            "larger units"
        )
    return tensor
