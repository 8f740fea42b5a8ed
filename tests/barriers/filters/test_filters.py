"""Filters on clouds made to break them: the count or the barrier after every step, the KKT conditions of what
moved, equivariance.
"""

import cvxpy as cp
import numpy as np
import pytest
import torch
from torch import Tensor

from barriers.budget import budget
from barriers.coordinates import identity
from barriers.filters import FILTERS, BarrierStep, EnsembleFilter, Gate
from barriers.filters.in_order import admit
from barriers.functionals import MassBarrier, smooth_mass
from barriers.sets import NotSmooth, UnsafeSet, build_sets, pull
from barriers.surrogates import Exponential, Hinge, Sigmoid, SoftHinge
from lem_safe.keys import Key

pytestmark = pytest.mark.simulation

SPECS = {
    "left": {"kind": "ball", "center": [-0.5, 0.0], "radius": 1.0},
    "right": {"kind": "ball", "center": [0.5, 0.0], "radius": 1.0},
    "top": {"kind": "half_space", "normal": [0.0, 1.0], "offset": 0.3},
    "either": {"any": ["left", "right"]},
}
BETAS = [0.05, 0.02, 0.1]


def _sets(*names: str, dtype: torch.dtype = torch.float64) -> list[UnsafeSet]:
    built = build_sets(SPECS, ("x0", "x1"))
    return [pull(built[name], identity(2, dtype)) for name in names]


def _start(n: int) -> Tensor:
    return torch.tensor([0.0, -4.0]) + 0.3 * Key(1).normal(torch.empty(n, 2, dtype=torch.float64))


def _adversary(key: Key, x: Tensor, k: int) -> Tensor:
    """Proposals that want in: a pull to the sets' overlap, jumps of random size, now and then everybody at
    once.
    """
    noise = key.fold("noise", k).normal(x)
    if k % 17 == 0:
        return 0.4 * noise
    return x + 0.3 * (torch.tensor([0.0, 0.2]) - x) + noise * (0.05 if k % 3 else 1.5)


def test_gate_never_exceeds_overlapping_budgets_under_an_adversary() -> None:
    n, key = 5_000, Key(11)
    sets = _sets("left", "right", "top")
    gate = Gate(sets, BETAS)
    x = _start(n)
    memory, limits = gate.init(x), torch.tensor([budget(β, n) for β in BETAS])
    largest = torch.zeros(3, dtype=torch.long)
    for k in range(150):
        y = _adversary(key, x, k)
        x, memory, info = gate.apply(x, y, 0.01, key.fold("uniform", k).uniform(x[:, 0]), memory)
        counts = torch.stack([s.contains(x).sum() for s in sets])
        assert (counts <= limits).all()
        assert (info.shortfall == 0).all()
        largest = torch.maximum(largest, counts)
    assert (largest == limits).all()  # it refuses no more than it must


def _admitted_one_by_one(changes: np.ndarray, room: np.ndarray) -> np.ndarray:
    """The sentence of the theory, as a loop."""
    used, accepted = np.zeros_like(room), []
    for change in changes:
        fits = all(used[k] + 1 <= room[k] for k in range(len(room)) if change[k] > 0)
        used += change * fits
        accepted.append(fits)
    return np.array(accepted)


@pytest.mark.parametrize("seed", range(40))
def test_admission_in_rounds_is_the_sequential_rule(seed: int) -> None:
    rng = np.random.default_rng(seed)
    changes = rng.integers(-1, 2, (rng.integers(1, 200), rng.integers(1, 5)))
    room = rng.integers(-2, 15, changes.shape[1])
    found = admit(torch.from_numpy(changes), torch.from_numpy(room)).numpy()
    assert (found == _admitted_one_by_one(changes, room)).all()


