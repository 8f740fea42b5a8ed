"""Which mode of a built-in distribution a point belongs to, and how many there are: to tell wrong shapes from
wrong weights.
"""

import math
from collections.abc import Callable

import numpy as np

Labels = Callable[[np.ndarray], np.ndarray]


def eight_gaussians(x: np.ndarray) -> np.ndarray:
    """The nearest of eight directions."""
    return np.round(np.arctan2(x[:, 1], x[:, 0]) / (math.pi / 4)).astype(int) % 8


def two_moons(x: np.ndarray) -> np.ndarray:
    """The nearer half circle."""
    c = np.array([0.5, 0.25])

    def away(y: np.ndarray) -> np.ndarray:
        """From the arc θ in [0, π] of the unit circle."""
        ends = np.minimum(np.hypot(y[:, 0] - 1, y[:, 1]), np.hypot(y[:, 0] + 1, y[:, 1]))
        return np.where(y[:, 1] > 0, np.abs(np.hypot(y[:, 0], y[:, 1]) - 1), ends)

    return (away(c - x) < away(x + c)).astype(int)


def rings(x: np.ndarray) -> np.ndarray:
    """The nearest of the radii 1, 2, 3."""
    return np.clip(np.round(np.hypot(x[:, 0], x[:, 1])), 1, 3).astype(int) - 1


def checkerboard(x: np.ndarray) -> np.ndarray:
    """The nearest dark square's number, 0 to 7."""
    column, row = np.meshgrid(range(4), range(4), indexing="ij")
    dark = (column + row) % 2 == 0
    centers = np.stack([column[dark], row[dark]], 1) - 1.5
    return np.abs(x[:, None] - centers).max(-1).argmin(1)


def pinwheel(x: np.ndarray) -> np.ndarray:
    """The arm, its winding undone."""
    r = np.hypot(x[:, 0], x[:, 1]) / 2
    θ = np.arctan2(x[:, 1], x[:, 0]) - 0.25 * np.exp(r)
    return np.round(θ / (2 * math.pi / 5)).astype(int) % 5


MODES: dict[str, Labels] = {
    "eight_gaussians": eight_gaussians,
    "two_moons": two_moons,
    "rings": rings,
    "checkerboard": checkerboard,
    "pinwheel": pinwheel,
}
"""For each distribution that has several; the swiss roll is one."""


def reweighted(x: np.ndarray, like: np.ndarray, labels: Labels) -> np.ndarray:
    """x resampled so that every mode has as many points as in `like`: within a mode evenly, in the order x
    came.
    """
    own, theirs = labels(x), labels(like)
    parts = []
    for mode in np.unique(theirs):
        here, count = x[own == mode], int((theirs == mode).sum())
        if len(here):
            parts.append(here[np.arange(count) * len(here) // count])
    found = np.concatenate(parts)
    return found[np.arange(len(like)) * len(found) // len(like)]


def share_error(x: np.ndarray, law: np.ndarray, labels: Labels) -> float:
    """The largest difference of a mode's share in x from its share in `law`."""
    k = int(labels(law).max()) + 1
    return float(
        np.abs(
            np.bincount(labels(x), minlength=k) / len(x) - np.bincount(labels(law), minlength=k) / len(law)
        ).max()
    )
