"""The principal components of rows: x = m + V diag(σ) z, z with mean 0 and covariance I (E.26).

For rows whose variance is in a few directions, such as paths: waypoints that follow each other are nearly the
same, and an energy in all of them would have to learn that from few rows.
"""

from jaxtyping import Bool, Float64

from barriers.arrays import Tensor, torch
from barriers.subspace import Subspace

STILL = 1e-12
"""A column is constant where its spread is below this share of its size."""


def still(values: Float64[Tensor, "n d"]) -> Bool[Tensor, "d"]:
    """The columns that are constant."""
    return values.std(0) <= STILL * values.abs().amax(0)


def principal(values: Float64[Tensor, "n d"], components: int) -> Subspace:
    """The coordinates of the first components, those of the largest variance first; the largest entry of each
    direction is positive.
    """
    m, constant = values.mean(0), still(values)
    m[constant] = values[0, constant]
    _, σ, axes = torch.linalg.svd((values - m) * ~constant, full_matrices=False)
    V = torch.where(constant[:, None], 0.0, axes[:components].T)
    V = V * torch.sign(V.gather(0, V.abs().argmax(0, keepdim=True)))
    return Subspace(m, V * (σ[:components] / (len(values) - 1) ** 0.5))
