"""The same energy over sampler coordinates: z ↦ U(x(z)) with x = m + Lz, ∇ = Lᵀ∇U and Δ_z = tr(Lᵀ∇²U L).

An energy that was learned in exactly these coordinates is unwrapped instead of mapped there and back, without
work or rounding. The terms of a composition are pulled separately, so that a term in the sampler's own
coordinates costs nothing.
"""

import copy

from jaxtyping import Float

from barriers.arrays import Tensor
from barriers.coordinates import Coordinates
from lem_safe.energies.affine import Replaced
from lem_safe.energies.base import Energy


class Pulled(Replaced):
    """`original`, an energy over x, as an energy over z."""

    def __init__(self, original: Energy, coordinates: Coordinates):
        super().__init__()
        self.original, self.dimension = original, original.dimension
        self.coordinates = copy.deepcopy(
            coordinates
        )  # a copy, so that casting this energy never rounds another one's map

    def forward(self, x: Float[Tensor, "n d"]) -> Float[Tensor, "n"]:
        return self.original(self.coordinates(x))

    def value_and_gradient(self, x: Float[Tensor, "n d"]) -> tuple[Float[Tensor, "n"], Float[Tensor, "n d"]]:
        value, gradient = self.original.value_and_gradient(self.coordinates(x.detach()))
        return value, gradient @ self.coordinates.matrix.to(x.dtype)

    def laplacian(
        self, x: Float[Tensor, "n d"], directions: Float[Tensor, "d r"] | None = None
    ) -> Float[Tensor, "n"]:
        L = self.coordinates.matrix
        return self.original.laplacian(
            self.coordinates(x), L if directions is None else L @ directions.to(L.dtype)
        )

    @property
    def seen(self) -> Energy:
        return self.original

    def around(self, energy: Energy) -> "Pulled":
        return Pulled(energy, self.coordinates)


def in_coordinates(energy: Energy, coordinates: Coordinates) -> Energy:
    """`energy` as an energy over the sampler's z, by the shortest form."""
    if energy.dimension != coordinates.dimension:
        raise ValueError(
            f"in_coordinates: energy has {energy.dimension} dimensions, the coordinates "
            f"{coordinates.dimension}"
        )
    shorter = energy.unwrapped(coordinates)
    if shorter is not None:
        return shorter
    return energy if coordinates.identity else Pulled(energy, coordinates)
