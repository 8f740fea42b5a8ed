"""The half-space {n·x ≥ b}: s = (b − n·x)/‖n‖, ∇s = −n/‖n‖, Δs = 0."""

from typing import Annotated, ClassVar

from jaxtyping import Bool, Float
from typing_extensions import Doc

from barriers.arrays import Tensor, torch
from barriers.derivatives import Jet
from barriers.sets.base import LARGEST, UnsafeSet, finite, vector
from barriers.sets.exact import Planes, scaled


class HalfSpace(UnsafeSet):
    """Everything on the far side of a hyperplane: {x : normal . x >= offset}."""

    exact = True
    clearance = True
    smooth = True
    has_gradient = True
    example: ClassVar[dict[str, object]] = {"kind": "half_space", "normal": [1.0, 2.0], "offset": 0.5}
    normal: Tensor
    across: Tensor
    at: Tensor

    def __init__(
        self,
        normal: Annotated[
            list[float], Doc("The outward normal, pointing into the unsafe side; any length but zero.")
        ],
        offset: Annotated[float, Doc("x is unsafe where normal . x >= offset.")],
    ):
        super().__init__()
        n = vector("HalfSpace", "normal", normal)
        if n.norm() < 1 / LARGEST:
            raise ValueError(f"HalfSpace: normal must not be zero; got {normal!r}")
        self.register_buffer("normal", n)
        self.offset = finite("HalfSpace", "offset", offset)
        self.exact_plane = Planes(-n[None], n.new_tensor([-self.offset]))
        across, at = scaled(n[None], n.new_tensor([self.offset]))
        self.register_buffer("across", across[0])
        self.register_buffer("at", at[0])
        self.dimension = len(normal)

    def forward(self, x: Float[Tensor, "*n d"]) -> Float[Tensor, "*n"]:
        n, b = self.across.to(x.dtype), self.at.to(x.dtype)
        return (b - x @ n) / n.norm()

    def with_gradient(self, x: Float[Tensor, "*n d"]) -> tuple[Float[Tensor, "*n"], Float[Tensor, "*n d"]]:
        n = self.across.to(x.dtype)
        return self(x), (-n.norm().reciprocal() * n).expand_as(x)

    def contains(self, x: Float[Tensor, "*n d"]) -> Bool[Tensor, "*n"]:
        return self.exact_plane(x.double())[..., 0]

    def jet(self, x: Float[Tensor, "n d"]) -> Jet:
        n = self.across.to(x.dtype)
        return Jet(self(x), (-n / n.norm()).expand_as(x), torch.zeros_like(x[:, 0]))
