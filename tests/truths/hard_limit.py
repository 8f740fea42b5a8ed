"""The step filter with a hard limit, against counts and closed forms (D.7, D.8)."""

import math

import numpy as np
import torch
from scipy.optimize import brentq
from scipy.stats import norm
from torch import Tensor

from barriers.budget import budget
from barriers.filters.hard_limit import HardLimitStep
from barriers.functionals import MassBarrier
from barriers.sets import Ball, HalfSpace, UnsafeSet
from barriers.surrogates import Hinge, Sigmoid, Surrogate
from lem_safe.energies import Gaussian
from lem_safe.keys import Key
from lem_safe.samplers import Langevin

F64 = torch.float64
USED = 0.97


def hard(
    sets: list[UnsafeSet], betas: list[float], φ: Surrogate, rate: float = 5.0, reach: float = math.inf
) -> HardLimitStep:
    """The filter with one surrogate for every set."""
    return HardLimitStep(MassBarrier(sets, [φ] * len(sets), betas), rate, reach=reach)


def counts(sets: list[UnsafeSet], x: Tensor) -> list[int]:
    """How many particles each set holds."""
    return [int(s.contains(x).sum()) for s in sets]


def returned_moves_free_no_room() -> None:
    """Two full sets whose particles change places, while everybody else wants in: whoever is returned has not
    left (D.8).
    """
    n, low, high = 99, HalfSpace([-1.0, 0.0], 1.0), HalfSpace([1.0, 0.0], 1.0)
    x = torch.zeros(n, 2, dtype=F64)
    x[:9, 0], x[9:18, 0] = -2.0, 2.0  # ⌊.1 · 99⌋ = 9 in each
    for target in (
        torch.cat([x[9:18], x[:9], x[18:] + 2.0]),
        torch.full_like(x, 2.0),
        torch.full_like(x, -2.0),
    ):
        for k in range(5):
            chosen = hard([low, high], [0.1, 0.1], Sigmoid(0.01))  # flat where they are: Newton finds nothing
            z, _, info = chosen.apply(x, target, 0.1, Key(k).uniform(x[:, 0]), chosen.init(x))
            assert max(counts([low, high], z)) <= 9
            assert (info.shortfall == 0).all()


def limit_follows_the_count() -> None:
    """log ℓ changes by (1 − e^{−αh})(.97 − N/⌊βn⌋), is never below log κβ, and does not rise where the
    proposal's E φ is less than half of ℓ (D.7).
    """
    n, h, α, β, φ = 400, 0.02, 5.0, 0.0505, Sigmoid(0.2, 0.1)
    ball = Ball([0.5, 0.0], 0.7)
    chosen, gain, a, moves = hard([ball], [β], φ, α), 1 - math.exp(-α * h), 0.0, [0, 0, 0]
    x = torch.tensor([-1.5, 0.0], dtype=F64) + 0.3 * Key(1).normal(torch.empty(n, 2, dtype=F64))
    memory = chosen.init(x)
    assert float(memory.raised) == 0.0
    for k in range(160):
        toward = 0.1 * (torch.tensor([0.5 if k < 120 else -9.0, 0.0], dtype=F64) - x)
        y = x + toward + 0.2 * Key(2).fold(k).normal(x)
        use = counts([ball], x)[0] / budget(β, n)
        expected = float(φ.value(ball(y)).mean())
        change = gain * (USED - use)
        if change > 0 and float(φ.level) * β * math.exp(a) >= 2 * expected:
            change = 0.0
        a = max(0.0, a + change)
        x, memory, _ = chosen.apply(x, y, h, Key(3).fold(k).uniform(x[:, 0]), memory)
        assert abs(float(memory.raised) - a) < 1e-12
        moves[(change > 0) + 2 * (change == 0)] += 1
    assert min(moves) > 5, moves


