"""An energy given in other coordinates, with its normalisation: U_x(x) = U(z) + log|det L|, z = W(x − m), W =
L⁻¹.

∇U_x = Wᵀ∇U(z),    tr(Vᵀ∇²U_x V) = tr((WV)ᵀ∇²U (WV)).  `Transported` is the same for a learned energy, which
is sampled
                   in z.
"""

from typing import Annotated, ClassVar

from annotated_types import MinLen
from jaxtyping import Float
from typing_extensions import Doc

from barriers.arrays import Tensor, torch
from barriers.coordinates import Coordinates
from lem_safe.energies.affine import Placed
from lem_safe.energies.base import Energy
from lem_safe.energies.composed import common_dimension
from lem_safe.energies.covariance import exactly_one, factor_of_std
from lem_safe.energies.numbers import points, vector


class Mapped(Placed):
    """The distribution of x = offset + matrix z, where z has the given energy: for example standardised data,
    returned to their own units.
    """

    example: ClassVar[dict[str, object]] = {
        "kind": "transported",
        "energy": {"kind": "gaussian_mixture", "means": [[1.0, 0.2], [-0.9, 0.0]], "std": 0.7},
        "offset": [0.2, -0.1],
        "matrix": [[0.9, 0.3], [0.0, 1.2]],
    }
    log_volume: Tensor

    def __init__(
        self,
        energy: Annotated[Energy, Doc("The energy of z.")],
        offset: Annotated[
            list[float] | None,
            MinLen(1),
            Doc("The point x that belongs to z = 0, one number per column; the origin by default."),
        ] = None,
        scale: Annotated[
            float | list[float] | None, Doc("The length of one unit of z: a number > 0, or one per column.")
        ] = None,
        matrix: Annotated[list[list[float]] | None, Doc("An invertible matrix, instead of scale.")] = None,
    ):
        super().__init__()
        d = self.dimension = common_dimension("Transported", [energy])
        m = torch.zeros(d, dtype=torch.float64) if offset is None else vector("Transported", "offset", offset)
        exactly_one("Transported", scale=scale, matrix=matrix)
        if scale is not None:
            L = factor_of_std("Transported", scale, d)
        else:
            L = points("Transported", "matrix", matrix or [])
        if m.shape != (d,) or L.shape != (d, d):
            raise ValueError(
                f"Transported: offset and matrix must have the energy's {d} columns; got {m.shape[0]} and "
                f"{' x '.join(map(str, L.shape))}"
            )
        self.energy, self.coordinates = energy, Coordinates(m, L)
        self.register_buffer("log_volume", torch.linalg.slogdet(L).logabsdet)

    def forward(self, x: Float[Tensor, "n d"]) -> Float[Tensor, "n"]:
        return self.energy(self.coordinates.inverse(x)) + self.log_volume.to(x.dtype)

    def value_and_gradient(self, x: Float[Tensor, "n d"]) -> tuple[Float[Tensor, "n"], Float[Tensor, "n d"]]:
        value, gradient = self.energy.value_and_gradient(self.coordinates.inverse(x.detach()))
        return value + self.log_volume.to(x.dtype), gradient @ self.coordinates.inverse_matrix.to(x.dtype)

    def laplacian(
        self, x: Float[Tensor, "n d"], directions: Float[Tensor, "d r"] | None = None
    ) -> Float[Tensor, "n"]:
        W = self.coordinates.inverse_matrix
        return self.energy.laplacian(
            self.coordinates.inverse(x), W if directions is None else W @ directions.to(W.dtype)
        )

    @property
    def constant(self) -> float:
        return float(self.log_volume)

    @property
    def seen(self) -> Energy:
        return self.energy

    def around(self, energy: Energy) -> "Mapped":
        z = self.coordinates
        return Mapped(energy, z.offset.tolist(), matrix=z.matrix.tolist())
