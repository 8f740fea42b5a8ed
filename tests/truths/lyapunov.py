"""KL bookkeeping: balance, generator, Stein discrepancy, mixing, densities along the flow, log-Sobolev
constants, stopping rules (L, E.3).
"""

import math
from itertools import permutations

import numpy as np
import torch
from scipy.linalg import eigh_tridiagonal
from torch import Tensor
from torch.func import hessian as autodiff_hessian
from torch.func import vmap

from barriers.derivatives import autodiff_jet
from lem_safe.distances import wasserstein
from lem_safe.energies import (
    DoubleWell,
    Energy,
    Gaussian,
    GaussianMixture,
    Quadratic,
    Shifted,
    Tempered,
    Tractable,
    WeightedSum,
)
from lem_safe.keys import Key
from lem_safe.lyapunov import bias as biases
from lem_safe.lyapunov import (
    constants,
    density,
    generator,
    log,
    mixing,
    monitors,
    normal,
    pace,
    stein,
    stopping,
    work,
)
from lem_safe.lyapunov import ratio as balances
from lem_safe.samplers import Langevin
from truths.clouds import F64, close, cloud

MEANS = [[1.0, 0.2], [-0.9, 0.0], [0.1, -1.1]]


def eight(radius: float = 4.0, std: float = 0.5) -> Tractable:
    """Eight Gaussians on a circle, float64."""
    a = torch.arange(8, dtype=F64) * math.pi / 4
    return GaussianMixture((radius * torch.stack([a.cos(), a.sin()], 1)).tolist(), std).double()


def tempered(U: Energy, temperature: float) -> tuple[Energy, Energy]:
    """V = εU, as it was trained, and V/ε."""
    V = WeightedSum([U], [temperature])
    return V, Tempered(V, temperature)


def draws(energy: Tractable, n: int, seed: int) -> Tensor:
    return energy.sample(torch.Generator().manual_seed(seed), n)


def balance_by_hand() -> None:
    """R = E ΔU/E‖∇U‖² and dKL/dt = E ΔU − E‖∇U‖² (L.4), their errors by batches; for e^{−V/ε} R is ε times
    V's (L.5).
    """
    x, σ2 = 0.6 * cloud(4000), 0.49
    U = Gaussian([0.0, 0.0], 0.7).double()
    found, g2 = balances.balance(U, x), x.square().sum(1).mean() / σ2**2
    assert abs(found.ratio - float(2 / σ2 / g2)) < 1e-9 and abs(found.kl_rate - float(2 / σ2 - g2)) < 1e-9
    batches = [balances.balance(U, part) for part in x.split(40)]
    for name in ("ratio", "kl_rate"):
        spread = np.std([getattr(b, name) for b in batches]) / math.sqrt(100)
        assert abs(getattr(found, f"{name}_error") / spread - 1) < 4 / math.sqrt(2 * 100)
    for ε in (0.15, 0.01):
        V, safe = tempered(U, ε)
        assert abs(balances.balance(safe, x).ratio - ε * balances.balance(V, x).ratio) < 1e-9
        assert abs(balances.balance(V, x).ratio / found.ratio - 1 / ε) < 1e-6


def no_lyapunov_functional() -> None:
    """h = ΔU − ‖∇U‖² is the particles' dKL/dt and changes sign (L.7): at a mode it is ΔU > 0, far out
    negative; E_ρU h = 0.
    """
    U = eight()
    close(
        balances.imbalance(U, torch.tensor([[4.0, 0.0]], dtype=F64)),
        U.laplacian(torch.tensor([[4.0, 0.0]], dtype=F64)),
        1e-3,
    )
    assert float(balances.imbalance(U, torch.tensor([[9.0, 0.0]], dtype=F64))) < -50
    h = balances.imbalance(U, draws(U, 20_000, 1))
    assert abs(float(h.mean())) < 4 * float(h.std()) / math.sqrt(20_000)
    x = cloud(50)
    assert abs(float(balances.imbalance(U, x).mean()) - balances.balance(U, x).kl_rate) < 1e-9


