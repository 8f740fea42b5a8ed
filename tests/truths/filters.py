"""Barriers and filters, each against the conditions that define its answer (B.1–B.4, Q, D, G, P)."""

import math

import torch
from problems import beyond
from scipy.stats import entropy
from torch import Tensor

from barriers import projection
from barriers.derivatives import autodiff_jet
from barriers.filters import (
    BarrierStep,
    EnsembleFilter,
    Gate,
    Penalty,
    PointwiseFilter,
    PrimalDual,
    Project,
    Reject,
)
from barriers.functionals import MassBarrier, smooth_mass
from barriers.sets import Ball, HalfSpace, UnsafeSet
from barriers.surrogates import Sigmoid
from lem_safe.keys import Key
from truths.clouds import F64, REGIONS, close, cloud


def limit() -> None:
    """The limit is κβ, κ = σ(δ/w) (B.1)."""
    barrier = MassBarrier([REGIONS["ball"]] * 2, [Sigmoid(0.1), Sigmoid(0.1, 0.2)], [0.1, 0.05])
    close(barrier.limits, torch.tensor([0.1 / 2, 0.05 / (1 + math.exp(-2))], dtype=F64))


def drift_projection() -> None:
    """KKT of (Q.1), every derivative by automatic differentiation of φ∘s."""
    x, v, α, βs, φ = cloud(60), -cloud(60, 1), 3.0, [0.1, 0.05], Sigmoid(0.3)
    sets = [REGIONS["ball"], REGIONS["right"]]
    chosen = EnsembleFilter(smooth_mass(sets, [φ, φ], βs), α)
    u, _, info = chosen.apply(x, v, chosen.init(x))
    μ, expected = info.multipliers, v.clone()
    assert (μ > 0).any() and (μ >= 0).all()
    for k, s in enumerate(sets):
        f, g, lap = autodiff_jet(lambda y, s=s: φ.value(s(y)), x)
        slack = α * (βs[k] / 2 - f.mean()) - ((g * u).sum(1) + lap).mean()
        assert slack >= -1e-9 and abs(float(μ[k] * slack)) < 1e-9
        expected = expected - μ[k] * g
    close(u, expected)


def _step_problem() -> tuple[UnsafeSet, Sigmoid, float, Tensor, Tensor, BarrierStep]:
    """A cloud at half its limit, and a proposal that takes everyone inwards."""
    ball, φ = Ball([0.0, 0.0], 1.0), Sigmoid(0.3)
    x = cloud(400) * 0.3 + torch.tensor([0.0, 1.9], dtype=F64)
    mean = float(φ.value(ball(x)).mean())
    return (
        ball,
        φ,
        2 * mean,
        x,
        0.8 * x,
        BarrierStep(MassBarrier([ball], [φ], [4 * mean]), rate=5.0),
    )


def step_floor() -> None:
    """B(z) reaches e^{−αh} B(x), as recounted, and no more (D.1); what is reported is the cloud that was
    returned.
    """
    ball, φ, limit, x, y, chosen = _step_problem()
    z, _, info = chosen.apply(x, y, 0.02, x[:, 0], chosen.init(x))
    B, after = (limit - float(φ.value(ball(p)).mean()) for p in (x, z))
    floor = math.exp(-5.0 * 0.02) * B
    assert floor - 1e-12 <= after <= floor + 1e-4 * limit
    assert abs(float(info.mean[0]) - (limit - after)) < 1e-9


def step_multiplier() -> None:
    """z − y = −hμ ∇φ(y): the multiplier compares with μ* (D.1)."""
    ball, φ, _, x, y, chosen = _step_problem()
    z, _, info = chosen.apply(x, y, 0.02, x[:, 0], chosen.init(x))
    gradient = autodiff_jet(lambda p: φ.value(ball(p)), y).gradient
    assert float(info.multipliers[0]) > 0
    close(z - y, -0.02 * info.multipliers[0] * gradient)


