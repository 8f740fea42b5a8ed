"""The slab {a ≤ n·x ≤ b}: s = max(a − n·x, n·x − b)/‖n‖, exact on both sides."""

from typing import Annotated, ClassVar

from jaxtyping import Bool, Float
from typing_extensions import Doc

from barriers.arrays import Tensor, torch
from barriers.derivatives import Jet
from barriers.sets.base import LARGEST, finite, vector
from barriers.sets.exact import Planes, scaled
from barriers.sets.faceted import Faceted


class Slab(Faceted):
    """Everything between two parallel planes."""

    exact = True
    clearance = True
    smooth = False
    example: ClassVar[dict[str, object]] = {
        "kind": "slab",
        "normal": [1.0, -2.0],
        "lower": -0.5,
        "upper": 1.0,
    }
    normal: Tensor
    across: Tensor
    at: Tensor

    def __init__(
        self,
        normal: Annotated[list[float], Doc("The direction across the slab; any length but zero.")],
        lower: Annotated[float, Doc("x is unsafe where lower <= normal . x <= upper.")],
        upper: Annotated[float, Doc("The upper bound; it must be larger than lower.")],
    ):
        super().__init__()
        n = vector("Slab", "normal", normal)
        if n.norm() < 1 / LARGEST:
            raise ValueError(f"Slab: normal must not be zero; got {normal!r}")
        if not float("-inf") < lower < upper < float("inf"):
            raise ValueError(f"Slab: lower must be less than upper, both finite; got {lower:g} and {upper:g}")
        self.register_buffer("normal", n)
        self.lower, self.upper = finite("Slab", "lower", lower), finite("Slab", "upper", upper)
        self.exact_planes = Planes(torch.stack([-n, n]), n.new_tensor([-self.lower, self.upper]))
        across, at = scaled(n.expand(2, -1), n.new_tensor([self.lower, self.upper]))
        self.register_buffer("across", across[0])
        self.register_buffer("at", at)
        self.dimension = n.shape[0]

    def forward(self, x: Float[Tensor, "*n d"]) -> Float[Tensor, "*n"]:
        return self.faces(x).amax(-1)

    def contains(self, x: Float[Tensor, "*n d"]) -> Bool[Tensor, "*n"]:
        return self.exact_planes(x.double()).all(-1)

    def jet(self, x: Float[Tensor, "n d"]) -> Jet:
        value, face = self.faces(x).max(-1)
        n = self.across.to(x.dtype)
        return Jet(value, (2 * face - 1)[:, None] * n / n.norm(), torch.zeros_like(value))

    def faces(self, x: Float[Tensor, "*n d"]) -> Float[Tensor, "*n k"]:
        n, (lower, upper) = self.across.to(x.dtype), self.at.to(x.dtype)
        across = x @ n
        return torch.stack([lower - across, across - upper], -1) / n.norm()

    def blend(self, weights: Float[Tensor, "n k"]) -> Float[Tensor, "n d"]:
        n = self.across.to(weights.dtype)
        return (weights[:, 1] - weights[:, 0])[:, None] * n / n.norm()

    def planes(self) -> tuple[Float[Tensor, "k d"], Float[Tensor, "k"]]:
        n = self.normal.double()
        bounds = torch.tensor([-self.lower, self.upper], dtype=torch.float64, device=n.device)
        return torch.stack([-n, n]) / n.norm(), bounds / n.norm()
