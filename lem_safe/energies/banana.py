"""The banana: x₀ ~ N(0, s²) and x₁ | x₀ ~ N(b(x₀² − s²), t²), a Gaussian bent along a parabola; log Z = 0.

With r = x₁ − b(x₀² − s²):  U = x₀²/2s² + r²/2t² + log 2πst,  ∇²U = (1/s² − 2br/t²) e₀e₀ᵀ + ∇r∇rᵀ/t².
"""

import math
from typing import Annotated, ClassVar

from annotated_types import Gt
from jaxtyping import Float
from typing_extensions import Doc

from barriers.arrays import Tensor, torch
from lem_safe.energies.base import Tractable, squared_norm
from lem_safe.energies.numbers import finite, positive


class Banana(Tractable):
    """A curved ridge in the plane, with mean 0."""

    example: ClassVar[dict[str, object]] = {"kind": "banana", "scale": 1.0, "std": 0.5, "curvature": 0.6}
    dimension = 2

    def __init__(
        self,
        scale: Annotated[float, Gt(0), Doc("s, the standard deviation of the first column.")] = 1.0,
        std: Annotated[float, Gt(0), Doc("t, the standard deviation across the ridge.")] = 0.5,
        curvature: Annotated[float, Doc("b, how fast the ridge bends.")] = 1.0,
    ):
        super().__init__()
        self.scale, self.std = positive("Banana", "scale", scale), positive("Banana", "std", std)
        self.curvature = finite("Banana", "curvature", curvature)
        self.log_normalizer = math.log(2 * math.pi * scale * std)

    def forward(self, x: Float[Tensor, "n 2"]) -> Float[Tensor, "n"]:
        return (
            x[:, 0] ** 2 / (2 * self.scale**2)
            + self._residual(x) ** 2 / (2 * self.std**2)
            + self.log_normalizer
        )

    def value_and_gradient(self, x: Float[Tensor, "n 2"]) -> tuple[Float[Tensor, "n"], Float[Tensor, "n 2"]]:
        x = x.detach()
        pull = self._residual(x) / self.std**2
        along = x[:, 0] / self.scale**2 - 2 * self.curvature * x[:, 0] * pull
        return self(x), torch.stack([along, pull], 1)

    def laplacian(
        self, x: Float[Tensor, "n 2"], directions: Float[Tensor, "2 r"] | None = None
    ) -> Float[Tensor, "n"]:
        first = torch.eye(2, dtype=x.dtype, device=x.device)[:1]
        slope = torch.stack([-2 * self.curvature * x[:, 0], torch.ones_like(x[:, 0])], 1)
        bend = 1 / self.scale**2 - 2 * self.curvature * self._residual(x) / self.std**2
        return bend * squared_norm(first, directions) + squared_norm(slope, directions) / self.std**2

    def sample(self, generator: torch.Generator, n: int) -> Float[Tensor, "n 2"]:
        ξ = torch.randn(n, 2, generator=generator, dtype=torch.float64)
        x = self.scale * ξ[:, 0]
        return torch.stack([x, self.curvature * (x**2 - self.scale**2) + self.std * ξ[:, 1]], 1)

    def surely_integrable(self, t: float = 1.0) -> bool:
        return True

    def log_integral(self, t: float = 1.0) -> float | None:
        return (1 - t) * self.log_normalizer - math.log(t)

    def _residual(self, x: Tensor) -> Tensor:
        return x[:, 1] - self.curvature * (x[:, 0] ** 2 - self.scale**2)