def crossings() -> None:
    """Upward, the first one, equality included; a stretch above 1 at the start is left at a maximum of KL
    (L.5).
    """
    found = [
        balances.upward_crossing(np.array(r))
        for r in ([0.2, 0.9, 1.0, 1.2], [1.3, 1.1, 0.9, 1.4], [1.2, 1.1], [0.3, math.nan, 1.5])
    ]
    assert found == [2, 3, None, 2]


def the_rule_crosses_upward() -> None:
    """The stopping rule's own reading of the same."""
    rule = stopping.FlowRatio(stopping.Beginning(eight(), cloud(10), None, 0.01, 10))
    for ratios in ([0.2, 0.9, 1.0, 1.2], [1.3, 1.1, 0.9, 1.4], [1.2, 1.1]):
        looks = [log.Look(k, r, 0.0) for k, r in enumerate(ratios)]
        fired = [k for k in range(1, len(looks)) if rule.verdict(looks[: k + 1], k)]
        first = balances.upward_crossing(np.array(ratios))
        assert (fired[0] if fired else None) == first
        assert rule.verdict(looks, len(looks) - 1, not_before=99) is None


def generator_by_autodiff() -> None:
    """Lf = Δf − ∇U·∇f (E.3), and its mean vanishes on exact draws only."""
    U, x = GaussianMixture(MEANS, 0.7).double(), cloud(30)
    gradient, Δ = U.value_and_gradient(x)[1], U.laplacian(x)
    for name, f in {
        "x": lambda y: y.sum(1) / math.sqrt(2),
        "x2": lambda y: y.square().sum(1) / 2,
        "u": U,
    }.items():
        jet = autodiff_jet(f, x)
        close(generator.GENERATOR[name](x, gradient, Δ), jet.laplacian - (gradient * jet.gradient).sum(1))
    exact, off = (
        generator.generator_means(U, draws(U, 20_000, 2)),
        generator.generator_means(U, 1.1 * draws(U, 20_000, 2)),
    )
    assert all(abs(m.z) < 4 for m in exact.values()) and abs(off["x2"].z) > 8
    y = draws(U, 20_000, 2)
    spread = float((y * U.value_and_gradient(y)[1]).sum(1).std()) / math.sqrt(20_000)
    assert abs(exact["x2"].error - spread) < 1e-12


def stein_by_hand() -> None:
    """U- and V-statistic against the definition: the Stein operator applied to each argument of k, by
    autodiff (L.8).
    """
    U, x, c = GaussianMixture(MEANS, 0.7).double(), cloud(7, seed=4), 0.8
    s = -U.value_and_gradient(x)[1]

    def k(a: Tensor, b: Tensor) -> Tensor:
        return (c**2 + (a - b).square().sum()) ** -0.5

    def u(i: int, j: int) -> float:
        a, b = x[i], x[j]
        kx, ky = torch.func.grad(k, 0)(a, b), torch.func.grad(k, 1)(a, b)
        mixed = torch.func.jacrev(torch.func.grad(k, 0), 1)(a, b)
        return float(s[i] @ s[j] * k(a, b) + s[i] @ ky + s[j] @ kx + mixed.trace())

    table = np.array([[u(i, j) for j in range(7)] for i in range(7)])
    off = table[~np.eye(7, dtype=bool)]
    found = stein.stein_discrepancy(U, x, c)
    assert abs(found.u - off.mean()) < 1e-9 and abs(found.v - table.mean()) < 1e-9
    assert abs(found.error - math.sqrt(2 * (off**2).mean() / (7 * 6))) < 1e-9


def stein_in_blocks() -> None:
    """More rows than a block, far from the origin: the same as on half the machine's memory, and moved."""
    U, x = Gaussian([0.0] * 3, 1.0).double(), cloud(stein.BLOCK + 77, d=3)
    s = -U.value_and_gradient(x)[1]
    r = x[:, None] - x
    q = 0.9**2 + r.square().sum(-1)
    table = (
        s @ s.T / q.sqrt() + (((s[:, None] - s) * r).sum(-1) + 3) * q**-1.5 - 3 * r.square().sum(-1) * q**-2.5
    )
    assert abs(stein.stein_of_scores(x, s, 0.9).v - float(table.mean())) < 1e-12
    assert abs(stein.stein_of_scores(x + 1e3, s, 0.9).v - float(table.mean())) < 1e-9


