"""Training losses over whitened rows z: each compares the gradient of an energy with what the data say about it.

Denoising score matching (T.2), scaled by σ² so that its size does not depend on σ: with z̃ = z + σξ,

    ℓ = E ‖σ∇U(z̃) − ξ‖²,    since  ∇ log q(z̃ | z) = −ξ/σ  and  ∇U = −∇ log q.

The paper prints the opposite sign, which learns −U. The minimiser is the energy of the data smoothed by N(0, σ²I) (T.4).
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch
from annotated_types import Gt
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


LOSSES: dict[str, type[Loss]] = {"denoising": Denoising}
"""Every loss a scenario can name by `kind`; the default is `denoising`."""
