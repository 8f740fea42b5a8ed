"""Elementwise nonlinearities with their first two derivatives, for hand-written backward passes and
Laplacians.

Only twice differentiable ones are included: at a kink the Laplacian has a surface part that a mean over rows
misses (B.5).
"""

import math
from abc import ABC, abstractmethod
from functools import lru_cache

from barriers.arrays import Tensor, nn, torch

aten = torch.ops.aten


class Elementwise(ABC):
    """a(h) with a′ and a″, elementwise."""

    @abstractmethod
    def value(self, h: Tensor) -> Tensor:
        """a(h)."""

    @abstractmethod
    def value_and_slope(self, h: Tensor) -> tuple[Tensor, Tensor]:
        """a(h) and a′(h), differentiable."""

    def consumed(self, h: Tensor) -> tuple[Tensor, Tensor]:
        """a(h) and a′(h) in few kernels, which may overwrite h; not differentiable. For arrays that fit the
        cache.
        """
        return self.value_and_slope(h)

    def slope_times(self, w: Tensor, h: Tensor) -> Tensor:
        """w a′(h) in few kernels, which may overwrite h, where a(h) is not needed; not differentiable."""
        return self.consumed(h)[1].mul_(w)

    @abstractmethod
    def backward(self, γ: Tensor, h: Tensor, a: Tensor) -> Tensor:
        """γ a′(h) in few kernels, where a = a(h) is known; not differentiable. For large arrays, where the
        memory of a slope costs more than computing it again.
        """

    @abstractmethod
    def jet(self, h: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """a(h), a′(h) and a″(h), differentiable."""


class SiLU(Elementwise):
    """a = hσ(h), a′ = σ + hσ(1 − σ), a″ = σ(1 − σ)(2 + h(1 − 2σ))."""

    def value(self, h: Tensor) -> Tensor:
        return nn.functional.silu(h)

    def value_and_slope(self, h: Tensor) -> tuple[Tensor, Tensor]:
        σ = torch.sigmoid(h)
        a = h * σ
        return a, torch.addcmul(σ, a, 1 - σ)  # not σ + a − aσ, which loses the digits of σ where a is large

    def consumed(self, h: Tensor) -> tuple[Tensor, Tensor]:
        σ = torch.sigmoid(h)
        a = h.mul_(σ)
        return a, torch.lerp(a, _one(h.dtype, h.device), σ, out=σ)  # a + σ(1 − a)

    def slope_times(self, w: Tensor, h: Tensor) -> Tensor:
        return aten.silu_backward(w.expand_as(h), h)

    def backward(self, γ: Tensor, h: Tensor, a: Tensor) -> Tensor:
        return aten.silu_backward(γ, h)

    def jet(self, h: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        σ = torch.sigmoid(h)
        a, dσ = h * σ, torch.addcmul(σ, σ, σ, value=-1)
        return a, torch.addcmul(σ, h, dσ), torch.addcmul(2 * dσ, dσ, torch.sub(h, a, alpha=2))


class Softplus(Elementwise):
    """a = log(1 + eʰ), a′ = σ(h), a″ = σ(1 − σ)."""

    def value(self, h: Tensor) -> Tensor:
        return torch.logaddexp(
            h, torch.zeros_like(h)
        )  # not F.softplus, which is linear past 20 and so only nearly smooth

    def value_and_slope(self, h: Tensor) -> tuple[Tensor, Tensor]:
        return self.value(h), torch.sigmoid(h)

    def backward(self, γ: Tensor, h: Tensor, a: Tensor) -> Tensor:
        return γ * torch.sigmoid(h)

    def jet(self, h: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        σ = torch.sigmoid(h)
        return self.value(h), σ, σ * (1 - σ)


class Tanh(Elementwise):
    """a = tanh h, a′ = 1 − a², a″ = −2aa′."""

    def value(self, h: Tensor) -> Tensor:
        return torch.tanh(h)

    def value_and_slope(self, h: Tensor) -> tuple[Tensor, Tensor]:
        a = torch.tanh(h)
        return a, 1 - a * a

    def backward(self, γ: Tensor, h: Tensor, a: Tensor) -> Tensor:
        return aten.tanh_backward(γ, a)

    def jet(self, h: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        a = torch.tanh(h)
        da = 1 - a * a
        return a, da, -2 * a * da


class Sigmoid(Elementwise):
    """a = σ(h), a′ = σ(1 − σ), a″ = a′(1 − 2σ)."""

    def value(self, h: Tensor) -> Tensor:
        return torch.sigmoid(h)

    def value_and_slope(self, h: Tensor) -> tuple[Tensor, Tensor]:
        σ = torch.sigmoid(h)
        return σ, σ * (1 - σ)

    def backward(self, γ: Tensor, h: Tensor, a: Tensor) -> Tensor:
        return aten.sigmoid_backward(γ, a)

    def jet(self, h: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        σ, slope = self.value_and_slope(h)
        return σ, slope, slope * (1 - 2 * σ)


class GELU(Elementwise):
    """a = hΦ(h), a′ = Φ + hφ, a″ = φ(2 − h²), Φ and φ the standard normal's."""

    def value(self, h: Tensor) -> Tensor:
        return nn.functional.gelu(h)

    def value_and_slope(self, h: Tensor) -> tuple[Tensor, Tensor]:
        return self.jet(h)[:2]

    def backward(self, γ: Tensor, h: Tensor, a: Tensor) -> Tensor:
        return aten.gelu_backward(γ, h)

    def jet(self, h: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        Φ, φ = torch.special.ndtr(h), (-0.5 * h * h).exp() / math.sqrt(2 * math.pi)
        return h * Φ, Φ + h * φ, φ * (2 - h * h)


ELEMENTWISE: dict[type[nn.Module], Elementwise] = {
    nn.SiLU: SiLU(),
    nn.Softplus: Softplus(),
    nn.Tanh: Tanh(),
    nn.Sigmoid: Sigmoid(),
    nn.GELU: GELU(),
}
"""The member for each of torch's own layers with default arguments."""


@lru_cache(maxsize=16)
def _one(dtype: torch.dtype, device: torch.device) -> Tensor:
    return torch.ones((), dtype=dtype, device=device)