def stein_of_exact_draws() -> None:
    """Unbiased around 0 with the error it states; biased draws are found."""
    U = GaussianMixture(MEANS, 0.7).double()
    found = [stein.stein_discrepancy(U, draws(U, 150, seed), 1.0) for seed in range(600)]
    u, error2 = np.array([f.u for f in found]), np.array([f.error**2 for f in found])
    assert abs(u.mean()) < 4 * u.std() / math.sqrt(600)
    assert abs((u**2).mean() - error2.mean()) < 4 * (u**2).std() / math.sqrt(600)
    assert all(f.v > 0 for f in found)
    off = stein.stein_discrepancy(U, 1.3 * draws(U, 500, 0) + 0.2, 1.0)
    assert off.u > 10 * off.error


def mixing_by_hand() -> None:
    """Split R̂ and ESS against loops typed from Gelman et al. and Geyer."""
    x = np.cumsum(np.random.default_rng(3).normal(size=(5, 61)), axis=1) * 0.3 + np.random.default_rng(
        4
    ).normal(size=(5, 61))
    halves = [half for row in x for half in (row[:30], row[31:])]
    m, t = 10, 30
    W = np.mean([h.var(ddof=1) for h in halves])
    B = t * np.var([h.mean() for h in halves], ddof=1)
    V = (t - 1) / t * W + B / t
    assert abs(mixing.split_rhat(x) - math.sqrt(V / W)) < 1e-12
    ρ = [1.0]
    for lag in range(1, t):
        γ = np.mean(
            [sum((h[i] - h.mean()) * (h[i + lag] - h.mean()) for i in range(t - lag)) / t for h in halves]
        )
        ρ.append(1 - (W - γ * t / (t - 1)) / V)
    total, least = 0.0, math.inf
    for a, b in zip(ρ[::2], ρ[1::2], strict=True):
        if a + b < 0:
            break
        least = min(least, a + b)
        total += least
    assert abs(mixing.effective_sample_size(x) - m * t / (2 * total - 1)) < 1e-9


def mixing_of_an_autoregression() -> None:
    """x' = φx + √(1 − φ²)ξ: n draws are worth n(1 − φ)/(1 + φ); chains about different means do not agree."""
    rng, m, t = np.random.default_rng(0), 8, 4000
    for φ in (0.0, 0.5, 0.9):
        found = []
        for _ in range(8):
            ξ, x = rng.normal(size=(m, t)), np.empty((m, t))
            x[:, 0] = ξ[:, 0]
            for k in range(1, t):
                x[:, k] = φ * x[:, k - 1] + math.sqrt(1 - φ * φ) * ξ[:, k]
            found.append(mixing.effective_sample_size(x))
        expected = m * t * (1 - φ) / (1 + φ)
        assert abs(np.mean(found) - expected) < 4 * np.std(found, ddof=1) / math.sqrt(8) + 0.02 * expected
        assert abs(mixing.split_rhat(x) - 1) < 0.01
        shift = np.array([-1.0, 1.0] * 4)[:, None]
        assert abs(mixing.split_rhat(x + shift) - math.sqrt(1 + shift.var() * 16 / 15)) < 0.1


