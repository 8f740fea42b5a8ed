"""The ball {‖x − c‖ ≤ r}: s = ‖x − c‖ − r, ∇s = (x − c)/‖x − c‖, Δs = (d − 1)/‖x − c‖."""

from typing import Annotated, ClassVar

import numpy as np
from annotated_types import Gt
from jaxtyping import Bool, Float
from typing_extensions import Doc

from barriers.arrays import Tensor, torch
from barriers.derivatives import Jet
from barriers.sets.base import UnsafeSet, positive, vector
from barriers.sets.exact import ULP, integers, settle
from barriers.squares import squared_norm


class Ball(UnsafeSet):
    """Everything within `radius` of `center`."""

    exact = True
    clearance = True
    smooth = True
    has_gradient = True
    example: ClassVar[dict[str, object]] = {"kind": "ball", "center": [0.5, -0.3], "radius": 0.8}
    center: Tensor

    def __init__(
        self,
        center: Annotated[list[float], Doc("The centre, one number per column.")],
        radius: Annotated[float, Gt(0), Doc("The radius, in the data's units.")],
    ):
        super().__init__()
        self.register_buffer("center", vector("Ball", "center", center))
        self.radius = positive("Ball", "radius", radius)
        self.dimension = len(center)

    def forward(self, x: Float[Tensor, "*n d"]) -> Float[Tensor, "*n"]:
        return self._norm(x - self.center.to(x.dtype)) - self.radius

    def with_gradient(self, x: Float[Tensor, "*n d"]) -> tuple[Float[Tensor, "*n"], Float[Tensor, "*n d"]]:
        offset = x - self.center.to(x.dtype)
        ρ = self._norm(offset)
        return ρ - self.radius, offset * ρ.reciprocal()[..., None]

    def contains(self, x: Float[Tensor, "*n d"]) -> Bool[Tensor, "*n"]:
        x, squared = x.double(), self.radius**2
        q = squared_norm(x - self.center.double())
        error = (x.shape[-1] + 8) * ULP * squared
        return settle(x, q <= squared - error, q <= squared + error, self._exactly)

    def _exactly(self, rows: Float[Tensor, "k d"]) -> np.ndarray:
        X, c, r = integers(rows, self.center, self.radius)
        return ((X - c) ** 2).sum(1) <= r**2

    def jet(self, x: Float[Tensor, "n d"]) -> Jet:
        offset = x - self.center.to(x.dtype)
        ρ = self._norm(offset)
        return Jet(ρ - self.radius, offset / ρ[:, None], (x.shape[1] - 1) / ρ)

    def _norm(self, offset: Tensor) -> Tensor:
        """‖offset‖, smoothed within 1e-6 radii of the centre, so that derivatives stay finite there."""
        number = torch.finfo(offset.dtype)
        tiny = max(number.eps * 1e-2 * self.radius**2, number.tiny)
        return (squared_norm(offset) + tiny).sqrt()
