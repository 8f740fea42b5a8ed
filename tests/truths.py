"""Small exact checks of the mathematics, each typed from the ledger (docs/equations.md), each a second at most.

`test_teeth` runs every one of them twice: as it is, and with a fault planted into what it checks.
What a fault may replace is looked up through its module or class at the time of the check.
"""

import math

import numpy as np
import torch
from jaxtyping import Float
from problems import beyond, simulate, standard
from scipy.stats import binom, entropy, multivariate_normal
from torch import Tensor, nn

from barriers import budget as budgets
from barriers import surrogates
from barriers.coordinates import Coordinates, identity
from barriers.derivatives import Jet, autodiff_jet
from barriers.filters import BarrierStep, EnsembleFilter, Gate, Penalty, PointwiseFilter, PrimalDual, Project, Reject, base
from barriers.functionals import MassBarrier, smooth_mass
from barriers.sets import Ball, HalfSpace, UnsafeSet, build_sets, pull, soften
from barriers.surrogates import Exponential, Hinge, Sigmoid, SoftHinge, Surrogate
from lem_safe import chain, controller
from lem_safe.auditor import anytime, bounds
from lem_safe.auditor.census import census
from lem_safe.energies import Gaussian, GaussianMixture, Tempered
from lem_safe.energies.network import Trainable
from lem_safe.keys import Key
from lem_safe.progress import Silent
from lem_safe.report import cost
from lem_safe.samplers import Langevin
from lem_safe.training import losses, whitening

F64 = torch.float64
SMOOTH: list[Surrogate] = [Sigmoid(0.2), Sigmoid(0.1, 0.3), SoftHinge(0.3), Exponential(0.4)]
S = torch.arange(-300, 301, dtype=F64) / 100
REGIONS = build_sets(
    {
        "ball": {"kind": "ball", "center": [0.5, -0.25], "radius": 0.75},
        "right": {"kind": "half_space", "normal": [3.0, 4.0], "offset": 2.5},
        "box": {"kind": "box", "lower": [-1.0, -1.0], "upper": [0.5, 0.25]},
        "either": {"any": ["ball", "right"]},
        "rule": {"kind": "rule", "where": "3*x0 + 4*x1 < 1"},
    },
    ("x0", "x1"),
)


def cloud(n: int, seed: int = 0, d: int = 2) -> Tensor:
    return torch.randn(n, d, generator=torch.Generator().manual_seed(seed), dtype=F64)


def close(found: Tensor, expected: Tensor, tolerance: float = 1e-9) -> None:
    assert float((found - expected).detach().abs().max()) <= tolerance


def close_jets(found: Jet, expected: Jet) -> None:
    for a, b in zip(found, expected, strict=True):
        close(a, b, 1e-8)


# surrogates


def majorant() -> None:
    """φ ≥ κ·1_𝒰, with equality on the boundary (B.2)."""
    for φ in [*SMOOTH, Hinge(0.3)]:
        assert (φ.value(S) >= φ.level * (S <= 0).double() - 1e-12).all()
        close(φ.value(torch.zeros(1, dtype=F64)), torch.full((1,), φ.level, dtype=F64))


def sigmoid_centred_at_the_margin() -> None:
    """σ is ½ where s = δ, outside the set (B.2)."""
    close(Sigmoid(0.1, 0.3).value(torch.tensor([0.3], dtype=F64)), torch.tensor([0.5], dtype=F64))


def profile() -> None:
    """φ' and φ'' by differences."""
    ε = 1e-5
    for φ in SMOOTH:
        p, up, down = φ.profile(S), φ.profile(S + ε), φ.profile(S - ε)
        scale = 1 + p.value.abs() / φ.width**2
        close((p.first - (up.value - down.value) / (2 * ε)) / scale, torch.zeros_like(S), 1e-7)
        close((p.second - (up.first - down.first) / (2 * ε)) / scale, torch.zeros_like(S), 1e-7)


def chain_rule() -> None:
    """∇φ = φ'∇s, Δφ = φ''‖∇s‖² + φ'Δs, on a level function whose gradient is no unit vector."""
    x = cloud(50)
    for φ in SMOOTH:
        s = autodiff_jet(lambda y: y.square().sum(-1) - 1, x)
        expected = autodiff_jet(lambda y, φ=φ: φ.value(y.square().sum(-1) - 1), x)
        close_jets(surrogates.chain(φ.profile(s.value), s), expected)


