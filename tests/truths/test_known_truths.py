"""The truths issue by issue: exact laws by quadrature, met by whole runs with every particle counted at every
step.
"""

import math

import numpy as np
import pytest
import torch
from problems import (
    beyond,
    hard_projection,
    ring,
    ring_grid,
    sector_masses,
    sectors,
    simulate,
    smooth_tilt,
    standard,
    surrogate_mean,
)

from barriers.filters.ensemble import EnsembleFilter
from barriers.functionals import smooth_mass
from barriers.surrogates import Sigmoid
from lem_safe.keys import Key

pytestmark = pytest.mark.simulation

H, STEPS, N = 0.002, 1000, 5000
"""From a start that is the law but for what is near the ball: eight times as long as a mode needs."""


def test_unconstrained_mass_of_the_ring() -> None:
    r, θ = (np.arange(2000) + 0.5) * 0.8 / 2000, np.arange(400) * 2 * np.pi / 400
    x, y = 2 + r[:, None] * np.cos(θ), r[:, None] * np.sin(θ)
    angles = np.arange(8) * np.pi / 4
    density = sum(np.exp(-((x - 2 * np.cos(a)) ** 2 + (y - 2 * np.sin(a)) ** 2) / 0.5) for a in angles) / (
        8 * 2 * np.pi * 0.25
    )
    assert (density * r[:, None]).sum() * (0.8 / 2000) * (2 * np.pi / 400) == pytest.approx(
        0.101563, abs=1e-6
    )


def _around_the_ring() -> torch.Tensor:
    """ρ_U without the ball: all modes are reached from the start, and only its surroundings must settle."""
    key, angles = Key(12), torch.arange(2 * N) * math.pi / 4
    x = 2 * torch.stack([angles.cos(), angles.sin()], 1) + 0.5 * key.normal(torch.empty(2 * N, 2))
    return x[(x - torch.tensor([2.0, 0.0])).norm(dim=1) > 0.95][:N]


