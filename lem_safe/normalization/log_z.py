"""log Z = log ∫e^{−U}, by annealing from several distributions U₀ that are fitted to the energy (O.4, O.5),
and disjunctions aligned by it (C.3).

    log Z = −∫₀¹ g(s) ds,   g(s) = E_s[U − U₀],   g′(s) = −Var_s(U − U₀),   U_s = (1 − s)U₀ + sU,
        U₀ normalised
    log Z = log E Π_k mean e^{−Δs_k (U − U₀)},   of every island separately

The first is thermodynamic integration: the trapezoid rule with its end correction, whose error per interval
is h⁵g⁗/720: h(g₀ + g₁)/2 − h²(g′₁ − g′₀)/12; its quadrature error is the difference from every second level,
over 15. The second is unbiased in Z whatever the moves are, and finite where U − U₀ has no moments. The
islands of one run share U₀, its coordinates and the schedule, so their spread measures only resampling and
correlated moves; of both estimates of a run the one with the smaller spread is used.

No error bar covers a mode, a neck or a tail that no particle visited. So runs differ in everything that one
run's islands share (`Route`): a Gaussian fitted to everything found; a Student t of one degree of freedom,
APART times as wide, with moves of mixed sizes; a mixture fitted place by place. The result is their weighted
mean, and its error includes their spread; where they differ by more, or the final particles are not in
equilibrium (`equilibrium`), NumericalFailure is raised.
"""

import math
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import NamedTuple

from jaxtyping import Float

from barriers.arrays import Tensor, torch
from barriers.coordinates import Coordinates, identity
from lem_safe.energies.base import Energy, Tractable
from lem_safe.energies.disjunction import Disjunction
from lem_safe.energies.gaussian_mixture import GaussianMixture
from lem_safe.energies.normaliser import known_log_z
from lem_safe.energies.student_t import StudentT
from lem_safe.errors import NumericalFailure
from lem_safe.keys import Key
from lem_safe.normalization.annealed_smc import (
    MIXED,
    Annealed,
    Covered,
    Level,
    anneal,
    cover,
    fitted,
    log_volume,
    settle,
)
from lem_safe.normalization.equilibrium import balance, must_balance
from lem_safe.normalization.tails import check_tails

ISLANDS, PARTICLES, SHARE = 16, 2048, 0.99
"""Defaults: sixteen islands leave a relative noise of a fifth on the error bar itself, and levels this close
keep the quadrature error small.
"""
ALIGNING = 512
"""Particles per island when terms are aligned: an error of .01 nats changes a mode's mass by a hundredth."""

APART, SECOND, AGREE, SIGMAS = 4.0, 512, 0.05, 4.0
"""How much wider the second run starts, the largest number of particles per island of the other runs, and the
difference allowed between two runs: nats in addition to standard errors.
"""
COARSER = 0.9, 0.95
"""The effective share of particles that the schedules of the other runs keep."""
PLACES, NEIGHBOURS, WIDE = 12, 8, 2.0
"""The number of places in the third run's mixture, the points per dimension that each is fitted to, and how
much wider the mixture is.
"""
UNSURE = 0.25
"""The error in nats from which on a result is refused."""


@dataclass(frozen=True)
class LogZ:
    """log Z in nats, with one standard error.

    value: over all runs. error: Monte Carlo, quadrature and the spread between runs combined. quadrature: its
    part of that.
    annealed: log of the mean of the first run's unbiased estimates of Z. levels: the number of values of s.
    runs:
    the result of every run, with its own error.
    """

    value: float
    error: float
    quadrature: float
    annealed: float
    levels: int
    runs: tuple[tuple[float, float], ...] = ()


class Run(NamedTuple):
    """The result of one run: its value with the error measured over its islands, and the parts
    of that error.
    """

    value: float
    error: float
    quadrature: float
    annealed: float
    levels: int


