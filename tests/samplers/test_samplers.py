"""Samplers against the laws of their discrete chains: Gaussian moments in closed form, exact laws where a
Metropolis test makes them so.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from problems import standard
from scipy.linalg import solve_discrete_lyapunov
from torch import Tensor

from barriers.derivatives import NotDifferentiable
from lem_safe.energies import DoubleWell, Energy, Gaussian, GaussianMixture, Quadratic, Tempered, Unrolled
from lem_safe.errors import BadInput
from lem_safe.keys import Key
from lem_safe.registry import loads
from lem_safe.samplers import (
    Adaptation,
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
    contraction,
)
from lem_safe.samplers.metric import of_matrix
from lem_safe.samplers.metropolis import langevin_move
from lem_safe.scenario import Scenario

pytestmark = pytest.mark.simulation

F64 = torch.float64
K = [[4.0, 1.0], [1.0, 0.5]]


def draw(n: int, d: int = 2, seed: int = 3) -> Tensor:
    return Key(seed).normal(torch.empty(n, d, dtype=F64))


def follow(
    sampler: Sampler,
    x: Tensor,
    steps: int,
    seed: int = 1,
    each: Callable[[State, Info], None] = lambda state, info: None,
) -> tuple[State, Info]:
    """So many steps that count: a warm-up's are extra."""
    state, k = sampler.init(x), 0
    while k < steps:
        state, info = sampler.step(Key(seed).fold(k), state)
        k += not info.warming
        each(state, info)
    return state, info


def assert_covariance(x: Tensor, expected: Any) -> None:
    """Zero mean and this covariance, each entry within four standard errors of independent Gaussian draws."""
    Σ, n = torch.as_tensor(expected, dtype=F64), x.shape[0]
    variances = Σ.diagonal()
    assert (x.mean(0).abs() < 4 * (variances / n).sqrt()).all(), x.mean(0)
    error = ((variances[:, None] * variances + Σ.square()) / n).sqrt()
    assert ((x.T.cov() - Σ).abs() < 4 * error).all(), (x.T.cov(), Σ)


# --- the discrete chains on quadratics ---


def test_langevin_has_the_variance_of_eulers_chain_not_of_the_equation() -> None:
    h, n = 0.4, 20_000
    state, _ = follow(Langevin(standard(2, F64), h), draw(n), 30)
    assert_covariance(state.x, torch.eye(2) / (1 - h / 2))


def test_the_flow_contracts_by_one_minus_h_each_step() -> None:
    x, h, k = draw(50), 0.1, 25
    state, info = follow(Flow(standard(2, F64), h), x, k)
    torch.testing.assert_close(state.x, (1 - h) ** k * x, rtol=1e-12, atol=0)
    before = (1 - h) ** (k - 1) * x
    torch.testing.assert_close(info.gradient_norm, before.square().sum(1).mean().sqrt())
    torch.testing.assert_close(info.energy, standard(2, F64)(before).mean())


def test_baoab_has_exact_positions_on_a_quadratic_and_the_velocity_of_half_a_kick_before() -> None:
    """var x = 1/λ, var v = 1, cov(x, v) = h/2 solve the chain's own Lyapunov equation, and the chain has
    them.
    """
    n, h, γ, λ = 20_000, 0.6, 1.5, np.array([4.0, 0.5])
    c = math.exp(-γ * h)
    for one in λ:
        kick = np.array([[1.0, 0.0], [-h * one, 1.0]])
        A = np.array([[1.0, h * (1 + c) / 2], [0.0, c]]) @ kick
        noise = math.sqrt(1 - c * c) * np.array([[h / 2], [1.0]])
        expected = np.array([[1 / one, h / 2], [h / 2, 1.0]])
        np.testing.assert_allclose(solve_discrete_lyapunov(A, noise @ noise.T), expected, atol=1e-12)
    sampler = Underdamped(Quadratic([0.0, 0.0], np.diag(λ).tolist()), h, γ)
    state, _ = follow(sampler, draw(n) / torch.as_tensor(λ).sqrt(), 60)
    both = torch.cat([state.x, state.own.velocity], 1)
    Σ = np.block([[np.diag(1 / λ), h / 2 * np.eye(2)], [h / 2 * np.eye(2), np.eye(2)]])
    assert_covariance(both, Σ)


