"""log Z = log ∫e^{−U}, by thermodynamic integration from a Gaussian U₀ fitted to the energy (O.4), and disjunctions aligned by it (C.3).

    log Z = log Z₀ − ∫₀¹ g(s) ds,   g(s) = E_s[U − U₀],   g′(s) = −Var_s(U − U₀),   U_s = (1 − s)U₀ + sU

The integral is the trapezoid rule with its end correction, whose error per interval is h⁵g⁗/720:  h(g₀ + g₁)/2 − h²(g′₁ − g′₀)/12.
Every island of the annealing is integrated for itself. Islands share nothing, so their spread is the Monte Carlo error with all that
makes it (resampling, correlated moves, the masses of modes); the quadrature error is the difference to every second level, over 15.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from barriers.coordinates import Coordinates, identity
from lem_safe.annealing import Annealed, Level, anneal, fit
from lem_safe.energies.base import Energy
from lem_safe.energies.disjunction import Disjunction, known_log_z
from lem_safe.keys import Key
from lem_safe.tails import check_tails

ISLANDS, PARTICLES, SHARE = 16, 2048, 0.99
"""By default: sixteen islands leave a fifth of noise on the error bar itself, and levels that close make the quadrature error small."""
ALIGNING = 512
"""Particles an island when terms are aligned: a hundredth of a nat is a hundredth of a mode's mass."""


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

    start: coordinates in which the energy's mass is about the origin, of size 1; x itself by default. The Gaussian is fitted from
    three times as wide. Modes that lie far outside it are not found, and not counted.
    """
    reference = fit(energy, start or identity(energy.dimension), key.fold("reference"))
    found = anneal(energy, reference, key.fold("anneal"), islands=islands, particles=particles, moves=moves, share=SHARE)
    log_z0 = log_z_of(reference)
    each = integrate(found.levels)
    quadrature = abs(float((each - integrate(_every_second(found.levels))).mean())) / 15
    monte_carlo = float(each.std()) / math.sqrt(islands)
    return LogZ(
        log_z0 + float(each.mean()), math.hypot(monte_carlo, quadrature), quadrature, log_z0 + _pooled(found), len(found.levels)
    )


def log_z_of(reference: Coordinates) -> float:
    """log Z₀ of U₀ = ½‖y‖², y = L⁻¹(x − m):  (d/2) log 2π + log|det L|."""
    return 0.5 * reference.dimension * math.log(2 * math.pi) + float(torch.linalg.slogdet(reference.matrix).logabsdet)


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