def log_z(
    energy: Energy,
    key: Key,
    *,
    start: Coordinates | None = None,
    islands: int = ISLANDS,
    particles: int = PARTICLES,
    moves: int = 4,
) -> LogZ:
    """log ∫e^{−U} dx over data units; e^{−U} must be integrable.

    start: coordinates in which the energy's mass is near the origin and of size 1; x itself by default. The
    mass is searched from three and ninety times that width, and from the terms' own centres or draws. Mass
    far outside all of these is not found, and not counted. Raises NumericalFailure where runs from different
    distributions disagree, or where their final particles are not in equilibrium.
    """
    found = cover(energy, _starts(energy, start or identity(energy.dimension)), key.fold("reference"))
    places, few = _places(energy, found, key.fold("places")), min(particles, SECOND)

    def carried(route: Route, name: str, particles: int) -> Annealed:
        return anneal(
            energy, key=key.fold(name), islands=islands, particles=particles, moves=moves, **route._asdict()
        )

    routes = [
        (Route(found.all, None, SHARE), "anneal", particles),
        (Route(found.all, places, COARSER[1], MIXED / 2), "places", particles),
    ]
    clouds = [(route, carried(route, name, n)) for route, name, n in routes]
    wide = Route(found.all, StudentT([0.0] * energy.dimension, APART, 1.0), COARSER[0], MIXED)
    with suppress(NumericalFailure):  # too wide a start to be transported: this run is left out
        clouds.append((wide, carried(wide, "wide", few)))
    must_balance(
        [balance(energy, found.all, cloud, key.fold("balance", k)) for k, (_, cloud) in enumerate(clouds)]
    )
    runs = [_judged(route, cloud) for route, cloud in clouds]
    first = runs[0]
    value, error = together([(run.value, run.error) for run in runs])
    return LogZ(
        value,
        error,
        first.quadrature,
        first.annealed,
        first.levels,
        tuple((run.value, run.error) for run in runs),
    )


