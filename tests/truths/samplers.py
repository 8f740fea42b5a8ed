"""The kernels of the samplers: one step against its formula, chances against densities, Itô terms against a
half-space's own (E, F.3).
"""

import math

import torch
from torch import Tensor

from barriers.filters import EnsembleFilter, Gate
from barriers.functionals import smooth_mass
from barriers.sets import HalfSpace
from barriers.surrogates import Sigmoid
from lem_safe.energies import GaussianMixture
from lem_safe.keys import Key
from lem_safe.samplers import (
    Annealed,
    Flow,
    Info,
    Mala,
    ParallelTempering,
    Preconditioned,
    Sampler,
    State,
    Underdamped,
    adaptation,
    parallel_tempering,
)
from lem_safe.samplers.adaptation import Adaptation, Tuned, before_warm_up
from lem_safe.samplers.metropolis import langevin_move
from truths.clouds import F64, close, cloud

U = GaussianMixture([[1.0, 0.0], [-1.0, 0.5]], 0.7)
M = [[2.0, 0.4], [0.4, 0.5]]
C = torch.linalg.inv(torch.tensor(M, dtype=F64))
_GATE = Gate([HalfSpace([1.0, 0.0], 0.0)], [0.5])


def _gradient(x: Tensor) -> Tensor:
    return U.value_and_gradient(x)[1]


def _noise(step: Sampler, x: Tensor, drift: Tensor) -> Tensor:
    """The covariance of what one step adds to x + drift."""
    after, _ = step.step(Key(3), step.init(x))
    return (after.x - x - drift).T.cov()


def flow_step() -> None:
    """x' = x − h∇U (E.5)."""
    x, sampler = cloud(30), Flow(U, 0.1)
    close(sampler.step(Key(0), sampler.init(x))[0].x, x - 0.1 * _gradient(x))


def metric_step() -> None:
    """x' − x + hM⁻¹∇U has covariance 2hM⁻¹ (E.10)."""
    n, h = 40_000, 0.05
    x = cloud(n)
    found = _noise(Preconditioned(U, h, M), x, -h * _gradient(x) @ C)
    error = ((C.diagonal()[:, None] * C.diagonal() + C.square()) / n).sqrt()
    assert ((found / (2 * h) - C).abs() < 4 * error).all()


def hot_step() -> None:
    """x' − x + h∇U has covariance 2hT, T = T₀ at first and 1 at the end (E.6)."""
    n, h, x = 40_000, 0.05, cloud(40_000)
    sampler = Annealed(U, h, 10, temperature=9.0)
    for k, T in ((0, 9.0), (9, 1.0)):
        state = sampler.init(x)
        state = state._replace(own=state.own._replace(step=torch.tensor(k)))
        found = (sampler.step(Key(3), state)[0].x - x + h * _gradient(x)).var(0) / (2 * h * T)
        assert ((found - 1).abs() < 4 * math.sqrt(2 / n)).all()


def inertia() -> None:
    """From rest, p = −h∇U, v' − cp ~ N(0, 1 − c²), x' = x + ½h(p + v') (E.7); who was sent back returns with
    −p.
    """
    n, h, γ = 40_000, 0.2, 0.7
    x, sampler = cloud(n), Underdamped(U, h, γ)
    after, _ = sampler.step(Key(3), sampler.init(x))
    p, v, c = -h * _gradient(x), after.own.velocity, math.exp(-γ * h)
    close(after.x, x + h / 2 * (p + v))
    assert (((v - c * p).var(0) / (1 - c * c) - 1).abs() < 4 * math.sqrt(2 / n)).all()
    held = Underdamped(U, h, γ, None, _Hold())
    back, _ = held.step(Key(3), held.init(x))
    close(back.x, x)
    close(back.own.velocity, -p)


class _Hold:
    """Sends everybody back."""

    hook, couples, limits = "step", False, torch.full((1,), torch.nan)

    def init(self, x: Tensor) -> None:
        return None

    def apply(self, x: Tensor, y: Tensor, h: float, u: Tensor, memory: None) -> tuple[Tensor, None, None]:
        return x, None, None


def metropolis() -> None:
    """a = ρ(y)q(x|y) / ρ(x)q(y|x), with ρ = e^{−U/T} (E.8)."""
    h, T, x, ξ = 0.4, 1.6, 1.5 * cloud(500), cloud(500, seed=1)
    move = langevin_move(U, x, h, torch.full((500,), T, dtype=F64), ξ, torch.zeros(500, dtype=F64))
    y = x - h * _gradient(x) + math.sqrt(2 * h * T) * ξ
    there, back = (
        torch.exp(-s.square().sum(1) / (4 * h * T))
        for s in (ξ * math.sqrt(2 * h * T), x - y + h * _gradient(y))
    )
    a = torch.exp((U(x) - U(y)) / T) * back / there
    assert 0.1 < float((a < 1).double().mean()) < 0.9
    close(move.chance, a.clamp(max=1))


