"""The Gaussian: U = ½‖L⁻¹(x − m)‖² + log det L + (d/2) log 2π with Σ = LLᵀ, normalised so that log Z = 0."""

import math
from typing import Annotated, ClassVar

import torch
from annotated_types import MinLen
from jaxtyping import Float
from torch import Tensor
from typing_extensions import Doc

from lem_safe.energies.base import Tractable, squared_norm
from lem_safe.energies.covariance import exactly_one, factor_of_covariance, factor_of_std
from lem_safe.energies.gaussian_sum import GaussianSum
from lem_safe.energies.numbers import vector


class Gaussian(Tractable):
    """A normal distribution, given by `mean` with `std` (a number, or one per coordinate) or `covariance`."""

    example: ClassVar[dict[str, object]] = {
        "kind": "gaussian",
        "mean": [0.3, -0.2],
        "covariance": [[1.0, 0.4], [0.4, 0.7]],
    }
    mean: Tensor
    factor: Tensor
    whitener: Tensor
    log_normalizer: Tensor

    def __init__(
        self,
        mean: Annotated[list[float], MinLen(1), Doc("The mean, one number per column.")],
        std: Annotated[
            float | list[float] | None, Doc("The standard deviation: a number, or one per column.")
        ] = None,
        covariance: Annotated[list[list[float]] | None, Doc("The covariance matrix, instead of std.")] = None,
    ):
        super().__init__()
        m = vector("Gaussian", "mean", mean)
        d = m.shape[0]
        exactly_one("Gaussian", std=std, covariance=covariance)
        if std is not None:
            L = factor_of_std("Gaussian", std, d)
        else:
            L = factor_of_covariance("Gaussian", covariance or [], d)
        self.register_buffer("mean", m)
        self.register_buffer("factor", L)
        self.register_buffer("whitener", torch.linalg.inv(L) if std is None else torch.diag(1 / L.diagonal()))
        self.register_buffer("log_normalizer", L.diagonal().log().sum() + 0.5 * d * math.log(2 * math.pi))
        self.dimension, self.separate = d, std is not None

    def forward(self, x: Float[Tensor, "n d"]) -> Float[Tensor, "n"]:
        return 0.5 * self._whitened(x).square().sum(-1) + self.log_normalizer

    def value_and_gradient(self, x: Float[Tensor, "n d"]) -> tuple[Float[Tensor, "n"], Float[Tensor, "n d"]]:
        y = self._whitened(x.detach())
        W = self.whitener.to(x.dtype)
        gradient = y * W.diagonal() if self.separate else y @ W
        return 0.5 * y.square().sum(-1) + self.log_normalizer, gradient

    def laplacian(
        self, x: Float[Tensor, "n d"], directions: Float[Tensor, "d r"] | None = None
    ) -> Float[Tensor, "n"]:
        return squared_norm(self.whitener, directions).sum().to(x.dtype).expand(x.shape[0])

    def sample(self, generator: torch.Generator, n: int) -> Float[Tensor, "n d"]:
        ξ = torch.randn(n, self.dimension, generator=generator, dtype=torch.float64)
        return self.mean.double().cpu() + ξ @ self.factor.double().cpu().T

    @classmethod
    def of_factor(cls, mean: Float[Tensor, "d"], factor: Float[Tensor, "d d"]) -> "Gaussian":
        """N(mean, LLᵀ) from a lower triangular L with a positive diagonal, without computing LLᵀ."""
        found = cls(mean.tolist(), std=1.0)
        found.factor, found.whitener, found.separate = factor, torch.linalg.inv(factor), False
        found.log_normalizer = found.log_normalizer + factor.diagonal().log().sum()
        return found

    def surely_integrable(self, t: float = 1.0) -> bool:
        return True

    def gaussian_sum(self, t: float = 1.0) -> GaussianSum | None:
        found = GaussianSum.around(self.whitener[None], self.mean[None], self.log_normalizer[None])
        return found.power(t)

    def log_integral(self, t: float = 1.0) -> float | None:
        return (1 - t) * float(self.log_normalizer) - 0.5 * self.dimension * math.log(t)

    def curvature_floor(self) -> float | None:
        W = self.whitener.double()
        return float((W.diagonal() if self.separate else torch.linalg.svdvals(W)).min() ** 2)

    def _whitened(self, x: Tensor) -> Tensor:
        W = self.whitener.to(x.dtype)
        return (
            (x - self.mean.to(x.dtype)) * W.diagonal() if self.separate else (x - self.mean.to(x.dtype)) @ W.T
        )
