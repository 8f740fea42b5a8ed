"""Neal's funnel: x₀ ~ N(0, s²) and every other xᵢ | x₀ ~ N(0, e^{x₀}), wide at one end and thin at the other;
log Z = 0.

With q = Σ_{i>0} xᵢ²:  U = x₀²/2s² + (d−1)x₀/2 + ½e^{−x₀}q + log s + (d/2) log 2π,
∇²U = (1/s² + ½e^{−x₀}q) e₀e₀ᵀ + e^{−x₀}(Σ_{i>0} eᵢeᵢᵀ − xᵢ(e₀eᵢᵀ + eᵢe₀ᵀ)).
"""

import math
from typing import Annotated, ClassVar

from annotated_types import Ge, Gt
from jaxtyping import Float
from typing_extensions import Doc

from barriers.arrays import Tensor, torch
from barriers.squares import squared_norm
from lem_safe.energies.base import Tractable
from lem_safe.energies.gaussian_sum import whole
from lem_safe.energies.numbers import positive


class Funnel(Tractable):
    """A distribution whose scale changes by orders of magnitude along its first column: hard for any one step
    size.
    """

    example: ClassVar[dict[str, object]] = {"kind": "funnel", "dimension": 2, "scale": 0.6}

    def __init__(
        self,
        dimension: Annotated[int, Ge(2), Doc("The number of columns.")] = 2,
        scale: Annotated[
            float, Gt(0), Doc("s, the standard deviation of the first column; Neal's is 3.")
        ] = 3.0,
    ):
        super().__init__()
        if dimension < 2:
            raise ValueError(f"Funnel: dimension must be >= 2; got {dimension}")
        self.dimension, self.scale = dimension, positive("Funnel", "scale", scale)
        self.log_normalizer = math.log(scale) + 0.5 * dimension * math.log(2 * math.pi)

    def forward(self, x: Float[Tensor, "n d"]) -> Float[Tensor, "n"]:
        neck, rest = x[:, 0], x[:, 1:]
        thin = 0.5 * (-neck).exp() * squared_norm(rest)
        return neck**2 / (2 * self.scale**2) + 0.5 * rest.shape[1] * neck + thin + self.log_normalizer

    def value_and_gradient(self, x: Float[Tensor, "n d"]) -> tuple[Float[Tensor, "n"], Float[Tensor, "n d"]]:
        x = x.detach()
        neck, pull = x[:, 0], (-x[:, :1]).exp() * x[:, 1:]
        first = neck / self.scale**2 + 0.5 * pull.shape[1] - 0.5 * (pull * x[:, 1:]).sum(1)
        return self(x), torch.cat([first[:, None], pull], 1)

    def laplacian(
        self, x: Float[Tensor, "n d"], directions: Float[Tensor, "d r"] | None = None
    ) -> Float[Tensor, "n"]:
        precision, rest = (-x[:, 0]).exp(), x[:, 1:]
        bend = 1 / self.scale**2 + 0.5 * precision * squared_norm(rest)
        if directions is None:
            return bend + (self.dimension - 1) * precision
        V = directions.to(x.dtype)
        return bend * V[0].square().sum() + precision * (V[1:].square().sum() - 2 * rest @ (V[1:] @ V[0]))

    def hessian_diagonal(self, x: Float[Tensor, "n d"]) -> Float[Tensor, "n d"]:
        precision, rest = (-x[:, :1]).exp(), x[:, 1:]
        neck = 1 / self.scale**2 + 0.5 * precision * rest.square().sum(1, True)
        return torch.cat([neck, precision.expand_as(rest)], 1)

    def sample(self, generator: torch.Generator, n: int) -> Float[Tensor, "n d"]:
        ξ = torch.randn(n, self.dimension, generator=generator, dtype=torch.float64)
        neck = self.scale * ξ[:, :1]
        return torch.cat([neck, (0.5 * neck).exp() * ξ[:, 1:]], 1)

    def surely_integrable(self, t: float = 1.0) -> bool:
        return True

    def log_integral(self, t: float = 1.0) -> float | None:
        if whole(t) == 1:
            return 0.0
        m, s = self.dimension - 1, self.scale
        wide = 0.5 * m * math.log(2 * math.pi / t) + 0.5 * math.log(2 * math.pi * s**2 / t)
        return wide + (m * (1 - t) * s) ** 2 / (8 * t) - t * self.log_normalizer
