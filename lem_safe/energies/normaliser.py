"""log ∫e^{−tU} where it is known: in closed form, or as one integral over a line, to full precision (O.6).
Nothing is sampled; each energy computes its own, and each composition uses those of its parts.

    Gaussian    (1 − t)c − (d/2) log t,  c = log Z of ½‖y‖²            banana
        the same, as its map to a Gaussian keeps volume
    Student t   another one: ν′ + d = t(ν + d), where ν′ > 0           sums of Gaussian terms: `gaussian_sum`
    funnel      with m = d − 1:  (m/2) log(2π/t) + ½ log(2πs²/t) + (m(1 − t)s)²/8t − tc
    ring        log S_d ∫r^{d−1}e^{−t(r² − R²)²/8R²s²} dr              double well ∫e^{−tB(u² − 1)²} du, times
                Gaussians

It is preserved by temperatures, shifts, changes of coordinates and disjunctions. The power t is needed
because a tempered energy V/ε is U^{1/ε}.
"""

import math
from collections.abc import Callable

import numpy as np

from lem_safe.energies.base import Energy

PANELS, POINTS, NATS = 64, 32, 700.0
"""The nodes of a Gauss–Legendre rule, and how far below its maximum an integrand is included."""


def known_log_z(energy: Energy) -> float | None:
    """log ∫e^{−U} where it is known: 0 for a normalised family, moved or joined; None where it can only be
    estimated.
    """
    return energy.log_integral()


def log_line_integral(f: Callable[[np.ndarray], np.ndarray], low: float, high: float) -> float:
    """log ∫e^{f} from low to high by Gauss–Legendre on panels."""
    x, w = np.polynomial.legendre.leggauss(POINTS)
    edges = np.linspace(low, high, PANELS + 1)
    half = np.diff(edges)[:, None] / 2
    value = f(edges[:-1, None] + half * (1 + x)) + np.log(half * w)
    top = float(value.max())
    return top + math.log(float(np.exp(value - top).sum()))