def normal_laws() -> None:
    """KL of normal laws against its integral; densities, scores; the variances of flow and Euler–Maruyama,
    iterated.
    """
    p = normal.Normal(torch.tensor([0.3, -0.2], dtype=F64), torch.tensor([[0.5, 0.2], [0.2, 0.4]], dtype=F64))
    q = normal.Normal(
        torch.tensor([0.0, 0.1], dtype=F64), torch.tensor([[0.9, -0.1], [-0.1, 0.7]], dtype=F64)
    )
    g = torch.linspace(-5, 5, 401, dtype=F64)
    x = torch.cartesian_prod(g, g)
    a, b = p.log_density(x), q.log_density(x)
    assert abs(float((a.exp() * (a - b)).sum()) * 0.025**2 - normal.normal_kl(p, q)) < 1e-9
    close(p.score(x), autodiff_jet(p.log_density, x).gradient)
    v, w = 2.0, 2.0
    for _ in range(37):
        v, w = (1 - 0.1 / 0.7) ** 2 * v, (1 - 0.1 / 0.7) ** 2 * w + 0.2
    assert abs(normal.flow_variance(2.0, 0.7, 0.1, 37) - v) < 1e-12
    assert abs(normal.langevin_variance(2.0, 0.7, 0.1, 37) - w) < 1e-12
    y = normal.fitted(p.mean + cloud(50_000) @ torch.linalg.cholesky(p.covariance).T)
    assert abs(normal.normal_kl(y, p)) < 1e-3


def hessians_by_polarisation() -> None:
    """tr(VᵀHV) along eᵢ and eᵢ + eⱼ gives every entry."""
    U, x = GaussianMixture([[1.0, 0.2, 0.0], [-0.9, 0.0, 0.4]], 0.7).double(), cloud(12, d=3)
    close(density.hessian(U, x), vmap(autodiff_hessian(lambda y: U(y[None])[0]))(x), 1e-9)


def densities_along_the_flow() -> None:
    """On N(0, σ²I) from N(0, s²I) the carried density is that of N(0, v_k), particle by particle, at any step
    size (L.6).
    """
    σ2, s, h, x = 0.49, 1.3, 0.1, 1.3 * cloud(300)
    U = Gaussian([0.0, 0.0], 0.7).double()
    track = density.track_flow(U, x, normal.isotropic(2, s).log_density, h, 12, keep=(12,))
    for k in (0, 5, 12):
        v = normal.flow_variance(s * s, σ2, h, k)
        y = x * (1 - h / σ2) ** k
        expected = normal.isotropic(2, math.sqrt(v)).log_density(y) + U(y)
        assert abs(track.kl[k] - float(expected.mean())) < 1e-9
        assert abs(track.kl_error[k] - float(expected.std()) / math.sqrt(300)) < 1e-9
    close(track.clouds[12], x * (1 - h / σ2) ** 12)
    coarse = [
        density.track_flow(
            U,
            x,
            normal.isotropic(2, s).log_density,
            step,
            round(0.4 / step),
            volume=density.divergence_volume,
        ).kl[-1]
        - density.track_flow(U, x, normal.isotropic(2, s).log_density, step, round(0.4 / step)).kl[-1]
        for step in (0.02, 0.01)
    ]
    assert abs(coarse[0] / coarse[1] - 2) < 0.1  # ∫ΔU ds by Euler's sum is off in first order of h
    fine = density.track_flow(U, x, normal.isotropic(2, s).log_density, 1e-5, 1)
    assert abs((fine.kl[1] - fine.kl[0]) / 1e-5 / fine.kl_rate[0] - 1) < 1e-3


def the_flow_stops_where_kl_does() -> None:
    """The crossing of R is the argmin of exact KL, for a U in nats; read from V without ε it is nowhere near
    (L.5).
    """
    U, law = eight(), normal.isotropic(2, 2.0)
    x = 2 * cloud(1500, seed=5)
    best = density.track_flow(U, x, law.log_density, 0.01, 60).best
    for ε in (0.15, 0.01):
        V, safe = tempered(U, ε)
        found = balances.upward_crossing(density.track_flow(safe, x, law.log_density, 0.01, 60).ratio)
        assert found is not None and abs(found - best) <= 1
        wrong = balances.upward_crossing(density.track_flow(V, x, law.log_density, 0.01 / ε, 60).ratio)
        assert wrong is None or abs(wrong - best) > 10


