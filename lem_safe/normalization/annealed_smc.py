"""Particles carried from one distribution to another: annealed sequential Monte Carlo along U_s = (1 − s)U₀ +
sU, s from 0 to 1.

In coordinates y, where U₀ is normalised and of size 1, and with D = U − U₀, one level has three steps, done
in several independent islands in parallel:

    reweight   w = e^{−Δs D}, Δs the largest step whose effective share (Σw)²/(nΣw²) is still SHARE
    resample   systematically, so that particles that fit U_s better are kept more often; modes keep their
               masses
    move       a few Metropolis-adjusted Langevin steps for U_s, with adapted size; with MIXED moves sizes
               differ between particles, and scale moves alternate

U₀ is a fitted Gaussian, or any other distribution with exact draws. Weights make the cloud correct whether or
not the moves cross between modes: masses are settled early, while all modes are still connected. Regions that
no particle of U₀ leads to are missed.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

from jaxtyping import Float

from barriers.arrays import Tensor, torch
from barriers.coordinates import Coordinates
from lem_safe.energies.base import Energy, Tractable
from lem_safe.energies.gaussian import Gaussian
from lem_safe.energies.pulled import in_coordinates
from lem_safe.errors import NumericalFailure
from lem_safe.keys import Key
from lem_safe.normalization.annealed_cloud import Cloud, Path, adapted, langevin, scale, step_size

SHARE = 0.9
"""The share of the particles that one reweighting leaves effective."""
ACCEPTANCE = 0.6
"""The acceptance rate of a Metropolis-adjusted Langevin step: close to optimal in any dimension."""
LEVELS = 2000
"""More levels than any energy needs that can be reached from a Gaussian."""
WIDER = 30.0
"""How much wider than the first fit a second search starts: a mode at that distance, in standard deviations
of the first, is not missed.
"""
UNSEEN = 20.0
"""Nats below the best estimate of log Z from which on the result of a start is ignored."""
MIXED = 2.0
"""The logarithm of the largest factor of a particle's step size where moves are mixed."""
WIDEN = 1.25
"""How much wider than the particles a fitted Gaussian is, in standard deviations: its tails must cover the
energy's.
"""


class Level(NamedTuple):
    """One s: the mean and the variance of D = U − U₀ over each island's particles."""

    s: float
    mean: Float[Tensor, "r"]
    variance: Float[Tensor, "r"]


class Annealed(NamedTuple):
    """The cloud at s = 1 in data units, every level from s = 0 on, and each island's unbiased estimate of
    Z/Z₀, as a logarithm.
    """

    x: Float[Tensor, "r n d"]
    levels: tuple[Level, ...]
    log_ratio: Float[Tensor, "r"]


@torch.no_grad()
def anneal(
    energy: Energy,
    reference: Coordinates,
    key: Key,
    *,
    islands: int,
    particles: int,
    moves: int = 4,
    share: float = SHARE,
    base: Tractable | None = None,
    spread: float = 0.0,
) -> Annealed:
    """Transports `base`, over the coordinates `reference`, to e^{−U}, float64; by default N(0, I) over them.

    islands, particles: independent groups, and the particles of each. moves: Langevin steps per level. share:
    the effective share that a reweighting keeps. spread: MIXED, or 0. Raises NumericalFailure where U is not
    finite, or does not confine the particles.
    """
    n, d = islands * particles, energy.dimension
    path = Path(base or Gaussian([0.0] * d, 1.0), in_coordinates(energy, reference))
    like = torch.empty(n, d, dtype=torch.float64)
    cloud = path.at(
        key.fold("start").normal(like) if base is None else base.sample(key.fold("start").generator(), n)
    )
    s, h, log_ratio = 0.0, step_size(d), torch.zeros(islands).double()
    levels = [_level(0.0, cloud.D[None], islands)]
    for k in range(LEVELS):
        Δ = _step(cloud.D, 1 - s, share)
        s = 1.0 if s + Δ >= 1 else s + Δ
        logits = (-Δ * cloud.D).view(islands, particles)
        log_ratio += logits.logsumexp(1) - math.log(particles)
        cloud = cloud.rows(_systematic(logits, key.fold("resample", k)))
        moved = _moved(path, cloud, s, h, [key.fold("move", k, j) for j in range(moves)], spread)
        cloud, h = moved.cloud, moved.step_size
        if spread:
            cloud = scale(path, cloud, s, key.fold("scale", k))
        levels.append(_level(s, moved.D, islands))
        if s == 1.0:
            return Annealed(reference(cloud.y).view(islands, particles, d), tuple(levels), log_ratio)
    raise NumericalFailure(
        f"annealing stopped at s = {s:.3g} after {LEVELS} levels: e^-U has no mass that a Gaussian can be "
        "carried to"
    )


class _Moved(NamedTuple):
    """The cloud after several moves, the step size adapted by them, and D after each, [moves, n]."""

    cloud: Cloud
    step_size: float
    D: Float[Tensor, "moves n"]


def _moved(path: Path, cloud: Cloud, s: float, h: float, keys: Sequence[Key], spread: float) -> _Moved:
    """One Langevin move for U_s with each of the keys."""
    seen = []
    for key in keys:
        cloud, accepted = langevin(path, cloud, s, h, key, spread)
        h = adapted(h, accepted, ACCEPTANCE)
        seen.append(cloud.D)
    return _Moved(cloud, h, torch.stack(seen))


