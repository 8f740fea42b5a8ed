"""Laws of every barrier, through its example: derivatives by differences, dB/dt by taking the step, every
filter; then their own truths.
"""

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from barriers.filters import BarrierStep, EnsembleFilter, Penalty, PrimalDual
from barriers.functionals import (
    BARRIERS,
    Barrier,
    GroupParity,
    MassBarrier,
    MomentBarrier,
    StatisticsJet,
    TailClearance,
)
from barriers.sets import Ball, HalfSpace, NotSmooth, build_sets
from barriers.surrogates import Hinge
from lem_safe.keys import Key

pytestmark = pytest.mark.simulation

RATE = 3.0


@pytest.fixture(params=list(BARRIERS))
def barrier(request: pytest.FixtureRequest) -> Barrier:
    return BARRIERS[request.param].example()


def cloud(n: int = 300, center: tuple[float, float] = (0.1, 0.2), std: float = 0.9, seed: int = 1) -> Tensor:
    return torch.tensor(center, dtype=torch.float64) + std * Key(seed).normal(
        torch.empty(n, 2, dtype=torch.float64)
    )


def rate_of_change(barrier: Barrier, x: Tensor, u: Tensor) -> Tensor:
    """dB/dt = J E[∇f·u + Δf] (B.3), typed from the ledger."""
    f, g, lap = barrier.jet(x)
    return barrier.jacobian(f.mean(0)) @ ((g * u[:, None]).sum(2) + lap).mean(0)


# --- derivatives ---


def test_jet_is_the_derivative_by_differences(barrier: Barrier) -> None:
    x, ε = cloud(), 1e-4
    f, g, lap = barrier.jet(x)
    assert torch.allclose(f, barrier.statistics(x), atol=1e-13)
    laplacian = torch.zeros_like(lap)
    for i, e in enumerate(torch.eye(2, dtype=torch.float64) * ε):
        up, down = barrier.statistics(x + e), barrier.statistics(x - e)
        assert torch.allclose(g[:, :, i], (up - down) / (2 * ε), atol=3e-6)
        laplacian += (up + down - 2 * f) / ε**2
    assert torch.allclose(lap, laplacian, atol=2e-4)


def test_gradients_are_the_jet_without_its_laplacian(barrier: Barrier) -> None:
    f, g = barrier.gradients(cloud())
    jet = barrier.jet(cloud())
    assert torch.allclose(f, jet.value, atol=1e-13) and torch.allclose(g, jet.gradient, atol=1e-12)


def test_jacobian_of_the_readout_by_differences(barrier: Barrier) -> None:
    mean, ε = barrier.statistics(cloud()).mean(0), 1e-6
    columns = [
        (barrier.readout(mean + e) - barrier.readout(mean - e)) / (2 * ε)
        for e in torch.eye(len(mean)).double() * ε
    ]
    assert torch.allclose(barrier.jacobian(mean), torch.stack(columns, 1), atol=1e-7)
    assert torch.allclose(barrier.observed(mean), barrier.limits - barrier.readout(mean))


def after_euler(barrier: Barrier, x: Tensor, u: Tensor, h: float) -> Tensor:
    """B after one Euler step, its noise averaged out exactly: Gauss–Hermite nodes at ±1 in each coordinate
    match moments to third order.
    """
    mean = sum(
        barrier.statistics(x + h * u + math.sqrt(2 * h) * torch.tensor([a, b]).double()).mean(0) / 4
        for a in (-1.0, 1.0)
        for b in (-1.0, 1.0)
    )
    return barrier.readout(mean)


def step_rate(barrier: Barrier, x: Tensor, u: Tensor) -> Tensor:
    """dB/dt by taking the step, its error of order h removed."""
    B, h = barrier.readout(barrier.statistics(x).mean(0)), 1e-5
    once, half = (after_euler(barrier, x, u, t) - B for t in (h, h / 2))
    return 4 * half / h - once / h


def test_rate_of_change_is_that_of_a_small_euler_step(barrier: Barrier) -> None:
    x = cloud()
    u = -x + 0.5 * Key(2).normal(x)
    assert torch.allclose(rate_of_change(barrier, x, u), step_rate(barrier, x, u), atol=1e-5)


