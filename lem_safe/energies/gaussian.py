"""The Gaussian: U = ½‖L⁻¹(x − m)‖² + log det L + (d/2) log 2π with Σ = LLᵀ, normalised so that log Z = 0."""

import math
from typing import Annotated, ClassVar

from annotated_types import MinLen
from jaxtyping import Float
from typing_extensions import Doc

from barriers.arrays import Tensor, torch
from lem_safe.energies.base import Tractable, squared_norm
from lem_safe.energies.covariance import exactly_one, factor_of_covariance, scales_of_std
from lem_safe.energies.gaussian_sum import GaussianSum
from lem_safe.energies.numbers import vector


class Gaussian(Tractable):
    """A normal distribution, given by `mean` with `std` (a number, or one per coordinate) or `covariance`.

    factor, whitener: L and L⁻¹; for independent columns (`separate`) their diagonals alone.
    """

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
            L = scales_of_std("Gaussian", std, d)
            W, log_det = 1 / L, L.log().sum()
        else:
            L = factor_of_covariance("Gaussian", covariance or [], d)
            W, log_det = torch.linalg.inv(L), L.diagonal().log().sum()
        self.register_buffer("mean", m)
        self.register_buffer("factor", L)
        self.register_buffer("whitener", W)
        self.register_buffer("log_normalizer", log_det + 0.5 * d * math.log(2 * math.pi))
        self.dimension, self.separate = d, std is not None

    def forward(self, x: Float[Tensor, "n d"]) -> Float[Tensor, "n"]:
        return 0.5 * squared_norm(self._whitened(x)) + self.log_normalizer

    def value_and_gradient(self, x: Float[Tensor, "n d"]) -> tuple[Float[Tensor, "n"], Float[Tensor, "n d"]]:
        y = self._whitened(x.detach())
        W = self.whitener.to(x.dtype)
        gradient = y * W if self.separate else y @ W
        return 0.5 * squared_norm(y) + self.log_normalizer, gradient

    def laplacian(
        self, x: Float[Tensor, "n d"], directions: Float[Tensor, "d r"] | None = None
    ) -> Float[Tensor, "n"]:
        W, V = self.whitener, directions
        if self.separate:
            bends = W.square() if V is None else (V.to(W.dtype) * W[:, None]).square()
        else:
            bends = squared_norm(W, V)
        return bends.sum().to(x.dtype).expand(x.shape[0])

    def hessian_diagonal(self, x: Float[Tensor, "n d"]) -> Float[Tensor, "n d"]:
        W = self.whitener
        return (W.square() if self.separate else W.square().sum(0)).to(x.dtype).expand_as(x)

    def sample(self, generator: torch.Generator, n: int) -> Float[Tensor, "n d"]:
        ξ = torch.randn(n, self.dimension, generator=generator, dtype=torch.float64)
        L = self.factor.double().cpu()
        return self.mean.double().cpu() + (ξ * L if self.separate else ξ @ L.T)

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
        W = self.whitener.diag() if self.separate else self.whitener
        found = GaussianSum.around(W[None], self.mean[None], self.log_normalizer[None])
        return found.power(t)

    def log_integral(self, t: float = 1.0) -> float | None:
        return (1 - t) * float(self.log_normalizer) - 0.5 * self.dimension * math.log(t)

    def curvature_floor(self) -> float | None:
        W = self.whitener.double()
        return float((W if self.separate else torch.linalg.svdvals(W)).min() ** 2)

    def _whitened(self, x: Tensor) -> Tensor:
        W, centred = self.whitener.to(x.dtype), x - self.mean.to(x.dtype)
        return centred * W if self.separate else centred @ W.T