def test_the_positions_are_those_of_baoab_typed_out() -> None:
    """B A O A B with two half kicks a step, from the velocity that has already had its half kick."""
    energy, h, γ, x = GaussianMixture([[1.0, 0.0], [-1.0, 0.5]], 0.7), 0.3, 0.8, draw(40)
    sampler, c = Underdamped(energy, h, γ), math.exp(-γ * h)

    def force(at: Tensor) -> Tensor:
        return -energy.value_and_gradient(at)[1]

    state, q = sampler.init(x), x
    p = state.own.velocity + h / 2 * force(x)
    for k in range(20):
        key = Key(4).fold(k)
        state, _ = sampler.step(key, state)
        p = p + h / 2 * force(q)
        q = q + h / 2 * p
        p = c * p + math.sqrt(1 - c * c) * key.fold("noise").normal(x)
        q = q + h / 2 * p
        p = p + h / 2 * force(q)
        torch.testing.assert_close(state.x, q, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("metric", [K, "hessian", [[1.0, 0.2], [0.2, 2.0]]])
def test_preconditioned_langevin_has_its_own_discrete_covariance(metric: Any) -> None:
    """Σ = (I − hM⁻¹K)Σ(I − hM⁻¹K)ᵀ + 2hM⁻¹; with M = K it is K⁻¹/(1 − h/2)."""
    n, h = 20_000, 0.3
    M = np.array(K if metric == "hessian" else metric)
    A = np.eye(2) - h * np.linalg.solve(M, np.array(K))
    expected = solve_discrete_lyapunov(A, 2 * h * np.linalg.inv(M))
    if not np.array_equal(M, [[1.0, 0.2], [0.2, 2.0]]):
        np.testing.assert_allclose(expected, np.linalg.inv(K) / (1 - h / 2), rtol=1e-9)
    sampler = Preconditioned(Quadratic([0.0, 0.0], K), h, metric)
    state, _ = follow(sampler, draw(n) @ torch.linalg.cholesky(torch.as_tensor(expected)).T, 30)
    assert_covariance(state.x, expected)


def test_preconditioning_is_langevin_in_whitened_coordinates() -> None:
    energy, h, x = GaussianMixture([[1.0, 0.0], [-1.0, 0.5]], 0.7), 0.1, draw(30)
    L = of_matrix(K)
    torch.testing.assert_close(torch.linalg.inv(L @ L.T), torch.tensor(K, dtype=F64))
    state, _ = follow(Preconditioned(energy, h, K), x, 5)
    z = torch.linalg.solve(L, x.T).T
    for k in range(5):
        g = energy.value_and_gradient(z @ L.T)[1] @ L
        z = z - h * g + math.sqrt(2 * h) * Key(1).fold(k).fold("noise").normal(z)
    torch.testing.assert_close(state.x, z @ L.T, rtol=1e-9, atol=1e-9)


def test_the_starting_clouds_covariance_is_the_inverse_metric() -> None:
    x = draw(400) @ torch.tensor([[2.0, 0.3], [0.0, 0.1]], dtype=F64)
    L = Preconditioned(standard(2, F64), 0.1).init(x).own.factor
    torch.testing.assert_close(L @ L.T, x.T.cov(), rtol=1e-9, atol=1e-12)


def test_contraction_is_the_hessians_where_it_is_constant_and_measured_where_not() -> None:
    x = draw(20)
    bare = contraction(Quadratic([0.0, 0.0], K), torch.eye(2, dtype=F64), x)
    λ = np.linalg.eigvalsh(np.array(K))
    assert (bare.rate, bare.stiffest) == pytest.approx((λ[0], λ[1]), rel=1e-12) and bare.origin.startswith(
        "Bakry-Emery"
    )
    best = contraction(
        Tempered(Gaussian([1.0, 0.0], covariance=np.linalg.inv(K).tolist()), 2.0), of_matrix(K), x
    )
    assert (best.rate, best.stiffest) == pytest.approx((0.5, 0.5), rel=1e-9) and best.origin.startswith(
        "Bakry-Emery"
    )
    well = contraction(DoubleWell(2, 1.0, 2.0), torch.eye(2, dtype=F64), x)
    assert well.rate < 0 and well.origin.startswith("measured")


def test_two_particles_of_a_flow_come_together_as_fast_as_the_contraction_says() -> None:
    """‖x − y‖_M shrinks by at most max(|1 − hλ|, |1 − hΛ|) a step, and by just that along the worst
    direction.
    """
    energy, h, M = Quadratic([0.3, -0.2], K), 0.2, torch.tensor([[1.0, 0.2], [0.2, 2.0]], dtype=F64)
    L = of_matrix(M.tolist())
    found = contraction(energy, L, draw(1))

    def apart(δ: Tensor) -> Tensor:
        return torch.einsum("ni,ij,nj->n", δ, M, δ).sqrt()

    x, y = draw(300), draw(300, seed=4)
    step = [at - h * energy.value_and_gradient(at)[1] @ L @ L.T for at in (x, y)]
    shrunk = apart(step[0] - step[1]) / apart(x - y)
    assert (shrunk <= found.factor(h) + 1e-12).all() and float(shrunk.max()) > found.factor(h) - 0.01


# --- exact laws ---


TEN = np.diag(np.linspace(0.3, 3.0, 10)) + 0.1
"""A covariance in ten dimensions, with a common part."""


def ten_dimensional(n: int) -> tuple[Energy, Tensor]:
    """The energy of N(0, TEN), and starts from a wrong law, N(1, ¼I)."""
    return Gaussian([0.0] * 10, covariance=TEN.tolist()), 1 + 0.5 * draw(n, 10)


@pytest.mark.parametrize(
    "make",
    [
        lambda U: Mala(U, 0.1, Adaptation(150, 0.574)),
        lambda U: Underdamped(U, 0.35, 1.5),
        lambda U: ParallelTempering(U, 0.4, [1.5]),
        lambda U: Mala(U, 0.4),
    ],
    ids=["mala, tuned", "underdamped", "parallel_tempering", "mala"],
)
def test_mean_and_covariance_of_a_gaussian_in_ten_dimensions(make: Callable[[Energy], Sampler]) -> None:
    energy, x = ten_dimensional(3000)
    state, _ = follow(make(energy), x, 120)
    assert_covariance(state.x, TEN)


def test_langevin_at_that_step_size_has_another_covariance() -> None:
    """The partner that must fail: the same check finds the bias of the unadjusted chain."""
    energy, x = ten_dimensional(4000)
    state, _ = follow(Langevin(energy, 0.4), x, 150)
    with pytest.raises(AssertionError):
        assert_covariance(state.x, TEN)


MODES, WEIGHT = GaussianMixture([[-1.2, 0.0], [1.2, 0.0]], 0.6, weights=[0.3, 0.7]), 0.7
APART = GaussianMixture([[-3.0, 0.0], [3.0, 0.0]], 0.6, weights=[0.3, 0.7])


@pytest.mark.parametrize(
    ("sampler", "energy"),
    [
        (Mala(MODES, 0.3), MODES),
        (Underdamped(MODES, 0.25, 0.6), MODES),
        (ParallelTempering(APART, 0.25, [2.5, 6.0, 15.0]), APART),
    ],
    ids=["mala", "underdamped", "parallel_tempering"],
)
def test_weights_of_two_modes_from_a_start_in_the_lighter_one(
    sampler: Sampler, energy: GaussianMixture
) -> None:
    n = 2000
    x = torch.tensor(energy.means[0].tolist(), dtype=F64) + 0.6 * draw(n)
    state, _ = follow(sampler, x, 250)
    expected = float((energy.sample(torch.Generator().manual_seed(1), 400_000)[:, 0] > 0).double().mean())
    found = float((state.x[:, 0] > 0).double().mean())
    assert abs(found - expected) < 4 * math.sqrt(WEIGHT * (1 - WEIGHT) / n)


def test_without_hotter_copies_the_modes_keep_the_shares_they_started_with() -> None:
    state, _ = follow(Mala(APART, 0.25), torch.tensor([-3.0, 0.0], dtype=F64) + 0.6 * draw(1000), 200)
    assert float((state.x[:, 0] > 0).double().mean()) < 0.01


def test_annealing_reaches_both_modes_and_ends_as_langevin() -> None:
    x = torch.tensor([-3.0, 0.0], dtype=F64) + 0.6 * draw(2000)
    sampler = Annealed(APART, 0.05, 400, temperature=20.0, cooling=0.8)
    state, _ = follow(sampler, x, 400)
    right = state.x[:, 0] > 0
    assert 0.4 < float(right.double().mean()) < 0.9
    spread = state.x[right].var(0)
    var = 0.36 / (1 - 0.05 / 0.36 / 2)  # Euler's own, inside one mode of stiffness 1/.36
    assert ((spread / var - 1).abs() < 4 * math.sqrt(2 / int(right.sum()))).all()


def test_the_temperature_falls_geometrically_and_then_stays() -> None:
    sampler = Annealed(standard(2, F64), 0.1, 100, temperature=16.0, cooling=0.5)
    assert [sampler.temperature(k) for k in (0, 25, 50, 99)] == pytest.approx([16.0, 4.0, 1.0, 1.0])
    x = torch.zeros(40_000, 1, dtype=F64)
    hot = Annealed(standard(1, F64), 0.1, 100, temperature=16.0, cooling=1.0)
    after = hot.step(Key(1), hot.init(x))[0].x
    assert abs(float(after.var()) / (2 * 0.1 * 16) - 1) < 4 * math.sqrt(2 / 40_000)


# --- the Metropolis test, by brute force ---


def test_the_chance_of_a_step_is_the_ratio_of_densities() -> None:
    """a = ρ(y)q(x|y) / ρ(x)q(y|x), from densities typed out; what is reported, and how often it happens."""
    energy, h, T = GaussianMixture([[1.0, 0.0], [-1.0, 0.5]], 0.7), 0.5, 1.7
    x, ξ, u = 1.5 * draw(4000), draw(4000, seed=9), Key(7).uniform(torch.empty(4000, dtype=F64))
    temperature = torch.full((4000,), T, dtype=F64)
    move = langevin_move(energy, x, h, temperature, ξ, u)
    g = energy.value_and_gradient(x)[1]
    y = x - h * g + math.sqrt(2 * h * T) * ξ
    g_y = energy.value_and_gradient(y)[1]
    variance = 2 * h * T

    def density(to: Tensor, mean: Tensor) -> Tensor:
        return torch.exp(-(to - mean).square().sum(1) / (2 * variance)) / (2 * math.pi * variance)

    a = (
        torch.exp(-energy(y) / T)
        * density(x, y - h * g_y)
        / (torch.exp(-energy(x) / T) * density(y, x - h * g))
    )
    torch.testing.assert_close(move.chance, a.clamp(max=1), rtol=1e-9, atol=1e-12)
    accepted = (move.after.x == y).all(1)
    assert torch.equal(accepted, u < a) and torch.equal(move.after.x[~accepted], x[~accepted])
    torch.testing.assert_close(move.after.energy, energy(move.after.x))
    torch.testing.assert_close(move.after.gradient, energy.value_and_gradient(move.after.x)[1])


def test_a_swap_has_the_chance_of_its_densities() -> None:
    """Two copies, two temperatures: the chance is min(1, ρ_a(y)ρ_b(x) / ρ_a(x)ρ_b(y)), and both sides
    move.
    """
    from lem_safe.samplers.parallel_tempering import swaps

    energy, T = GaussianMixture([[1.0, 0.0], [-1.0, 0.5]], 0.7), (1.0, 3.0)
    x, y = 1.5 * draw(2000), 2.0 * draw(2000, seed=5)
    source, chance = swaps(torch.stack([energy(x), energy(y)]), T, [0], Key(3))
    both = torch.take_along_dim(torch.stack([x, y]), source[..., None], 0)
    a = torch.exp(-energy(y) / T[0] - energy(x) / T[1]) / torch.exp(-energy(x) / T[0] - energy(y) / T[1])
    assert float(chance) == pytest.approx(float(a.clamp(max=1).mean()), rel=1e-12)
    went = (both[0] == y).all(1)
    assert (
        torch.equal(both[1][went], x[went])
        and torch.equal(both[0][~went], x[~went])
        and torch.equal(both[1][~went], y[~went])
    )
    assert abs(float(went.double().mean()) - float(chance)) < 4 * math.sqrt(0.25 / 2000)
    assert went[a >= 1].all()


def test_pairs_take_turns() -> None:
    sampler = ParallelTempering(standard(2, F64), 0.3, [2.0, 4.0, 8.0])
    tried: list[list[bool]] = []
    follow(sampler, draw(50), 3, each=lambda state, info: tried.append(info.swapped.isfinite().tolist()))
    assert tried == [[True, False, True], [False, True, False], [True, False, True]]


def test_the_hotter_copies_have_their_own_laws() -> None:
    """Copy a of N(0, 1) is N(0, T_a)."""
    state, _ = follow(ParallelTempering(standard(1, F64), 0.5, [2.0, 5.0]), draw(8000, 1), 60)
    for copy, T in zip(state.own.hotter, (2.0, 5.0), strict=True):
        assert_covariance(copy, [[T]])


def test_a_particle_stays_where_the_energy_is_no_number() -> None:

    x = torch.full((50, 1), 0.5, dtype=F64)
    sampler = Mala(Walled(), 2.0)
    state, info = follow(sampler, x, 20)
    assert state.x.isfinite().all() and (state.x > 0).all() and info.accepted.isfinite().all()


class Walled(Energy):
    """x²/2 on the positive half line, not a number elsewhere."""

    dimension = 1

    def forward(self, x: Tensor) -> Tensor:
        return torch.where(x[:, 0] > 0, 0.5 * x[:, 0] ** 2, torch.nan)

    def value_and_gradient(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return self(x), x

    def laplacian(self, x: Tensor, directions: Tensor | None = None) -> Tensor:
        return torch.ones_like(x[:, 0])


# --- the warm-up ---


@pytest.mark.parametrize("first", [1e-4, 0.1, 20.0])
@pytest.mark.parametrize("target", [0.574, 0.9])
def test_the_warm_up_finds_the_acceptance_it_aims_at_from_any_first_guess(
    first: float, target: float
) -> None:
    energy = Gaussian([0.0] * 10, 1.0)
    seen: list[float] = []

    def each(state: State, info: Info) -> None:
        if not info.warming:
            seen.append(float(info.accepted.mean()))

    _, info = follow(Mala(energy, first, Adaptation(200, target)), draw(200, 10), 20, each=each)
    assert abs(np.mean(seen) - target) < 0.03
    assert 0.05 < info.step_size < 1.5


# --- what is refused ---


def test_a_metropolis_test_has_no_derivative() -> None:
    x = draw(5).requires_grad_()
    for sampler in (
        Mala(Unrolled(standard(2, F64)), 0.1),
        ParallelTempering(Unrolled(standard(2, F64)), 0.1, [2.0]),
    ):
        with pytest.raises(NotDifferentiable, match="use the sampler langevin"):
            sampler.step(Key(0), sampler.init(x))
    for smooth in (Flow, Underdamped, Preconditioned):
        y = smooth(Unrolled(standard(2, F64)), 0.1).init(x)
        assert smooth(Unrolled(standard(2, F64)), 0.1).step(Key(0), y)[0].x.requires_grad
        with pytest.raises(ValueError, match="Unrolled"):
            smooth(standard(2, F64), 0.1).step(Key(0), y)


TEXT = """\
version: 1
name: small
energy: {kind: gaussian, mean: [0, 0], std: 1}
unsafe:
  right: {kind: half_space, normal: [1, 0], offset: 1}
constraints: [{set: right, beta: 0.05}]
sampler: {SAMPLER, samples: 40, steps: 12, step_size: 0.1}
filter: {kind: gate}
"""


def scenario(sampler: str) -> Scenario:
    return loads(TEXT.replace("SAMPLER", sampler))


@pytest.mark.parametrize(
    ("sampler", "message"),
    [
        (
            "kind: preconditioned, metric: [[1, 2], [2, 1]]",
            r"metric: .*positive definite; its smallest eigenvalue is -1",
        ),
        ("kind: preconditioned, metric: [[1, 0.5], [0, 1]]", "symmetric matrix"),
        ("kind: preconditioned, metric: [[1.0]]", "2 x 2, like the energy"),
        ("kind: preconditioned, metric: hessain", "hessian"),
        ("kind: parallel_tempering, temperatures: [2, 2]", "must rise from above 1"),
        ("kind: parallel_tempering, temperatures: [0.5]", "must be > 1; got 0.5"),
        ("kind: parallel_tempering, temperatures: []", "temperatures"),
        ("kind: annealed, temperature: 0.5", "temperature"),
        ("kind: annealed, cooling: 1.5", "cooling"),
        ("kind: mala, adapt: {steps: 0}", "steps"),
        ("kind: mala, adapt: {target: 1.0}", "target"),
        ("kind: langevin, adapt: {steps: 5}", "adapt"),
        ("kind: underdamped, friction: 0", "friction"),
    ],
)
def test_what_no_sampler_can_be_made_of_is_refused_when_the_scenario_loads(
    sampler: str, message: str
) -> None:
    with pytest.raises(BadInput, match=message) as refused:
        scenario(sampler)
    assert all(fault.line == 7 for fault in refused.value.faults)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Flow(standard(), 0), "Flow: step_size must be > 0; got 0"),
        (lambda: Mala(standard(), math.nan), "Mala: step_size must be > 0; got nan"),
        (lambda: Underdamped(standard(), 0.1, math.inf), "friction must be > 0; got inf"),
        (lambda: Annealed(standard(), 0.1, 10, 0.5), "temperature must be >= 1, the energy's own; got 0.5"),
        (lambda: Annealed(standard(), 0.1, 10, 2.0, 0.0), "cooling must lie in"),
        (lambda: ParallelTempering(standard(), 0.1, [3.0, 2.0]), r"must rise from above 1; got \[3.0, 2.0\]"),
        (
            lambda: Preconditioned(standard(), 0.1, "identity"),
            "covariance, hessian or a matrix; got 'identity'",
        ),
    ],
)
def test_constructors_refuse_with_the_thing_the_rule_and_the_value(
    make: Callable[[], Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        make()


def test_a_metric_that_the_run_does_not_have_is_refused_with_a_way_out() -> None:
    flat = torch.zeros(10, 2, dtype=F64)
    with pytest.raises(BadInput, match=r"covariance needs particles .* use init: \{kind: data\}"):
        Preconditioned(standard(2, F64), 0.1).init(flat)
    trough = Quadratic([0.0, 0.0], [[1.0, 0.0], [0.0, 0.0]])
    with pytest.raises(BadInput, match=r"not positive definite .* use covariance"):
        Preconditioned(trough, 0.1, "hessian").init(draw(10))
