"""The principal components of rows: x = m + V diag(σ) z, z with mean 0 and covariance I (E.25).

For rows whose variance is in a few directions, such as paths: waypoints that follow each other are nearly the
same, and an energy in all of them would have to learn that from few rows.
"""

import torch
from jaxtyping import Float64
from torch import Tensor

from barriers.subspace import Subspace


def principal(values: Float64[Tensor, "n d"], components: int) -> Subspace:
    """The coordinates of the first components, those of the largest variance first; the largest entry of each
    direction is positive.
    """
    m = values.mean(0)
    _, σ, axes = torch.linalg.svd(values - m, full_matrices=False)
    V = axes[:components].T
    V = V * torch.sign(V.gather(0, V.abs().argmax(0, keepdim=True)))
    return Subspace(m, V * (σ[:components] / (len(values) - 1) ** 0.5))
