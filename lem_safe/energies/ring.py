"""The ring (a shell in higher dimensions): U = (‖y‖² − R²)²/8R²s², y = x − c, which near the ring is (‖y‖ −
R)²/2s².

Smooth everywhere, including the centre, unlike (‖y‖ − R)²:  ∇²U = ((‖y‖² − R²)I + 2yyᵀ)/2R²s².
"""

import math
from typing import Annotated, ClassVar

import numpy as np
from annotated_types import Gt, MinLen
from jaxtyping import Float
from typing_extensions import Doc

from barriers.arrays import Tensor, torch
from lem_safe.energies.base import Energy, squared_norm
from lem_safe.energies.normaliser import NATS, log_line_integral
from lem_safe.energies.numbers import positive, vector


class Ring(Energy):
    """Mass near a circle or sphere, within about `std` of it."""

    example: ClassVar[dict[str, object]] = {"kind": "ring", "center": [0.1, -0.2], "radius": 1.5, "std": 0.4}
    center: Tensor

    def __init__(
        self,
        center: Annotated[
            list[float] | None,
            MinLen(1),
            Doc("The centre, one number per column; by default the origin of the plane."),
        ] = None,
        radius: Annotated[float, Gt(0), Doc("R, the radius.")] = 1.0,
        std: Annotated[
            float, Gt(0), Doc("s, the standard deviation across the ring where it is thin.")
        ] = 0.2,
    ):
        super().__init__()
        self.register_buffer("center", vector("Ring", "center", [0.0, 0.0] if center is None else center))
        self.radius, self.std, self.dimension = (
            positive("Ring", "radius", radius),
            positive("Ring", "std", std),
            len(self.center),
        )
        self._stiffness = 1 / (2 * self.radius**2 * self.std**2)

    def forward(self, x: Float[Tensor, "n d"]) -> Float[Tensor, "n"]:
        _, excess = self._excess(x)
        return 0.25 * self._stiffness * excess**2

    def value_and_gradient(self, x: Float[Tensor, "n d"]) -> tuple[Float[Tensor, "n"], Float[Tensor, "n d"]]:
        y, excess = self._excess(x.detach())
        return 0.25 * self._stiffness * excess**2, (self._stiffness * excess)[:, None] * y

    def laplacian(
        self, x: Float[Tensor, "n d"], directions: Float[Tensor, "d r"] | None = None
    ) -> Float[Tensor, "n"]:
        y, excess = self._excess(x)
        width = self.dimension if directions is None else directions.to(x.dtype).square().sum()
        return self._stiffness * (excess * width + 2 * squared_norm(y, directions))

    def hessian_diagonal(self, x: Float[Tensor, "n d"]) -> Float[Tensor, "n d"]:
        y, excess = self._excess(x)
        return self._stiffness * (excess[:, None] + 2 * y.square())

    def _excess(self, x: Tensor) -> tuple[Tensor, Tensor]:
        y = x - self.center.to(x.dtype)
        return y, squared_norm(y) - self.radius**2

    def typical_points(self) -> Float[Tensor, "k d"]:
        rim = self.radius * torch.eye(self.dimension, dtype=torch.float64)
        return self.center.double().cpu() + torch.cat([0 * rim[:1], rim, -rim])

    def surely_integrable(self, t: float = 1.0) -> bool:
        return True

    def log_integral(self, t: float = 1.0) -> float | None:
        d, R, s = self.dimension, self.radius, self.std
        reach = R * s * math.sqrt(8 * (NATS + 20 * d) / t)
        low, high = math.sqrt(max(0.0, R**2 - reach)), math.sqrt(R**2 + reach)
        sphere = math.log(2) + 0.5 * d * math.log(math.pi) - math.lgamma(0.5 * d)
        return sphere + log_line_integral(
            lambda r: (d - 1) * np.log(r) - t * (r**2 - R**2) ** 2 / (8 * R**2 * s**2), low, high
        )