def langevin_densities() -> None:
    """KL from the last kernel of a Langevin chain, against the closed form (E.2)."""
    n, h, σ2 = 4000, 0.05, 0.49
    U, x = Gaussian([0.0, 0.0], 0.7).double(), 1.4 * cloud(4000)
    sampler = Langevin(U, h)
    state = sampler.init(x)
    for k in range(4):
        before = state.x
        state, _ = sampler.step(Key(1).fold(k), state)
        v = normal.langevin_variance(1.96, σ2, h, k + 1)
        expected = v / σ2 - 1 - math.log(v / σ2)
        crowd = n * 2 * h / (2 * v)  # particles within the kernel, in the middle
        noise = (v / σ2 - 1) / math.sqrt(n) + 1 / crowd
        assert abs(density.langevin_kl(U, before, state.x, h).kl - expected) < 4 * noise


def curvature_floors() -> None:
    """κ is below every eigenvalue of ∇²U, and reached: at the mode of a Gaussian, half way between two modes
    (Bakry–Émery).
    """
    S = [[1.0, 0.4], [0.4, 0.7]]
    pair, flat = (GaussianMixture([[0.6, 0.0], [-0.6, 0.0]], std) for std in (0.8, [0.8, 0.5]))
    cases: list[tuple[Energy, bool]] = [
        (Gaussian([0.3, 0.1], covariance=S), True),
        (Quadratic([0.2, -0.1], [[1.5, 0.3], [0.3, 0.8]]), True),
        (pair, True),
        (GaussianMixture(MEANS, 0.9), False),
        (flat, True),
        (Tempered(pair, 0.3), True),
        (Shifted(pair, [0.5, 0.0]), False),
        (WeightedSum([Gaussian([0.0, 0.0], 1.0), pair], [1.0, 0.5]), True),
        (DoubleWell(2, 2.0, 1.3, 0.7), True),
    ]
    x = torch.cat([cloud(4000), torch.zeros(1, 2, dtype=F64)])
    for energy, reached in cases:
        κ, least = (
            energy.double().curvature_floor(),
            float(torch.linalg.eigvalsh(density.hessian(energy, x))[:, 0].min()),
        )
        assert κ is not None and κ <= least + 1e-9
        assert not reached or abs(κ - least) < 1e-6
    assert WeightedSum([pair, pair], [1.0, -0.1]).curvature_floor() is None


def a_double_well_s_constant() -> None:
    """C₀e^{−osc} from the construction on a grid; and no more than the spectral gap of the generator
    (Holley–Stroock).
    """
    for B, a in ((0.5, 1.0), (2.0, 1.3)):
        C = constants.log_sobolev(DoubleWell(1, B, a))
        assert C is not None and C.origin == "Holley-Stroock"
        x = np.linspace(-4 * a, 4 * a, 4001)
        U, best = B * ((x / a) ** 2 - 1) ** 2, 0.0
        for κ in np.linspace(0.02, 3, 300) * 4 * B / a**2:
            tangent = a * math.sqrt(1 + κ * a * a / (4 * B))
            inside = np.abs(x) <= tangent
            gap = (U - κ * x**2 / 2)[inside]
            best = max(best, κ * math.exp(-(gap.max() - gap.min())))
        assert abs(C.value / best - 1) < 1e-2
        dx = x[1] - x[0]
        rate = np.exp(-(U[1:] - U[:-1]) / 2) / dx**2, np.exp((U[1:] - U[:-1]) / 2) / dx**2
        diagonal = -np.concatenate([rate[0], [0.0]]) - np.concatenate([[0.0], rate[1]])
        λ = -eigh_tridiagonal(
            diagonal, np.sqrt(rate[0] * rate[1]), select="i", select_range=(len(x) - 2, len(x) - 1)
        )[0]
        assert abs(λ[1]) < 1e-6 and C.value <= λ[0]


