"""Filters that soften nothing, against closed forms: chances after the noise (Q.5), the predictive drift
(Q.4, Q.6), mirrored steps (D.4, D.5).
"""

import math

import numpy as np
import torch
from problems import beyond, standard
from scipy.stats import multivariate_normal, ncx2, norm
from torch import Tensor

from barriers import predicted
from barriers.derivatives import autodiff_jet
from barriers.filters import MirrorStep, PredictiveFilter, Reject
from barriers.noise import Noise
from barriers.sets import AllOf, AnyOf, Ball, Box, HalfSpace, Polytope, Slab, UnsafeSet, complement
from lem_safe.keys import Key
from lem_safe.samplers import Langevin
from truths.clouds import F64, close, cloud

STD = 0.3
Y = cloud(40, 3)


def chances() -> None:
    """By scipy: exact for planes and boxes, turned or not, and for their complements; the gradient is the
    derivative of the value.
    """
    turn = [[0.6, 0.8], [-0.8, 0.6]]
    n = torch.tensor([0.6, 0.8], dtype=F64)
    box = Box([-0.5, -1.0], [1.0, 0.4])
    axes = torch.tensor(turn, dtype=F64)
    inner = (Y - torch.tensor([0.25, -0.3], dtype=F64)) @ axes.T
    across = [_between(inner[:, i], -w, w) for i, w in enumerate((0.75, 0.7))]
    cases: list[tuple[UnsafeSet, np.ndarray]] = [
        (HalfSpace([3.0, 4.0], 2.5), norm.sf((0.5 - (Y @ n).numpy()) / STD)),
        (Slab([3.0, 4.0], -1.0, 2.5), _between(Y @ n, -0.2, 0.5)),
        (box, _between(Y[:, 0], -0.5, 1.0) * _between(Y[:, 1], -1.0, 0.4)),
        (Box([-0.5, -1.0], [1.0, 0.4], turn), across[0] * across[1]),
    ]
    for unsafe, expected in cases:
        for region, truth in ((unsafe, expected), (complement(unsafe), 1 - expected)):
            found = predicted.chance(region, Y, Noise(STD))
            close(found.value, torch.from_numpy(truth), 1e-12)
            close(
                found.gradient,
                autodiff_jet(lambda y, r=region: predicted.chance(r, y, Noise(STD)).value, Y).gradient,
                1e-9,
            )
            assert predicted.exact(region, Noise(STD)) == (not isinstance(region, AllOf | AnyOf))


def approximate_chances() -> None:
    """A ball, by the noncentral χ² distribution, to .003 at noise of a tenth of its radius; unions and
    intersections at a right angle exactly.
    """
    for d, r in ((2, 0.8), (10, 2.6)):
        ball, σ = Ball([0.0] * d, r), 0.1 * r
        ρ = torch.linspace(0.3 * r, 1.7 * r, 60, dtype=F64)
        y = torch.nn.functional.normalize(cloud(60, 1, d), dim=1) * ρ[:, None]
        truth = ncx2.cdf(r * r / σ**2, d, ρ.numpy() ** 2 / σ**2)
        found = predicted.chance(ball, y, Noise(σ))
        close(found.value, torch.from_numpy(truth), 0.003)
        close(
            found.gradient,
            autodiff_jet(lambda z, b=ball, s=σ: predicted.chance(b, z, Noise(s)).value, y).gradient,
            1e-9,
        )
        assert not predicted.exact(ball, Noise(σ))
    a, b = norm.sf((0.2 - Y[:, 0].numpy()) / STD), norm.sf((0.1 - Y[:, 1].numpy()) / STD)
    one, other = HalfSpace([1.0, 0.0], 0.2), HalfSpace([0.0, 1.0], 0.1)
    corner = Polytope([[-1.0, 0.0], [0.0, -1.0]], [-0.2, -0.1])
    for region, truth in (
        (AnyOf([one, other]), a + b - a * b),
        (AllOf([one, other]), a * b),
        (corner, a * b),
    ):
        found = predicted.chance(region, Y, Noise(STD))
        close(found.value, torch.from_numpy(truth), 1e-12)
        close(
            found.gradient,
            autodiff_jet(lambda y, r=region: predicted.chance(r, y, Noise(STD)).value, Y).gradient,
            1e-9,
        )