def fit(
    energy: Energy,
    start: Coordinates,
    key: Key,
    *,
    rounds: int = 3,
    spread: float = 3.0,
    particles: int = 2048,
) -> Coordinates:
    """A Gaussian fitted to e^{−U}, as the coordinates in which it is standard: short annealed runs, each from
    the previous fit.

    The first begins at N(0, spread² I) of `start`.
    """
    found = Coordinates(start.offset, spread * start.matrix.double())
    for k in range(rounds):
        found = fitted(
            anneal(energy, found, key.fold("fit", k), islands=1, particles=particles, moves=3, share=0.8).x[0]
        )
    return found


class Covered(NamedTuple):
    """A Gaussian fitted to all particles together, and one to each cloud that counts."""

    all: Coordinates
    each: tuple[Coordinates, ...]


def cover(energy: Energy, starts: Sequence[Coordinates], key: Key, *, particles: int = 512) -> Covered:
    """Gaussians fitted to e^{−U} from several starts, each N(offset, matrix matrixᵀ), and from a wider search
    around each.

    One start ends in the mode it meets first; clouds more than UNSEEN nats below the best do not count.
    Raises NumericalFailure where every start fails.
    """
    clouds: list[tuple[float, Tensor]] = []
    failed: NumericalFailure | None = None
    for i, start in enumerate(starts):
        found = start
        for k in range(3):
            try:
                run = anneal(
                    energy, found, key.fold("cover", i, k), islands=1, particles=particles, moves=3, share=0.8
                )
            except NumericalFailure as error:  # U is not finite so far out
                failed = error
                break
            clouds.append((log_volume(found) + float(run.log_ratio[0]), run.x[0]))
            found = fitted(run.x[0], WIDER if k == 0 else WIDEN)
    if not clouds:
        raise failed or NumericalFailure("annealing needs at least one start")
    best = max(mass for mass, _ in clouds)
    kept = [x for mass, x in clouds if mass > best - UNSEEN]
    whole = fit(
        energy, fitted(torch.cat(kept)), key.fold("joined"), rounds=1, spread=1.0, particles=4 * particles
    )
    return Covered(whole, tuple(fitted(x) for x in kept))


def log_volume(reference: Coordinates) -> float:
    """log|det L| of y = L⁻¹(x − m): log ∫e^{−U} dx minus log ∫e^{−U} dy."""
    return float(torch.linalg.slogdet(reference.matrix.double()).logabsdet)


def fitted(x: Float[Tensor, "n d"], widen: float = WIDEN) -> Coordinates:
    """The coordinates in which draws x are standard, or narrower by the factor `widen`."""
    Σ = torch.cov(x.T).view(x.shape[1], -1)
    floor = 1e-12 * Σ.diagonal().clamp(min=Σ.diagonal().amax() * 1e-12).clamp(min=1e-300)
    return Coordinates(x.mean(0), widen * torch.linalg.cholesky(Σ + torch.diag(floor)))


@torch.no_grad()
def settle(
    energy: Energy, coordinates: Coordinates, x: Float[Tensor, "n d"], steps: int, key: Key
) -> Float[Tensor, "n d"]:
    """Particles x in data units after `steps` Metropolis-adjusted Langevin steps for U: each within the modes
    it can reach.
    """
    path, h = Path(Gaussian([0.0] * energy.dimension, 1.0), in_coordinates(energy, coordinates)), 0.1
    cloud = path.at(coordinates.inverse(x))
    for k in range(steps):
        cloud, accepted = langevin(path, cloud, 1.0, h, key.fold(k))
        h = adapted(h, accepted, ACCEPTANCE)
    return coordinates(cloud.y)


def _step(D: Tensor, left: float, share: float) -> float:
    """The largest Δs ≤ left whose weights keep `share` of the particles effective, by bisection on log Δs."""
    if bool((D.isnan() | (-torch.inf == D)).any()) or not bool(D.isfinite().any()):
        raise NumericalFailure("annealing met an energy that is not finite")

    def effective(Δ: float) -> float:
        logits = -Δ * D
        return math.exp(float(2 * logits.logsumexp(0) - (2 * logits).logsumexp(0))) / D.shape[0]

    if effective(left) >= share:
        return left
    low, high = math.log(1e-12), math.log(left)
    guess = (
        math.sqrt(-math.log(share) / max(float(D[D.isfinite()].var()), 1e-300)) if D.shape[0] > 1 else left
    )
    if guess < left and effective(guess / 4) >= share > effective(
        4 * guess
    ):  # where D is nearly normal, this saves trials
        low, high = math.log(guess / 4), min(high, math.log(4 * guess))
    while high - low > 1e-3:
        middle = 0.5 * (low + high)
        low, high = (middle, high) if effective(math.exp(middle)) >= share else (low, middle)
    return math.exp(low)


def _systematic(logits: Tensor, key: Key) -> Tensor:
    """The rows kept, of all islands: each by its weight within its island, with one uniform number per
    island.
    """
    r, n = logits.shape
    edges = torch.softmax(logits, 1).cumsum(1)
    at = (torch.arange(n, dtype=logits.dtype) + key.uniform(logits[:, :1])) / n
    index = torch.searchsorted(edges, at).clamp(max=n - 1)
    return (index + n * torch.arange(r)[:, None]).flatten()


def _level(s: float, D: Tensor, islands: int) -> Level:
    """The moments of D over an island's particles and all moves, D [moves, n]."""
    grouped = D.view(D.shape[0], islands, -1).transpose(0, 1).flatten(1)
    return Level(s, grouped.mean(1), grouped.var(1))
