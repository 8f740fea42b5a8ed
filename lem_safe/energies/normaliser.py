"""log ∫e^{−tU} where it is known: in closed form, or as one integral over a line, to the last digits (O.6).
Nothing is sampled.

    Gaussian    (1 − t)c − (d/2) log t,  c = log Z of ½‖y‖²            banana
        the same, as its map to a Gaussian keeps volume
    Student t   another one: ν′ + d = t(ν + d), where ν′ > 0           sums of Gaussian terms: `gaussian_sum`
    funnel      with m = d − 1:  (m/2) log(2π/t) + ½ log(2πs²/t) + (m(1 − t)s)²/8t − tc
    ring        log S_d ∫r^{d−1}e^{−t(r² − R²)²/8R²s²} dr              double well ∫e^{−tB(u² − 1)²} du, times
                Gaussians

Temperatures, shifts, changes of coordinates and disjunctions carry it along. A power t matters because a
tempered energy V/ε is U^{1/ε}.
"""

import math
from collections.abc import Callable
from functools import singledispatch

import numpy as np
import torch

from lem_safe.energies.adjusted import Shifted, Tempered
from lem_safe.energies.banana import Banana
from lem_safe.energies.base import Energy, Tractable
from lem_safe.energies.composed import Combination
from lem_safe.energies.double_well import DoubleWell
from lem_safe.energies.funnel import Funnel
from lem_safe.energies.gaussian import Gaussian
from lem_safe.energies.gaussian_sum import gaussian_sum
from lem_safe.energies.mapped import Mapped
from lem_safe.energies.ring import Ring
from lem_safe.energies.student_t import StudentT
from lem_safe.energies.transported import Transported

PANELS, POINTS, NATS = 64, 32, 700.0
"""Of a Gauss–Legendre rule, and how far down from its top an integrand is followed."""


def known_log_z(energy: Energy) -> float | None:
    """log ∫e^{−U} where it is known: 0 for a normalised family, moved or joined; None where it can only be
    measured.
    """
    return log_power(energy, 1.0)


@singledispatch
def log_power(energy: Energy, t: float) -> float | None:
    """log ∫e^{−tU}, t > 0; None where it is not known, or infinite."""
    if t == 1 and isinstance(energy, Tractable):
        return 0.0
    return _of_terms(energy, t)


@log_power.register
def _gaussian(energy: Gaussian, t: float) -> float | None:
    return (1 - t) * float(energy.log_normalizer) - 0.5 * energy.dimension * math.log(t)


@log_power.register
def _banana(energy: Banana, t: float) -> float | None:
    return (1 - t) * energy.log_normalizer - math.log(t)


@log_power.register
def _student_t(energy: StudentT, t: float) -> float | None:
    if t == 1:
        return 0.0
    d, ν = energy.dimension, energy.degrees
    other = t * (ν + d) - d
    if other <= 0:
        return None
    volume = float(energy.scale.double().log().sum()) + 0.5 * d * math.log(ν * math.pi)
    return volume + math.lgamma(0.5 * other) - math.lgamma(0.5 * (other + d)) - t * energy.log_normalizer


@log_power.register
def _funnel(energy: Funnel, t: float) -> float | None:
    if t == 1:
        return 0.0
    m, s = energy.dimension - 1, energy.scale
    wide = 0.5 * m * math.log(2 * math.pi / t) + 0.5 * math.log(2 * math.pi * s**2 / t)
    return wide + (m * (1 - t) * s) ** 2 / (8 * t) - t * energy.log_normalizer


@log_power.register
def _double_well(energy: DoubleWell, t: float) -> float | None:
    B, end = t * energy.barrier, math.sqrt(1 + math.sqrt(NATS / (t * energy.barrier)))
    across = _log_integral(lambda u: -B * (u**2 - 1) ** 2, -end, end)
    return (
        math.log(energy.well)
        + across
        + 0.5 * (energy.dimension - 1) * math.log(2 * math.pi * energy.std**2 / t)
    )


@log_power.register
def _ring(energy: Ring, t: float) -> float | None:
    d, R, s = energy.dimension, energy.radius, energy.std
    reach = R * s * math.sqrt(8 * (NATS + 20 * d) / t)
    low, high = math.sqrt(max(0.0, R**2 - reach)), math.sqrt(R**2 + reach)
    sphere = math.log(2) + 0.5 * d * math.log(math.pi) - math.lgamma(0.5 * d)
    return sphere + _log_integral(
        lambda r: (d - 1) * np.log(r) - t * (r**2 - R**2) ** 2 / (8 * R**2 * s**2), low, high
    )


@log_power.register
def _tempered(energy: Tempered, t: float) -> float | None:
    return log_power(energy.energy, t / energy.temperature)


@log_power.register
def _shifted(energy: Shifted, t: float) -> float | None:
    return log_power(energy.energy, t)


@log_power.register
def _mapped(energy: Mapped, t: float) -> float | None:
    inner = log_power(energy.energy, t)
    return None if inner is None else inner + (1 - t) * float(energy.log_volume)


@log_power.register
def _transported(energy: Transported, t: float) -> float | None:
    inner = log_power(energy.inner, t)
    return (
        None
        if inner is None
        else inner + float(torch.linalg.slogdet(energy.coordinates.matrix.double()).logabsdet)
    )


@log_power.register
def _sum(energy: Combination, t: float) -> float | None:
    counted = [(w, term) for w, term in zip(energy.weights, energy.members(), strict=True) if w != 0]
    if len(counted) == 1 and counted[0][0] > 0:
        return log_power(counted[0][1], t * counted[0][0])
    return _of_terms(energy, t)


def _of_terms(energy: Energy, t: float) -> float | None:
    terms = gaussian_sum(energy)
    power = terms and terms.power(t)
    return power.log_integral() if power else None


def _log_integral(f: Callable[[np.ndarray], np.ndarray], low: float, high: float) -> float:
    """log ∫e^{f} from low to high by Gauss–Legendre on panels."""
    x, w = np.polynomial.legendre.leggauss(POINTS)
    edges = np.linspace(low, high, PANELS + 1)
    half = np.diff(edges)[:, None] / 2
    value = f(edges[:-1, None] + half * (1 + x)) + np.log(half * w)
    top = float(value.max())
    return top + math.log(float(np.exp(value - top).sum()))