def test_gate_acceptance_is_uniform_over_those_who_want_in() -> None:
    n, half = 1000, _sets("top")
    gate, hits = Gate(half, [0.1]), torch.zeros(1000)
    x, y = torch.zeros(n, 2, dtype=torch.float64), torch.ones(n, 2, dtype=torch.float64)
    for k in range(400):
        z, _, _ = gate.apply(x, y, 0.1, Key(k).uniform(x[:, 0]), gate.init(x))
        hits += z[:, 1]
    assert float(hits.sum()) == 400 * 100
    assert float((hits - 40).abs().max()) < 5 * (400 * 0.1 * 0.9) ** 0.5


@pytest.mark.parametrize("surrogate", [Sigmoid(0.1, 0.2), Hinge(0.3), Exponential(0.2), SoftHinge(0.3)])
@pytest.mark.parametrize("names", [("left",), ("left", "right", "top"), ("either", "top")])
def test_step_keeps_the_barrier_under_an_adversary(surrogate, names: tuple[str, ...]) -> None:  # type: ignore[no-untyped-def]
    n, key = 1000, Key(5)
    sets = _sets(*names)
    barrier = MassBarrier(sets, [surrogate] * len(sets), BETAS[: len(sets)])
    chosen = BarrierStep(barrier, rate=5.0)
    x = _start(n)
    memory = chosen.init(x)
    assert (barrier.readout(memory.mean) >= 0).all()
    for k in range(24):
        x, memory, info = chosen.apply(x, _adversary(key, x, k), 0.01, x[:, 0], memory)
        recount = barrier.readout(barrier.statistics(x).double().mean(0))
        assert (recount >= 0).all()
        assert (info.shortfall == 0).all()
        for s, β in zip(sets, BETAS, strict=False):
            assert int(s.contains(x).sum()) <= budget(β, n)


def test_step_from_an_unsafe_start_recovers_at_the_stated_rate_or_says_so() -> None:
    sets = _sets("left")
    barrier = MassBarrier(sets, [Sigmoid(0.3, 0.3)], [0.05])
    chosen, h = BarrierStep(barrier, rate=4.0), 0.02
    x = 0.8 * Key(2).normal(torch.empty(3000, 2, dtype=torch.float64))
    memory = chosen.init(x)
    B = float(barrier.readout(memory.mean))
    assert B < -0.1
    for k in range(200):
        y = x + (2 * h) ** 0.5 * Key(3).fold(k).normal(x)
        x, memory, info = chosen.apply(x, y, h, x[:, 0], memory)
        after = float(barrier.readout(memory.mean))
        assert after >= np.exp(-4.0 * h) * B - float(info.shortfall) - 1e-12
        B = after
    assert B > -1e-4


@pytest.mark.parametrize("kind", ["step", "gate", "drift"])
def test_a_safe_input_comes_back_bit_for_bit(kind: str) -> None:
    sets, x = _sets("left", "top"), _start(500)
    φ = [Sigmoid(0.1)] * 2
    y = x + 0.01
    if kind == "drift":
        out, _, _ = EnsembleFilter(smooth_mass(sets, φ, [0.1, 0.1])).apply(
            x, y, EnsembleFilter(smooth_mass(sets, φ, [0.1, 0.1])).init(x)
        )
    else:
        chosen = Gate(sets, [0.1, 0.1]) if kind == "gate" else BarrierStep(MassBarrier(sets, φ, [0.1, 0.1]))
        out, _, _ = chosen.apply(x, y, 0.01, x[:, 0], chosen.init(x))
    assert torch.equal(out, y)