def width_of_two_noise_steps() -> None:
    """w = 2√(2h) (B.2), and σ(1) for the margin of one width."""
    for h in (0.001, 0.02):
        φ = surrogates.for_drift(h)
        assert abs(φ.width - 2 * math.sqrt(2 * h)) < 1e-12
        assert abs(φ.level - 1 / (1 + math.exp(-1))) < 1e-12


# barriers and filters


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
    return ball, φ, 2 * mean, x, 0.8 * x, BarrierStep(MassBarrier([ball], [φ], [4 * mean]), rate=5.0, mean=base.local_mean)


def step_floor() -> None:
    """B(z) reaches e^{−αh} B(x), as recounted, and no more (D.1); what is reported is the cloud that was returned."""
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
    """The barrier is a mean over particles, however they are grouped: a small last group weighs no more than its size."""
    ball, φ, n = Ball([0.0, 0.0], 1.0), Sigmoid(0.2), 513
    x = torch.full((n, 2), 3.0, dtype=F64)
    y = x.clone()
    y[: n // 4] = 0.1 * cloud(n // 4) + torch.tensor([0.9, 0.0], dtype=F64)
    chosen = BarrierStep(MassBarrier([ball], [φ], [0.05]), mean=base.local_mean)
    z, _, _ = chosen.apply(x, y, 0.01, x[:, 0], chosen.init(x))
    B = 0.05 / 2 - float(φ.value(ball(x)).mean())
    assert float(φ.value(ball(z)).mean()) <= 0.05 / 2 - math.exp(-5.0 * 0.01) * B


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
    for target in (torch.cat([x[9:18], x[:9], x[18:] + 2.0]), torch.full_like(x, 2.0), torch.full_like(x, -2.0)):
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
        close(z[inside], x[inside] if kind is Reject else y[inside] / y[inside].norm(dim=1, keepdim=True), 1e-6)


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


# sets and coordinates


def distances() -> None:
    """|∇s| = 1, x − s∇s on the boundary, and the closed jet is the automatic one."""
    x = 2 * cloud(80)
    for s in (REGIONS["ball"], REGIONS["right"]):
        jet = s.jet(x)
        close_jets(jet, autodiff_jet(s, x))
        close(jet.gradient.norm(dim=1), torch.ones(80, dtype=F64))
        close(s(x - jet.value[:, None] * jet.gradient), torch.zeros(80, dtype=F64))
    close(REGIONS["right"](torch.tensor([[2.0, 1.5]], dtype=F64)), torch.tensor([-1.9], dtype=F64))


def membership() -> None:
    """Sets are closed, their sign is membership, and a union is unsafe where any member is."""
    x = 2 * cloud(200)
    for s in REGIONS.values():
        assert ((s(x) < 0) == s.contains(x)).all()
    edge = {
        "ball": [[1.25, -0.25], [0.5, 0.5]],
        "right": [[0.5, 0.25], [-1.5, 1.75]],
        "box": [[0.5, 0.0], [-1.0, 0.25]],
    }
    for name, points in edge.items():
        assert REGIONS[name].contains(torch.tensor(points, dtype=F64)).all()
        assert not REGIONS[name].contains(torch.tensor([[-5.0, -5.0]], dtype=F64)).any()
    assert (REGIONS["either"].contains(x) == (REGIONS["ball"].contains(x) | REGIONS["right"].contains(x))).all()


def soft_union() -> None:
    """The drift filter's union lies below the hard one: softened from the safe side (B.5)."""
    x, soft = 2 * cloud(200), soften(REGIONS["either"], 0.2)
    below = REGIONS["either"](x) - soft(x)
    assert (below >= -1e-12).all() and (below <= 0.2 * math.log(2) + 1e-12).all()
    close_jets(soft.jet(x), autodiff_jet(soft, x))


def first_order_distance() -> None:
    """A rule's level 3x₀ + 4x₁ − 1 counts as s/‖∇s‖ = s/5 where the sampler moves."""
    z = 2 * cloud(50)
    s = pull(REGIONS["rule"], identity(2, F64))
    close(s(z), (z @ torch.tensor([3.0, 4.0], dtype=F64) - 1) / 5, 1e-4)


def coordinates_round_trip() -> None:
    """x = m + Mz, row by row, and back."""
    m, M = torch.tensor([0.3, -0.2], dtype=F64), torch.tensor([[1.5, 0.4], [-0.3, 0.6]], dtype=F64)
    map_, z = Coordinates(m, M, F64), cloud(20)
    x = torch.stack([m + M @ row for row in z])
    close(map_(z), x)
    close(map_.inverse(x), z)
    close(map_.saved(z), x)


def counted_as_saved() -> None:
    """1 − 1e-9 is saved as float32 1, which is inside {x ≥ 1} (A.1)."""
    z = torch.tensor([[1 - 1e-9], [1 - 1e-6]], dtype=F64)
    assert pull(beyond(1.0), identity(1)).contains(z).tolist() == [True, False]


def balls_under_scaling() -> None:
    """x = 2z: the ball of radius 1 at (2, 0) is the ball of radius ½ at (1, 0)."""
    s = pull(Ball([2.0, 0.0], 1.0), Coordinates(torch.zeros(2), 2 * torch.eye(2), F64))
    close(s(torch.tensor([[3.0, 0.0], [1.0, 0.0]], dtype=F64)), torch.tensor([1.5, -0.5], dtype=F64), 1e-6)


def whitened() -> None:
    """Whitened rows have covariance I."""
    rows = cloud(500, d=3) @ torch.tensor([[10.0, 9.0, 0.0], [0.0, 1.0, 0.2], [0.0, 0.0, 0.01]], dtype=F64) + 3
    z = whitening.whiten(rows, ("a", "b", "c")).inverse(rows)
    close(torch.cov(z.T), torch.eye(3, dtype=F64), 1e-6)


# energies, samplers, training


def mixture() -> None:
    """U = −log Σ w_k N(m_k, Σ), its gradient and Laplacian (C.2)."""
    means, w, x = [[1.0, 0.0], [-0.8, 0.6], [0.1, -1.2]], np.array([2.0, 1.0, 5.0]) / 8, cloud(40)
    energy = GaussianMixture(means, 0.7, weights=[2.0, 1.0, 5.0])
    density = sum(p * multivariate_normal(m, 0.49 * np.eye(2)).pdf(x.numpy()) for p, m in zip(w, means, strict=True))
    expected = autodiff_jet(energy, x)
    close(expected.value, -torch.from_numpy(density).log())
    close_jets(Jet(*energy.value_and_gradient(x), energy.laplacian(x)), expected)


def composition() -> None:
    """U_safe = U − λU₋ (C.1), and V at temperature ε enters as V/ε (E.1)."""
    x, U, V = cloud(20), Gaussian([0.0, 0.0], 1.0), Gaussian([1.0, 0.0], 2.0)
    safe = controller.compose(U, [(0.3, V)])
    close(safe(x), U(x) - 0.3 * V(x))
    close(safe.value_and_gradient(x)[1], x - 0.3 * (x - torch.tensor([1.0, 0.0], dtype=F64)) / 4)
    close(Tempered(U, 0.5)(x), 2 * U(x))


def langevin_step() -> None:
    """From x₀, one step of U = x²/2 is N(x₀(1 − h), 2h) (E.2)."""
    n, h = 100_000, 0.05
    x = torch.full((n, 1), 1.5, dtype=F64)
    sampler = Langevin(standard(1, F64), h)
    y = sampler.step(Key(5), sampler.init(x))[0].x[:, 0]
    assert abs(float(y.mean()) - 1.5 * (1 - h)) < 4 * math.sqrt(2 * h / n)
    assert abs(float(y.var()) - 2 * h) < 4 * 2 * h * math.sqrt(2 / n)


def _followed(steps: int, n: int = 4000) -> chain.Finished:
    sampler = Langevin(standard(1, F64), 0.1)
    course = chain.Course("check", sampler, (pull(beyond(1.0), identity(1, F64)),), ("beyond",), (0.1,), steps)
    return chain.follow(course, Key(3), torch.zeros(n, 1, dtype=F64), progress=Silent())


def noise_is_new_at_every_step() -> None:
    """ξ₁ and ξ₂, solved from x' = (1 − h)x + √(2h)ξ, are uncorrelated; and the same key gives the same cloud."""
    x1, x2 = _followed(1).x[:, 0], _followed(2).x[:, 0]
    ξ1, ξ2 = x1 / math.sqrt(0.2), (x2 - 0.9 * x1) / math.sqrt(0.2)
    assert abs(float((ξ1 * ξ2).mean())) < 5 / math.sqrt(4000)
    assert torch.equal(x2, _followed(2).x[:, 0])


def trace_rows() -> None:
    """Row k of the trace is the cloud after step k + 1 (A.2)."""
    for steps in (1, 2, 5):
        run = _followed(steps)
        assert run.trace["fraction"].shape == (steps, 1)
        assert run.trace["fraction"][-1, 0] == float((run.x >= 1).double().mean())
        assert run.trace["step"].tolist() == list(range(1, steps + 1))


def unfiltered_run() -> None:
    """The mean and spread of the Ornstein–Uhlenbeck chain after 20 steps, Euler's own (E.2)."""
    n, h = 20_000, 0.05
    x = simulate(standard(1, F64), [beyond(1.0)], [0.5], "none", torch.full((n, 1), -2.0, dtype=F64), step_size=h, steps=20).x
    a = (1 - h) ** 20
    var = 2 * h * (1 - a * a) / (1 - (1 - h) ** 2)
    assert abs(float(x.mean()) + 2 * a) < 4 * math.sqrt(var / n)
    assert abs(float(x.var()) / var - 1) < 4 * math.sqrt(2 / n)


class Parabola(Trainable):
    """U = ax²/2: every score-matching loss is a parabola in a."""

    dimension = 1

    def __init__(self, a: float):
        super().__init__()
        self.a = nn.Parameter(torch.tensor(a, dtype=F64))

    def forward(self, x: Float[Tensor, "n d"]) -> Float[Tensor, "n"]:
        return 0.5 * self.a * x[:, 0] ** 2

    def gradient(self, x: Float[Tensor, "n d"]) -> Float[Tensor, "n d"]:
        return self.a * x

    def value_and_gradient(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return self(x).detach(), self.gradient(x).detach()

    def laplacian(self, x: Tensor, directions: Tensor | None = None) -> Tensor:
        return self.a.expand(x.shape[0])


def score_matching() -> None:
    """On N(0,1) smoothed by σ, every loss is least at a = 1/(1 + σ²) (T.1–T.4)."""
    z = cloud(100_000, d=1)
    z = (z - z.mean()) / z.std()
    for loss in (losses.Denoising(1.0), losses.Implicit(1.0), losses.Sliced(1.0)):
        low, mid, high = (float(loss(Parabola(a), z, torch.Generator().manual_seed(1)).detach()) for a in (-1.0, 0.0, 1.0))
        assert low - 2 * mid + high > 0
        assert abs((low - high) / (2 * (low - 2 * mid + high)) - 0.5) < 0.02


# the audit


def budget_is_the_decimal_rounded_down() -> None:
    """⌊βn⌋ of the decimal that was written (A.1), the same for the filter and the judge."""
    for β, n, expected in ((0.07, 100, 7), (0.29, 100, 29), (0.57, 100, 57), (0.1, 9, 0), (1e-3, 2999, 2)):
        assert budgets.budget(β, n) == expected
        assert bounds.budget(β, n) == expected


def clopper_pearson() -> None:
    """P(K ≤ k; p⁺) = α and P(K ≥ k; p⁻) = α (A.2)."""
    for k, n in ((1, 50), (3, 200), (250, 5000)):
        assert abs(binom.cdf(k, n, bounds.upper_bound(k, n, 0.95)) - 0.05) < 1e-9
        assert abs(binom.sf(k - 1, n, bounds.lower_bound(k, n, 0.95)) - 0.05) < 1e-9
    assert abs(bounds.upper_bound(0, 5000, 0.95) - 5.990e-4) < 5e-8


def evidence() -> None:
    """Under p = β the evidence has mean 1, so it exceeds 1/α with probability at most α (A.4)."""
    for β, n in ((0.05, 40), (0.3, 12)):
        mean = sum(binom.pmf(k, n, β) * math.exp(anytime.log_evidence_below(k, n, β)) for k in range(n + 1))
        assert abs(mean - 1) < 1e-9


def census_on_the_edge() -> None:
    """A sample on the boundary is inside, one ulp outside is not (A.1)."""
    x = torch.tensor([[1.0], [math.nextafter(1.0, 0.0)], [2.0]], dtype=F64)
    assert census([x], {"beyond": beyond(1.0)}).regions["beyond"].violations == 2


def price() -> None:
    """kl(β‖p), by scipy (P.2)."""
    for β, p in ((0.01, 0.04), (0.1, 0.5), (0.0, 0.2)):
        assert abs(cost.least_kl(β, p) - entropy([β, 1 - β], [p, 1 - p])) < 1e-12
