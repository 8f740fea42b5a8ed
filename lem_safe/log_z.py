"""log Z = log ∫e^{−U}, by thermodynamic integration from a Gaussian U₀ fitted to the energy (O.4), and disjunctions aligned by it (C.3).

    log Z = log Z₀ − ∫₀¹ g(s) ds,   g(s) = E_s[U − U₀],   g′(s) = −Var_s(U − U₀),   U_s = (1 − s)U₀ + sU

The integral is the trapezoid rule with its end correction, whose error per interval is h⁵g⁗/720:  h(g₀ + g₁)/2 − h²(g′₁ − g′₀)/12.
Every island of the annealing is integrated for itself. Islands share nothing, so their spread is the Monte Carlo error with all that
makes it (resampling, correlated moves, the masses of modes); the quadrature error is the difference to every second level, over 15.

No error bar knows of a mode that no particle saw. So the Gaussian is fitted to what several starts find, wide ones among them and one where
the terms say they are, and at the end a second run from a Gaussian APART times as wide must agree, or there is no number at all.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from barriers.coordinates import Coordinates, identity
from lem_safe.annealing import Annealed, Level, anneal, cover, log_z_of
from lem_safe.energies.base import Energy
from lem_safe.energies.disjunction import Disjunction, known_log_z
from lem_safe.faults import NumericalFailure
from lem_safe.growth import points
from lem_safe.keys import Key
from lem_safe.tails import check_tails

ISLANDS, PARTICLES, SHARE = 16, 2048, 0.99
"""By default: sixteen islands leave a fifth of noise on the error bar itself, and levels that close make the quadrature error small."""
ALIGNING = 512
"""Particles an island when terms are aligned: a hundredth of a nat is a hundredth of a mode's mass."""

APART, SECOND, AGREE = 4.0, 256, 0.1
"""How much wider the second Gaussian is, its particles an island, and the nats by which the two may differ beside 5 standard errors."""


@dataclass(frozen=True)
class LogZ:
    """log Z in nats, with one standard error.

    value: by thermodynamic integration. error: of Monte Carlo and quadrature together. quadrature: its part of that.
    annealed: log of the mean of the islands' unbiased estimates of Z, another way to the same number. levels: how many s there were.
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

    start: coordinates in which the energy's mass is about the origin, of size 1; x itself by default. It is looked for from three and
    ninety times as wide, and from where the terms' own centres or draws are. What lies far outside all of these is not found, and not
    counted. Raises NumericalFailure where a second run, from a Gaussian four times as wide as the one fitted, finds another number.
    """
    reference = cover(energy, _starts(energy, start or identity(energy.dimension)), key.fold("reference"))
    found = anneal(energy, reference, key.fold("anneal"), islands=islands, particles=particles, moves=moves, share=SHARE)
    log_z0 = log_z_of(reference)
    each = integrate(found.levels)
    quadrature = abs(float((each - integrate(_every_second(found.levels))).mean())) / 15
    monte_carlo = float(each.std()) / math.sqrt(islands)
    value, error = log_z0 + float(each.mean()), math.hypot(monte_carlo, quadrature)
    _must_agree(value, error, energy, reference, key.fold("second"))
    return LogZ(value, error, quadrature, log_z0 + _pooled(found), len(found.levels))


def _starts(energy: Energy, start: Coordinates) -> list[Coordinates]:
    """Three times and ninety times as wide as `start`, and around the energy's own points."""
    x = points(energy)
    center = x.median(0).values
    spread = (x - center).abs().quantile(0.9, 0)
    own = torch.where(spread > 0, 2 * spread, start.matrix.double().norm(dim=1))
    return [*(Coordinates(start.offset, k * start.matrix.double()) for k in (3.0, 90.0)), Coordinates(center, torch.diag(own))]


def _must_agree(value: float, error: float, energy: Energy, reference: Coordinates, key: Key) -> None:
    wide = Coordinates(reference.offset, APART * reference.matrix)
    try:
        second = anneal(energy, wide, key, islands=8, particles=SECOND, moves=4, share=0.9)
    except NumericalFailure:  # so wide that U is not finite there: no second opinion
        return
    each = log_z_of(wide) + integrate(second.levels)
    apart, sure = float(each.mean()) - value, math.hypot(error, float(each.std()) / math.sqrt(len(each)))
    if abs(apart) > AGREE + 5 * sure:
        raise NumericalFailure(
            f"log Z is {value:.3f} ± {error:.3f} from one Gaussian and {value + apart:.3f} from one {APART:g} times as wide: one of them has "
            "missed a mode; give log_normalizers, or start: coordinates in which the mass is of size 1"
        )


def integrate(levels: Sequence[Level]) -> Float[Tensor, "r"]:
    """−∫g ds of every island (O.4), by the corrected trapezoid rule."""
    total = torch.zeros_like(levels[0].mean)
    for a, b in zip(levels, levels[1:], strict=False):
        h = b.s - a.s
        total -= h * (a.mean + b.mean) / 2 + h**2 * (b.variance - a.variance) / 12
    return total


def align(energy: Energy, key: Key, *, start: Coordinates | None = None) -> list[LogZ]:
    """Gives every disjunction inside `energy` that lacks them the log Z of its terms (C.3), the innermost first.

    Returns what was measured; terms known in closed form are not. Raises BadInput for a term that nothing normalises.
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


def _every_second(levels: Sequence[Level]) -> list[Level]:
    return [*levels[:-1:2], levels[-1]]
