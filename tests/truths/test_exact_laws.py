"""Exact laws in one dimension and in many: each number first by quadrature, then met by a run.

A run is held against the law of the *discrete* chain it is (`chain_law`: the stationary vector of its
transition kernel on a grid), within 4 standard errors; that law in turn against the diffusion's as h → 0. So
the step-size bias is computed, never hidden in a tolerance.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from problems import Trace, beyond, simulate, smooth_tilt, standard
from scipy.integrate import quad
from scipy.optimize import brentq
from scipy.special import ndtr
from scipy.stats import ncx2
from torch import Tensor

from barriers.budget import budget
from barriers.filters import FILTERS
from barriers.filters.penalty import PrimalDual
from barriers.functionals import MomentBarrier
from barriers.sets import Ball, HalfSpace, UnsafeSet
from barriers.surrogates import Sigmoid
from lem_safe.energies.base import Energy
from lem_safe.keys import Key

pytestmark = pytest.mark.simulation

Line = np.ndarray
U = 1.0
"""Everywhere below {x ≥ 1} is unsafe, and the unfiltered law is N(0, 1)."""


def line(low: float = -8.0, high: float = 8.0, points: int = 160_001) -> tuple[Line, Line]:
    """A grid and N(0, 1) on it."""
    x = np.linspace(low, high, points)
    law = np.exp(-x * x / 2)
    return x, law / law.sum()


def drawn(x: Line, law: Line, n: int, seed: int, dtype: torch.dtype = torch.float64) -> Tensor:
    """n draws from a law on a grid, by inverting its distribution function."""
    u = Key(seed).uniform(torch.empty(n, dtype=torch.float64)).numpy()
    return torch.from_numpy(np.interp(u, np.cumsum(law), x))[:, None].to(dtype)


@dataclass(frozen=True)
class ChainLaw:
    """The stationary law of x' = a(x) + √(2h) ξ on a grid, with what one step from it does."""

    x: Line
    law: Line
    arrival: Line
    spread: float

    def beyond(self, threshold: float) -> float:
        """The mass of {x' ≥ threshold} after a step: no grid error at the edge."""
        return float(self.law @ ndtr((self.arrival - threshold) / self.spread))


def chain_law(arrival: Callable[[Line], Line], h: float, low: float, high: float) -> ChainLaw:
    """By the eigenvector of the kernel; the grid has 6 points a standard deviation of the noise, where a
    Gaussian's trapezoid is exact to 1e-16.
    """
    spread = math.sqrt(2 * h)
    x = np.arange(low, high, spread / 6)
    a = arrival(x)
    kernel = np.exp(-((x[:, None] - a[None, :]) ** 2) / (2 * spread**2))
    return ChainLaw(x, stationary(kernel / kernel.sum(0)), a, spread)


def stationary(kernel: np.ndarray) -> Line:
    """The law π = Kπ of a kernel whose columns sum to 1."""
    A = kernel - np.eye(len(kernel))
    A[-1] = 1.0
    return np.linalg.solve(A, np.eye(len(kernel))[-1])


# --- F.1: the drift filter is the projection; N(0, 1), x ≤ 1, limit E φ ≤ .05 ---

TILTS = {0.5: (9.476, 0.0010), 0.2: (2.491, 0.0273), 0.1: (1.706, 0.0410), 0.05: (1.458, 0.0462)}


@pytest.mark.parametrize("width", TILTS)
def test_the_smooth_tilts_of_the_ledger(width: float) -> None:
    x, law = line()
    φ = 1 / (1 + np.exp((1 - x) / width))
    tilted, μ = smooth_tilt(law, φ, 0.05)
    edge = 0.5 * tilted[np.isclose(x, 1)].sum()
    assert μ == pytest.approx(TILTS[width][0], abs=6e-4)
    assert tilted[x > 1 + 1e-9].sum() + edge == pytest.approx(TILTS[width][1], abs=6e-5)


