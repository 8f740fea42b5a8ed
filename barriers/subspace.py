"""Sampler coordinates of an affine subspace: x = offset + matrix y, y in fewer dimensions than x (E.26).

Two things lead there. Columns that are given a value: the energy conditioned on x_J = v is U on the set of
points that have these values. And rows whose variance is in a few principal components, such as paths: the
energy is learned in these alone.

From coordinates x = m + Mz, the points with x_J = v are z = z₀ + Ny: z₀ is the shortest solution of M_J z =
v − m_J, and N an orthonormal basis of the null space of M_J. Where z is standard normal, so is y, and z₀ is
the conditional mean. Columns with a value have exactly that value, whatever rounding.
"""

from collections.abc import Mapping
from typing import NamedTuple

from jaxtyping import Float

from barriers.arrays import Tensor, nn, torch
from barriers.coordinates import Coordinates

DEPENDENT = 1e-9
"""Columns are given values independently where the smallest singular value of M_J is above this share of the
largest.
"""


class Subspace(Coordinates):
    """y ↦ x = offset + matrix y, with columns that are constant.

    fixed: their values by place. inverse: f x d, the coordinates of a point near the subspace; by default
    those of the nearest point on it.
    """

    affine = False
    index: Tensor
    values: Tensor

    def __init__(
        self,
        offset: Float[Tensor, "d"],
        matrix: Float[Tensor, "d f"],
        saved_dtype: torch.dtype = torch.float32,
        *,
        fixed: Mapping[int, float] | None = None,
        inverse: Float[Tensor, "f d"] | None = None,
    ):
        nn.Module.__init__(self)
        square, fixed = matrix.detach().double(), dict(fixed or {})
        spread = torch.linalg.svdvals(square)
        if not bool(spread.isfinite().all()) or not len(spread) or spread[-1] <= DEPENDENT * spread[0]:
            raise ValueError("Subspace: matrix must be finite, with columns that are independent")
        self.identity, self.saved_dtype = False, saved_dtype
        self.register_buffer("offset", offset.detach().double())
        self.register_buffer("matrix", square)
        self.register_buffer(
            "inverse_matrix", torch.linalg.pinv(square) if inverse is None else inverse.detach().double()
        )
        self.register_buffer("index", torch.tensor(list(fixed), dtype=torch.long).to(offset.device))
        self.register_buffer("values", torch.tensor(list(fixed.values()), dtype=torch.float64).to(offset))
        self.anchors, self.pins = None, None

    @property
    def fixed(self) -> dict[int, float]:
        """The values of columns that have one, by place."""
        return dict(zip(self.index.tolist(), self.values.double().tolist(), strict=True))

    def forward(self, z: Float[Tensor, "*n f"]) -> Float[Tensor, "*n d"]:
        return self.with_values(super().forward(z))

    def inverse(self, x: Float[Tensor, "*n d"]) -> Float[Tensor, "*n f"]:
        return super().inverse(self.with_values(x))

    def saved(self, z: Float[Tensor, "*n f"]) -> Float[Tensor, "*n d"]:
        return self.with_values(super().saved(z))

    def anchored(self, rows: Float[Tensor, "N d"], dtype: torch.dtype) -> Coordinates:
        return super().anchored(self.nearest(rows), dtype)

    def nearest(self, rows: Float[Tensor, "N d"]) -> Float[Tensor, "N d"]:
        """The points of the subspace that rows are moved to, float64."""
        y = (self.with_values(rows.double()) - self.offset.double()) @ self.inverse_matrix.double().T
        return self.with_values(self.offset.double() + y @ self.matrix.double().T)

    def with_values(self, x: Float[Tensor, "*n d"]) -> Float[Tensor, "*n d"]:
        """x with the values of the columns that have one."""
        if not len(self.index):
            return x
        return x.index_copy(-1, self.index, self.values.to(x.dtype).expand(*x.shape[:-1], -1))

    def saved_as(self, dtype: torch.dtype) -> "Subspace":
        """The same map with another dtype of saved samples."""
        return Subspace(self.offset, self.matrix, dtype, fixed=self.fixed, inverse=self.inverse_matrix)

    def _twin(self) -> "Subspace":
        return self.saved_as(self.saved_dtype)


class Restriction(NamedTuple):
    """The points of coordinates z with given values: z = origin + directions y, directions f x g."""

    coordinates: Subspace
    origin: Float[Tensor, "f"]
    directions: Float[Tensor, "f g"]


def restricted(coordinates: Coordinates, values: Mapping[int, float]) -> Restriction:
    """The coordinates of the points at which columns have these values, by place (E.26); ValueError where
    columns cannot be given values independently, or nothing would be left to move.
    """
    m, M = coordinates.offset.double(), coordinates.matrix.double()
    places = [j for j in values if bool(M[j].any()) or not _is(values[j], float(m[j]), j)]
    v = torch.tensor([values[j] for j in places], dtype=torch.float64, device=m.device)
    if len(places) >= coordinates.dimension:
        raise ValueError(
            f"{len(places)} values leave nothing to sample of {coordinates.dimension} dimensions"
        )
    if coordinates.identity:
        free = [j for j in range(len(m)) if j not in values]
        N = torch.eye(len(m), dtype=torch.float64, device=m.device)[:, free]
        z0 = torch.zeros_like(m).index_copy(0, torch.tensor(places, device=m.device), v)
    else:
        rows = M[places]
        _, σ, axes = torch.linalg.svd(rows)
        if len(places) and σ[-1] <= DEPENDENT * σ[0]:
            raise ValueError("these columns determine each other, so their values cannot be chosen freely")
        z0, N = torch.linalg.pinv(rows) @ (v - m[places]), axes[len(places) :].T.contiguous()
    whole = dict(coordinates.fixed if isinstance(coordinates, Subspace) else {}) | dict(values)
    inside = Subspace(
        m + M @ z0,
        M @ N,
        coordinates.saved_dtype,
        fixed=whole,
        inverse=N.T @ coordinates.inverse_matrix.double(),
    )
    return Restriction(inside, z0, N)


def _is(value: float, constant: float, place: int) -> bool:
    """True; ValueError where a column that is constant is given another value."""
    if abs(value - constant) > 1e-6 * abs(constant):
        raise ValueError(
            f"column {place + 1} is {constant:.6g} in every row that was learned from; it cannot be {value:g}"
        )
    return True
