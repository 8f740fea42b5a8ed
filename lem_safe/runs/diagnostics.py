"""What the report shows besides the counts: energies of the clouds, the landscape in two dimensions, rows of
the training data.
"""

import numpy as np

from barriers.arrays import Tensor, torch
from barriers.subspace import Subspace
from lem_safe.energies.base import Energy
from lem_safe.report.ranges import interval
from lem_safe.runs.problem import Problem

GRID = 160
ROWS = 20_000
"""The largest number of rows of data kept for plots."""


def diagnostics(problem: Problem, clouds: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The arrays of diagnostics.npz: `energy`, `reference_energy`, `data`, `data_energy`, and for d = 2
    `grid0`, `grid1`, `landscape`.

    Empty where only the score is known. Energies are in nats, up to the energy's constant; `clouds` hold
    saved samples [n, d] in data units.
    """
    if not problem.potential.has_values:
        return {}
    found = {"energy": _energy(problem, clouds["samples"])}
    if "reference" in clouds:
        found["reference_energy"] = _energy(problem, clouds["reference"])
    if problem.data is not None:
        found["data"] = problem.data.values[:ROWS].numpy()
        if not (problem.scenario.given and isinstance(problem.coordinates, Subspace)):
            found["data_energy"] = _energy(problem, found["data"])
    if problem.coordinates.dimension == 2 and problem.coordinates.affine:
        seen = np.concatenate([*clouds.values(), *([found["data"]] if "data" in found else [])])
        ends = [interval([seen[:, i]], 0.0005) for i in range(2)]
        axes = [
            np.linspace(low - 0.12 * (high - low), high + 0.12 * (high - low), GRID) for low, high in ends
        ]
        points = np.stack(np.meshgrid(*axes, indexing="ij"), -1).reshape(-1, 2)
        found |= {
            "grid0": axes[0],
            "grid1": axes[1],
            "landscape": _energy(problem, points).reshape(GRID, GRID),
        }
    return found


def _energy(problem: Problem, x: np.ndarray) -> np.ndarray:
    z = problem.coordinates.inverse(torch.from_numpy(x).to(problem.device)).to(problem.dtype)
    return _values(problem.potential, z).double().numpy(force=True)


def _values(potential: Energy, z: Tensor) -> Tensor:
    with torch.no_grad():
        return torch.cat([potential(block) for block in z.split(16384)])
