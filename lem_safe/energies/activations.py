"""Elementwise nonlinearities with their first two derivatives, which is what a hand-written backward pass and Laplacian need."""

from abc import ABC, abstractmethod

import torch
from torch import Tensor

aten = torch.ops.aten


class Activation(ABC):
    """a(h) with a′ and a″, elementwise."""

    @abstractmethod
    def value(self, h: Tensor) -> Tensor:
        """a(h)."""

    @abstractmethod
    def backward(self, γ: Tensor, h: Tensor) -> Tensor:
        """γ a′(h) in one fused kernel; not differentiable."""

    @abstractmethod
    def value_and_slope(self, h: Tensor) -> tuple[Tensor, Tensor]:
        """a(h) and a′(h), differentiable."""

    @abstractmethod
    def jet(self, h: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """a(h), a′(h) and a″(h), differentiable."""


class SiLU(Activation):
    """a = hσ(h), a′ = σ + hσ(1 − σ), a″ = σ(1 − σ)(2 + h(1 − 2σ))."""

    def value(self, h: Tensor) -> Tensor:
        return torch.nn.functional.silu(h)

    def backward(self, γ: Tensor, h: Tensor) -> Tensor:
        return aten.silu_backward(γ, h)

    def value_and_slope(self, h: Tensor) -> tuple[Tensor, Tensor]:
        σ = torch.sigmoid(h)
        a = h * σ
        return a, torch.addcmul(σ + a, a, σ, value=-1)

    def jet(self, h: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        σ = torch.sigmoid(h)
        a, dσ = h * σ, σ * (1 - σ)
        return a, σ + h * dσ, dσ * (2 + h - 2 * a)


class Softplus(Activation):
    """a = log(1 + eʰ), a′ = σ(h), a″ = σ(1 − σ)."""

    def value(self, h: Tensor) -> Tensor:
        return torch.logaddexp(h, torch.zeros_like(h))  # not F.softplus, which is linear past 20 and so only nearly smooth

    def backward(self, γ: Tensor, h: Tensor) -> Tensor:
        return γ * torch.sigmoid(h)

    def value_and_slope(self, h: Tensor) -> tuple[Tensor, Tensor]:
        return self.value(h), torch.sigmoid(h)

    def jet(self, h: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        σ = torch.sigmoid(h)
        return self.value(h), σ, σ * (1 - σ)


class Tanh(Activation):
    """a = tanh h, a′ = 1 − a², a″ = −2aa′."""

    def value(self, h: Tensor) -> Tensor:
        return torch.tanh(h)

    def backward(self, γ: Tensor, h: Tensor) -> Tensor:
        return aten.tanh_backward(γ, torch.tanh(h))

    def value_and_slope(self, h: Tensor) -> tuple[Tensor, Tensor]:
        a = torch.tanh(h)
        return a, 1 - a * a

    def jet(self, h: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        a = torch.tanh(h)
        da = 1 - a * a
        return a, da, -2 * a * da


ACTIVATIONS: dict[str, Activation] = {"silu": SiLU(), "softplus": Softplus(), "tanh": Tanh()}
"""Every activation a network can name."""
