"""The log-Sobolev constant C of ρ_U, KL ≤ I/(2C) (L.2), and the Langevin budget it gives (L.3); every
constant states its origin.

    KL_t ≤ e^{−2Ct} KL_0,    τ_Lang = (1/2C) log(KL_0/ε),    I(ρ‖ρ_U) = E‖∇log ρ + ∇U‖²
        (the rate −dKL/dt, L.1).

Bakry–Émery: C = κ where ∇²U ⪰ κI, κ > 0. Holley–Stroock: C = C₀e^{−osc} where U is a bounded perturbation of
an energy with C₀, osc its largest value minus its smallest. Measured: half the observed decay rate of a
quantity quadratic in ρ_t − ρ_U; valid for that run only and never a bound, since a mode that no particle has
reached does not slow the decay.
"""

import math

import numpy as np
from jaxtyping import Float

from barriers.arrays import Tensor, torch
from lem_safe.energies.base import Energy
from lem_safe.energies.log_sobolev import Constant
from lem_safe.lyapunov.normal import Normal

ENOUGH = 5
"""Evaluations that a measured decay needs."""


def log_sobolev(energy: Energy) -> Constant | None:
    """The best constant that a theorem gives for the energy's form (L.2); None where no theorem applies and C
    can only be measured.
    """
    return energy.log_sobolev()


def measured_constant(
    time: Float[np.ndarray, "t"], value: Float[np.ndarray, "t"], floor: Float[np.ndarray, "t"]
) -> Constant | None:
    """C from the decay e^{−2Ct} of a `value` quadratic in ρ_t − ρ_U, such as KL, KSD² or an energy gap; None
    where no decay is observed.

    Evaluations from the first one not above `floor` on are noise; of those before it, the later half in time
    is fitted, because early ones decay faster.
    """
    noise = np.flatnonzero(~(value > floor))
    end = int(noise[0]) if noise.size else len(value)
    if end < 2 * ENOUGH:
        return None
    late = slice(end // 2, end)
    slope = float(np.polyfit(time[late], np.log(value[late]), 1)[0])
    return Constant(-slope / 2, "measured") if slope < 0 else None


def langevin_budget(kl_start: float, kl: float, constant: Constant) -> float:
    """τ_Lang (L.3): the time (steps × h) along Langevin dynamics after which KL ≤ `kl`; 0 where this holds at
    the start.

    It applies to the continuous dynamics: a chain of step size h keeps an additional bias of order h.
    """
    if not (kl_start >= 0 and kl > 0):
        raise ValueError(
            f"langevin_budget: KL at the start must be >= 0, the one to reach > 0; got {kl_start:g} and "
            f"{kl:g}"
        )
    return 0.0 if kl_start <= kl else math.log(kl_start / kl) / (2 * constant.value)


def fisher_information(energy: Energy, x: Float[Tensor, "n d"], law: Normal) -> float:
    """I(ρ‖ρ_U) (L.1) for a cloud x drawn from a normal distribution, whose score is known."""
    return float((law.score(x) + energy.value_and_gradient(x)[1].double()).square().sum(1).mean())


def kl_at_most(energy: Energy, x: Float[Tensor, "n d"], law: Normal, constant: Constant) -> float:
    """KL(ρ‖ρ_U) ≤ I/(2C) (L.2) for a cloud x drawn from a normal distribution; needs no log Z."""
    return constant.kl_at_most(fisher_information(energy, x, law))


def fisher_floor(
    x: Float[Tensor, "n d"], gradient: Float[Tensor, "n d"], laplacian: Float[Tensor, "n"]
) -> float:
    """A lower bound of I(ρ‖ρ_U) computed from a cloud alone, attained by normal distributions: integration by
    parts and the Cramér–Rao bound give

    I = E‖∇U‖² − 2E ΔU + E‖∇log ρ‖² ≥ E‖∇U‖² − 2E ΔU + tr Cov(x)⁻¹,   and never below 0.

    By (L.1) KL falls at least this fast along Langevin dynamics. NaN where the cloud's covariance is
    singular.
    """
    if len(x) <= x.shape[1]:
        return math.nan
    Σ = torch.atleast_2d(torch.cov(x.double().T))
    inverse, info = torch.linalg.inv_ex(Σ)
    if int(info) != 0:
        return math.nan
    return max(
        0.0, float(gradient.double().square().sum(1).mean() - 2 * laplacian.double().mean() + inverse.trace())
    )
