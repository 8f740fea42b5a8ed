"""An energy learned in its own coordinates, over data units: U_x(x) = U(z), z = W(x − m), up to the constant
log det W.

∇U_x = Wᵀ∇U(z),    tr(Vᵀ∇²U_x V) = tr((WV)ᵀ∇²U (WV)).
"""

from jaxtyping import Float

from barriers.arrays import Tensor, torch
from barriers.coordinates import Coordinates
from lem_safe.energies.affine import Placed
from lem_safe.energies.base import Energy


class Transported(Placed):
    """`inner`, an energy over z, as an energy over x = m + Lz."""

    def __init__(self, inner: Energy, coordinates: Coordinates):
        super().__init__()
        if inner.dimension != coordinates.dimension:
            raise ValueError(
                f"Transported: energy has {inner.dimension} dimensions, its coordinates "
                f"{coordinates.dimension}"
            )
        self.inner, self.coordinates, self.dimension = inner, coordinates, inner.dimension

    def forward(self, x: Float[Tensor, "n d"]) -> Float[Tensor, "n"]:
        return self.inner(self.coordinates.inverse(x))

    def value_and_gradient(self, x: Float[Tensor, "n d"]) -> tuple[Float[Tensor, "n"], Float[Tensor, "n d"]]:
        value, gradient = self.inner.value_and_gradient(self.coordinates.inverse(x.detach()))
        if self.coordinates.identity:
            return value, gradient
        return value, gradient @ self.coordinates.inverse_matrix.to(x.dtype)

    def laplacian(
        self, x: Float[Tensor, "n d"], directions: Float[Tensor, "d r"] | None = None
    ) -> Float[Tensor, "n"]:
        if self.coordinates.identity:
            return self.inner.laplacian(x, directions)
        W = self.coordinates.inverse_matrix
        return self.inner.laplacian(
            self.coordinates.inverse(x), W if directions is None else W @ directions.to(W.dtype)
        )

    @property
    def seen(self) -> Energy:
        return self.inner

    def around(self, energy: Energy) -> "Transported":
        return Transported(energy, self.coordinates)

    def unwrapped(self, coordinates: Coordinates) -> Energy | None:
        return self.inner if _same(self.coordinates, coordinates) else None


def _same(a: Coordinates, b: Coordinates) -> bool:
    return a is b or bool(torch.equal(a.offset, b.offset) and torch.equal(a.matrix, b.matrix))
