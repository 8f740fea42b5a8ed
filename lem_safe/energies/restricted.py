"""An energy on an affine subspace: y ↦ U(z₀ + Ny) with N orthonormal, which is U conditioned on the values
that the points there share (E.26).

∇ = Nᵀ∇U,    tr(Vᵀ∇² V) = tr((NV)ᵀ∇²U (NV)).
"""

from jaxtyping import Float

from barriers.arrays import Tensor
from lem_safe.energies.base import Energy
from lem_safe.energies.growth import Growth


class Restricted(Energy):
    """`inner` at origin + directions y.

    origin: [f]. directions: [f, g], orthonormal columns.
    """

    origin: Tensor
    directions: Tensor

    def __init__(self, inner: Energy, origin: Float[Tensor, "f"], directions: Float[Tensor, "f g"]):
        super().__init__()
        self.inner, self.dimension = inner, directions.shape[1]
        self.register_buffer("origin", origin.detach().double())
        self.register_buffer("directions", directions.detach().double())

    def point(self, y: Float[Tensor, "n g"]) -> Float[Tensor, "n f"]:
        """z₀ + Ny."""
        return self.origin.to(y.dtype) + y @ self.directions.T.to(y.dtype)

    def forward(self, x: Float[Tensor, "n g"]) -> Float[Tensor, "n"]:
        return self.inner(self.point(x))

    def value_and_gradient(self, x: Float[Tensor, "n g"]) -> tuple[Float[Tensor, "n"], Float[Tensor, "n g"]]:
        value, gradient = self.inner.value_and_gradient(self.point(x.detach()))
        return value, gradient @ self.directions.to(x.dtype)

    def laplacian(
        self, x: Float[Tensor, "n g"], directions: Float[Tensor, "g r"] | None = None
    ) -> Float[Tensor, "n"]:
        N = self.directions
        return self.inner.laplacian(self.point(x), N if directions is None else N @ directions.to(N.dtype))

    def growth(self, x: Float[Tensor, "n g"]) -> Growth:
        return self.inner.growth(self.point(x))

    def typical_points(self) -> Float[Tensor, "k g"]:
        return (self.inner.typical_points() - self.origin.cpu()) @ self.directions.cpu()

    def curvature_floor(self) -> float | None:
        return self.inner.curvature_floor()
