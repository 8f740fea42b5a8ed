"""Sampler coordinates: x = offset + matrix z, the map from a sampler's coordinates to the data's units.

Sets, samples and reports use data units x; step sizes, smoothing widths and multipliers use sampler
coordinates z. A count is made on the values *as saved* (A.1): mapped in float64, cast once to the dtype of
the sample file, read back in float64; at the point of a row of a file the saved values are the row's own
(A.11).
"""

from collections.abc import Mapping

from jaxtyping import Float

from barriers.anchors import ROUNDING, Anchors, Pins
from barriers.arrays import Tensor, nn, torch


class Coordinates(nn.Module):
    """The affine map z ↦ x, with the dtype that samples are saved in.

    `matrix=None` is the identity (analytic energies): then `forward` returns its argument itself. anchors:
    the points of rows that a run starts from, or None. pins: the columns that are constant over the particles
    of a start, or None.
    """

    affine: bool = True
    """Whether the map is offset + matrix z; another class may have another one."""
    offset: Tensor
    matrix: Tensor
    inverse_matrix: Tensor

    def __init__(
        self, offset: Tensor, matrix: Tensor | None = None, saved_dtype: torch.dtype = torch.float32
    ):
        super().__init__()
        d = offset.shape[0]
        self.identity = matrix is None and bool((offset == 0).all())
        square = torch.eye(d, dtype=torch.float64) if matrix is None else matrix.detach().double()
        if square.shape != (d, d):
            raise ValueError(
                f"Coordinates: matrix must be {d} x {d}, like the offset; got {tuple(square.shape)}"
            )
        if matrix is not None and _singular(square):
            raise ValueError(
                "Coordinates: matrix must be finite and invertible; drop constant or duplicate columns"
            )
        self.register_buffer("offset", offset.detach().double())
        self.register_buffer("matrix", square)
        self.register_buffer("inverse_matrix", square if matrix is None else torch.linalg.inv(square))
        self.saved_dtype = saved_dtype
        self.anchors: Anchors | None = None
        self.pins: Pins | None = None

    @property
    def scale(self) -> float | None:
        """c where the map is a similarity, ‖x − x'‖ = c ‖z − z'‖; else None."""
        square = self.matrix.T @ self.matrix
        c2 = square.diagonal().mean()
        similar = bool(
            (
                (square - c2 * torch.eye(self.dimension, dtype=square.dtype, device=square.device)).abs()
                <= 1e-12 * c2
            ).all()
        )
        return float(c2) ** 0.5 if similar else None

    @property
    def dimension(self) -> int:
        """The number of the sampler's coordinates z."""
        return self.matrix.shape[1]

    @property
    def width(self) -> int:
        """The number of columns x."""
        return self.offset.shape[0]

    def forward(self, z: Float[Tensor, "*n f"]) -> Float[Tensor, "*n d"]:
        """x in data units, differentiable, in the dtype of z."""
        if self.identity:
            return z
        return self.offset.to(z.dtype) + z @ self.matrix.T.to(z.dtype)

    def inverse(self, x: Float[Tensor, "*n d"]) -> Float[Tensor, "*n f"]:
        """z, in the dtype of x, computed in float64."""
        if self.identity:
            return x
        return ((x.double() - self.offset.double()) @ self.inverse_matrix.T.double()).to(x.dtype)

    def saved(self, z: Float[Tensor, "*n f"]) -> Float[Tensor, "*n d"]:
        """The data-unit values that a file will contain: mapped in float64, cast once to `saved_dtype`; at
        the point of a row, the row's own values.
        """
        if self.identity:
            return z.to(self.saved_dtype)
        x = self.offset.double() + z.double() @ self.matrix.T.double()
        if self.pins is not None:
            x = self.pins.instead(x, z.double().abs() @ self.matrix.T.double().abs())
        return (
            x.to(self.saved_dtype)
            if self.anchors is None
            else self.anchors.instead(z, x.to(self.saved_dtype))
        )

    def counted(self, z: Float[Tensor, "*n f"]) -> Float[Tensor, "*n d"]:
        """The values that regions are asked about: those as saved, in float64."""
        return self.saved(z).double()

    def pinned(self, columns: Mapping[int, float], dtype: torch.dtype) -> "Coordinates":
        """The same map, exact in columns that are constant at the start, for a run whose particles are of
        `dtype`.
        """
        if self.identity or not columns:
            return self
        other = self._twin()
        index, values = torch.tensor(list(columns)), torch.tensor(list(columns.values()), dtype=torch.float64)
        other.pins = Pins(
            index.to(self.offset.device), values.to(self.offset.device), ROUNDING + torch.finfo(dtype).eps
        )
        return other

    def anchored(self, rows: Float[Tensor, "N d"], dtype: torch.dtype) -> "Coordinates":
        """The same map with the points of `rows` (data units, float64) as anchors, for a run whose particles
        are of `dtype`.

        Each point is computed from its row alone, so it does not depend on the device or the number of
        threads.
        """
        if self.identity:
            return self
        offset, inverse = self.offset.double().cpu(), self.inverse_matrix.double().cpu()
        centred = rows.cpu() - offset
        z = centred.new_zeros(len(rows), self.dimension)
        for k in range(self.width):
            z += centred[:, k : k + 1] * inverse[:, k]
        other = self._twin()
        other.anchors = Anchors.of(z.to(dtype), rows.cpu().to(self.saved_dtype)).to(self.offset.device)
        return other

    def _twin(self) -> "Coordinates":
        """The same map, without anchors and pins."""
        return Coordinates(self.offset, self.matrix, self.saved_dtype)


def _singular(matrix: Float[Tensor, "d d"]) -> bool:
    """Whether some column is a linear function of others; the columns' units do not matter."""
    rows = matrix / matrix.norm(dim=1, keepdim=True)
    return not bool(torch.isfinite(matrix).all() & torch.isfinite(rows).all()) or bool(
        torch.linalg.matrix_rank(rows) < matrix.shape[0]
    )


def identity(dimension: int, saved_dtype: torch.dtype = torch.float32) -> Coordinates:
    """The coordinates of an analytic energy: data units themselves."""
    return Coordinates(torch.zeros(dimension, dtype=torch.float64), saved_dtype=saved_dtype)