def chances_in_a_metric() -> None:
    """Noise σLξ: the standard deviation across a plane is σ‖Lᵀn‖."""
    L = torch.tensor([[0.8, 0.0], [0.3, 1.2]], dtype=F64)
    n = np.array([0.6, 0.8])
    spread = STD * math.sqrt(n @ (L @ L.T).numpy() @ n)
    truth = multivariate_normal.cdf(((Y.numpy() @ n - 0.5) / spread)[:, None], cov=1.0)
    found = predicted.chance(HalfSpace([3.0, 4.0], 2.5), Y, Noise(STD, L))
    close(found.value, torch.from_numpy(np.asarray(truth)), 1e-12)


def predicted_limit() -> None:
    """At the next positions E p is L = β − e^{−αh}(β − Q₋), up to 1e-5 of β, Q₋ what was predicted before; u
    − v lies along r(p)∇p (Q.4, Q.6).
    """
    h, α, β, n = 0.02, 3.0, 0.05, 4000
    x = cloud(n, 2, d=1)
    x = x[x[:, 0] < 1.3]
    chosen, plane = PredictiveFilter([HalfSpace([1.0], 1.0)], [β], h, α), 1.0
    memory = chosen.init(x)
    Q = float((x >= 1).double().mean())
    assert β < Q  # recovers at the rate α
    for _ in range(3):
        v = 2.0 - x
        u, memory, info = chosen.apply(x, v, memory)
        σ, y, z = math.sqrt(2 * h), x + h * v, x + h * u
        L = β - math.exp(-α * h) * (β - Q)
        Q = float(norm.sf((plane - z.numpy()) / σ).mean())
        assert (
            L - 1e-5 * β <= Q <= L + 1e-15
            and abs(float(info.mean[0]) - Q) < 1e-12
            and float(info.shortfall[0]) == 0
        )
        t = (y - plane).numpy() / σ
        push = norm.pdf(t / 0.7) / 0.7 / σ  # ∫ push = 1: W = .7 standard deviations wide
        close(
            v - u, float(info.multipliers[0]) * torch.from_numpy(push), 1e-6 * float(info.multipliers[0]) / σ
        )
        x = z


def expectation_is_met() -> None:
    """What comes about differs from what was predicted by chance alone: over M steps of n particles the mean
    by √(β(1−β)/nM) (Q.4).
    """
    n, h, β = 4000, 0.01, 0.05
    for unsafe, d in (
        (HalfSpace([1.0, 0.0], 1.0), 2),
        (Ball([1.0] + [0.0] * 9, 2.6), 10),
        (Box([-0.6, -0.6], [0.6, 0.6]), 2),
    ):
        chosen = PredictiveFilter([unsafe], [β], h)
        sampler = Langevin(standard(d, F64), h, chosen)
        x = cloud(2 * n, 5, d)
        state = sampler.init(x[(~unsafe.contains(x)).nonzero()[:n, 0]])
        surprise, most = [], 0.0
        for k in range(150):
            state, info = sampler.step(Key(2).fold(k), state)
            assert info.drift is not None
            surprise.append(float(unsafe.contains(state.x).double().mean() - info.drift.mean[0]))
            most = max(most, float(info.drift.mean[0]))
        assert 0.9 * β < most <= β
        late = np.array(surprise[75:])
        assert abs(late.mean()) < 4 * math.sqrt(β * (1 - β) / n / len(late))


def _turned_back(chosen: MirrorStep | Reject, steps: int = 60) -> tuple[Tensor, float]:
    """A cloud of the truncated problem after a run from its own truth: x < 1 forbidden, N(0, 1) beyond; and
    its step's standard deviation.
    """
    n, h = 60_000, 0.01
    x = torch.from_numpy(norm.isf(norm.sf(1.0) * np.random.default_rng(0).random(n)))[:, None]
    sampler = Langevin(standard(1, F64), h, None, chosen)
    state = sampler.init(x)
    for k in range(steps):
        state, _ = sampler.step(Key(3).fold(k), state)
    return state.x[:, 0], math.sqrt(2 * h)