def test_planted_fault_without_the_ito_term_the_rate_is_another(barrier: Barrier) -> None:
    x = cloud()
    forgetful = barrier.jet(x)._replace(laplacian=torch.zeros_like(barrier.statistics(x)))
    barrier.jet = lambda x: forgetful  # type: ignore[method-assign]
    assert (rate_of_change(barrier, x, -x) - step_rate(barrier, x, -x)).abs().max() > 1e-2


# --- filters upon them ---


def attack(barrier: Barrier, x: Tensor) -> Tensor:
    """A drift that spends the barrier with the least left as fast as it can."""
    f, g, _ = barrier.jet(x)
    row = barrier.jacobian(f.mean(0))[int(barrier.readout(f.mean(0)).argmin())]
    return -x - 4 * torch.einsum("nkd,k->nd", g, row)


def test_ensemble_filter_achieves_the_barrier_condition(barrier: Barrier) -> None:
    x = cloud()
    v = attack(barrier, x)
    B = barrier.readout(barrier.statistics(x).mean(0))
    assert (rate_of_change(barrier, x, v) < -RATE * B).any()
    chosen = EnsembleFilter(barrier, RATE)
    u, _, info = chosen.apply(x, v, chosen.init(x))
    margin = rate_of_change(barrier, x, u) + RATE * B
    assert (margin >= -1e-9).all() and (info.shortfall == 0).all()
    assert (info.multipliers > 0).any() and (
        margin * info.multipliers
    ).abs().max() < 1e-8  # KKT: complementary slackness
    f, g, _ = barrier.jet(x)
    direction = torch.einsum("nkd,k->nd", g, barrier.jacobian(f.mean(0)).T @ info.multipliers)
    assert torch.allclose(u, v + direction, atol=1e-12)  # KKT: stationarity


def test_step_filter_keeps_the_barrier_along_an_adversarial_run(barrier: Barrier) -> None:
    x, h, key = cloud(800, (0.0, -4.0), 0.3), 0.01, Key(9)
    chosen = BarrierStep(barrier, 50.0)  # fast enough to be at the limit soon
    memory = chosen.init(x)
    assert (barrier.readout(memory.mean) >= 0).all()
    binding = 0
    for k in range(80):
        y = (
            0.6 * x
            + 20 * h * attack(barrier, x).clamp(-5, 5)
            + (0.1 if k % 3 else 0.6) * key.fold(k).normal(x)
        )
        violated = bool((barrier.readout(barrier.statistics(y).mean(0)) < 0).any())
        x, memory, info = chosen.apply(x, y, h, x[:, 0], memory)
        assert (barrier.readout(barrier.statistics(x).mean(0)) >= -1e-15).all(), k
        assert (info.shortfall == 0).all()
        binding += violated
    assert binding >= 5


def test_weights_push_every_constraint_the_right_way(barrier: Barrier) -> None:
    """w·dB/dt gains exactly E‖u − v‖² from a weight w: that is what following the gradient of w·B means."""
    x = cloud()
    m = barrier.limits.shape[0]
    w = torch.arange(1.0, m + 1, dtype=torch.float64)
    penalty = Penalty(barrier, w.tolist())
    u, _, info = penalty.apply(x, -x, penalty.init(x))
    gain = w @ (rate_of_change(barrier, x, u) - rate_of_change(barrier, x, -x))
    assert float(gain) == pytest.approx(float((u + x).square().sum(1).mean()), rel=1e-9)
    dual = PrimalDual(barrier, dual_rate=0.5)
    _, memory, _ = dual.apply(x, -x, dual.init(x))
    B = barrier.readout(barrier.statistics(x).mean(0))
    assert torch.allclose(memory.multipliers, (-0.5 * B).clamp(min=0), atol=1e-12)  # (P.3)
    assert torch.allclose(info.mean, barrier.limits - B, atol=1e-12)


# --- tail clearance ---

HALF = build_sets({"h": {"kind": "half_space", "normal": [1.0, 0.0], "offset": 0.0}}, ("x0", "x1"))[
    "h"
]  # s = −x₀


def worst_mean(s: Tensor, share: float) -> float:
    """The mean of the lowest share of s, by sorting."""
    return float(s.sort().values[: round(share * len(s))].mean())


