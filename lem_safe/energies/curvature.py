"""Lower bounds of the curvature of an energy: κ with ∇²U ⪰ κI everywhere (L.2).

A mixture of normal distributions with one covariance: in coordinates where that is I, ∇²U = I − Cov_p(m), and
the covariance of points at most D apart is at most D²/4, so κ = 1 − D²/4 there: positive while the means are
within two standard deviations of each other.
"""

from jaxtyping import Float

from barriers.arrays import Tensor, torch

ROUNDING = 8.0
"""The rounding of a computed smallest eigenvalue, in units of that of the largest one, per dimension."""


def congruent(floor: float, matrix: Float[Tensor, "d d"]) -> float:
    """The lower bound for MᵀHM where H ⪰ floor · I."""
    scales = torch.linalg.svdvals(matrix.double())
    return floor * float(scales.min() if floor >= 0 else scales.max()) ** 2


def least_eigenvalue(matrix: Float[Tensor, "d d"]) -> float:
    """A lower bound of the smallest eigenvalue of a symmetric matrix, rounding included: at most 0 where it
    is singular.
    """
    λ = torch.linalg.eigvalsh(matrix.double())
    lost = ROUNDING * len(λ) * torch.finfo(λ.dtype).eps * float(λ.abs().max())
    return float(λ[0]) - lost


def floor_of_mixture(means: Float[Tensor, "k d"], whitener: Float[Tensor, "d d"]) -> float:
    """κ of a mixture of normal distributions around `means` with one covariance; whitener: W, WᵀW is its
    inverse.
    """
    y = means.double() @ whitener.double().T
    D = float(torch.cdist(y, y).max())
    return congruent(1 - D * D / 4, whitener)


def greatest(*floors: float | None) -> float | None:
    """The largest of several lower bounds; None where there is none."""
    return max((floor for floor in floors if floor is not None), default=None)