def over_the_budget() -> None:
    """From a start over its budget the limit is κβ itself and E φ recovers at the rate α; the shortfall is
    what is too many, the count never rises, and once within budget it stays there (D.3, D.8).
    """
    n, h, α, β, φ = 500, 0.02, 4.0, 0.05, Sigmoid(0.3, 0.3)
    ball = Ball([0.0, 0.0], 1.0)
    chosen, x = hard([ball], [β], φ, α), 0.8 * Key(2).normal(torch.empty(n, 2, dtype=F64))
    memory, had, limit = chosen.init(x), counts([ball], x)[0], float(φ.level) * β
    B = limit - float(φ.value(ball(x)).mean())
    assert had > 2 * budget(β, n)
    for k in range(150):
        y = x + math.sqrt(2 * h) * Key(3).fold(k).normal(x)
        z, memory, info = chosen.apply(x, y, h, Key(4).fold(k).uniform(x[:, 0]), memory)
        has, after = counts([ball], z)[0], limit - float(φ.value(ball(z)).mean())
        assert abs(float(info.shortfall) - max(has - 25, 0) / n) < 1e-12
        assert has <= max(had, 25)
        if had > 25:
            assert float(memory.raised) == 0.0 and after >= math.exp(-α * h) * B - 1e-9
        x, had, B = z, has, after
    assert had <= 25


def the_budget_is_used() -> None:
    """The count is .97 of the budget on average, for sets that overlap too, each by its own limit (D.7)."""
    n, h, steps, settling = 400, 0.05, 280, 100
    sets: list[UnsafeSet] = [Ball([-0.5, 0.0], 0.8), Ball([0.5, 0.0], 0.8)]
    betas = [0.05, 0.03]
    chosen = hard(sets, betas, Hinge(0.3))
    x = Key(6).normal(torch.empty(6 * n, 2, dtype=F64))
    x = x[~torch.stack([s.contains(x) for s in sets]).any(0)][:n]
    sampler = Langevin(Gaussian([0.0, 0.0], 1.0), h, None, chosen)
    state, used = sampler.init(x), []
    for k in range(steps):
        state, info = sampler.step(Key(7).fold(k), state)
        count = np.array(counts(sets, state.x))
        assert (count <= [20, 12]).all()
        used.append(count / [20, 12])
    late = np.array(used[settling:]).mean(0)
    assert (late >= 0.95).all() and (late < 0.995).all(), late


def smooth_tilt_with_a_hard_share() -> None:
    """For many particles the law is e^{−μφ} times the unfiltered one, with a share .97β inside, and ℓ its
    E φ: by quadrature on N(0, 1), x ≥ 1 (D.7).
    """
    n, h, β, φ = 60_000, 0.01, 0.05, Sigmoid(0.3)
    grid = np.linspace(-8, 8, 160_001)
    base, value = norm.pdf(grid), 1 / (1 + np.exp(-(grid - 1) / 0.3))

    def law(μ: float) -> np.ndarray:
        w = base * np.exp(-μ * value)
        return w / w.sum()

    μ = brentq(lambda t: law(t)[grid >= 1].sum() - USED * β, 0.0, 20.0)
    truth = law(μ)
    rng = np.random.default_rng(0)
    x = torch.from_numpy(np.interp(rng.random(n), np.cumsum(truth), grid))[:, None]
    inside = (x[:, 0] >= 1).nonzero()[:, 0]
    x[inside[round(USED * β * n) :]] = -0.5  # within the budget
    chosen = hard([HalfSpace([1.0], 1.0)], [β], φ)
    sampler = Langevin(Gaussian([0.0], 1.0), h, None, chosen)
    state, raised, multipliers, used = sampler.init(x), [], [], []
    for k in range(120):
        state, info = sampler.step(Key(5).fold(k), state)
        assert info.step is not None and int((state.x >= 1).sum()) <= 3000
        raised.append(float(state.step_memory.raised))
        multipliers.append(float(info.step.multipliers[0]))
        used.append(float(info.step.mean[0]) / β)
    cells = np.array([-9, -0.5, 0.0, 0.4, 0.7, 1.0, 1.3, 1.6, 2.0, 9])
    mass = np.diff(np.interp(cells, grid, np.cumsum(truth)))
    found = np.histogram(state.x[:, 0].numpy(), cells)[0] / n
    assert (np.abs(found - mass) < 4 * np.sqrt(mass / n) + 0.03 * mass).all(), (found, mass)
    assert abs(np.mean(used[40:]) - USED) < 0.01
    assert abs(np.mean(raised[40:]) - math.log(truth @ value / (0.5 * β))) < 0.02
    error = 4 * np.std(multipliers[40:]) / math.sqrt(80)
    assert abs(np.mean(multipliers[40:]) - μ) < error + 0.1 * μ, (np.mean(multipliers[40:]), μ, error)