def test_drift_solves_the_ensemble_qp_as_cvxpy_does() -> None:
    n, α, βs = 60, 3.0, [0.1, 0.05]
    sets, φ = _sets("left", "top"), Sigmoid(0.3)
    x = Key(8).normal(torch.empty(n, 2, dtype=torch.float64))
    v = Key(9).normal(x)
    barrier = smooth_mass(sets, [φ, φ], βs)
    u, _, info = EnsembleFilter(barrier, α).apply(x, v, EnsembleFilter(barrier, α).init(x))
    f, g, lap = (part.numpy() for part in barrier.jet(x))
    w = cp.Variable((n, 2))
    rows = [
        cp.sum(cp.multiply(g[:, k], w)) / n + lap[:, k].mean() <= α * (φ.level * βs[k] - f[:, k].mean())
        for k in range(2)
    ]  # (Q.1), typed from the ledger
    cp.Problem(cp.Minimize(cp.sum_squares(w - v.numpy()) / (2 * n)), rows).solve(
        solver=cp.CLARABEL, tol_gap_abs=1e-12, tol_gap_rel=1e-12
    )
    assert np.abs(u.numpy() - w.value).max() < 1e-7
    assert (info.shortfall == 0).all() and (info.multipliers > 0).any()


def test_step_moves_as_little_as_the_linearised_problem_allows() -> None:
    """Small violations: δ is the minimiser of D.1 with the constraint linearised at the proposal, up to
    second order.
    """
    sets = _sets("left")
    φ = Sigmoid(0.5)
    x = Key(4).normal(torch.empty(400, 2, dtype=torch.float64)) * 0.7 + torch.tensor([0.0, 1.6])
    mean = float(φ.value(sets[0](x)).mean())
    barrier = MassBarrier(sets, [φ], [mean * 1.0001 / φ.level])
    chosen = BarrierStep(barrier, rate=1.0)
    y = x - torch.tensor([0.0, 0.002])
    z, _, _ = chosen.apply(x, y, 0.01, x[:, 0], chosen.init(x))
    f, g = barrier.gradients(y)
    floor = np.exp(-0.01) * float(barrier.limits - mean)
    c = float(barrier.limits) - floor
    μ = max(0.0, float(f.mean()) - c) / float(g[:, 0].square().sum(-1).mean())
    expected = -μ * g[:, 0]
    assert float((z - y - expected).norm() / expected.norm()) < 0.02


@pytest.mark.parametrize("kind", ["step", "gate", "drift"])
def test_filters_commute_with_relabelling_the_particles(kind: str) -> None:
    sets, x = _sets("left", "top"), _start(600)
    y = _adversary(Key(1), x, 17)
    order = Key(2).permutation(600)
    uniforms = Key(3).uniform(x[:, 0])

    def filtered(x: Tensor, y: Tensor, u: Tensor) -> Tensor:
        if kind == "drift":
            chosen = EnsembleFilter(smooth_mass(sets, [Sigmoid(0.3)] * 2, [0.01, 0.01]))
            return chosen.apply(y, -y, chosen.init(y))[0]
        after = (
            Gate(sets, [0.05, 0.05])
            if kind == "gate"
            else BarrierStep(MassBarrier(sets, [Sigmoid(0.3)] * 2, [0.05, 0.05]))
        )
        return after.apply(x, y, 0.01, u, after.init(x))[0]

    assert torch.allclose(
        filtered(x, y, uniforms)[order], filtered(x[order], y[order], uniforms[order]), atol=1e-9
    )


def test_blocks_change_nothing_in_the_drift_filter(monkeypatch: pytest.MonkeyPatch) -> None:
    sets = _sets("left", "top")
    x = Key(8).normal(torch.empty(1000, 2, dtype=torch.float64))
    chosen = EnsembleFilter(smooth_mass(sets, [Sigmoid(0.3)] * 2, [0.01, 0.05]))
    whole, _, _ = chosen.apply(x, -x, chosen.init(x))
    monkeypatch.setattr("barriers.filters.ensemble.BLOCK_NUMBERS", 4 * 37)
    assert torch.allclose(whole, chosen.apply(x, -x, chosen.init(x))[0], atol=1e-12)


def test_a_kink_is_refused_before_the_noise_and_welcome_after_it() -> None:
    with pytest.raises(NotSmooth, match="soft_hinge"):
        smooth_mass(_sets("left"), [Hinge(0.1)], [0.1])
    assert MassBarrier(_sets("left"), [Hinge(0.1)], [0.1]).limits.item() == 0.1