def filtered_multiplier(kind: str, width: float, h: float, n: int, time: float) -> tuple[float, float]:
    """The mean multiplier of a run that starts at the projection itself, and its standard error from ten
    batches.
    """
    x, law = line()
    tilted, _ = smooth_tilt(law, 1 / (1 + np.exp((1 - x) / width)), 0.05)
    steps = round(time / h)
    run = simulate(
        standard(1, torch.float64),
        [beyond(U)],
        [0.10],
        kind,
        drawn(x, tilted, n, 1),
        step_size=h,
        steps=steps,
        seed=2,
        smoothing=Sigmoid(width),
        rate=20.0,
    )
    batches = run.multiplier[steps // 10 :, 0][: steps // 10 * 9].reshape(9, -1).mean(1)
    return float(batches.mean()), float(batches.std(ddof=1) / 3)


@pytest.mark.parametrize(("width", "h"), [(0.5, 0.005), (0.2, 0.002)])
def test_the_drift_filter_solves_for_the_multiplier(width: float, h: float) -> None:
    """To 4 standard errors and the O(h) of Euler, which the law of the tilted chain itself supplies."""
    found, error = filtered_multiplier("drift", width, h, 6000, 2.0)
    exact = TILTS[width][0]
    bias = abs(discrete_multiplier(width, h) - exact)
    print("DRIFT", width, found, exact, error, bias)
    assert abs(found - exact) < 4 * error + 2 * bias, (found, exact, error, bias)
    assert 4 * error + 2 * bias < 0.12 * exact


def discrete_multiplier(width: float, h: float) -> float:
    """The μ with which Euler's chain under drift −x − μφ' has E φ = .05."""

    def excess(μ: float) -> float:
        def arrival(x: Line) -> Line:
            φ = 1 / (1 + np.exp((1 - x) / width))
            return x - h * (x + μ * φ * (1 - φ) / width)

        c = chain_law(arrival, h, -6, 4)
        return float(c.law @ (1 / (1 + np.exp((1 - c.x) / width)))) - 0.05

    return float(brentq(excess, 0.3, 30.0, xtol=1e-6))


def test_the_step_filter_has_the_same_multiplier() -> None:
    width, h = 0.2, 0.002
    found, error = filtered_multiplier("step", width, h, 3500, 3.0)
    print("STEP", found, error)
    assert abs(found - 2.491) < 4 * error + 2 * abs(discrete_multiplier(width, h) - 2.491) + 0.05


# --- F.2: filtering each particle's drift bounds nothing under noise ---

POINTWISE = {2.0: 0.156723, 5.0: 0.126609, 10.0: 0.097792, 50.0: 0.048052}


def unconditional(kind: str, x: Tensor, h: float, steps: int, **settings: Any) -> Trace:
    """A run with a filter that takes no β."""
    return simulate(
        standard(1, torch.float64),
        [beyond(U)],
        [0.1],
        kind,
        x,
        step_size=h,
        steps=steps,
        build=lambda sets, betas, **rest: FILTERS[kind](sets, **rest),
        **settings,
    )


def pointwise_drift(α: float) -> Callable[[Line], Line]:
    return lambda x: np.minimum(-x, α * (1 - x))


@pytest.mark.parametrize("α", POINTWISE)
def test_the_pointwise_law_by_quadrature(α: float) -> None:
    """e^{∫u} with u = min(−x, α(1 − x)): the pieces meet at x = α/(α − 1)."""
    k = α / (α - 1)

    def density(x: float) -> float:
        return math.exp(-x * x / 2 if x <= k else -k * k / 2 - α * ((x - 1) ** 2 - (k - 1) ** 2) / 2)

    inside = quad(density, 1, k, epsabs=1e-14)[0] + quad(density, k, 12, epsabs=1e-14)[0]
    outside = quad(density, -12, 1, epsabs=1e-14)[0]
    assert inside / (inside + outside) == pytest.approx(POINTWISE[α], abs=1.01e-6)


def test_the_pointwise_law_at_the_origin_is_one_over_one_plus_root_alpha() -> None:
    for α in (1.0, 4.0, 25.0):
        density = lambda x, α=α: math.exp(-(1 if x < 0 else α) * x * x / 2)  # noqa: E731
        inside, outside = quad(density, 0, 12)[0], quad(density, -12, 0)[0]
        assert inside / (inside + outside) == pytest.approx(1 / (1 + math.sqrt(α)), abs=1e-8)


def pointwise_chain(α: float, h: float) -> ChainLaw:
    return chain_law(lambda x: x + h * pointwise_drift(α)(x), h, -6.0, 4.5)


@pytest.mark.parametrize("α", POINTWISE)
def test_the_step_size_bias_of_the_pointwise_chain_vanishes(α: float) -> None:
    """Euler's own law goes to the diffusion's in first order: two step sizes extrapolate to it."""
    coarse, fine = (pointwise_chain(α, h).beyond(U) for h in (0.004, 0.002))
    assert 2 * fine - coarse == pytest.approx(POINTWISE[α], abs=2.5e-4)
    assert abs(fine - POINTWISE[α]) < abs(coarse - POINTWISE[α])


@pytest.mark.parametrize("α", POINTWISE)
def test_a_pointwise_run_has_that_law(α: float) -> None:
    """Particles are independent, so the spread of their own time averages is the standard error, whatever the
    correlation in time.
    """
    n, h, steps = 4000, 0.01, 500
    exact = pointwise_chain(α, h)
    seen = torch.zeros(n, dtype=torch.float64)

    def count(k: int, x: Tensor) -> None:
        seen.add_((x[:, 0] >= U).double() / steps)

    start = drawn(exact.x, exact.law, n, 3)
    unconditional("pointwise", start, h, steps, each=count, rate=α)
    error = float(seen.std()) / math.sqrt(n)
    assert abs(float(seen.mean()) - exact.beyond(U)) < 4 * error
    assert (
        4 * error < 0.012 < abs(float(seen.mean()) - 0.0)
    )  # far from the zero that "almost surely safe" would mean


# --- what projection and rejection do to the law ---


def projected_law(h: float) -> tuple[Line, Line, float]:
    """x' = min((1 − h)x + √(2h)ξ, 1): a density below 1 and an atom at 1, by their joint kernel."""
    spread = math.sqrt(2 * h)
    cell = spread / 12
    x = 1 - cell * (np.arange(int(7 / cell)) + 0.5)  # midpoints below 1
    from_ = np.append(x, 1.0) * (1 - h)
    kernel = ndtr((x[:, None] + cell / 2 - from_) / spread) - ndtr((x[:, None] - cell / 2 - from_) / spread)
    kernel = np.vstack([kernel, ndtr((from_ - 1) / spread)])
    law = stationary(kernel / kernel.sum(0))
    return x, law[:-1], float(law[-1])


def test_projection_leaves_an_atom_on_the_boundary() -> None:
    h, n, steps = 0.01, 20_000, 300
    x, law, atom = projected_law(h)
    assert atom == pytest.approx(0.0271, abs=1e-4)
    start = drawn(np.append(x, 1.0)[::-1][1:], np.append(law, atom)[::-1][1:] / law.sum(), n, 5)
    on_boundary: list[float] = []
    run = unconditional(
        "project",
        start,
        h,
        steps,
        each=lambda k, x: on_boundary.append(float((x[:, 0] > 1 - 1e-9).double().mean())),
    )
    found = np.mean(on_boundary[steps // 2 :])
    assert abs(found - atom) < 4 * math.sqrt(
        atom * (1 - atom) / n
    )  # one cloud's error: an average over time can only be better
    assert (run.fraction == 0).all()
    assert total_variation(run.x, lambda e: ndtr(e) / ndtr(1.0)) > 0.02  # the law is not the truncated one


def total_variation(x: Tensor, cdf: Callable[[Line], Line]) -> float:
    """TV between a cloud and a law over 12 cells below 1, the last one (1 − 1e-6, 1]."""
    edges = np.concatenate([[-np.inf], np.linspace(-2, 0.9, 10), [1 - 1e-6, 1.0]])
    found = np.histogram(x[:, 0].double().numpy(), edges)[0] / x.shape[0]
    return 0.5 * float(np.abs(found - np.diff(cdf(edges))).sum())


def test_rejection_has_the_truncated_law() -> None:
    """Euler's chain is reversible for N(0, 1/(1 − h/2)), so refusing to enter leaves that law cut at 1,
    exactly; TV < .01 of N(0, 1) cut at 1.
    """
    h, n = 0.01, 60_000
    σ = 1 / math.sqrt(1 - h / 2)
    x, law = line()
    cut = np.where(x < 1, np.exp(-x * x / (2 * σ**2)), 0.0)
    truncated = np.where(x < 1, law, 0.0) / law[x < 1].sum()
    assert 0.5 * np.abs(cut / cut.sum() - truncated).sum() < 0.01  # the bias of h itself: .0012
    run = unconditional("reject", drawn(x, truncated, n, 6), h, 200)
    assert (run.fraction == 0).all()
    own = lambda e: ndtr(e / σ) / ndtr(1 / σ)  # noqa: E731
    noise = 0.5 * math.sqrt(2 / math.pi) * sum(math.sqrt(p * (1 - p) / n) for p in _cells(own))
    assert total_variation(run.x, own) < 0.01 and total_variation(run.x, own) < 3 * noise
    assert total_variation(run.x, lambda e: ndtr(e) / ndtr(1.0)) < 0.01
    assert total_variation(run.x + 0.03, own) > 0.01  # planted fault: a law a thirtieth of a σ off


def _cells(cdf: Callable[[Line], Line]) -> Line:
    return np.diff(cdf(np.concatenate([[-np.inf], np.linspace(-2, 0.9, 10), [1 - 1e-6, 1.0]])))


# --- P.3: the problem of primal–dual Langevin, N(0, 1) on [1, 3] by E g ≤ .005, g = 4[(x − 1)(x − 3)]₊ ---


def overstep(x: Tensor) -> Tensor:
    return 4 * ((x[:, 0] - 1) * (x[:, 0] - 3)).clamp(min=0)


def primal_dual_law(μ: float) -> dict[str, float]:
    """Moments of ρ ∝ e^{−x²/2 − μg}, piece by piece."""
    pieces = [(-9.0, 1.0), (1.0, 3.0), (3.0, 9.0)]

    def g(x: float) -> float:
        return 4 * max((x - 1) * (x - 3), 0.0)

    def integral(f: Callable[[float], float], which: list[tuple[float, float]]) -> float:
        points = [0.5, 0.9, 3.1]
        return sum(
            quad(
                lambda x: f(x) * math.exp(-x * x / 2 - μ * g(x)),
                a,
                b,
                epsabs=1e-13,
                limit=200,
                points=[p for p in points if a < p < b] or None,
            )[0]
            for a, b in which
        )

    Z = integral(lambda x: 1.0, pieces)
    return {
        "g": integral(g, pieces) / Z,
        "mean": integral(lambda x: x, pieces) / Z,
        "outside": integral(lambda x: 1.0, [pieces[0], pieces[2]]) / Z,
    }


def test_the_optimum_of_primal_dual_langevins_own_problem() -> None:
    μ = brentq(lambda m: primal_dual_law(m)["g"] - 0.005, 1.0, 30.0, xtol=1e-10)
    law = primal_dual_law(μ)
    assert μ == pytest.approx(6.1527, abs=5.1e-5)
    assert law["mean"] == pytest.approx(1.49477, abs=5.1e-6)
    assert law["outside"] == pytest.approx(0.03080, abs=5.1e-6)


def euler_primal_dual(μ: float, h: float) -> ChainLaw:
    def arrival(x: Line) -> Line:
        slope = np.where((x < 1) | (x > 3), 8 * (x - 2), 0.0)
        return x - h * (x + μ * slope)

    return chain_law(arrival, h, -0.6, 4.6)


def chain_multiplier(h: float) -> float:
    """The μ at which Euler's own chain has E g = .005."""

    def excess(μ: float) -> float:
        c = euler_primal_dual(μ, h)
        return float(c.law @ (4 * np.maximum((c.x - 1) * (c.x - 3), 0))) - 0.005

    return float(brentq(excess, 5.5, 7.5, xtol=1e-3))


def test_primal_dual_finds_the_multiplier_of_its_own_problem() -> None:
    """From μ = 0. The layer outside [1, 3] is 1/8μ ≈ .02 wide, so h must be small; what bias is left, the
    chain's law states.
    """
    h, n, steps = 1e-4, 2500, 8000
    chosen = PrimalDual(MomentBarrier([overstep], [(-math.inf, 0.005)]), dual_rate=3.0)
    optimum = chain_multiplier(h)
    assert optimum == pytest.approx(6.1527, rel=0.08)
    grid, law = line()
    x = drawn(grid, np.where((grid >= 1) & (grid <= 3), law, 0) / law[(grid >= 1) & (grid <= 3)].sum(), n, 4)
    memory, seen = chosen.init(x), []
    for k in range(steps):
        u, memory, info = chosen.apply(x, -x, memory)
        x = x + h * u + math.sqrt(2 * h) * Key(5).fold(k).normal(x)
        if k >= steps // 3:
            seen.append(
                (float(info.multipliers), float(x.mean()), float(((x < 1) | (x > 3)).double().mean()))
            )
    rows = np.array(seen)[: len(seen) // 8 * 8].reshape(8, -1, 3).mean(1)
    found, error = rows.mean(0), rows.std(0, ddof=1) / math.sqrt(8)
    c = euler_primal_dual(optimum, h)
    expected = np.array([optimum, float(c.law @ c.x), 1 - (c.beyond(1.0) - c.beyond(3.0))])
    assert (np.abs(found - expected) < 4 * error).all(), (found, expected, error)


# --- many dimensions ---


@pytest.mark.parametrize(
    ("d", "distance", "radius", "mass"), [(10, 2.0, 1.5, 1.1508e-3), (50, 3.0, 6.0, 1.2691e-2)]
)
def test_a_balls_mass_in_many_dimensions(d: int, distance: float, radius: float, mass: float) -> None:
    """Under N(0, I) the squared distance to the centre is noncentral chi-square."""
    assert ncx2.cdf(radius**2, d, distance**2) == pytest.approx(mass, rel=5e-5)
    ball, n = Ball([distance] + [0.0] * (d - 1), radius), 400_000
    count = sum(int(ball.contains(Key(b).normal(torch.empty(40_000, d))).sum()) for b in range(10))
    assert abs(count / n - mass) < 4 * math.sqrt(mass * (1 - mass) / n)
    off = ncx2.cdf(radius**2, d, (distance + 0.2) ** 2)
    assert abs(count / n - off) > 4 * math.sqrt(
        mass * (1 - mass) / n
    )  # planted fault: the centre a fifth off


@pytest.mark.parametrize("d", [1, 7, 200, 3072])
def test_a_half_space_holds_the_same_mass_in_any_dimension(d: int) -> None:
    n = 4000 if d > 1000 else 20_000
    normal = Key(d).normal(torch.empty(d, dtype=torch.float64))
    half = HalfSpace(normal.tolist(), float(normal.norm()))
    p, found = 0.158655, float(half.contains(Key(8).normal(torch.empty(n, d))).double().mean())
    assert ndtr(-1.0) == pytest.approx(p, abs=5e-7)
    assert abs(found - p) < 4 * math.sqrt(p * (1 - p) / n)


D = 3072


class Towards(Energy):
    """U = ½‖x − m‖², m = (2, 3, 0, …): a Gaussian without its D × D factor."""

    dimension = D

    def forward(self, x: Tensor) -> Tensor:
        return 0.5 * self._offset(x).square().sum(1)

    def value_and_gradient(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return self(x), self._offset(x)

    def laplacian(self, x: Tensor, directions: Tensor | None = None) -> Tensor:
        return torch.full_like(x[:, 0], D)

    def _offset(self, x: Tensor) -> Tensor:
        return x - torch.nn.functional.pad(torch.tensor([2.0, 3.0], dtype=x.dtype), (0, D - 2))


def high() -> tuple[Energy, list[UnsafeSet], Tensor]:
    """A half-space, and a ball of radius √D whose surface runs along the shell where Gaussians live; a cloud
    outside both that is drawn in.
    """
    half = HalfSpace([1.0] + [0.0] * (D - 1), 0.5)
    ball = Ball([0.0, 3.0] + [0.0] * (D - 2), math.sqrt(D) + 0.5)
    x = Key(1).normal(torch.empty(100, D))
    x = x * ((math.sqrt(D) + 1.5) / x.norm(dim=1, keepdim=True))
    x[:, 0] = -0.5 - x[:, 0].abs()
    return Towards(), [half, ball], x


@pytest.mark.parametrize("kind", ["drift", "step", "gate"])
def test_filters_hold_in_3072_dimensions(kind: str) -> None:
    """Every particle counted after every step; unfiltered, both fractions end far above their tolerances."""
    h, steps, βs, φ = 0.005, 100, np.array([0.05, 0.10]), Sigmoid(0.2, 0.2)
    energy, sets, x = high()
    n = x.shape[0]
    assert (torch.stack([φ.value(s(x)).mean() for s in sets]).numpy() < φ.level * βs).all()
    if kind == "gate":
        free = simulate(energy, sets, βs.tolist(), "none", x, step_size=h, steps=steps)
        assert (free.fraction[-1] > 2 * βs).all(), free.fraction[-1]
    settings = {} if kind == "gate" else {"smoothing": φ}
    run = simulate(energy, sets, βs.tolist(), kind, x, step_size=h, steps=steps, **settings)
    assert (run.shortfall < 1e-6).all()
    if kind == "drift":
        # a promise in expectation: E φ strays by the noise of n particles, √(E‖∇φ‖²/(αn)) ≤ √(φ̄/(4w²·αn)),
        # around its limit
        stray = np.sqrt(φ.level * βs / (4 * φ.width**2 * 5.0 * n))
        assert (run.mean < φ.level * βs + 4 * stray).all(), (run.mean.max(0), φ.level * βs, stray)
        assert (run.multiplier[-1] > 0).all()
    else:
        assert (np.round(run.fraction * n) <= [budget(β, n) for β in βs.tolist()]).all()
        if kind == "step":
            assert (run.mean <= φ.level * βs).all() and (run.mean[-1] > 0.8 * φ.level * βs).all()
