"""Barriers on distributions: B(ρ) ≥ 0 is safe. A statistic per particle and a readout of its mean are all there is to one (B.1).

B(ρ) = readout(E_ρ[statistics]). Along dx = u dt + √2 dW each mean moves by E[∇f·u + Δf] (B.3), so the chain rule through the readout
gives dB/dt for any B; value, gradient and Itô term are written once, in the filters.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from barriers.derivatives import value_and_gradient
from barriers.sets.base import NotSmooth, UnsafeSet
from barriers.sets.soft import soften
from barriers.surrogates import Surrogate, chain


class StatisticsJet(NamedTuple):
    """Statistics of every particle with their gradients and Laplacians."""

    value: Float[Tensor, "n k"]
    gradient: Float[Tensor, "n k d"]
    laplacian: Float[Tensor, "n k"]


class Barrier(nn.Module, ABC):
    """m inequality constraints on a distribution, through k statistics.

    limits: what each constraint's mean may be at most, [m]; NaN where that is not how it reads.
    """

    limits: Tensor

    @abstractmethod
    def statistics(self, x: Float[Tensor, "n d"]) -> Float[Tensor, "n k"]:
        """f(x), differentiable."""

    @abstractmethod
    def jet(self, x: Float[Tensor, "n d"]) -> StatisticsJet:
        """f, ∇f and Δf at every particle."""

    @abstractmethod
    def gradients(self, x: Float[Tensor, "n d"]) -> tuple[Float[Tensor, "n k"], Float[Tensor, "n k d"]]:
        """f and ∇f at every particle: the jet without its Laplacian."""

    @abstractmethod
    def readout(self, mean: Float[Tensor, "k"]) -> Float[Tensor, "m"]:
        """B from the means of the statistics, differentiable; ≥ 0 is safe."""

    def observed(self, mean: Float[Tensor, "k"]) -> Float[Tensor, "m"]:
        """limits − B: what must stay at or below `limits`; for a mass barrier E φ itself."""
        return self.limits - self.readout(mean)

    def jacobian(self, mean: Float[Tensor, "k"]) -> Float[Tensor, "m k"]:
        """∂readout/∂mean, by automatic differentiation."""
        return torch.autograd.functional.jacobian(self.readout, mean)


class MassBarrier(Barrier):
    """B_φ(ρ) = κβ − E_ρ[φ], one row a set: at most `beta` of the mass inside each (B.1)."""

    levels: Tensor

    def __init__(self, sets: Sequence[UnsafeSet], surrogates: Sequence[Surrogate], betas: Sequence[float]):
        super().__init__()
        if not len(sets) == len(surrogates) == len(betas):
            raise ValueError(f"MassBarrier: one surrogate and one beta a set; got {len(sets)}, {len(surrogates)}, {len(betas)}")
        if any(not 0 <= β < 1 for β in betas):
            raise ValueError(f"MassBarrier: beta must lie in [0, 1); got {list(betas)}")
        self.sets, self.surrogates = nn.ModuleList(sets), tuple(surrogates)
        κβ = [φ.level * β for φ, β in zip(surrogates, betas, strict=True)]
        self.register_buffer("limits", torch.tensor(κβ, dtype=torch.float64))

    def statistics(self, x: Float[Tensor, "n d"]) -> Float[Tensor, "n k"]:
        return torch.stack([φ.value(s(x)) for φ, s in zip(self.surrogates, self.sets, strict=True)], 1)

    def jet(self, x: Float[Tensor, "n d"]) -> StatisticsJet:
        jets = []
        for φ, unsafe in zip(self.surrogates, self.sets, strict=True):
            s = unsafe.jet(x)  # type: ignore[operator]  # nn.ModuleList forgets what it holds
            jets.append(chain(φ.profile(s.value), s))
        return StatisticsJet(*(torch.stack(part, 1) for part in zip(*jets, strict=True)))

    def gradients(self, x: Float[Tensor, "n d"]) -> tuple[Float[Tensor, "n k"], Float[Tensor, "n k d"]]:
        values, gradients = [], []
        for φ, unsafe in zip(self.surrogates, self.sets, strict=True):
            s, ds = value_and_gradient(unsafe, x)
            p = φ.profile(s)
            values.append(p.value)
            gradients.append(p.first[:, None] * ds)
        return torch.stack(values, 1), torch.stack(gradients, 1)

    def readout(self, mean: Float[Tensor, "k"]) -> Float[Tensor, "m"]:
        return self.limits - mean


def smooth_mass(sets: Sequence[UnsafeSet], surrogates: Sequence[Surrogate], betas: Sequence[float]) -> MassBarrier:
    """The mass barrier a drift filter may use: every kink bounded smoothly from the safe side, or NotSmooth (B.5)."""
    for φ in surrogates:
        if not φ.smooth:
            raise NotSmooth(
                f"surrogate {type(φ).__name__} has a kink, which hides Itô mass from a drift filter (B.5); use soft_hinge"
            )
    return MassBarrier([soften(s, φ.width) for s, φ in zip(sets, surrogates, strict=True)], surrogates, betas)