@pytest.mark.parametrize(
    ("beta", "n", "expected"),
    [(0.07, 100, 7), (0.29, 100, 29), (0.03, 5000, 150), (0.1, 9, 0), (1e-3, 2999, 2), (0.0, 10, 0)],
)
def test_budgets_are_the_decimal_rounded_down(beta: float, n: int, expected: int) -> None:
    assert budget(beta, n) == expected


@pytest.mark.parametrize("kind", ["step", "drift"])
def test_from_a_start_deep_inside_particles_walk_out_and_are_not_thrown(kind: str) -> None:
    """Far inside, the surrogate is flat: the smallest sum of squares alone would move particles by
    thousands.
    """
    sets, h, n = _sets("top"), 0.02, 300
    x = torch.tensor([0.0, 6.0]) + 0.1 * Key(0).normal(torch.empty(n, 2, dtype=torch.float64))
    chosen = FILTERS[kind](sets=sets, betas=[0.05], step_size=h)
    memory, shortfalls, furthest = chosen.init(x), [], 0.0
    for k in range(400):
        noise = (2 * h) ** 0.5 * Key(1).fold(k).normal(x)
        if kind == "drift":
            u, memory, info = chosen.apply(x, -x, memory)
            y = x + h * u + noise
        else:
            y, memory, info = chosen.apply(x, x - h * x + noise, h, x[:, 0], memory)
        x = y
        furthest = max(furthest, float(x.abs().max()))
        shortfalls.append(float(info.shortfall))
    assert furthest < 9
    assert shortfalls[0] > 0 and shortfalls[-1] == 0
    assert float(sets[0].contains(x).double().mean()) <= 0.1


def test_a_speed_bound_is_kept_and_agrees_with_cvxpy() -> None:
    n, α, β, speed = 50, 3.0, 0.05, 1.2
    sets, φ = _sets("left"), Sigmoid(0.3)
    x, v = (Key(s).normal(torch.empty(n, 2, dtype=torch.float64)) for s in (8, 9))
    barrier = smooth_mass(sets, [φ], [β])
    f, g, lap = (part.numpy() for part in barrier.jet(x))
    w = cp.Variable((n, 2))
    row = cp.sum(cp.multiply(g[:, 0], w)) / n + lap[:, 0].mean() <= α * (φ.level * β - f[:, 0].mean())
    goal = cp.Minimize(cp.sum_squares(w - v.numpy()) / (2 * n))
    cp.Problem(goal, [row, cp.abs(w - v.numpy()) <= speed]).solve(
        solver=cp.CLARABEL, tol_gap_abs=1e-12, tol_gap_rel=1e-12
    )
    for backend in ("structured", "cvxpy"):
        bounded = EnsembleFilter(barrier, α, speed=speed, backend=backend)
        u, _, _ = bounded.apply(x, v, bounded.init(x))
        assert float((u - v).abs().max()) <= speed + 1e-8
        assert np.abs(u.numpy() - w.value).max() < 1e-6
    free = EnsembleFilter(barrier, α)
    assert float((free.apply(x, v, free.init(x))[0] - v).abs().max()) > 1.3 * speed


@pytest.mark.parametrize("backend", ["qpth", "cvxpy"])
def test_every_backend_solves_the_drift_filter_s_problem(backend: str) -> None:
    sets = _sets("left", "top")
    x, v = (Key(s).normal(torch.empty(40, 2, dtype=torch.float64)) for s in (8, 9))
    barrier = smooth_mass(sets, [Sigmoid(0.3)] * 2, [0.1, 0.05])
    ours, theirs = EnsembleFilter(barrier), EnsembleFilter(barrier, backend=backend)
    a, b = (f.apply(x, v, f.init(x)) for f in (ours, theirs))
    assert torch.allclose(a[0], b[0], atol=1e-7) and torch.allclose(
        a[2].multipliers, b[2].multipliers, rtol=1e-5, atol=1e-6
    )
