"""Faults planted into the KL bookkeeping, one at a time: the check of truths.lyapunov that is there to find
it must fail, and pass without it.
"""

import math

import numpy as np
import pytest
import torch
from planted import Tooth, checks, must_be_found, result, written_in
from scipy import optimize
from truths import lyapunov

from lem_safe.energies import Tempered, curvature, double_well
from lem_safe.lyapunov import bias as biases
from lem_safe.lyapunov import (
    calls,
    constants,
    density,
    generator,
    mixing,
    monitors,
    normal,
    pace,
    ratio,
    stein,
    stopping,
    work,
)


def downward(ratio: np.ndarray) -> int | None:
    return next((k for k in range(1, len(ratio)) if ratio[k] <= 1 < ratio[k - 1]), None)


def without_split(draws: np.ndarray) -> np.ndarray:
    return draws.astype(float)


TEETH: dict[str, Tooth] = {
    "R upside down": (lyapunov.balance_by_hand, ratio, "_ratio", lambda f: lambda a, b: f(b, a)),
    "the temperature of V forgotten in ΔV": (
        lyapunov.balance_by_hand,
        Tempered,
        "laplacian",
        result(lambda Δ, self, *_: Δ * self.temperature),
    ),
    "dKL/dt of the wrong sign": (
        lyapunov.balance_by_hand,
        ratio,
        "of_parts",
        result(lambda b, *_: b._replace(kl_rate=-b.kl_rate)),
    ),
    "an error without √n": (
        lyapunov.balance_by_hand,
        ratio,
        "of_parts",
        result(lambda b, U, *_: b._replace(kl_rate_error=b.kl_rate_error * math.sqrt(len(U)))),
    ),
    "h without the Laplacian": (
        lyapunov.no_lyapunov_functional,
        ratio,
        "imbalance",
        result(lambda h, U, x: h - U.laplacian(x)),
    ),
    "a downward crossing": (lyapunov.crossings, ratio, "upward_crossing", lambda f: downward),
    "any R above 1 stops": (
        lyapunov.crossings,
        ratio,
        "upward_crossing",
        lambda f: lambda r: next((k for k, v in enumerate(r) if v >= 1), None),
    ),
    "the rule takes any R above 1": (
        lyapunov.the_rule_crosses_upward,
        stopping.FlowRatio,
        "reason",
        lambda f: lambda self, looks, taken: "now" if looks[-1].value >= 1 else None,
    ),
    "the rule fires before the first judged step": (
        lyapunov.the_rule_crosses_upward,
        stopping.Stop,
        "verdict",
        lambda f: lambda self, looks, taken, not_before=0: f(self, looks, taken),
    ),
    "Lf with +∇U·∇f": (
        lyapunov.generator_by_autodiff,
        generator,
        "GENERATOR",
        lambda g: {**g, "x2": lambda x, gradient, Δ: 2 * x.shape[1] - g["x2"](x, gradient, Δ)},
    ),
    "Lf without Δf": (
        lyapunov.generator_by_autodiff,
        generator,
        "GENERATOR",
        lambda g: {**g, "x2": lambda x, gradient, Δ: g["x2"](x, gradient, Δ) - x.shape[1]},
    ),
    "the energy as score": (
        lyapunov.stein_by_hand,
        stein,
        "stein_of_scores",
        lambda f: lambda x, s, c: f(x, -s, c),
    ),
    "c for c²": (
        lyapunov.stein_by_hand,
        stein,
        "stein_of_scores",
        lambda f: lambda x, s, c: f(x, s, math.sqrt(c)),
    ),
    "the V-statistic as the unbiased one": (
        lyapunov.stein_of_exact_draws,
        stein,
        "stein_of_scores",
        result(lambda found, *_: found._replace(u=found.v)),
    ),
    "Stein's error without its factor 2": (
        lyapunov.stein_of_exact_draws,
        stein,
        "stein_of_scores",
        result(lambda found, *_: found._replace(error=found.error / math.sqrt(2))),
    ),
    "the last block left out": (
        lyapunov.stein_in_blocks,
        stein,
        "stein_of_scores",
        lambda f: lambda x, s, c: f(x[: stein.BLOCK], s[: stein.BLOCK], c),
    ),
    "R̂ of whole chains": (lyapunov.mixing_by_hand, mixing, "_halves", lambda f: without_split),
    "autocovariances that wrap around": (
        lyapunov.mixing_by_hand,
        mixing,
        "autocovariance",
        lambda f: (
            lambda x: (
                np.fft.irfft(np.abs(np.fft.rfft(x - x.mean(1, keepdims=True))) ** 2, n=x.shape[1])
                / x.shape[1]
            )
        ),
    ),
    "ESS of as many draws": (
        lyapunov.mixing_of_an_autoregression,
        mixing,
        "effective_sample_size",
        lambda f: lambda x: float(x.size),
    ),
    "KL the other way round": (lyapunov.normal_laws, normal, "normal_kl", lambda f: lambda p, q: f(q, p)),
    "noise √h for √2h": (
        lyapunov.normal_laws,
        normal,
        "langevin_variance",
        lambda f: lambda v, σ2, h, k: (f(v, σ2, h, k) + normal.flow_variance(v, σ2, h, k)) / 2,
    ),
    "a Hessian without its off-diagonal": (
        lyapunov.hessians_by_polarisation,
        density,
        "hessian",
        result(lambda H, *_: torch.diag_embed(H.diagonal(dim1=1, dim2=2))),
    ),
    "the density of the wrong sign of volume": (
        lyapunov.densities_along_the_flow,
        density,
        "track_flow",
        lambda f: (
            lambda *given, volume=density.jacobian_volume, **named: f(
                *given, volume=lambda U, x, h: -volume(U, x, h), **named
            )
        ),
    ),
    "ΔU not divided by ε": (
        lyapunov.the_flow_stops_where_kl_does,
        Tempered,
        "laplacian",
        result(lambda Δ, self, *_: Δ * self.temperature),
    ),
    "a particle among its own parents' children": (
        lyapunov.langevin_densities,
        density,
        "langevin_kl",
        result(lambda found, U, x, y, h: found._replace(kl=found.kl - 0.5)),
    ),
    "the largest eigenvalue for the smallest": (
        lyapunov.curvature_floors,
        curvature,
        "congruent",
        lambda f: lambda floor, M: floor * float(torch.linalg.svdvals(M.double()).max()) ** 2,
    ),
    "κ + osc for κe^{−osc}": (
        lyapunov.a_double_well_s_constant,
        double_well,
        "holley_stroock",
        lambda f: lambda base, oscillation: f(base, 0.5 * oscillation),
    ),
    "1/C for 1/2C": (lyapunov.the_budget_suffices, constants, "langevin_budget", result(lambda τ, *_: 4 * τ)),
    "half the budget": (
        lyapunov.the_budget_suffices,
        constants,
        "langevin_budget",
        result(lambda τ, *_: τ / 2),
    ),
    "a step's variance of 1/(1 − h)": (
        lyapunov.what_a_step_size_leaves,
        biases,
        "gaussian_bias",
        lambda f: lambda a, h: f(a, 2 * h),
    ),
    "half a variance forgotten": (
        lyapunov.what_a_step_size_leaves,
        biases,
        "Bias",
        lambda f: lambda kl, exact: f(kl if exact else 2 * kl, exact=exact),
    ),
    "I/C for I/2C": (lyapunov.information_of_a_start, constants, "kl_at_most", result(lambda kl, *_: 2 * kl)),
    "the score of the start left out": (
        lyapunov.information_of_a_start,
        normal.Normal,
        "score",
        result(lambda s, *_: 0 * s),
    ),
    "the rate for half of it": (
        lyapunov.measured_rates,
        constants,
        "measured_constant",
        result(lambda C, *_: C and constants.Constant(2 * C.value, C.origin)),
    ),
    "noise read as decay": (
        lyapunov.measured_rates,
        constants,
        "measured_constant",
        lambda f: lambda t, v, floor: f(t, v, 0 * floor),
    ),
    "products for nothing": (lyapunov.work_by_hand, calls, "flop_registry", lambda f: {}),
    "every number of 4 bytes": (
        lyapunov.work_by_hand,
        torch.Tensor,
        "element_size",
        lambda f: lambda self: 4,
    ),
    "views are copies": (
        lyapunov.work_by_hand,
        calls.Calls,
        "__torch_dispatch__",
        lambda f: lambda self, *called: (f(self, *called), setattr(self, "total", self.total + work.CALL))[0],
    ),
    "looks whatever they cost": (
        lyapunov.the_pace_is_affordable,
        pace,
        "pace",
        lambda f: (
            lambda steps, most, cost: f(steps, most, lambda s: 1e-3 * cost(s))._replace(cost=cost(most))
        ),
    ),
    "as many particles as are asked for": (
        lyapunov.the_pace_is_affordable,
        pace,
        "pace",
        lambda f: lambda steps, most, cost: f(steps, most, cost)._replace(samples=most, cost=cost(most)),
    ),
    "means not in their errors": (
        lyapunov.the_worst_test_mean,
        monitors,
        "worst_mean",
        lambda f: lambda look: f({name: 1.0 if name.endswith("error") else v for name, v in look.items()}),
    ),
    "a budget for what is there already": (
        lyapunov.the_budget_suffices,
        constants,
        "langevin_budget",
        lambda f: lambda start, kl, C: f(max(start, 2 * kl), kl, C),
    ),
    "pairs in the order they come": (
        lyapunov.transport_distances,
        optimize,
        "linear_sum_assignment",
        lambda f: lambda cost: (np.arange(len(cost)), np.arange(len(cost))),
    ),
}

CHECKS = checks(TEETH)


@pytest.mark.parametrize("name", CHECKS)
def test_the_honest_code_passes(name: str) -> None:
    CHECKS[name]()


@pytest.mark.parametrize("name", TEETH)
def test_a_planted_fault_is_found(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    must_be_found(TEETH[name], monkeypatch)


def test_every_check_has_a_fault_that_it_finds() -> None:
    assert written_in(lyapunov) - {"eight", "tempered", "draws"} == set(CHECKS)
