"""A lower bound of the curvature of an energy: κ with ∇²U ⪰ κI everywhere, where its form tells.

Gaussians and quadratics know it; sums, temperatures, shifts and changes of coordinates carry it along. A
mixture of normal laws with one
covariance: in coordinates where that is I, ∇²U = I − Cov_p(m), and the covariance of points no farther apart
than D is at most D²/4, so κ = 1 − D²/4 there: positive while the means are within two standard deviations of
one another.
"""

from functools import singledispatch

import torch
from torch import Tensor

from lem_safe.energies.adjusted import Shifted, Tempered, Tilted
from lem_safe.energies.base import Energy
from lem_safe.energies.composed import WeightedSum
from lem_safe.energies.double_well import DoubleWell
from lem_safe.energies.gaussian import Gaussian
from lem_safe.energies.gaussian_mixture import GaussianMixture
from lem_safe.energies.pulled import Pulled
from lem_safe.energies.quadratic import Quadratic
from lem_safe.energies.transported import Transported


@singledispatch
def curvature_floor(energy: Energy) -> float | None:
    """The largest κ known with ∇²U ⪰ κI everywhere, negative ones too; None where the form does not tell."""
    return None


@curvature_floor.register
def _gaussian(energy: Gaussian) -> float | None:
    return float(torch.linalg.svdvals(energy.whitener.double()).min() ** 2)


@curvature_floor.register
def _quadratic(energy: Quadratic) -> float | None:
    return float(torch.linalg.eigvalsh(energy.stiffness.double())[0])


@curvature_floor.register
def _mixture(energy: GaussianMixture) -> float | None:
    A = energy.whiteners.double().view(-1, energy.dimension, energy.dimension)
    if not torch.allclose(A, A[:1].expand_as(A), rtol=1e-9, atol=0):
        return None
    y = energy.means.double() @ A[0].T
    D = float(torch.cdist(y, y).max())
    return _congruent(1 - D * D / 4, A[0])


@curvature_floor.register
def _double_well(energy: DoubleWell) -> float | None:
    across = -4 * energy.barrier / energy.well**2
    return across if energy.dimension == 1 else min(across, energy.std**-2)


@curvature_floor.register
def _sum(energy: WeightedSum) -> float | None:
    floors = [curvature_floor(term) for term in energy.members()]
    if any(w < 0 for w in energy.weights) or None in floors:
        return None
    return sum(w * floor for w, floor in zip(energy.weights, floors, strict=True) if floor is not None)


@curvature_floor.register
def _tempered(energy: Tempered) -> float | None:
    floor = curvature_floor(energy.energy)
    return None if floor is None else floor / energy.temperature


@curvature_floor.register(Shifted)
@curvature_floor.register(Tilted)
def _moved(energy: Shifted | Tilted) -> float | None:
    return curvature_floor(energy.energy)


@curvature_floor.register
def _pulled(energy: Pulled) -> float | None:
    floor = curvature_floor(energy.original)
    return None if floor is None else _congruent(floor, energy.coordinates.matrix)


@curvature_floor.register
def _transported(energy: Transported) -> float | None:
    floor = curvature_floor(energy.inner)
    return None if floor is None else _congruent(floor, energy.coordinates.inverse_matrix)


def _congruent(floor: float, matrix: Tensor) -> float:
    """The floor of MᵀHM where H ⪰ floor · I."""
    scales = torch.linalg.svdvals(matrix.double())
    return floor * float(scales.min() if floor >= 0 else scales.max()) ** 2
