"""The log-Sobolev constant C of a distribution, KL ≤ I/(2C) (L.2), and its origin.

Bakry–Émery: C = κ where ∇²U ⪰ κI, κ > 0. Holley–Stroock: C = C₀e^{−osc} where U is a bounded perturbation of
an energy with C₀, osc its largest value minus its smallest. Measured: valid for one run and never a bound.
"""

import math
from dataclasses import dataclass
from typing import Literal

Origin = Literal["Bakry-Emery", "Holley-Stroock", "measured", "given"]


@dataclass(frozen=True)
class Constant:
    """C in 1/time, and its origin: a theorem's name, `measured`, or `given` by the scenario."""

    value: float
    origin: Origin

    def __str__(self) -> str:
        return f"C = {self.value:.4g} ({self.origin})"

    def kl_at_most(self, information: float) -> float:
        """KL ≤ I/(2C) (L.2), in nats; only an estimate for a measured C."""
        return information / (2 * self.value)


def bakry_emery(floor: float | None) -> Constant | None:
    """C = κ where the curvature is at least κ > 0."""
    return Constant(floor, "Bakry-Emery") if floor is not None and floor > 0 else None


def holley_stroock(base: float, oscillation: float) -> Constant:
    """C₀e^{−osc} for a perturbation of an energy with constant `base` by a function that varies by at most
    `oscillation` nats.
    """
    if not (base > 0 and oscillation >= 0):
        raise ValueError(
            f"holley_stroock: needs a constant > 0 and an oscillation >= 0; got {base:g} and {oscillation:g}"
        )
    return Constant(base * math.exp(-oscillation), "Holley-Stroock")


def greater(*constants: Constant | None) -> Constant | None:
    """The largest of several constants, the first of equal ones; None where there is none."""
    known = [constant for constant in constants if constant is not None]
    return max(known, key=lambda constant: constant.value, default=None)
