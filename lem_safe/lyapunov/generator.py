"""The generator Lf = Δf − ∇U·∇f of Langevin dynamics, averaged over a cloud: E_ρU[Lf] = 0 for every smooth f
(E.3).

The cheapest test of any sampler: three means that must vanish at equilibrium, each with its standard error.

    f = Σxᵢ/√d:  Lf = −Σ∂ᵢU/√d        f = ‖x‖²/2:  Lf = d − x·∇U        f = U:  Lf = ΔU − ‖∇U‖²
"""

import math
from collections.abc import Callable
from typing import NamedTuple

from jaxtyping import Float

from barriers.arrays import Tensor
from lem_safe.energies.base import Energy


class Mean(NamedTuple):
    """A mean, and its standard error for independent particles."""

    value: float
    error: float

    @property
    def z(self) -> float:
        """The mean in standard errors; NaN where the error is 0."""
        return self.value / self.error if self.error > 0 else math.nan


Parts = tuple[Tensor, Tensor, Tensor]
"""x [n, d], ∇U [n, d] and ΔU [n] of a cloud, float64."""


def _linear(x: Tensor, gradient: Tensor, laplacian: Tensor) -> Float[Tensor, "n"]:
    return -gradient.sum(1) / math.sqrt(x.shape[1])


def _squared(x: Tensor, gradient: Tensor, laplacian: Tensor) -> Float[Tensor, "n"]:
    return x.shape[1] - (x * gradient).sum(1)


def _energy(x: Tensor, gradient: Tensor, laplacian: Tensor) -> Float[Tensor, "n"]:
    return laplacian - gradient.square().sum(1)


GENERATOR: dict[str, Callable[[Tensor, Tensor, Tensor], Tensor]] = {
    "x": _linear,
    "x2": _squared,
    "u": _energy,
}
"""Lf of each test function f, per particle."""


def generator_means(energy: Energy, x: Float[Tensor, "n d"]) -> dict[str, Mean]:
    """E[Lf] of a cloud for every f of GENERATOR."""
    gradient = energy.value_and_gradient(x)[1]
    return means_of_parts(x.double(), gradient.double(), energy.laplacian(x).double())


def means_of_parts(
    x: Float[Tensor, "n d"], gradient: Float[Tensor, "n d"], laplacian: Float[Tensor, "n"]
) -> dict[str, Mean]:
    """E[Lf] from ∇U and ΔU of every particle, float64."""
    found = {name: L(x, gradient, laplacian) for name, L in GENERATOR.items()}
    return {
        name: Mean(float(v.mean()), float(v.std()) / math.sqrt(len(v)) if len(v) > 1 else math.nan)
        for name, v in found.items()
    }
