"""Particles carried from a Gaussian to an energy: annealed sequential Monte Carlo along U_s = (1 − s)U₀ + sU, s from 0 to 1.

In coordinates where U₀ = ½‖y‖² and with D = U − U₀, one level is three things, done in several independent islands side by side:

    reweight   w = e^{−Δs D}, Δs the largest step whose effective share (Σw)²/(nΣw²) is still SHARE
    resample   systematically, so that particles that fit U_s better are kept more often; modes keep their masses
    move       a few Metropolis-adjusted Langevin steps for U_s, their size kept at the best acceptance

Weights make the cloud right whether or not the moves cross between modes: masses are settled early on, while all modes are still one.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from barriers.coordinates import Coordinates
from lem_safe.energies.base import Energy
from lem_safe.energies.pulled import in_coordinates
from lem_safe.faults import NumericalFailure
from lem_safe.keys import Key

SHARE = 0.9
"""The share of the particles that one reweighting leaves effective."""
ACCEPTANCE = 0.6
"""Of a Metropolis-adjusted Langevin step: close to the best in any dimension."""
LEVELS = 2000
"""More levels than any energy needs that a Gaussian can be carried to."""
WIDER = 30.0
"""How much wider than what is found another look starts: a mode that far off, in standard deviations of the first, is not missed."""
UNSEEN = 20.0
"""Nats below the best estimate of log Z from which a start has found nothing that counts."""
WIDEN = 1.25
"""How much wider than the particles a fitted Gaussian is taken, in standard deviations: its tails must hold the energy's."""


class Level(NamedTuple):
    """One s: the mean and the variance of D = U − U₀ over each island's particles."""

    s: float
    mean: Float[Tensor, "r"]
    variance: Float[Tensor, "r"]


class Annealed(NamedTuple):
    """The cloud at s = 1 in data units, every level from s = 0 on, and each island's unbiased estimate of Z/Z₀, as a logarithm."""

    x: Float[Tensor, "r n d"]
    levels: tuple[Level, ...]
    log_ratio: Float[Tensor, "r"]


@torch.no_grad()
def anneal(
    energy: Energy, reference: Coordinates, key: Key, *, islands: int, particles: int, moves: int = 4, share: float = SHARE
) -> Annealed:
    """Carries N(offset, matrix matrixᵀ) of `reference` to e^{−U}, float64.

    Raises NumericalFailure where U is not finite, or does not confine what is carried.
    """
    U, n, d = in_coordinates(energy, reference), islands * particles, energy.dimension
    y = key.fold("start").normal(torch.empty(n, d, dtype=torch.float64))
    state, s, h = _Cloud.at(U, y), 0.0, 1.0 / max(1.0, d) ** (1 / 3)
    levels, log_ratio = [_level(0.0, state.D[None], islands)], torch.zeros(islands, dtype=torch.float64)
    for k in range(LEVELS):
        Δ = _step(state.D, 1 - s, share)
        s = 1.0 if s + Δ >= 1 else s + Δ
        logits = (-Δ * state.D).view(islands, particles)
        log_ratio += logits.logsumexp(1) - math.log(particles)
        state = state.rows(_systematic(logits, key.fold("resample", k)))
        seen = []
        for j in range(moves):
            state, accepted = _move(U, state, s, h, key.fold("move", k, j))
            h *= math.exp(0.5 * (accepted - ACCEPTANCE))
            seen.append(state.D)
        levels.append(_level(s, torch.stack(seen), islands))
        if s == 1.0:
            return Annealed(reference(state.y).view(islands, particles, d), tuple(levels), log_ratio)
    raise NumericalFailure(
        f"annealing stopped at s = {s:.3g} after {LEVELS} levels: e^-U has no mass that a Gaussian can be carried to"
    )


def fit(
    energy: Energy, start: Coordinates, key: Key, *, rounds: int = 3, spread: float = 3.0, particles: int = 2048
) -> Coordinates:
    """A Gaussian fitted to e^{−U}, as the coordinates in which it is standard: short annealed runs, each from the fit before.

    The first begins at N(0, spread² I) of `start`.
    """
    found = Coordinates(start.offset, spread * start.matrix.double())
    for k in range(rounds):
        found = _fitted(anneal(energy, found, key.fold("fit", k), islands=1, particles=particles, moves=3, share=0.8).x[0])
    return found


def cover(energy: Energy, starts: Sequence[Coordinates], key: Key, *, particles: int = 512) -> Coordinates:
    """A Gaussian fitted to all of e^{−U} that several starts find together, each N(offset, matrix matrixᵀ), and a wider look around each.

    One start ends in the mode it meets first; clouds that miss UNSEEN nats of mass do not count. Raises NumericalFailure where no start
    leads anywhere.
    """
    clouds: list[tuple[float, Tensor]] = []
    failed: NumericalFailure | None = None
    for i, start in enumerate(starts):
        found = start
        for k in range(3):
            try:
                run = anneal(energy, found, key.fold("cover", i, k), islands=1, particles=particles, moves=3, share=0.8)
            except NumericalFailure as error:  # so far out that U is not finite
                failed = error
                break
            clouds.append((log_z_of(found) + float(run.log_ratio[0]), run.x[0]))
            found = _fitted(run.x[0], WIDER if k == 0 else WIDEN)
    if not clouds:
        raise failed or NumericalFailure("annealing needs at least one start")
    best = max(mass for mass, _ in clouds)
    joined = _fitted(torch.cat([x for mass, x in clouds if mass > best - UNSEEN]))
    return fit(energy, joined, key.fold("joined"), rounds=1, spread=1.0, particles=4 * particles)


