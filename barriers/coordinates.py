"""Sampler coordinates: x = offset + matrix z, the map between where a sampler moves and the data's units.

Sets, samples and reports speak data units x; step sizes, smoothing widths and multipliers speak sampler coordinates z. A count is
made on the values *as saved* (A.1): mapped in float64, cast once to the dtype of the sample file, read back in float64.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn


class Coordinates(nn.Module):
    """The affine map z ↦ x, with the dtype that samples are saved in.

    `matrix=None` is the identity (analytic energies): then `forward` returns its argument itself.
    """

    offset: Tensor
    matrix: Tensor
    inverse_matrix: Tensor

    def __init__(self, offset: Tensor, matrix: Tensor | None = None, saved_dtype: torch.dtype = torch.float32):
        super().__init__()
        d = offset.shape[0]
        self.identity = matrix is None and bool((offset == 0).all())
        square = torch.eye(d, dtype=torch.float64) if matrix is None else matrix.detach().double()
        if square.shape != (d, d):
            raise ValueError(f"Coordinates: matrix must be {d} x {d}, like the offset; got {tuple(square.shape)}")
        if matrix is not None and _singular(square):
            raise ValueError("Coordinates: matrix must be finite and invertible; drop constant or duplicate columns")
        self.register_buffer("offset", offset.detach().double())
        self.register_buffer("matrix", square)
        self.register_buffer("inverse_matrix", square if matrix is None else torch.linalg.inv(square))
        self.saved_dtype = saved_dtype

    @property
    def scale(self) -> float | None:
        """c where the map is a similarity, ‖x − x'‖ = c ‖z − z'‖; else None."""
        square = self.matrix.T @ self.matrix
        c2 = square.diagonal().mean()
        similar = bool(
            ((square - c2 * torch.eye(self.dimension, dtype=square.dtype, device=square.device)).abs() <= 1e-12 * c2).all()
        )
        return float(c2) ** 0.5 if similar else None

    @property
    def dimension(self) -> int:
        return self.offset.shape[0]

    def forward(self, z: Float[Tensor, "*n d"]) -> Float[Tensor, "*n d"]:
        """x in data units, differentiable, in the dtype of z."""
        if self.identity:
            return z
        return self.offset.to(z.dtype) + z @ self.matrix.T.to(z.dtype)

    def inverse(self, x: Float[Tensor, "*n d"]) -> Float[Tensor, "*n d"]:
        """z, in the dtype of x, computed in float64."""
        if self.identity:
            return x
        return ((x.double() - self.offset.double()) @ self.inverse_matrix.T.double()).to(x.dtype)

    def saved(self, z: Float[Tensor, "*n d"]) -> Float[Tensor, "*n d"]:
        """The data-unit values that a file will hold: mapped in float64, cast once to `saved_dtype`."""
        if self.identity:
            return z.to(self.saved_dtype)
        return (self.offset.double() + z.double() @ self.matrix.T.double()).to(self.saved_dtype)


def _singular(matrix: Float[Tensor, "d d"]) -> bool:
    """Whether some column follows from others; a column in nanometres beside one in light years does not."""
    rows = matrix / matrix.norm(dim=1, keepdim=True)
    return not bool(torch.isfinite(matrix).all() & torch.isfinite(rows).all()) or bool(
        torch.linalg.matrix_rank(rows) < matrix.shape[0]
    )


def identity(dimension: int, saved_dtype: torch.dtype = torch.float32) -> Coordinates:
    """The coordinates of an analytic energy: data units themselves."""
    return Coordinates(torch.zeros(dimension, dtype=torch.float64), saved_dtype=saved_dtype)
