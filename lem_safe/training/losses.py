"""Training losses over whitened rows z: each compares the gradient of an energy with what the data say about it.

denoising  E‖σ∇U(z + σξ) − ξ‖²            (T.2, scaled by σ² so that its size does not depend on σ)
implicit   E[½‖∇U‖² − ΔU]                  (T.1, with the exact trace)
sliced     E[½‖∇U‖² − vᵀ∇²U v], v = ±1     (T.3, an unbiased trace for one more backward pass, whatever d)

The sign of T.2: ∇ log q(z̃ | z) = −ξ/σ and ∇U = −∇ log q. The paper prints the opposite, which learns −U. Denoising learns the
energy of the data smoothed by N(0, σ²I); the others learn that of z + hξ, where h is their `smoothing` (T.4): without it a network
can lower them for ever by curving up at every single row.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch
from annotated_types import Ge, Gt
from jaxtyping import Float
from torch import Tensor
from typing_extensions import Doc

from lem_safe.energies.network import Trainable
from lem_safe.energies.numbers import positive


class Loss(ABC):
    """What training makes small."""

    example: ClassVar[dict[str, object]]

    @abstractmethod
    def __call__(self, energy: Trainable, z: Float[Tensor, "n d"], generator: torch.Generator) -> Float[Tensor, ""]:
        """The mean loss of a batch, differentiable in the energy's parameters; noise comes from `generator`."""


@dataclass(frozen=True)
class Denoising(Loss):
    """Denoising score matching: the energy of the data with Gaussian noise of `sigma` added."""

    example: ClassVar[dict[str, object]] = {"kind": "denoising", "sigma": 0.3}

    sigma: Annotated[float, Gt(0), Doc("The noise, in whitened coordinates, where every column has standard deviation 1.")] = 0.15

    def __post_init__(self) -> None:
        positive("Denoising", "sigma", self.sigma)

    def __call__(self, energy: Trainable, z: Float[Tensor, "n d"], generator: torch.Generator) -> Float[Tensor, ""]:
        ξ = torch.randn(z.shape, generator=generator, dtype=z.dtype)
        return (self.sigma * energy.gradient(z + self.sigma * ξ) - ξ).square().sum(-1).mean()


@dataclass(frozen=True)
class Implicit(Loss):
    """Implicit score matching with the exact Laplacian; its cost grows with the number of columns."""

    example: ClassVar[dict[str, object]] = {"kind": "implicit", "smoothing": 0.2}

    smoothing: Annotated[float, Ge(0), Doc("h, the bandwidth of the Gaussian kernel, in whitened coordinates.")] = 0.15

    def __call__(self, energy: Trainable, z: Float[Tensor, "n d"], generator: torch.Generator) -> Float[Tensor, ""]:
        x = _smoothed(z, self.smoothing, generator)
        return (0.5 * energy.gradient(x).square().sum(-1) - energy.laplacian(x)).mean()


@dataclass(frozen=True)
class Sliced(Loss):
    """Sliced score matching, variance-reduced: one random direction a row instead of all of them."""

    example: ClassVar[dict[str, object]] = {"kind": "sliced", "smoothing": 0.2}

    smoothing: Annotated[float, Ge(0), Doc("h, the bandwidth of the Gaussian kernel, in whitened coordinates.")] = 0.15

    def __call__(self, energy: Trainable, z: Float[Tensor, "n d"], generator: torch.Generator) -> Float[Tensor, ""]:
        with torch.enable_grad():
            x = _smoothed(z, self.smoothing, generator).requires_grad_()
            v = 2 * torch.randint(2, z.shape, generator=generator).to(z.dtype) - 1
            gradient = energy.gradient(x)
            (bend,) = torch.autograd.grad((gradient * v).sum(), x, create_graph=True)
        return (0.5 * gradient.square().sum(-1) - (bend * v).sum(-1)).mean()


def _smoothed(z: Tensor, smoothing: float, generator: torch.Generator) -> Tensor:
    return z + smoothing * torch.randn(z.shape, generator=generator, dtype=z.dtype)


LOSSES: dict[str, type[Loss]] = {"denoising": Denoising, "implicit": Implicit, "sliced": Sliced}
"""Every loss a scenario can name by `kind`; the default is `denoising`."""
