"""The polytope {Ax ≤ b}: s = max over faces of (aᵢ·x − bᵢ)/‖aᵢ‖.

Inside that is the distance to the boundary; outside, beyond an edge, it is less than the distance to the set:
a bound.
"""

from typing import Annotated, ClassVar

from jaxtyping import Bool, Float
from typing_extensions import Doc

from barriers.arrays import Tensor, torch
from barriers.derivatives import Jet
from barriers.sets.base import LARGEST, matrix, vector
from barriers.sets.exact import Planes, scaled
from barriers.sets.faceted import Faceted


class Polytope(Faceted):
    """Everything with normals . x <= offsets in every row: an intersection of half-spaces."""

    example: ClassVar[dict[str, object]] = {
        "kind": "polytope",
        "normals": [[1.0, 1.0], [-1.0, 2.0], [0.0, -1.0]],
        "offsets": [1.0, 1.5, 0.8],
    }
    normals: Tensor
    offsets: Tensor
    across: Tensor
    at: Tensor
    unit: Tensor
    distance: Tensor

    def __init__(
        self,
        normals: Annotated[
            list[list[float]], Doc("One row per face, pointing out of the unsafe side; any length but zero.")
        ],
        offsets: Annotated[
            list[float], Doc("One number per face: x is unsafe where normals . x <= offsets in every row.")
        ],
    ):
        super().__init__()
        a, b = matrix("Polytope", "normals", normals), vector("Polytope", "offsets", offsets)
        if len(a) != len(b):
            raise ValueError(
                f"Polytope: offsets must have one number per row of normals ({len(a)}); got {len(b)}"
            )
        length = a.norm(dim=1)
        if (length < 1 / LARGEST).any():
            raise ValueError(
                "Polytope: normals must not hold a zero row; row "
                f"{int((length < 1 / LARGEST).nonzero()[0])} is zero"
            )
        self.register_buffer("normals", a)
        self.register_buffer("offsets", b)
        self.exact_planes = Planes(a, b)
        across, at = scaled(a, b)
        self.register_buffer("across", across)
        self.register_buffer("at", at)
        self.register_buffer("unit", a / length[:, None])
        self.register_buffer("distance", b / length)
        self.exact = self.clearance = self.smooth = len(a) == 1
        self.dimension = a.shape[1]

    def forward(self, x: Float[Tensor, "*n d"]) -> Float[Tensor, "*n"]:
        return self.faces(x).amax(-1)

    def contains(self, x: Float[Tensor, "*n d"]) -> Bool[Tensor, "*n"]:
        return self.exact_planes(x.double()).all(-1)

    def jet(self, x: Float[Tensor, "n d"]) -> Jet:
        value, face = self.faces(x).max(-1)
        return Jet(value, self.unit.to(x.dtype)[face], torch.zeros_like(value))

    def faces(self, x: Float[Tensor, "*n d"]) -> Float[Tensor, "*n k"]:
        n, b = self.across.to(x.dtype), self.at.to(x.dtype)
        return (x @ n.T - b) / n.norm(dim=1)

    def blend(self, weights: Float[Tensor, "n k"]) -> Float[Tensor, "n d"]:
        return weights @ self.unit.to(weights.dtype)

    def planes(self) -> tuple[Float[Tensor, "k d"], Float[Tensor, "k"]]:
        return self.unit.double(), self.distance.double()
