"""Smooth majorants of an unsafe set's indicator: φ ≥ κ·1_𝒰, so that E_ρ[φ] ≤ κβ implies ρ(𝒰) ≤ β (B.1, B.2).

sigmoid      φ = σ((δ − s)/w),  κ = σ(δ/w)
hinge        φ = (1 − s/w)₊,    κ = 1      (CVaR; Rockafellar–Uryasev 2000); as `soft_hinge`, w·softplus, for
             a drift filter (B.5)
exponential  φ = e^{−s/w},      κ = 1      (Chernoff)

A surrogate is a function of the signed distance s alone; by its two derivatives ∇φ = φ'∇s and Δφ = φ''‖∇s‖² +
φ'Δs. Width and margin may be 0-dim tensors: derivatives then flow to them, through κ too.
"""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Annotated, ClassVar, NamedTuple

from annotated_types import Ge, Gt
from jaxtyping import Float
from typing_extensions import Doc

from barriers.arrays import Tensor, functional, torch
from barriers.derivatives import Jet, Scalar
from barriers.kinds import Entry, Kinds
from barriers.squares import squared_norm

Width = Annotated[float, Gt(0), Doc("Smoothing width w, in sampler coordinates.")]


class Profile(NamedTuple):
    """φ, φ' and φ'' at a batch of signed distances."""

    value: Float[Tensor, "*n"]
    first: Float[Tensor, "*n"]
    second: Float[Tensor, "*n"]


class Surrogate(ABC):
    """φ as a function of the signed distance.

    smooth: twice differentiable, so that a drift filter may use it (B.5).
    """

    smooth: bool
    width: Scalar

    @property
    @abstractmethod
    def level(self) -> Scalar:
        """κ: the smallest value of φ inside the set."""

    @abstractmethod
    def value(self, s: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
        """φ(s)."""

    @abstractmethod
    def profile(self, s: Float[Tensor, "*n"]) -> Profile:
        """φ(s), φ'(s), φ''(s)."""

    def slope(self, s: Float[Tensor, "*n"]) -> tuple[Float[Tensor, "*n"], Float[Tensor, "*n"]]:
        """φ(s) and φ'(s)."""
        return self.profile(s)[:2]


@dataclass(frozen=True)
class Sigmoid(Surrogate):
    """φ = σ((δ − s)/w). A margin δ > 0 moves the ramp outside the set and raises κ = σ(δ/w) from
    ½ towards 1.
    """

    example: ClassVar[dict[str, object]] = {"kind": "sigmoid", "width": 0.1, "margin": 0.3}

    width: Width
    margin: Annotated[
        float, Ge(0), Doc("Margin δ: how far outside the set the ramp is centred, in sampler coordinates.")
    ] = 0.0
    smooth = True

    def __post_init__(self) -> None:
        _check_width("Sigmoid", self.width)
        if not (0 <= self.margin < math.inf):
            raise ValueError(f"Sigmoid: margin must be >= 0; got {self.margin:g}")

    @property
    def level(self) -> Scalar:
        return _sigmoid(self.margin / self.width)

    def value(self, s: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
        return torch.sigmoid((self.margin - s) / self.width)

    def profile(self, s: Float[Tensor, "*n"]) -> Profile:
        φ = self.value(s)
        slope = φ * (1 - φ) / self.width
        return Profile(φ, -slope, slope * (1 - 2 * φ) / self.width)

    def slope(self, s: Float[Tensor, "*n"]) -> tuple[Float[Tensor, "*n"], Float[Tensor, "*n"]]:
        φ = self.value(s)
        return φ, -(φ * (1 - φ) / self.width)


@dataclass(frozen=True)
class Hinge(Surrogate):
    """φ = (1 − s/w)₊: κβ bounds a conditional value at risk. Kinked at s = w: for `step`, not for `drift`."""

    example: ClassVar[dict[str, object]] = {"kind": "hinge", "width": 0.3}

    width: Width
    smooth = False

    def __post_init__(self) -> None:
        _check_width("Hinge", self.width)

    @property
    def level(self) -> Scalar:
        return 1.0

    def value(self, s: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
        return (1 - s / self.width).clamp(min=0)

    def profile(self, s: Float[Tensor, "*n"]) -> Profile:
        φ = self.value(s)
        return Profile(φ, -(φ > 0).to(s.dtype) / self.width, torch.zeros_like(s))


@dataclass(frozen=True)
class SoftHinge(Surrogate):
    """φ = softplus(k(1 − s/w))/k with k = 4: the hinge without its kink, from above."""

    example: ClassVar[dict[str, object]] = {"kind": "soft_hinge", "width": 0.3}

    width: Width
    smooth = True
    sharpness = 4.0

    def __post_init__(self) -> None:
        _check_width("SoftHinge", self.width)

    @property
    def level(self) -> Scalar:
        return math.log1p(math.exp(self.sharpness)) / self.sharpness

    def value(self, s: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
        return functional.softplus(self.sharpness * (1 - s / self.width), threshold=40) / self.sharpness

    def profile(self, s: Float[Tensor, "*n"]) -> Profile:
        p = torch.sigmoid(self.sharpness * (1 - s / self.width))
        return Profile(self.value(s), -p / self.width, self.sharpness * p * (1 - p) / self.width**2)


@dataclass(frozen=True)
class Exponential(Surrogate):
    """φ = e^{−s/w}: a Chernoff bound. Unbounded inside: one deep particle can use the whole budget."""

    example: ClassVar[dict[str, object]] = {"kind": "exponential", "width": 0.4}

    width: Width
    smooth = True

    def __post_init__(self) -> None:
        _check_width("Exponential", self.width)

    @property
    def level(self) -> Scalar:
        return 1.0

    def value(self, s: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
        return (
            (-s / self.width).clamp(max=60.0).exp()
        )  # e^60: still far above any limit, and finite in float32

    def profile(self, s: Float[Tensor, "*n"]) -> Profile:
        φ = self.value(s)
        return Profile(φ, -φ / self.width, φ / self.width**2)


def for_drift(step_size: float) -> Sigmoid:
    """The surrogate of a drift filter without a smoothing where no noise can be predicted: width w = 2√(2h),
    margin δ = w, so κ = σ(1).

    With noise, a filter with a width proportional to √h does not reach its limit as h → 0, and κ < 1 costs KL
    permanently (B.6).
    """
    width = 2 * math.sqrt(2 * step_size)
    return Sigmoid(width, margin=width)


def chain(profile: Profile, s: Jet) -> Jet:
    """The jet of φ∘s: ∇φ = φ'∇s, Δφ = φ''‖∇s‖² + φ'Δs."""
    return Jet(
        profile.value,
        profile.first[:, None] * s.gradient,
        profile.second * squared_norm(s.gradient) + profile.first * s.laplacian,
    )


def _sigmoid(z: Scalar) -> Scalar:
    return torch.sigmoid(z) if isinstance(z, Tensor) else 1 / (1 + math.exp(-z))


def _check_width(owner: str, width: Scalar) -> None:
    if not (0 < width < math.inf):
        raise ValueError(f"{owner}: width must be > 0; got {width:g}")


SURROGATES: Kinds[Entry] = Kinds(
    "smoothing",
    Entry,
    {
        "sigmoid": Sigmoid,
        "hinge": Hinge,
        "soft_hinge": SoftHinge,
        "exponential": Exponential,
    },
    base=Surrogate,
)
"""Every smoothing a scenario can name by `kind`."""