def the_budget_suffices() -> None:
    """KL_t ≤ e^{−2Ct}KL_0 (L.2), so at τ_Lang KL ≤ ε (L.3): on Gaussians, where C = 1/σ² and KL_t is
    known.
    """
    for s, σ in ((3.0, 1.0), (0.2, 0.7), (1.3, 1.2)):
        C = constants.log_sobolev(Gaussian([0.0, 0.0], σ))
        assert C is not None and C.origin == "Bakry-Emery" and abs(C.value * σ * σ - 1) < 1e-12

        def kl(t: float, s: float = s, σ: float = σ) -> float:
            v = 1 + (s * s / σ**2 - 1) * math.exp(-2 * t / σ**2)
            return v - 1 - math.log(v)

        for ε in (0.1, 1e-3):
            τ = constants.langevin_budget(kl(0), ε, C)
            assert kl(τ) <= ε * (1 + 1e-12)
            assert kl(0) <= ε or kl(τ / 4) > ε  # sufficient, and not by waiting for ever
    assert constants.langevin_budget(0.01, 0.1, C) == 0
    assert constants.langevin_budget(0.1, 0.1, C) == 0 and constants.langevin_budget(0.0, 0.1, C) == 0


def what_a_step_size_leaves() -> None:
    """KL of Euler–Maruyama's own stationary distribution (L.10): a Gaussian's by its variance after many
    steps, others' by the kernel itself.
    """
    U, h = Gaussian([0.3, -0.1], covariance=[[1.0, 0.3], [0.3, 0.5]]).double(), 0.1
    found = biases.step_bias(U, h)
    assert found is not None and found.exact
    Σ = U.factor @ U.factor.T
    a, Q = torch.linalg.eigh(torch.linalg.inv(Σ))
    kept = torch.tensor([normal.langevin_variance(1.0, 1 / float(v), h, 5000) for v in a], dtype=F64)
    kl = normal.normal_kl(normal.Normal(U.mean, Q @ torch.diag(kept) @ Q.T), normal.Normal(U.mean, Σ))
    assert abs(found.kl - kl) < 1e-12
    assert (
        abs(biases.gaussian_bias([1.0] * 20, 0.1) - 0.013383) < 1e-6
        and biases.gaussian_bias([1.0, 25.0], 0.1) == math.inf
    )
    step = biases.step_size_for(Gaussian([0.0] * 20, 1.0), 0.01)
    assert step is not None and 0.004 < biases.gaussian_bias([1.0] * 20, step) <= 0.005
    mixture, x = GaussianMixture([[-1.0], [1.0]], 0.6).double(), torch.linspace(-6, 6, 1201, dtype=F64)
    h, p = 0.02, (-mixture(x[:, None])).softmax(0)
    K = (-(x[:, None] - x + h * mixture.value_and_gradient(x[:, None])[1][:, 0]).square() / (4 * h)).softmax(
        0
    )
    q = torch.linalg.matrix_power(K, 4096) @ p
    about = biases.step_bias(mixture, h)
    assert about is not None and not about.exact
    assert abs(about.kl / float((q * (q / p).log()).sum()) - 1) < 0.2


def information_of_a_start() -> None:
    """I(ρ‖ρ_U) in closed form on Gaussians (L.1), KL ≤ I/2C (L.2); the floor from the cloud alone is I there,
    and below it elsewhere.
    """
    n, s, σ = 40_000, 1.5, 0.8
    U, x = Gaussian([0.0, 0.0], σ).double(), s * cloud(n)
    law = normal.isotropic(2, s)
    gap = (1 / s**2 - 1 / σ**2) ** 2
    exact, noise = 2 * s * s * gap, 4 * 2 * s * s * gap / math.sqrt(n)
    assert abs(constants.fisher_information(U, x, law) - exact) < noise
    C = constants.Constant(1 / σ**2, "Bakry-Emery")
    assert (
        normal.normal_kl(law, normal.isotropic(2, σ))
        <= constants.kl_at_most(U, x, law, C)
        < 3 * exact / (2 * C.value)
    )
    assert abs(constants.kl_at_most(U, x, law, C) - exact / (2 * C.value)) < noise / (2 * C.value)
    assert abs(constants.fisher_floor(x, U.value_and_gradient(x)[1], U.laplacian(x)) - exact) < 4 * noise
    ring = eight(2.0)
    y = draws(ring, n, 3)
    _, g = U.value_and_gradient(y)
    score = -ring.value_and_gradient(y)[1]
    true = float((score + g).square().sum(1).mean())
    assert 0 < constants.fisher_floor(y, g, U.laplacian(y)) < true


