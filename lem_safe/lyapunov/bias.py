"""The KL that the step size leaves permanently: Euler–Maruyama converges to another distribution than ρ_U,
however long it runs (L.10).

    Gaussian, precision eigenvalues a_i:   variance 1/(a_i(1 − a_ih/2)),   KL = Σ ½(r_i − 1 − log r_i),
        r_i = 1/(1 − a_ih/2),   exact
    otherwise, to leading order in h:      ρ_h ∝ exp(−U + h(¼‖∇U‖² − ½ΔU)),   KL ≈ ½h² Var(¼‖∇U‖² − ½ΔU)

∞ where a_ih ≥ 2: the chain has no stationary distribution. For a Gaussian the second is Σ(a_ih)²/16, the
first term of the first. √KL between distributions this close is approximately subadditive, like a distance,
so the KL left for the decay from the start is (√ε − √bias)².
"""

import math
from dataclasses import dataclass

from barriers.arrays import torch
from lem_safe.energies.base import Energy
from lem_safe.keys import Key

DRAWS = 4096
"""Number of exact draws of the energy used to evaluate the second formula."""


@dataclass(frozen=True)
class Bias:
    """The stationary KL of a chain of step size h. exact: computed by the first formula; otherwise estimated
    by the second.
    """

    kl: float
    exact: bool

    def __str__(self) -> str:
        about = "" if self.exact else "about "
        return f"the step size alone leaves {about}{self.kl:.2g} nats for good"


def step_bias(energy: Energy, step_size: float) -> Bias | None:
    """The bias of Langevin steps of an energy over sampler coordinates; None where neither formula can be
    evaluated.
    """
    precision = _precision(energy)
    if precision is not None:
        return Bias(gaussian_bias(precision, step_size), exact=True)
    z = energy.exact_draws(Key(0).fold("bias").generator(), DRAWS)
    if z is None:
        return None
    z = z.to(next(iter(energy.buffers()), z).device)
    f = 0.25 * energy.value_and_gradient(z)[1].double().square().sum(1) - 0.5 * energy.laplacian(z).double()
    return Bias(0.5 * step_size**2 * float(f.var()), exact=False)


def gaussian_bias(precision: list[float], step_size: float) -> float:
    """KL of the stationary distribution of Euler–Maruyama to N(0, diag(1/a)), exactly."""
    shrunk = [0.5 * a * step_size for a in precision]
    if max(shrunk) >= 1:
        return math.inf
    return sum(0.5 * (q / (1 - q) + math.log1p(-q)) for q in shrunk)


def step_size_for(energy: Energy, kl: float) -> float | None:
    """The largest step size, rounded down to two digits, whose bias is at most half of `kl`; None unless the
    energy is Gaussian.
    """
    precision = _precision(energy)
    if precision is None:
        return None
    low, high = 0.0, 2 / max(precision)
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if gaussian_bias(precision, middle) <= kl / 2 else (low, middle)
    unit = 10.0 ** (math.floor(math.log10(low)) - 1)
    return math.floor(low / unit) * unit


def _precision(energy: Energy) -> list[float] | None:
    """The eigenvalues of ∇²U where U is quadratic and positive definite; None otherwise."""
    terms = energy.gaussian_sum()
    if terms is None or len(terms.c) != 1:
        return None
    a = torch.linalg.eigvalsh(terms.A[0])
    return [float(v) for v in a] if float(a[0]) > 0 else None
