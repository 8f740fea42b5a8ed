"""The multivariate Student t: U = ½(ν + d) log(1 + ‖y‖²/ν) + const, y = L⁻¹(x − m), heavy tails; log Z = 0.

With w = (ν + d)/(ν + ‖y‖²) and g = L⁻ᵀy:  ∇U = wg,  ∇²U = w L⁻ᵀL⁻¹ − 2w/(ν + ‖y‖²) ggᵀ.
"""

import math
from typing import Annotated, ClassVar

from annotated_types import Gt, MinLen
from jaxtyping import Float
from typing_extensions import Doc

from barriers.arrays import Tensor, torch
from lem_safe.energies.base import Tractable, squared_norm
from lem_safe.energies.covariance import factor_of_std
from lem_safe.energies.gaussian_sum import ROUNDED, whole
from lem_safe.energies.numbers import positive, vector


class StudentT(Tractable):
    """A Student t distribution around `mean`; its standard deviation is std·√(ν/(ν − 2)), and infinite for ν
    ≤ 2.
    """

    example: ClassVar[dict[str, object]] = {
        "kind": "student_t",
        "mean": [0.3, -0.4],
        "std": [0.6, 0.8],
        "degrees": 20.0,
    }
    mean: Tensor
    scale: Tensor
    whitener: Tensor

    def __init__(
        self,
        mean: Annotated[list[float], MinLen(1), Doc("The centre, one number per column.")],
        std: Annotated[float | list[float], Doc("The scale: a number, or one per column.")] = 1.0,
        degrees: Annotated[
            float, Gt(0), Doc("ν, the degrees of freedom: the fewer, the heavier the tails.")
        ] = 5.0,
    ):
        super().__init__()
        m = vector("StudentT", "mean", mean)
        d, ν = m.shape[0], positive("StudentT", "degrees", degrees)
        L = factor_of_std("StudentT", std, d)
        self.register_buffer("mean", m)
        self.register_buffer("scale", L.diagonal().clone())
        self.register_buffer("whitener", torch.linalg.inv(L))
        self.degrees, self.dimension = ν, d
        log_volume = float(self.scale.log().sum()) + 0.5 * d * math.log(ν * math.pi)
        self.log_normalizer = log_volume + math.lgamma(0.5 * ν) - math.lgamma(0.5 * (ν + d))

    def forward(self, x: Float[Tensor, "n d"]) -> Float[Tensor, "n"]:
        return self._value(self._whitened(x))

    def value_and_gradient(self, x: Float[Tensor, "n d"]) -> tuple[Float[Tensor, "n"], Float[Tensor, "n d"]]:
        y = self._whitened(x.detach())
        return self._value(y), self._weight(y)[:, None] * (y @ self.whitener.to(x.dtype))

    def laplacian(
        self, x: Float[Tensor, "n d"], directions: Float[Tensor, "d r"] | None = None
    ) -> Float[Tensor, "n"]:
        y = self._whitened(x)
        w, g = self._weight(y), y @ self.whitener.to(x.dtype)
        flat = squared_norm(self.whitener, directions).sum().to(x.dtype)
        return w * (flat - 2 * squared_norm(g, directions) / (self.degrees + squared_norm(y)))

    def hessian_diagonal(self, x: Float[Tensor, "n d"]) -> Float[Tensor, "n d"]:
        y = self._whitened(x)
        bend = self.scale.to(x.dtype) ** -2
        return self._weight(y)[:, None] * bend * (1 - 2 * y**2 / (self.degrees + y.square().sum(1, True)))

    def sample(self, generator: torch.Generator, n: int) -> Float[Tensor, "n d"]:
        ξ = torch.randn(n, self.dimension, generator=generator, dtype=torch.float64)
        half = torch.full((n, 1), 0.5 * self.degrees, dtype=torch.float64)
        χ2 = 2 * torch._standard_gamma(half, generator=generator)  # torch's public Gamma takes no generator
        return self.mean.double().cpu() + self.scale.double().cpu() * ξ * (self.degrees / χ2).sqrt()

    def surely_integrable(self, t: float = 1.0) -> bool:
        return t * (self.degrees + self.dimension) > (1 + ROUNDED) * self.dimension

    def log_integral(self, t: float = 1.0) -> float | None:
        if whole(t) == 1:
            return 0.0
        d, ν = self.dimension, self.degrees
        other = t * (ν + d) - d
        if other <= ROUNDED * d:
            return None
        volume = float(self.scale.double().log().sum()) + 0.5 * d * math.log(ν * math.pi)
        return volume + math.lgamma(0.5 * other) - math.lgamma(0.5 * (other + d)) - t * self.log_normalizer

    def _whitened(self, x: Tensor) -> Tensor:
        return (x - self.mean.to(x.dtype)) @ self.whitener.to(x.dtype)

    def _weight(self, y: Tensor) -> Tensor:
        return (self.degrees + self.dimension) / (self.degrees + squared_norm(y))

    def _value(self, y: Tensor) -> Tensor:
        spread = torch.log1p(squared_norm(y) / self.degrees)
        return 0.5 * (self.degrees + self.dimension) * spread + self.log_normalizer
