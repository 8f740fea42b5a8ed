"""Distributions in one and two dimensions whose KL projection is known by quadrature, in the cells of a
histogram.

The total variation of samples is half the sum of |share − mass| over the cells, a lower bound of that of the
densities. Of M independent draws of the projection itself it would be about Σ √(2p(1 − p)/(πM))/2, the floor;
`beyond` is what is left of a measured one, √(TV² − floor²).
"""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from barriers.filters.base import insides
from barriers.patterns import distinct
from barriers.projection import tilt
from barriers.sets import Ball, Box, HalfSpace, UnsafeSet
from lem_safe.energies import Gaussian, GaussianMixture
from lem_safe.energies.base import Energy
from lem_safe.keys import Key

F64 = torch.float64
POINTS = {1: 2_000_000, 2: 1600}
"""Points of the quadrature along each axis, the midpoints of as many pieces of [−6, 6]."""
Masses = Float[np.ndarray, "cells"]
Start = Callable[[Key, int], Float[Tensor, "n d"]]


class Truth(NamedTuple):
    """What is sampled from `start`, at most `betas` inside `sets`; a chain has at most longest/h steps.

    edges: of the cells along each axis. A cell has one pattern of membership.
    """

    name: str
    energy: Energy
    sets: Sequence[UnsafeSet]
    betas: Sequence[float]
    start: Start
    edges: Float[np.ndarray, "e"]
    longest: float

    @property
    def cells(self) -> int:
        """How many cells there are."""
        return int((len(self.edges) + 1) ** self.energy.dimension * 2 ** len(self.sets))

    def cell(self, x: Float[Tensor, "n d"]) -> Int[np.ndarray, "n"]:
        """The cell of each row."""
        found = np.zeros(len(x), dtype=np.int64)
        for column in x.numpy(force=True).T:
            found = found * (len(self.edges) + 1) + np.searchsorted(self.edges, column, side="right")
        for inside in insides(self.sets, x).numpy(force=True).T:
            found = 2 * found + inside
        return found

    def counts(self, x: Float[Tensor, "n d"]) -> Int[np.ndarray, "cells"]:
        """How many rows each cell has."""
        return np.bincount(self.cell(x), minlength=self.cells)


def exact(truth: Truth) -> Masses:
    """The masses of the cells under the KL projection (G.4): e^{−U} on a grid, each pattern of membership
    weighed as the dual says; a tolerance of 0 leaves nothing inside.
    """
    d = truth.energy.dimension
    axis = 12 * (torch.arange(POINTS[d], dtype=F64) + 0.5) / POINTS[d] - 6
    grid = torch.cartesian_prod(*[axis] * d).reshape(-1, d)
    weights = torch.cat([(-truth.energy.double()(part)).exp() for part in grid.split(1 << 20)])
    truth.energy.float()
    inside = insides(truth.sets, grid)
    for beta, column in zip(truth.betas, inside.T, strict=True):
        weights = weights * ~column if beta == 0 else weights
    weights = weights / weights.sum()
    if min(truth.betas) > 0:
        patterns, which = distinct(inside)
        masses = torch.bincount(which, weights, len(patterns))
        solved = tilt(patterns.double(), torch.tensor(truth.betas, dtype=F64), masses).weights
        weights = weights * (solved / masses)[which]
    return np.bincount(truth.cell(grid), weights.numpy(), truth.cells)


def total_variation(counts: Int[np.ndarray, "cells"], masses: Masses) -> float:
    """Of the shares from the masses."""
    return float(np.abs(counts / counts.sum() - masses).sum() / 2)


def floor(masses: Masses, draws: float) -> float:
    """What so many independent draws of the masses themselves have on average."""
    return float(np.sqrt(2 * masses * (1 - masses) / (math.pi * draws)).sum() / 2)


def beyond(measured: float, least: float) -> float:
    """What a total variation has beyond its floor."""
    return math.sqrt(max(0.0, measured**2 - least**2))


def around(center: Sequence[float], std: float) -> Start:
    """A normal start."""
    at = torch.tensor(center)
    return lambda key, n: at + std * key.normal(torch.empty(n, len(at)))


HEXAGON = [[1.5 * math.cos(math.pi * k / 3), 1.5 * math.sin(math.pi * k / 3)] for k in range(6)]
SQUARES = np.round(np.arange(-3.75, 3.76, 0.75), 10)
TRUTHS: dict[str, Truth] = {
    "line": Truth(
        "N(0, 1), x ≥ .5, β .1",
        Gaussian([0.0], 1.0),
        [HalfSpace([1.0], 0.5)],
        [0.1],
        around([-1.0], 0.5),
        np.round(np.arange(-3.5, 3.51, 0.25), 10),
        10.0,
    ),
    "hexagon": Truth(
        "six modes, ball, β .06",
        GaussianMixture(HEXAGON, 0.5),
        [Ball([1.5, 0.0], 0.8)],
        [0.06],
        around([-1.5, 0.0], 0.3),
        SQUARES,
        20.0,
    ),
    "overlapping": Truth(
        "N(0, I), two balls that overlap, β .08 and .05",
        Gaussian([0.0, 0.0], 1.0),
        [Ball([-0.5, 0.0], 0.8), Ball([0.5, 0.0], 0.8)],
        [0.08, 0.05],
        around([0.0, 2.0], 0.3),
        SQUARES,
        10.0,
    ),
}
INTERVAL = Truth(
    "N(0, 1) on [1, 3]",
    Gaussian([0.0], 1.0),
    [~Box([1.0], [3.0])],
    [0.0],
    lambda key, n: torch.zeros(n, 1),
    np.round(np.arange(1.0, 3.01, 0.1), 10),
    40.0,
)
"""The one-dimensional example of Chamon et al.: every chain starts at 0, outside of the interval."""
