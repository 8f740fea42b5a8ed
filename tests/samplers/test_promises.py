"""What remains of a filter's promise under each sampler (samplers.promises), measured: what is kept is kept,
what is lost is lost.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from problems import beyond, standard
from scipy.optimize import brentq
from scipy.stats import norm
from torch import Tensor

from barriers.budget import budget
from barriers.filters import (
    BarrierStep,
    DriftChain,
    EnsembleFilter,
    Gate,
    Penalty,
    PointwiseFilter,
    PrimalDual,
)
from barriers.functionals import BARRIERS, MassBarrier, smooth_mass
from barriers.surrogates import Sigmoid
from lem_safe.energies import Gaussian
from lem_safe.keys import Key
from lem_safe.samplers import (
    Annealed,
    Flow,
    Info,
    Langevin,
    Mala,
    ParallelTempering,
    Preconditioned,
    Sampler,
    State,
    Underdamped,
)
from lem_safe.samplers.heat import Heated, Stretched, heated, stretched
from lem_safe.samplers.metric import of_matrix

pytestmark = pytest.mark.simulation

F64 = torch.float64
φ, LIMIT = Sigmoid(0.2), 0.05
M = [[0.5, 0.2], [0.2, 1.0]]


def cloud(n: int, d: int = 1, at: float = -2.0, std: float = 0.5) -> Tensor:
    shift = torch.tensor([at] + [0.0] * (d - 1), dtype=F64)
    return shift + std * Key(4).normal(torch.empty(n, d, dtype=F64))


def drift_filter(d: int = 1, rate: float = 5.0) -> EnsembleFilter:
    return EnsembleFilter(smooth_mass([beyond(1.0, d)], [φ], [2 * LIMIT]), rate)


def follow(sampler: Sampler, x: Tensor, steps: int) -> tuple[Tensor, np.ndarray, np.ndarray]:
    """The final cloud; E φ and the multiplier at every step."""
    state, means, multipliers = sampler.init(x), [], []
    half = beyond(1.0, x.shape[1])
    for k in range(steps):
        state, info = sampler.step(Key(2).fold(k), state)
        means.append(float(φ.value(half(state.x)).mean()))
        multipliers.append(float(_seen(info).multipliers[0]))
    return state.x, np.array(means), np.array(multipliers)


def _seen(info: Info) -> Any:
    return info.drift if info.step is None else info.step


def exact_multiplier() -> float:
    """μ* of the smooth tilt of N(0, 1) beyond 1, by quadrature."""
    g = np.linspace(-8, 8, 20_001)
    f, w = φ.value(torch.tensor(1 - g)).numpy(), np.exp(-g * g / 2)

    def excess(μ: float) -> float:
        tilt = w * np.exp(-μ * f)
        return float((tilt * f).sum() / tilt.sum() - LIMIT)

    return float(brentq(excess, 0, 100))


# --- a drift filter ---


def test_in_a_metric_the_drift_filter_holds_its_limit_and_without_it_it_does_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    make = lambda: Preconditioned(standard(2, F64), 0.004, M, drift_filter(2))  # noqa: E731
    _, means, _ = follow(make(), cloud(1500, 2), 450)
    assert abs(means[300:].mean() - LIMIT) < 0.01
    monkeypatch.setattr(
        Stretched, "jet", lambda self, x: self.inner.jet(x)._replace(gradient=self.gradients(x)[1])
    )
    _, means, _ = follow(make(), cloud(1500, 2), 450)
    assert means[300:].mean() > 0.08


def test_while_it_is_hot_the_drift_filter_knows_the_temperature(monkeypatch: pytest.MonkeyPatch) -> None:
    make = lambda: Annealed(standard(1, F64), 0.003, 500, 5.0, 1.0, drift_filter())  # noqa: E731
    _, means, _ = follow(make(), cloud(1500, at=-1.0), 500)
    assert means.max() < 0.07
    monkeypatch.setattr("lem_safe.samplers.annealed.heated", lambda chosen, T: chosen)
    _, means, _ = follow(make(), cloud(1500, at=-1.0), 500)
    assert means.max() > 0.10


def test_without_noise_the_barrier_holds_for_the_cloud_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """The flow wants everybody at 3, beyond the limit at 1; the filter ends on the limit, up to Euler's own
    error.
    """
    make = lambda: Flow(Gaussian([3.0], 1.0).double(), 0.02, drift_filter())  # noqa: E731
    _, means, _ = follow(make(), cloud(400), 250)
    assert means.max() < LIMIT + 1e-4 and means[-1] > LIMIT - 1e-3
    monkeypatch.setattr("lem_safe.samplers.flow.heated", lambda chosen, T: chosen)
    _, means, _ = follow(make(), cloud(400), 250)
    assert abs(means[-1] - LIMIT) > 1e-3


def test_without_noise_the_pointwise_barrier_is_one() -> None:
    x, _, _ = follow(
        Flow(Gaussian([3.0], 1.0).double(), 0.01, PointwiseFilter([beyond(1.0)], 5.0)), cloud(500), 600
    )
    assert float(x.max()) < 1.0


@pytest.mark.parametrize(
    "make",
    [
        lambda f: Mala(standard(1, F64), 0.4, None, f),
        lambda f: ParallelTempering(standard(1, F64), 0.4, [3.0], None, f),
    ],
    ids=["mala", "parallel_tempering"],
)
def test_a_metropolis_test_takes_the_lean_of_a_drift_filter_back(make: Callable[[Any], Sampler]) -> None:
    """The law is ρ_U: nothing is left of the limit .05, in the mean over the last half."""
    n, p = 4000, float(norm.sf(1))
    x, _, multipliers = follow(make(drift_filter()), cloud(n, at=0.0, std=1.0), 60)
    assert abs(float((x >= 1).double().mean()) - p) < 4 * math.sqrt(p * (1 - p) / n)
    assert multipliers.mean() > 1  # it did try


def test_with_inertia_a_drift_filter_overshoots_and_ends_at_its_tilt() -> None:
    _, means, multipliers = follow(Underdamped(standard(1, F64), 0.1, 1.0, drift_filter()), cloud(3000), 300)
    assert means.max() > 1.5 * LIMIT
    assert means[150:].mean() == pytest.approx(LIMIT, abs=0.004)
    assert multipliers[150:].mean() == pytest.approx(exact_multiplier(), rel=0.05)


# --- a step filter ---


def bins_of_the_projection(β: float, edges: np.ndarray) -> np.ndarray:
    """N(0, 1) rescaled inside and outside {x ≥ 1}, in bins."""
    p, mass = norm.sf(1), np.diff(norm.cdf(edges))
    return np.where(edges[:-1] >= 1, mass * β / p, mass * (1 - β) / (1 - p))


EDGES = np.array([-np.inf, -1.5, -0.8, -0.3, 0.2, 0.6, 1.0, 1.3, np.inf])


def worst_bin(x: Tensor, β: float) -> float:
    """How many standard errors the worst bin is off the projection at the budget."""
    n = x.shape[0]
    expected = bins_of_the_projection(budget(β, n) / n, EDGES)
    found = np.histogram(x[:, 0].numpy(), EDGES)[0] / n
    return float((np.abs(found - expected) / np.sqrt(expected * (1 - expected) / n)).max())


@pytest.mark.parametrize(
    "make",
    [
        lambda gate: Mala(standard(1, F64), 1.0, None, None, gate),
        lambda gate: ParallelTempering(standard(1, F64), 1.0, [3.0], None, None, gate),
        lambda gate: Underdamped(standard(1, F64), 0.25, 1.0, None, gate),
    ],
    ids=["mala", "parallel_tempering", "underdamped"],
)
def test_the_gate_ends_at_the_hard_projection(make: Callable[[Gate], Sampler]) -> None:
    """G.3: with a Metropolis test for any step size (here 1, half of what is stable without it); with BAOAB
    up to order h².
    """
    n, β = 8000, 0.05
    x, _, _ = follow(make(Gate([beyond(1.0)], [β])), cloud(n, at=-0.5, std=0.3), 120)
    assert budget(β, n) - int((x >= 1).sum()) <= 0.02 * n * β
    assert worst_bin(x, β) < 4


@pytest.mark.parametrize(
    "make",
    [
        lambda gate: Langevin(standard(1, F64), 1.0, None, gate),
        lambda gate: Langevin(standard(1, F64), 0.3, None, gate),
    ],
    ids=["h=1", "h=.3"],
)
def test_without_the_metropolis_test_the_same_check_finds_the_bias(make: Callable[[Gate], Sampler]) -> None:
    x, _, _ = follow(make(Gate([beyond(1.0)], [0.05])), cloud(8000, at=-0.5, std=0.3), 120)
    assert worst_bin(x, 0.05) > 6


def test_the_multiplier_of_a_step_filter_under_inertia_is_a_force() -> None:
    """μ/h² tends to μ* as h → 0, its bias linear in h, so one extrapolation meets it."""
    found = []
    for h, steps in ((0.1, 240), (0.05, 480)):
        chosen = BarrierStep(MassBarrier([beyond(1.0)], [φ], [2 * LIMIT]), 5.0)
        _, means, multipliers = follow(
            Underdamped(standard(1, F64), h, 1.0, None, chosen), cloud(2500), steps
        )
        assert (means <= LIMIT + 1e-12).all()
        found.append(multipliers[steps // 2 :].mean())
    assert 2 * found[1] - found[0] == pytest.approx(exact_multiplier(), rel=0.05)


class Refuser:
    """Sends back whoever it is told to, from the second call of a step on."""

    hook, couples, limits = "step", False, torch.full((1,), torch.nan)

    def __init__(self, calls: list[Tensor]):
        self.calls = calls

    def init(self, x: Tensor) -> None:
        return None

    def apply(self, x: Tensor, y: Tensor, h: float, u: Tensor, memory: None) -> tuple[Tensor, None, Any]:
        self.calls.append(y)
        nothing = torch.zeros(1, dtype=F64)
        return (y if len(self.calls) % 2 else x), None, Langevin_info(nothing)


def Langevin_info(nothing: Tensor) -> Any:
    from barriers.filters import FilterInfo

    return FilterInfo(nothing, nothing, nothing)


def test_a_refused_swap_is_undone_on_both_sides() -> None:
    """Whoever the filter keeps out of the cold cloud stays in the hot one: nobody is there twice, nobody is
    lost.
    """
    x = cloud(50, 2)
    free, held = (
        ParallelTempering(standard(2, F64), 0.3, [5.0]),
        ParallelTempering(standard(2, F64), 0.3, [5.0], None, None, Refuser([])),
    )
    a, _ = free.step(Key(1), free.init(x))
    b, _ = held.step(Key(1), held.init(x))
    both = torch.stack([a.x, a.own.hotter[0]]).sort(0).values
    again = torch.stack([b.x, b.own.hotter[0]]).sort(0).values
    assert torch.equal(both, again) and not torch.equal(a.x, b.x)


# --- filters in other noise ---


def test_a_hot_barrier_has_its_own_ito_term_and_a_stretched_one_that_of_whitened_coordinates() -> None:
    L = of_matrix(M)
    x = cloud(60, 2, at=0.3, std=1.0)
    for barrier in [kind.example() for kind in BARRIERS.values()]:
        jet, hot, long = barrier.jet(x), Heated(barrier, 3.0).jet(x), Stretched(barrier, L).jet(x)
        torch.testing.assert_close(hot.laplacian, 3 * jet.laplacian)
        torch.testing.assert_close(hot.gradient, jet.gradient)
        torch.testing.assert_close(long.gradient, jet.gradient @ L)
        round_ = Stretched(barrier, 2 * torch.eye(2, dtype=F64)).jet(x)
        torch.testing.assert_close(round_.laplacian, 4 * jet.laplacian, rtol=1e-7, atol=1e-9)
        assert torch.equal(long.value, jet.value) and torch.equal(
            Stretched(barrier, L).limits, barrier.limits
        )
    half = smooth_mass([beyond(1.0, 2)], [φ], [0.1])
    p = φ.profile(beyond(1.0, 2)(x))
    torch.testing.assert_close(
        Stretched(half, L).jet(x).laplacian[:, 0], p.second * (L @ L.T)[0, 0], rtol=1e-8, atol=1e-9
    )


def test_every_drift_filter_has_a_form_in_a_metric() -> None:
    """A penalty pushes by M⁻¹∇φ, a pointwise barrier acts on the drift as it is in x; a chain is each of its
    filters.
    """
    L, x = of_matrix(M), cloud(80, 2, at=0.8)
    barrier, half = smooth_mass([beyond(1.0, 2)], [φ], [0.1]), beyond(1.0, 2)
    v = Key(1).normal(x)
    push = -2.0 * barrier.gradients(x)[1][:, 0]
    u, _, _ = stretched(Penalty(barrier, [2.0]), L).apply(x, v, None)
    torch.testing.assert_close(u @ L.T, v @ L.T + push @ L @ L.T)
    dual = stretched(PrimalDual(barrier, 0.3), L)
    memory = dual.init(x)._replace(multipliers=torch.tensor([2.0], dtype=F64))
    torch.testing.assert_close(dual.apply(x, v, memory)[0], u)
    point = PointwiseFilter([half], 5.0)
    w, _, _ = stretched(point, L).apply(x, v, None)
    torch.testing.assert_close(w @ L.T, point.apply(x, v @ L.T, None)[0])
    chain = stretched(DriftChain([Penalty(barrier, [2.0]), point]), L)
    both, _, _ = chain.apply(x, v, chain.init(x))
    torch.testing.assert_close(both, stretched(point, L).apply(x, u, None)[0])
    assert stretched(None, L) is None and heated(None, 0.0) is None
    assert heated(point, 3.0) is point and isinstance(heated(DriftChain([drift_filter(2)]), 3.0), DriftChain)


def test_the_change_of_a_drift_is_the_smallest_in_the_metric() -> None:
    """u − v = −μM⁻¹∇φ: any other way to meet the same condition costs more, as M measures it."""
    x, h = cloud(400, 2, at=0.8), 1e-3
    one, free = (
        Preconditioned(standard(2, F64), h, M, drift_filter(2)),
        Preconditioned(standard(2, F64), h, M),
    )
    after, info = one.step(Key(1), one.init(x))
    change = (after.x - free.step(Key(1), free.init(x))[0].x) / h
    gradient = smooth_mass([beyond(1.0, 2)], [φ], [0.1]).gradients(x)[1][:, 0]
    expected = info.drift.multipliers[0] * gradient @ torch.linalg.inv(torch.tensor(M, dtype=F64))
    assert float(info.drift.multipliers[0]) > 0
    torch.testing.assert_close(change, -expected, rtol=1e-8, atol=1e-9)


def test_a_speed_bound_keeps_its_units_in_a_metric() -> None:
    L = of_matrix([[0.01, 0.0], [0.0, 4.0]])
    chosen = EnsembleFilter(smooth_mass([beyond(1.0, 2)], [φ], [0.1]), 5.0, speed=3.0)
    x = cloud(60, 2, at=1.2)
    v = torch.tensor([40.0, 0.0], dtype=F64).expand_as(x)
    u, _, _ = stretched(chosen, L).apply(x, v, chosen.init(x))
    assert 0 < float(((u - v) @ L.T).abs().max()) <= 3.0 + 1e-9


def test_states_are_what_the_samplers_say() -> None:
    x = cloud(5, 2)
    assert Langevin(standard(2, F64), 0.1).init(x) == State(x)
    assert float(Underdamped(standard(2, F64), 0.1).init(x).own.velocity.abs().max()) == 0
    assert ParallelTempering(standard(2, F64), 0.1, [2.0, 3.0]).init(x).own.hotter.shape == (2, 5, 2)