def measured_rates() -> None:
    """A decay e^{−2Ct} above its noise gives C; what is under the noise is not read, and too little is no
    measurement.
    """
    t = np.arange(60) * 0.1
    floor = np.full(60, 1e-2)
    value = 3 * np.exp(-2 * 0.8 * t) + 4 * np.exp(-2 * 4 * t)
    noisy = np.where(value < 1e-2, 5e-3, value)
    found = constants.measured_constant(t, noisy, floor)
    assert found is not None and found.origin == "measured" and abs(found.value - 0.8) < 0.01
    assert constants.measured_constant(t[:8], noisy[:8], floor[:8]) is None
    assert constants.measured_constant(t, noisy[::-1], floor) is None
    assert constants.measured_constant(t, 1 + 0.1 * t, floor) is None


def work_by_hand() -> None:
    """Calls, bytes of the largest tensor of each, and flops of products; a view is free."""
    x, W = torch.zeros(100, 3), torch.zeros(5, 3)
    expected = 2 * work.CALL + 4 * 500 + 2 * 100 * 3 * 5 / work.FLOPS + 4 * 500  # xWᵀ, then its square
    assert work.work(lambda: (x @ W.T).square()) == expected
    assert (
        work.work(lambda: x.double() @ W.double().T)
        == 3 * work.CALL + 8 * (300 + 15 + 500) + 3000 / work.FLOPS
    )
    assert work.work(lambda: x.T[:2].view(2, 100)[None]) == 0


def the_pace_is_affordable() -> None:
    """Whatever looks cost, all are at most SHARE of the steps, and with their counting a tenth, but for one
    that a run has in any case.
    """
    for steps in (1, 7, 50, 800, 8000, 100_000):
        for once, each, pair in (
            (3.0, 0.0, 0.0),
            (0.5, 0.02, 0.0),
            (0.1, 0.5, 0.0),
            (0.2, 0.001, 1e-4),
            (0.0, 1e-5, 0.0),
        ):
            for most in (2, 40, 256, 300):
                counted: list[float] = []

                def cost(
                    s: int,
                    once: float = once,
                    each: float = each,
                    pair: float = pair,
                    seen: list[float] = counted,
                ) -> float:
                    seen.append(once + each * s + pair * s * s)
                    return seen[-1]

                every, s, c = pace.pace(steps, most, cost)
                looks = math.ceil(steps / every)
                assert (
                    2 <= s <= most
                    and c in counted
                    and every >= max(pace.SELDOM, math.ceil(steps / pace.LOOKS))
                )
                assert looks * c <= pace.SHARE * steps or (looks == 1 and s == min(most, pace.FEWEST))
                assert looks == 1 or looks * c + sum(counted) < 0.1 * steps


def the_worst_test_mean() -> None:
    """The largest |E[Lf]| in its own errors; a mean without an error is none."""
    look = {"generator_x": -6.0, "generator_x2": 5.0, "generator_u": 9.0}
    look |= {"generator_x_error": 2.0, "generator_x2_error": 4.0, "generator_u_error": 0.0}
    assert monitors.worst_mean(look) == 3.0
    assert math.isnan(monitors.worst_mean({name: 0.0 for name in look}))


def transport_distances() -> None:
    """W₂ of a shift is its length; of a few points, the best of all permutations; the floor is W₂ of two
    halves.
    """
    x = cloud(200).numpy()
    assert abs(wasserstein.wasserstein2(x, x[::-1] + [0.3, 0.4]) - 0.5) < 1e-9
    a, b = cloud(6, seed=1).numpy(), cloud(6, seed=2).numpy()
    brute = min(sum(((a[i] - b[j]) ** 2).sum() for i, j in enumerate(p)) / 6 for p in permutations(range(6)))
    assert abs(wasserstein.wasserstein2(a, b) - math.sqrt(brute)) < 1e-12
    mean, spread = wasserstein.noise_floor(np.concatenate([x, x]), 200, repeats=3)
    assert 0.02 < mean < 0.4 and spread < mean
