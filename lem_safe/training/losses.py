"""Training losses over whitened rows z: each compares the gradient of an energy with that of the data's.

denoising  E‖σ∇U(z + σξ) − ξ‖²            (T.2, scaled by σ² so that its size does not depend on σ)
implicit   E[½‖∇U‖² − ΔU]                  (T.1, with the exact trace)
sliced     E[½‖∇U‖² − vᵀ∇²U v], v = ±1     (T.3, an unbiased trace for one more backward pass, whatever d)
multi_scale  Σ_k (w_k/σ_k²) E‖σ_k∇U(z + σ_kξ) − ξ‖²   (T.6: one U for all scales, that of the mixture Σ_k w_k
             ρ * N(0, σ_k²I))

The sign of T.2: ∇ log q(z̃ | z) = −ξ/σ and ∇U = −∇ log q. The paper prints the opposite, which learns −U.
Denoising learns the energy of the data smoothed by N(0, σ²I); the others learn that of z + hξ, where h is
their `smoothing` (T.4): without it a network can lower them indefinitely by increasing its curvature at the
rows.

Why (T.6). At a point x the k-th term has the optimum −∇log ρ_k(x), ρ_k = ρ * N(0, σ_k²I), with weight
w_kρ_k(x). The weighted mean is −Σ w_k∇ρ_k / Σ w_kρ_k = −∇log Σ w_kρ_k: a gradient, attained exactly. A small
share of a wide scale fills the space between modes with density, so that slopes are learned there; equal
terms, w_k ∝ σ_k², would learn mostly the widest scale.
"""

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from annotated_types import Ge, Gt, MinLen
from jaxtyping import Float
from typing_extensions import Doc

from barriers.arrays import Tensor, torch
from barriers.kinds import Entry, Kinds
from lem_safe.energies.network import Trainable
from lem_safe.energies.numbers import positive
from lem_safe.training.calibrated import Calibrated
from lem_safe.training.energy_matching import EnergyMatching
from lem_safe.training.loss import Loss

__all__ = ["LOSSES", "Calibrated", "Denoising", "EnergyMatching", "Implicit", "Loss", "MultiScale", "Sliced"]


@dataclass(frozen=True)
class Denoising(Loss):
    """Denoising score matching: learns the energy of the data with Gaussian noise of standard deviation
    `sigma` added.
    """

    spreads: ClassVar[bool] = True
    example: ClassVar[dict[str, object]] = {"kind": "denoising", "sigma": 0.3}

    sigma: Annotated[
        float, Gt(0), Doc("The noise, in whitened coordinates, where every column has standard deviation 1.")
    ] = 0.15

    def __post_init__(self) -> None:
        positive("Denoising", "sigma", self.sigma)

    def blurred(self, z: Float[Tensor, "n d"], generator: torch.Generator) -> Float[Tensor, "n d"]:
        return _smoothed(z, self.sigma, generator)

    def __call__(
        self, energy: Trainable, z: Float[Tensor, "n d"], generator: torch.Generator
    ) -> Float[Tensor, ""]:
        ξ = torch.randn(z.shape, generator=generator, dtype=z.dtype)
        return (self.sigma * energy.gradient(z + self.sigma * ξ) - ξ).square().sum(-1).mean()