def together(runs: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """The mean of numbers weighted by their errors, and its error: multiplied by the spread of the runs in
    units of their errors where that is above 1.

    The precision of one run counts only as far as a second one confirms it: the error is at least that of as
    many runs like the second best.

    Raises NumericalFailure where any two differ by more than AGREE plus SIGMAS errors, or where the error is
    above UNSURE (O.5).
    """
    v, e = torch.tensor(runs, dtype=torch.float64).T
    e = e.clamp(min=1e-12)
    said = ", ".join(f"{value:.3f} ± {error:.3f}" for value, error in runs)
    apart = (v[:, None] - v).abs() - AGREE - SIGMAS * (e[:, None].square() + e.square()).sqrt()
    if bool((apart > 0).any()) or not bool(v.isfinite().all()):
        raise NumericalFailure(
            f"log Z is {said} from runs that start from different distributions: some of them have missed "
            "a mode, a narrow neck or a tail; "
            "give log_normalizers, or start: coordinates in which the mass is of size 1"
        )
    w = e**-2
    mean = float((w * v).sum() / w.sum())
    spread = float((w * (v - mean).square()).sum()) / max(1, len(runs) - 1)
    confirmed = float(e.sort().values[1]) / math.sqrt(len(runs)) if len(runs) > 1 else 0.0
    error = max(float(w.sum() ** -0.5) * max(1.0, math.sqrt(spread)), confirmed)
    if not error < UNSURE:
        raise NumericalFailure(
            f"log Z is known to {error:.2g} nats at best, from {said}: take more particles, or give "
            "log_normalizers"
        )
    return mean, error


class Route(NamedTuple):
    """The start of one run, over the coordinates `reference`, and the spacing of its levels."""

    reference: Coordinates
    base: Tractable | None
    share: float
    spread: float = 0.0


def _judged(route: Route, found: Annealed) -> Run:
    """The result of a run, by the better of its two estimates."""
    islands = len(found.log_ratio)
    volume, each = log_volume(route.reference), integrate(found.levels)
    quadrature = abs(float((each - integrate(_every_second(found.levels))).mean())) / 15
    widened = (
        math.sqrt((islands - 1) / (islands - 3)) if islands > 3 else 2.0
    )  # of Student's t: the spread of few islands is itself uncertain
    integral = widened * math.hypot(float(each.std()) / math.sqrt(islands), quadrature)
    pooled, own = volume + _pooled(found), widened * _pooled_error(found)
    if route.base is None and integral < 2 * own:
        return Run(volume + float(each.mean()), max(integral, own), quadrature, pooled, len(found.levels))
    return Run(pooled, own, 0.0, pooled, len(found.levels))


def _places(energy: Energy, found: Covered, key: Key) -> Tractable:
    """A mixture over the coordinates `found.all`: of the overall fit, of every cloud's, and of the
    surroundings of the energy's own points.
    """
    d, reference = energy.dimension, found.all
    own = reference.inverse(settle(energy, reference, energy.typical_points(), 20, key))
    fits = [identity(d, torch.float64), *(_seen_from(reference, c) for c in found.each)]
    k = NEIGHBOURS * d
    if len(own) > k:
        far = own[:1]
        while len(far) < PLACES:
            far = torch.cat([far, own[torch.cdist(own, far).amin(1).argmax()][None]])
        near = torch.cdist(far, own).topk(k, largest=False).indices
        fits += [fitted(own[rows], WIDE) for rows in near]
    means, Σ = torch.stack([c.offset for c in fits]), torch.stack([c.matrix @ c.matrix.T for c in fits])
    return GaussianMixture(means.tolist(), covariances=Σ.tolist())


def _seen_from(reference: Coordinates, c: Coordinates) -> Coordinates:
    """The Gaussian of c over the coordinates `reference`."""
    return Coordinates(
        reference.inverse(c.offset[None])[0], reference.inverse_matrix.double() @ c.matrix.double()
    )


def _starts(energy: Energy, start: Coordinates) -> list[Coordinates]:
    """Three times and ninety times as wide as `start`, and around the energy's own points."""
    x = energy.typical_points()
    center = x.median(0).values
    spread = (x - center).abs().quantile(0.9, 0)
    own = torch.where(spread > 0, 2 * spread, start.matrix.double().norm(dim=1))
    return [
        *(Coordinates(start.offset, k * start.matrix.double()) for k in (3.0, 90.0)),
        Coordinates(center, torch.diag(own)),
    ]


def integrate(levels: Sequence[Level]) -> Float[Tensor, "r"]:
    """−∫g ds for every island (O.4), by the corrected trapezoid rule."""
    total = torch.zeros_like(levels[0].mean)
    for a, b in zip(levels, levels[1:], strict=False):
        h = b.s - a.s
        total -= h * (a.mean + b.mean) / 2 + h**2 * (b.variance - a.variance) / 12
    return total


def align(energy: Energy, key: Key, *, start: Coordinates | None = None) -> list[LogZ]:
    """Sets, for every disjunction inside `energy` that lacks them, the log Z of its terms (C.3), innermost
    first.

    Returns the measured values, without terms known in closed form. Raises BadInput for a term that cannot be
    normalised.
    """
    measured: list[LogZ] = []
    for k, part in enumerate(reversed(list(energy.modules()))):  # modules come parents first
        if not isinstance(part, Disjunction) or part.aligned:
            continue
        normalizers = []
        for i, term in enumerate(part.members()):
            known = known_log_z(term)
            if known is None:
                check_tails(term, start or identity(term.dimension))
                measured.append(log_z(term, key.fold("align", k, i), start=start, particles=ALIGNING))
                known = measured[-1].value
            normalizers.append(known)
        part.align(normalizers)
    return measured


def _pooled(found: Annealed) -> float:
    return float(found.log_ratio.logsumexp(0)) - math.log(found.log_ratio.shape[0])


def _pooled_error(found: Annealed) -> float:
    """The error of the logarithm of a mean: the standard deviation of the estimates over their
    mean, over √r.
    """
    weights = (found.log_ratio - found.log_ratio.max()).exp()
    return float(weights.std() / weights.mean()) / math.sqrt(len(weights))


def _every_second(levels: Sequence[Level]) -> list[Level]:
    return [*levels[:-1:2], levels[-1]]