def tail(levels: list[float], width: float = 0.0, clearance: float = -5.0) -> TailClearance:
    return TailClearance(HALF, clearance, 0.1, levels, width)


def value(barrier: Barrier, x: Tensor) -> float:
    return float(barrier.readout(barrier.statistics(x).mean(0)).min())


def test_tail_clearance_is_the_sorted_mean_at_the_quantile_and_never_more() -> None:
    x = cloud(1000)
    s = HALF(x)
    exact = worst_mean(s, 0.1)
    quantile = float(s.sort().values[99])
    assert value(tail([quantile]), x) - 5.0 == pytest.approx(exact, abs=1e-12)
    for level in (-4.0, -2.0, -1.0, -0.5, 0.7):
        assert value(tail([level]), x) - 5.0 <= exact + 1e-12
        assert value(tail([level], 0.1), x) <= value(tail([level]), x)  # softened from the safe side
    assert value(tail([-4.0, quantile, 0.7]), x) - 5.0 == pytest.approx(exact, abs=1e-12)


def test_tail_clearance_of_a_gaussian_in_closed_form() -> None:
    """The mean of the worst 10 % of s ~ N(0, 1) is −φ(z)/q = −1.754983."""
    n = 400_000
    x = Key(3).normal(torch.empty(n, 2, dtype=torch.float64))
    z = -1.2815515655446004
    exact = -math.exp(-z * z / 2) / math.sqrt(2 * math.pi) / 0.1
    assert exact == pytest.approx(-1.754983, abs=1e-6)
    spread = float((z - HALF(x)).clamp(min=0).std()) / 0.1 / math.sqrt(n)
    assert abs(value(tail([z]), x) - 5.0 - exact) < 4 * spread


def test_one_level_is_the_hinge_of_the_grown_set() -> None:
    x, ball, c, w, q = cloud(), Ball([0.2, 0.0], 0.8), 0.1, 0.5, 0.25
    mass = MassBarrier([Ball([0.2, 0.0], 0.8 + c)], [Hinge(w)], [q])
    assert value(TailClearance(ball, c, q, [c + w]), x) == pytest.approx(w / q * value(mass, x), abs=1e-12)


def test_a_kinked_tail_is_refused_before_the_noise_and_holds_after_it() -> None:
    kinked, x = TailClearance(Ball([0.2, 0.0], 0.8), 0.1, 0.25, [0.4, 0.8, 1.6]), cloud(500, (0.0, -4.0), 0.3)
    with pytest.raises(NotSmooth, match="width > 0"):
        EnsembleFilter(kinked).apply(x, -x, EnsembleFilter(kinked).init(x))
    chosen = BarrierStep(kinked)
    memory = chosen.init(x)
    for k in range(60):
        x, memory, _ = chosen.apply(x, 0.8 * x + 0.3 * Key(k).normal(x), 0.01, x[:, 0], memory)
        assert value(kinked, x) >= -1e-15
        assert worst_mean(kinked.unsafe(x), 0.25) >= 0.1 - 1e-12


# --- moments ---


def test_a_mean_bound_on_ornstein_uhlenbeck_has_its_exact_multiplier_and_law() -> None:
    """min KL(ρ‖N(0, 1)) with E x ≥ ½ is N(½, 1), at μ = ½ (F.1)."""
    n, h = 20_000, 0.01
    barrier = MomentBarrier([lambda x: x[:, 0]], [(0.5, math.inf)])
    chosen = EnsembleFilter(barrier)
    x = 1 + Key(1).normal(torch.empty(n, 1, dtype=torch.float64))
    memory, multipliers = chosen.init(x), []
    for k in range(1200):
        u, memory, info = chosen.apply(x, -x, memory)
        x = x + h * u + math.sqrt(2 * h) * Key(2).fold(k).normal(x)
        multipliers.append(float(info.multipliers))
    assert abs(float(x.mean()) - 0.5) < 4 / math.sqrt(n)
    assert abs(float(x.var()) - 1 / (1 - h / 2)) < 4 * math.sqrt(2 / n)
    # μ answers the noise of each step (rate 5 against h): an AR(1) around ½ whose mean is known to 1/√(nT) in
    # order
    assert abs(sum(multipliers[600:]) / 600 - 0.5) < 4 * math.sqrt(2 / (n * 600 * h))