def metropolis_in_a_metric() -> None:
    """The same with proposals N(x − hM⁻¹∇U, 2hM⁻¹), by their densities (E.25)."""
    h, x, sampler = 0.4, 1.5 * cloud(500), Mala(U, 0.4, metric=M)
    key = Key(3)
    after, info = sampler.step(key, sampler.init(x))
    L = torch.linalg.cholesky(C)
    y = x - h * _gradient(x) @ C + math.sqrt(2 * h) * key.fold("noise").normal(x) @ L.T

    def log_q(to: Tensor, at: Tensor) -> Tensor:
        mean = at - h * _gradient(at) @ C
        return torch.distributions.MultivariateNormal(mean, 2 * h * C).log_prob(to)

    a = torch.exp(U(x) - U(y) + log_q(x, y) - log_q(y, x))
    assert 0.1 < float((a < 1).double().mean()) < 0.95
    close(info.accepted, a.clamp(max=1))
    taken = key.fold("accept").uniform(x[:, 0]) < a
    close(after.x, torch.where(taken[:, None], y, x))


def carried() -> None:
    """What a state knows of U and ∇U is what its particles have, whoever a gate has sent back (E.8, E.12)."""
    for sampler in (
        Mala(U, 0.3, step_filter=_GATE),
        Mala(U, 0.3, step_filter=_GATE, metric=M),
        ParallelTempering(U, 0.3, [2.0, 4.0], step_filter=_GATE),
    ):
        state, refused = sampler.init(cloud(200)), 0
        for k in range(6):
            before = state.x
            state, _ = sampler.step(Key(2).fold(k), state)
            refused += int((state.x == before).all(1).sum())
            tempered = isinstance(state.own, parallel_tempering.Ladder)
            known = state.own.known if tempered else state.own
            x = torch.cat([state.x, state.own.hotter.flatten(0, 1)]) if tempered else state.x
            close(known.energy, U(x))
            close(known.gradient, _gradient(x))
        assert refused > 20


def swap() -> None:
    """a = ρ_a(y)ρ_b(x) / ρ_a(x)ρ_b(y), with ρ_a = e^{−U/T_a} (E.12)."""
    x, y, T = cloud(200), 2 * cloud(200, seed=1), (1.0, 2.5)
    a = torch.exp((U(x) - U(y)) / T[0] + (U(y) - U(x)) / T[1])
    close(parallel_tempering.swap_log_ratio(U(x), U(y), *T).exp(), a)


def ito_terms() -> None:
    """E[∇φ·u + tr(C∇²φ)] = α(κβ − E φ) where the filter acts: for φ(a − x₀) the trace is φ''C₀₀ (F.3)."""
    half, φ, α, β, x = HalfSpace([1.0, 0.0], 0.5), Sigmoid(0.3), 4.0, 0.1, cloud(3000)
    chosen = EnsembleFilter(smooth_mass([half], [φ], [β]), α)
    rise = α * (φ.level * β - float(φ.value(half(x)).mean()))
    p, eye = φ.profile(half(x)), torch.eye(2, dtype=F64)
    noises = [
        (Preconditioned(U, 1e-9, M, chosen), C),
        (Flow(U, 1e-9, chosen), 0 * eye),
        (Annealed(U, 1e-9, 10, 6.0, 1.0, chosen), 6 * eye),
    ]
    for sampler, noise in noises:
        after, info = sampler.step(Key(3), sampler.init(x))
        quiet, _ = type(sampler)(U, 1e-9, *_rest(sampler)).step(Key(3), sampler.init(x))
        u = (after.x - quiet.x) / 1e-9 - _gradient(x) @ (C if isinstance(sampler, Preconditioned) else eye)
        found = float((-p.first * u[:, 0] + p.second * noise[0, 0]).mean())
        assert float(info.drift.multipliers[0]) > 0
        assert abs(found - rise) < 1e-4 * (1 + abs(rise))  # differences of positions over 1e-9


def _rest(sampler: Sampler) -> tuple[object, ...]:
    """The arguments of the same sampler without its filter."""
    if isinstance(sampler, Preconditioned):
        return (M,)
    return (10, 6.0, 1.0) if isinstance(sampler, Annealed) else ()


def warm_up() -> None:
    """Dual averaging finds the root of a falling acceptance curve, e^{−h} = .6 at h = .51 (E.9)."""

    def kernel(key: Key, state: State, h: float) -> tuple[State, Info]:
        return state, Info(torch.zeros(()), accepted=torch.full((4,), math.exp(-h)))

    state = before_warm_up(State(cloud(4)), 0.01)
    for _ in range(300):
        state, info = adaptation.tuned_step(kernel, Adaptation(300, 0.6), 0.01, Key(0), state)
        assert info.warming
    own: Tuned = state.own
    _, info = adaptation.tuned_step(kernel, Adaptation(300, 0.6), 0.01, Key(0), state)
    assert own.pilot is None and not info.warming
    assert abs(info.step_size - math.log(1 / 0.6)) < 0.02
