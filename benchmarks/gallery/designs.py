"""What is measured of designs: how many are invalid, how near to their limits, how many different ones."""

import numpy as np
from jaxtyping import Bool, Float

from benchmarks.designs import sliced_w2

Designs = Float[np.ndarray, "n d"]
NEAR = 0.01
"""The share of a limit within which a design is at it."""


def invalid(margins: Float[np.ndarray, "n m"]) -> Bool[np.ndarray, "n"]:
    """Which designs break a formula; margins are at most 0 where one holds."""
    return ~(margins <= 0).all(1)


def at_a_limit(margins: Float[np.ndarray, "n m"], limits: Float[np.ndarray, "m"]) -> float:
    """The share of designs that hold with less than a hundredth of some limit to spare."""
    within = (margins / limits > -NEAR).any(1) & ~invalid(margins)
    return float(within.mean())


def diversity(x: Designs, exact: Designs) -> float:
    """The mean distance of two designs, over that of exact ones, in their standard deviations."""
    rng = np.random.default_rng(0)

    def apart(rows: Designs) -> float:
        rows = rows / exact.std(0)
        i, j = rng.integers(len(rows), size=(2, 20_000))
        return float(np.linalg.norm(rows[i] - rows[j], axis=1).mean())

    return apart(x) / apart(exact)


def from_exact(x: Designs, exact: Designs) -> float:
    """Sliced W2 from exact designs, over that of two halves of these."""
    found, floor = sliced_w2(x, exact)
    return found / floor