def test_gate_on_the_ring_holds_beta_and_is_the_hard_projection() -> None:
    energy, ball = ring()
    run = simulate(energy, [ball], [0.03], "gate", _around_the_ring(), step_size=H, steps=STEPS)
    assert (np.round(run.fraction * N) <= 150).all()
    assert run.fraction[STEPS // 2 :].mean() >= 0.95 * 0.03
    grid = ring_grid()
    expected = sector_masses(hard_projection(grid.law, grid.distance <= 0, 0.03), grid.sector)
    _assert_sectors(run.x, expected)


def test_smooth_step_on_the_ring_holds_beta_and_is_its_own_smooth_tilt() -> None:
    energy, ball = ring()
    φ = Sigmoid(0.5 * math.sqrt(2 * H), math.sqrt(2 * H))
    run = simulate(energy, [ball], [0.03], "step", _around_the_ring(), step_size=H, steps=STEPS, smoothing=φ)
    assert (np.round(run.fraction * N) <= 150).all()
    assert (run.mean <= φ.level * 0.03).all()
    assert (run.shortfall == 0).all()
    grid = ring_grid()
    tilt, _ = smooth_tilt(grid.law, φ.value(torch.from_numpy(grid.distance)).numpy(), φ.level * 0.03)
    _assert_sectors(run.x, sector_masses(tilt, grid.sector))


def test_step_on_the_ring_fills_its_budget_and_is_the_hard_projection() -> None:
    energy, ball = ring()
    run = simulate(energy, [ball], [0.03], "step", _around_the_ring(), step_size=H, steps=2 * STEPS)
    assert (np.round(run.fraction * N) <= 150).all() and (run.shortfall == 0).all()
    assert run.fraction[STEPS:].mean() >= 0.98 * 0.03
    grid = ring_grid()
    _assert_sectors(run.x, sector_masses(hard_projection(grid.law, grid.distance <= 0, 0.03), grid.sector))
    p = float(grid.law[grid.distance <= 0].sum())
    assert run.multiplier[STEPS:].mean() == pytest.approx(math.log(p * 0.97 / (0.03 * (1 - p))), rel=0.1)


def test_drift_on_the_ring_finds_the_exact_multiplier() -> None:
    energy, ball = ring()
    φ = Sigmoid(0.1)
    grid = ring_grid()
    _, μ = smooth_tilt(grid.law, φ.value(torch.from_numpy(grid.distance)).numpy(), 0.03)
    assert μ == pytest.approx(1.687, abs=2e-3)
    run = simulate(
        energy, [ball], [0.06], "drift", _around_the_ring(), step_size=H, steps=2 * STEPS, smoothing=φ
    )
    assert run.multiplier[STEPS:].mean() == pytest.approx(1.687, rel=0.08)


def test_gate_with_beta_zero_never_lets_one_in() -> None:
    energy, ball = ring()
    run = simulate(energy, [ball], [0.0], "gate", _around_the_ring(), step_size=H, steps=300)
    assert (run.fraction == 0).all()


def test_unfiltered_ornstein_uhlenbeck_at_four_times() -> None:
    n, h = 40_000, 0.005
    x = -2 + 0.5 * Key(3).normal(torch.empty(n, 1))
    times = {0.5: 0.0047, 1.0: 0.0335, 3.0: 0.1355, 6.0: 0.1575}
    run = simulate(standard(), [beyond(1.0)], [0.5], "none", x, step_size=h, steps=1200)
    a = 1 - h
    for t, continuous in times.items():
        k = round(t / h)
        mean, var = (
            -2 * a**k,
            0.25 * a ** (2 * k) + 2 * h * (1 - a ** (2 * k)) / (1 - a * a),
        )  # Euler's own moments
        exact = 0.5 * math.erfc((1 - mean) / math.sqrt(2 * var))
        assert abs(run.fraction[k - 1, 0] - exact) < 4 * math.sqrt(exact * (1 - exact) / n)
        assert exact == pytest.approx(continuous, abs=1.5e-3)


def _settled(build=None, **settings: object) -> float:  # type: ignore[no-untyped-def]
    """E φ over the second half of the drift-filtered Ornstein–Uhlenbeck run of the issue: limit .05, width
    .2.
    """
    n, steps, φ = 5_000, 1600, Sigmoid(0.2)
    x = -2 + 0.5 * Key(4).normal(torch.empty(n, 1))
    means: list[float] = []
    unsafe = beyond(1.0)
    simulate(
        standard(),
        [unsafe],
        [0.10],
        "drift",
        x,
        step_size=0.005,
        steps=steps,
        build=build,
        smoothing=φ,
        each=lambda k, x: (
            means.append(surrogate_mean(φ, unsafe, x)) if k >= steps // 2 and k % 20 == 0 else None
        ),
        **settings,
    )
    return float(np.mean(means))


def test_drift_holds_its_limit_on_ornstein_uhlenbeck() -> None:
    assert abs(_settled(rate=5.0) - 0.05) < 0.005


def test_planted_fault_without_the_ito_term_the_limit_is_missed_by_half() -> None:
    def forgetful(sets, betas, step_size, smoothing, rate=5.0):  # type: ignore[no-untyped-def]
        barrier = smooth_mass(sets, [smoothing] * len(sets), betas)
        jet = barrier.jet
        barrier.jet = lambda x: jet(x)._replace(laplacian=torch.zeros_like(jet(x).laplacian))  # type: ignore[method-assign]
        return EnsembleFilter(barrier, rate)

    assert _settled(build=forgetful) == pytest.approx(0.109, abs=0.006)


def test_planted_fault_forgetting_kappa_breaks_the_limit() -> None:
    def forgetful(sets, betas, step_size, smoothing, rate=5.0):  # type: ignore[no-untyped-def]
        return EnsembleFilter(
            smooth_mass(sets, [smoothing] * len(sets), [β / smoothing.level for β in betas]), rate
        )

    assert _settled(build=forgetful) - 0.05 > 0.04


def _assert_sectors(x: torch.Tensor, expected: np.ndarray) -> None:
    """The final cloud's sector masses within 4 standard errors, of the distance to `expected` and of each
    sector.
    """
    found = np.bincount(sectors(*x.double().numpy().T), minlength=8) / x.shape[0]
    error = np.sqrt(expected * (1 - expected) / x.shape[0])
    assert (np.abs(found - expected) < 4 * error).all(), (found, expected)