@dataclass(frozen=True)
class MultiScale(Loss):
    """Denoising at several scales at once: learns the energy of a mixture of the data with Gaussian noise of
    each scale added.
    """

    spreads: ClassVar[bool] = True
    example: ClassVar[dict[str, object]] = {
        "kind": "multi_scale",
        "sigmas": [0.1, 0.5],
        "weights": [0.9, 0.1],
    }

    sigmas: Annotated[list[float], MinLen(1), Doc("The scales, in whitened coordinates.")]
    weights: Annotated[
        list[float] | None,
        Doc("The share of each scale in the mixture, normalised to sum 1; equal by default."),
    ] = None

    def __post_init__(self) -> None:
        if not self.sigmas:
            raise ValueError("MultiScale: sigmas must hold at least one scale")
        for name, values in (("sigmas", self.sigmas), ("weights", self.weights or [])):
            for value in values:
                positive("MultiScale", name, value)
        if self.weights is not None and len(self.weights) != len(self.sigmas):
            raise ValueError(
                f"MultiScale: weights must have one entry a scale: {len(self.sigmas)}; got "
                f"{len(self.weights)}"
            )

    def blurred(self, z: Float[Tensor, "n d"], generator: torch.Generator) -> Float[Tensor, "n d"]:
        weights = torch.tensor(self.weights or [1.0] * len(self.sigmas), dtype=z.dtype)
        scale = torch.multinomial(weights, len(z), replacement=True, generator=generator)
        return z + torch.tensor(self.sigmas, dtype=z.dtype)[scale, None] * torch.randn(
            z.shape, generator=generator, dtype=z.dtype
        )

    def __call__(
        self, energy: Trainable, z: Float[Tensor, "n d"], generator: torch.Generator
    ) -> Float[Tensor, ""]:
        σ = torch.tensor(self.sigmas, dtype=z.dtype)
        λ = torch.tensor(self.weights or [1.0] * len(σ), dtype=z.dtype) / σ.square()
        λ, scale = λ * len(σ) / λ.sum(), torch.arange(z.shape[0]) % len(σ)  # rows come in random order
        ξ = torch.randn(z.shape, generator=generator, dtype=z.dtype)
        error = σ[scale, None] * energy.gradient(z + σ[scale, None] * ξ) - ξ
        return (λ[scale] * error.square().sum(-1)).mean()


@dataclass(frozen=True)
class Implicit(Loss):
    """Implicit score matching with the exact Laplacian; its cost grows with the number of columns."""

    spreads: ClassVar[bool] = True
    example: ClassVar[dict[str, object]] = {"kind": "implicit", "smoothing": 0.2}

    smoothing: Annotated[
        float, Ge(0), Doc("h, the bandwidth of the Gaussian kernel, in whitened coordinates.")
    ] = 0.15

    def blurred(self, z: Float[Tensor, "n d"], generator: torch.Generator) -> Float[Tensor, "n d"]:
        return _smoothed(z, self.smoothing, generator)

    def __call__(
        self, energy: Trainable, z: Float[Tensor, "n d"], generator: torch.Generator
    ) -> Float[Tensor, ""]:
        x = _smoothed(z, self.smoothing, generator)
        return (0.5 * energy.gradient(x).square().sum(-1) - energy.laplacian(x)).mean()


@dataclass(frozen=True)
class Sliced(Loss):
    """Sliced score matching, variance-reduced: one random direction per row instead of all directions."""

    spreads: ClassVar[bool] = True
    example: ClassVar[dict[str, object]] = {"kind": "sliced", "smoothing": 0.2}

    smoothing: Annotated[
        float, Ge(0), Doc("h, the bandwidth of the Gaussian kernel, in whitened coordinates.")
    ] = 0.15

    def blurred(self, z: Float[Tensor, "n d"], generator: torch.Generator) -> Float[Tensor, "n d"]:
        return _smoothed(z, self.smoothing, generator)

    def __call__(
        self, energy: Trainable, z: Float[Tensor, "n d"], generator: torch.Generator
    ) -> Float[Tensor, ""]:
        with torch.enable_grad():
            x = _smoothed(z, self.smoothing, generator).requires_grad_()
            v = 2 * torch.randint(2, z.shape, generator=generator).to(z.dtype) - 1
            gradient = energy.gradient(x)
            (bend,) = torch.autograd.grad((gradient * v).sum(), x, create_graph=True)
        return (0.5 * gradient.square().sum(-1) - (bend * v).sum(-1)).mean()


def _smoothed(z: Tensor, smoothing: float, generator: torch.Generator) -> Tensor:
    return z + smoothing * torch.randn(z.shape, generator=generator, dtype=z.dtype)


def _unnamed(loss: Any) -> str | None:
    """Why the settings of a loss could not identify it in a cache or be written into an energy's file."""
    settings = getattr(loss, "__dataclass_params__", None)
    return (
        None
        if settings is not None and settings.frozen
        else "must be a frozen dataclass, whose fields a trained energy is remembered by"
    )


LOSSES: Kinds[Entry] = Kinds(
    "loss",
    Entry,
    {
        "denoising": Denoising,
        "implicit": Implicit,
        "sliced": Sliced,
        "multi_scale": MultiScale,
        "energy_matching": EnergyMatching,
        "calibrated": Calibrated,
    },
    base=Loss,
    refusing=_unnamed,
    default="denoising",
)
"""Every loss a scenario can name by `kind`; a mapping without one means `denoising`. `default_loss` applies
where there is no mapping.
"""