def log_z_of(reference: Coordinates) -> float:
    """log Z₀ of U₀ = ½‖y‖², y = L⁻¹(x − m):  (d/2) log 2π + log|det L|."""
    return 0.5 * reference.dimension * math.log(2 * math.pi) + float(torch.linalg.slogdet(reference.matrix).logabsdet)


def _fitted(x: Float[Tensor, "n d"], widen: float = WIDEN) -> Coordinates:
    """The coordinates in which draws x are standard, or narrower than that by `widen`."""
    Σ = torch.cov(x.T).view(x.shape[1], -1)
    floor = 1e-12 * Σ.diagonal().clamp(min=Σ.diagonal().amax() * 1e-12).clamp(min=1e-300)
    return Coordinates(x.mean(0), widen * torch.linalg.cholesky(Σ + torch.diag(floor)))


@torch.no_grad()
def settle(energy: Energy, coordinates: Coordinates, x: Float[Tensor, "n d"], steps: int, key: Key) -> Float[Tensor, "n d"]:
    """Particles x in data units after so many Metropolis-adjusted Langevin steps for U: each within the modes it can reach."""
    U, h = in_coordinates(energy, coordinates), 0.1
    state = _Cloud.at(U, coordinates.inverse(x))
    for k in range(steps):
        state, accepted = _move(U, state, 1.0, h, key.fold(k))
        h *= math.exp(0.5 * (accepted - ACCEPTANCE))
    return coordinates(state.y)


class _Cloud(NamedTuple):
    """Particles y, D = U − U₀ there, and ∇U."""

    y: Tensor
    D: Tensor
    gradient: Tensor

    @staticmethod
    def at(U: Energy, y: Tensor) -> "_Cloud":
        value, gradient = U.value_and_gradient(y)
        return _Cloud(y, value - 0.5 * y.square().sum(1), gradient)

    def rows(self, index: Tensor) -> "_Cloud":
        return _Cloud(*(part[index] for part in self))

    def tilted(self, s: float) -> tuple[Tensor, Tensor]:
        """U_s and ∇U_s."""
        return 0.5 * self.y.square().sum(1) + s * self.D, (1 - s) * self.y + s * self.gradient


def _move(U: Energy, state: _Cloud, s: float, h: float, key: Key) -> tuple[_Cloud, float]:
    """One Metropolis-adjusted Langevin step of size h for U_s, and the mean acceptance."""
    u, g = state.tilted(s)
    ξ = key.fold("noise").normal(state.y)
    there = _Cloud.at(U, state.y - h * g + math.sqrt(2 * h) * ξ)
    v, back = there.tilted(s)
    returned = (state.y - there.y + h * back).square().sum(1) / (4 * h)
    log_odds = u - v + 0.5 * ξ.square().sum(1) - returned
    log_odds = torch.where(log_odds.isfinite(), log_odds, -torch.inf)
    taken = key.fold("accept").uniform(u).log() < log_odds
    mixed = (torch.where(taken if a.ndim == 1 else taken[:, None], b, a) for a, b in zip(state, there, strict=True))
    return _Cloud(*mixed), float(log_odds.clamp(max=0).exp().mean())


def _step(D: Tensor, left: float, share: float) -> float:
    """The largest Δs ≤ left whose weights keep `share` of the particles effective, by bisection on log Δs."""
    if not D.isfinite().all():
        raise NumericalFailure("annealing met an energy that is not finite")

    def effective(Δ: float) -> float:
        logits = -Δ * D
        return math.exp(float(2 * logits.logsumexp(0) - (2 * logits).logsumexp(0))) / D.shape[0]

    if effective(left) >= share:
        return left
    low, high = math.log(1e-12), math.log(left)
    for _ in range(40):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if effective(math.exp(middle)) >= share else (low, middle)
    return math.exp(low)


def _systematic(logits: Tensor, key: Key) -> Tensor:
    """The rows kept, of all islands: each by its weight within its own island, with one uniform number an island."""
    r, n = logits.shape
    edges = torch.softmax(logits, 1).cumsum(1)
    at = (torch.arange(n, dtype=logits.dtype) + key.uniform(logits[:, :1])) / n
    index = torch.searchsorted(edges, at).clamp(max=n - 1)
    return (index + n * torch.arange(r)[:, None]).flatten()


def _level(s: float, D: Tensor, islands: int) -> Level:
    """The moments of D over an island's particles and all moves, D [moves, n]."""
    grouped = D.view(D.shape[0], islands, -1).transpose(0, 1).flatten(1)
    return Level(s, grouped.mean(1), grouped.var(1))