def step_mean() -> None:
    """The barrier is a mean over particles, however they are grouped: a small last group weighs no more than
    its size.
    """
    ball, φ, n = Ball([0.0, 0.0], 1.0), Sigmoid(0.2), 513
    x = torch.full((n, 2), 3.0, dtype=F64)
    y = x.clone()
    y[: n // 4] = 0.1 * cloud(n // 4) + torch.tensor([0.9, 0.0], dtype=F64)
    chosen = BarrierStep(MassBarrier([ball], [φ], [0.05]))
    z, _, _ = chosen.apply(x, y, 0.01, x[:, 0], chosen.init(x))
    B = 0.05 / 2 - float(φ.value(ball(x)).mean())
    assert float(φ.value(ball(z)).mean()) <= 0.05 / 2 - math.exp(-5.0 * 0.01) * B


def step_returns_offenders() -> None:
    """Deep inside, φ is flat and no gradient leads out: whoever jumped there goes back to x, the others keep
    their step (D.2).
    """
    ball, φ, n = Ball([0.0, 0.0], 1.0), Sigmoid(0.01), 400
    x = cloud(n) * 0.1 + torch.tensor([3.0, 0.0], dtype=F64)
    y = x + 0.01
    y[:100] = 0.1 * cloud(100, 1)
    chosen = BarrierStep(MassBarrier([ball], [φ], [0.05]))
    z, _, info = chosen.apply(x, y, 0.02, x[:, 0], chosen.init(x))
    assert int(ball.contains(z).sum()) <= math.floor(2 * 0.025 * (1 - math.exp(-5.0 * 0.02)) * n)
    assert (info.shortfall == 0).all()
    back = (z == x).all(1)
    assert back[:100].sum() >= 95
    close(z[100:], y[100:])


def gate_uniform() -> None:
    """All who want in are equally likely to be let in (G.1)."""
    n, rounds, β = 200, 300, 0.1
    gate, hits = Gate([HalfSpace([0.0, 1.0], 0.5)], [β]), torch.zeros(n, dtype=F64)
    x, y = torch.zeros(n, 2, dtype=F64), torch.ones(n, 2, dtype=F64)
    for k in range(rounds):
        hits += gate.apply(x, y, 0.1, Key(k).uniform(x[:, 0]), gate.init(x))[0][:, 1]
    assert float(hits.sum()) == rounds * 20
    assert float((hits - rounds * β).abs().max()) < 5 * math.sqrt(rounds * β * (1 - β))


def gate_room() -> None:
    """The budget ⌊βn⌋ is filled and not exceeded; a refused move frees no room (G.1)."""
    n, low, high = 99, HalfSpace([-1.0, 0.0], 1.0), HalfSpace([1.0, 0.0], 1.0)
    x = torch.zeros(n, 2, dtype=F64)
    x[:9, 0], x[9:18, 0] = -2.0, 2.0  # both sets full: ⌊.1 · 99⌋ = 9
    for target in (
        torch.cat([x[9:18], x[:9], x[18:] + 2.0]),
        torch.full_like(x, 2.0),
        torch.full_like(x, -2.0),
    ):
        for k in range(5):
            gate = Gate([low, high], [0.1, 0.1])
            z, _, info = gate.apply(x, target, 0.1, Key(k).uniform(x[:, 0]), gate.init(x))
            assert int(low.contains(z).sum()) <= 9 and int(high.contains(z).sum()) <= 9
            assert (info.shortfall == 0).all()
    empty, gate = torch.zeros(n, 2, dtype=F64), Gate([low, high], [0.1, 0.1])
    z, _, _ = gate.apply(empty, empty + 2, 0.1, Key(0).uniform(empty[:, 0]), gate.init(empty))
    assert int(high.contains(z).sum()) == 9


def refusal() -> None:
    """`reject`: nobody enters; `project`: nobody is inside, and whoever was is on the boundary (P.4)."""
    x, y = cloud(300) + 5.0, 0.6 * cloud(300, 1)
    ball, h = Ball([0.0, 0.0], 1.0), 0.1
    for kind in (Reject, Project):
        chosen = kind([ball])
        z, _, _ = chosen.apply(x, y, h, x[:, 0], chosen.init(x))
        assert not ball.contains(z).any()
        inside = ball.contains(y)
        close(
            z[inside], x[inside] if kind is Reject else y[inside] / y[inside].norm(dim=1, keepdim=True), 1e-6
        )


def pointwise_barrier() -> None:
    """Safe {x ≤ 1}: u = min(v, α(1 − x)), a particle at a time (F.2)."""
    x, v, α = cloud(200, d=1), cloud(200, 1, d=1), 3.0
    chosen = PointwiseFilter([beyond(1.0)], α)
    u, _, _ = chosen.apply(x, v, chosen.init(x))
    close(u, torch.minimum(v, α * (1 - x)))


def weights_on_the_surrogate() -> None:
    """`penalty`: u = v − w∇φ (C.5); `primal_dual`: the next weight is η(E φ − κβ)₊ (P.3)."""
    x, φ, ball = 0.5 * cloud(100), Sigmoid(0.3), REGIONS["ball"]
    barrier = smooth_mass([ball], [φ], [0.1])
    jet = autodiff_jet(lambda y: φ.value(ball(y)), x)
    fixed, learned = Penalty(barrier, [2.0]), PrimalDual(barrier, 0.7)
    close(fixed.apply(x, -x, fixed.init(x))[0], -x - 2.0 * jet.gradient)
    _, memory, _ = learned.apply(x, -x, learned.init(x))
    u, _, info = learned.apply(x, -x, memory)
    μ = 0.7 * (float(jet.value.mean()) - 0.05)
    assert μ > 0.1 and abs(float(info.multipliers[0]) - μ) < 1e-12
    close(u, -x - μ * jet.gradient)


def thinning() -> None:
    """One draw inside stays with chance β(1−p)/((1−β)p), one outside always (P.1); its price is known
    (P.2).
    """
    inside = torch.arange(100)[:, None] < 20
    chance = projection.keep_probabilities(inside, [0.05])
    odds = 0.05 * 0.8 / (0.95 * 0.2)
    close(chance, torch.where(inside[:, 0], torch.tensor(odds, dtype=F64), 1.0))
    μ, kl, tv = projection.facts(0.2, 0.05)
    assert abs(math.exp(-μ) - odds) < 1e-12 and abs(tv - 0.15) < 1e-12
    assert abs(kl - float(entropy([0.05, 0.95], [0.2, 0.8]))) < 1e-12