def mirror_leaves_no_gap() -> None:
    """Next to the boundary the density is the projection's, with neither gap nor atom, and so is the mean,
    1.525 (D.5).
    """
    x, _ = _turned_back(MirrorStep([HalfSpace([-1.0], -1.0)], [0.0]))
    n, tail = len(x), norm.sf(1.0)
    assert float(x.min()) > 1.0
    for width in (0.01, 0.05, 0.2):
        share = (norm.cdf(1 + width) - norm.cdf(1.0)) / tail
        found = float((x < 1 + width).double().mean())
        assert (
            abs(found - share) < 4 * math.sqrt(share * (1 - share) / n) + 0.025 * share
        )  # the step's own bias, of order h
    spread = math.sqrt((1 + norm.pdf(1) / tail - (norm.pdf(1) / tail) ** 2) / n)
    assert abs(float(x.mean()) - norm.pdf(1) / tail) < 4 * spread + 0.002


def mirror_is_the_projection() -> None:
    """With a tolerance the density inside is e^{−μ*} of the one outside, up to the boundary and on either
    side of it (D.5).
    """
    n, h, β, p = 60_000, 0.01, 0.05, norm.sf(1.0)
    rng = np.random.default_rng(1)
    inside = norm.isf(p * rng.random(round(β * n)))
    outside = norm.ppf((1 - p) * rng.random(n - len(inside)))
    x = torch.from_numpy(np.concatenate([inside, outside]))[:, None]
    sampler = Langevin(standard(1, F64), h, None, MirrorStep([beyond(1.0)], [β]))
    state = sampler.init(x)
    for k in range(60):
        state, info = sampler.step(Key(4).fold(k), state)
        assert int((state.x >= 1).sum()) <= round(β * n)
    σ, edges = math.sqrt(2 * h), np.array([-1.0, -0.5, 0.0, 0.5, 1.0])
    cells = np.concatenate([[-np.inf], 1 + 2 * σ * edges, [np.inf]])
    mass = np.diff(norm.cdf(cells)) * np.where(cells[1:] <= 1, (1 - β) / (1 - p), β / p)
    found = np.histogram(state.x[:, 0].numpy(), cells)[0] / n
    assert (np.abs(found - mass) < 4 * np.sqrt(mass / n) + 0.03 * mass).all(), (found, mass)
    assert info.step is not None
    assert abs(float(info.step.multipliers[0]) - math.log(p * (1 - β) / (β * (1 - p)))) < 0.15


def mirror_allowance() -> None:
    """From nobody inside the count follows β(1 − e^{−αt}) to the nearest particle, and from above 1 − (1 −
    β)(1 − e^{−αt}) (D.4).
    """
    n, h, α, β = 1000, 0.05, 4.0, 0.0505
    top = HalfSpace([1.0], 1.0)
    chosen = MirrorStep([top], [β], α)
    x = torch.zeros(n, 1, dtype=F64)
    memory = chosen.init(x)
    for k in range(1, 60):
        x, memory, info = chosen.apply(x, torch.where(x < 1, 1.2, x), h, Key(k).uniform(x[:, 0]), memory)
        most = min(50, round(n * β * (1 - math.exp(-α * h * k))))
        assert int(top.contains(x).sum()) == most and float(info.shortfall[0]) == 0
    x = torch.full((n, 1), 1.01, dtype=F64)
    memory = chosen.init(x)
    for k in range(1, 60):
        x, memory, info = chosen.apply(x, x, h, Key(k).uniform(x[:, 0]), memory)
        count = int(top.contains(x).sum())
        assert (
            count == max(50, math.floor(n * (β + math.exp(-α * h * k) * (1 - β))))
            and float(info.shortfall[0]) == 0
        )
    assert count == 50 and float((x[~top.contains(x)] - 0.99).abs().max()) < 1e-12


def _between(a: Tensor, lower: float, upper: float) -> np.ndarray:
    return np.asarray(norm.cdf((upper - a.numpy()) / STD) - norm.cdf((lower - a.numpy()) / STD))
