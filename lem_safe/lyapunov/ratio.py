"""The balance of the deterministic flow x' = −∇U: what spreads a cloud against what contracts it (L.4, L.5,
L.7).

    d/dt KL(ρ_t‖ρ_U) = E[ΔU] − E‖∇U‖² = −E‖∇U‖²(1 − R_t),    R_t = E[ΔU] / E‖∇U‖².

While R < 1 the flow approaches ρ_U; after the first *upward* crossing of 1 it moves away from it, into the
modes. The integrand h(x) = ΔU − ‖∇U‖² has E_ρU h = 0 and takes both signs, so the flow has no Lyapunov
functional that vanishes at ρ_U alone. U is in nats: for e^{−V/ε} the ratio is ε E[ΔV]/E‖∇V‖², which
`Tempered` computes.
"""

import math
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from barriers.arrays import Tensor
from lem_safe.energies.base import Energy


class Balance(NamedTuple):
    """E U, E ΔU, E‖∇U‖², R and dKL/dt of one cloud, with the standard errors of the last two."""

    energy: float
    laplacian: float
    squared_gradient: float
    ratio: float
    ratio_error: float
    kl_rate: float
    kl_rate_error: float


def balance(energy: Energy, x: Float[Tensor, "n d"]) -> Balance:
    """The balance of a cloud (L.4); its error bars are those of n independent particles."""
    U, gradient = energy.value_and_gradient(x)
    Δ, g2 = energy.laplacian(x).double(), gradient.double().square().sum(1)
    return of_parts(U.double(), Δ, g2)


def of_parts(U: Float[Tensor, "n"], Δ: Float[Tensor, "n"], g2: Float[Tensor, "n"]) -> Balance:
    """The balance from U, ΔU and ‖∇U‖² of every particle, float64."""
    n = U.shape[0]
    R = _ratio(float(Δ.mean()), float(g2.mean()))
    error = (
        float((Δ - R * g2).std()) / (math.sqrt(n) * float(g2.mean())) if n > 1 and g2.mean() > 0 else math.nan
    )
    h = Δ - g2
    rate_error = float(h.std()) / math.sqrt(n) if n > 1 else math.nan
    return Balance(float(U.mean()), float(Δ.mean()), float(g2.mean()), R, error, float(h.mean()), rate_error)


def imbalance(energy: Energy, x: Float[Tensor, "n d"]) -> Float[Tensor, "n"]:
    """h(x) = ΔU − ‖∇U‖² (L.7): the rate at which the flow changes log(ρ_t/ρ_U) along a particle. Its sign
    varies.
    """
    return energy.laplacian(x).double() - energy.value_and_gradient(x)[1].double().square().sum(1)


def upward_crossing(ratio: Float[np.ndarray, "t"]) -> int | None:
    """The first index where R is at least 1 after a value below 1 (L.5); None where there is none.

    An initial stretch above 1 ends with a downward crossing, a maximum of KL, and does not count. NaN is
    skipped.
    """
    below = False
    for i, R in enumerate(ratio):
        if below and R >= 1:
            return i
        below = below or bool(R < 1)
    return None


def _ratio(laplacian: float, squared_gradient: float) -> float:
    if squared_gradient > 0:
        return laplacian / squared_gradient
    return math.copysign(math.inf, laplacian) if laplacian else math.nan