def test_an_equality_is_two_rows_and_the_drift_filter_holds_both() -> None:
    barrier = MomentBarrier([lambda x: x[:, 0], lambda x: x[:, 1] ** 2], [(0.3, 0.3), (-math.inf, 1.0)])
    assert barrier.limits.tolist() == [0.3, 1.0, -0.3]
    x = cloud(2000, (0.3, 0.0), 0.5)
    x = x - (x.mean(0) - torch.tensor([0.3, 0.0], dtype=torch.float64))
    for v in (-4 * torch.ones_like(x), 4 * torch.ones_like(x)):
        chosen = EnsembleFilter(barrier)
        u, _, info = chosen.apply(x, v, chosen.init(x))
        assert abs(float(u[:, 0].mean())) < 1e-9 and (info.shortfall < 1e-9).all()
        assert (
            rate_of_change(barrier, x, u)[1]
            >= -5.0 * barrier.readout(barrier.statistics(x).mean(0))[1] - 1e-9
        )


# --- parity ---


def test_parity_is_the_difference_of_group_means_by_counting() -> None:
    x = cloud(2000)
    hard: Callable[[Tensor], Tensor] = lambda x: (x[:, 0] > 0.3).double()  # noqa: E731
    barrier = GroupParity(lambda x: (x[:, 1] > 0).double(), hard, lambda x: 1 - hard(x), 0.05)
    a, b = x[x[:, 0] > 0.3], x[x[:, 0] <= 0.3]
    gap = float((a[:, 1] > 0).double().mean() - (b[:, 1] > 0).double().mean())
    B = barrier.readout(barrier.statistics(x).mean(0))
    assert B.tolist() == pytest.approx([0.05 - gap, 0.05 + gap], abs=1e-12)


def test_parity_of_a_group_without_members_is_an_error() -> None:
    barrier = GroupParity(
        lambda x: x[:, 0], lambda x: torch.zeros_like(x[:, 0]), lambda x: torch.ones_like(x[:, 0]), 0.1
    )
    with pytest.raises(ValueError, match="no member"):
        barrier.readout(barrier.statistics(cloud()).mean(0))


def test_a_product_without_its_cross_term_is_caught() -> None:
    """2∇f·∇g is what a product rule forgets."""
    barrier, x = GroupParity.example(), cloud()
    f, g, lap = barrier.jet(x)
    with torch.no_grad():
        φ, a = barrier.outcome(x), barrier.group_a(x)  # type: ignore[operator]
    _, dφ = MomentBarrier([barrier.outcome], [(0.0, 1.0)]).gradients(x)  # type: ignore[list-item]
    cross = 2 * (dφ[:, 0] * g[:, 1]).sum(1)
    assert torch.allclose(g[:, 0], φ[:, None] * g[:, 1] + a[:, None] * dφ[:, 0])
    forgetful = StatisticsJet(f, g, torch.cat([(lap[:, 0] - cross)[:, None], lap[:, 1:]], 1))
    barrier.jet = lambda x: forgetful  # type: ignore[method-assign]
    assert (rate_of_change(barrier, x, -x) - step_rate(barrier, x, -x)).abs().max() > 1e-2


@pytest.mark.parametrize(
    ("make", "word"),
    [
        (lambda: TailClearance(HALF, 0.1, 0.0, [1.0]), "share"),
        (lambda: TailClearance(HALF, 0.1, 0.1, [0.1]), "levels"),
        (lambda: TailClearance(HALF, 0.1, 0.1, []), "levels"),
        (lambda: TailClearance(HALF, 0.1, 0.1, [1.0], -1.0), "width"),
        (lambda: MomentBarrier([], []), "at least one"),
        (lambda: MomentBarrier([lambda x: x[:, 0]], [(1.0, 0.0)]), "low <= high"),
        (lambda: GroupParity(lambda x: x, lambda x: x, lambda x: x, 0.0), "tolerance"),
        (lambda: MassBarrier([HalfSpace([1.0], 0.0)], [Hinge(0.1)], [1.0]), "beta"),
    ],
)
def test_a_barrier_that_makes_no_sense_is_refused(make: Callable[[], Barrier], word: str) -> None:
    with pytest.raises(ValueError, match=word):
        make()
