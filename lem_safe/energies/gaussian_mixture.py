"""The Gaussian mixture: U = −log Σ_k w_k N(x; m_k, Σ_k), normalised so that log Z = 0.

With y_k = L_k⁻¹(x − m_k), p = softmax_k(log w_k − log det L_k − ½‖y_k‖²) and g_k = L_k⁻ᵀy_k, by (C.2)

    ∇U = Σ p_k g_k,    tr(Vᵀ∇²U V) = Σ p_k (‖L_k⁻¹V‖² − ‖Vᵀg_k‖²) + ‖Vᵀ∇U‖².

`k` counts components. Everything is laid out [k, d, n], so that the sums over components and columns run
along contiguous rows.
"""

import math
from typing import Annotated, ClassVar

from annotated_types import MinLen
from jaxtyping import Float
from typing_extensions import Doc

from barriers.arrays import Tensor, torch
from lem_safe.energies.base import Energy, Tractable, squared_norm, standard_points
from lem_safe.energies.covariance import exactly_one, factor_of_covariance, factor_of_std
from lem_safe.energies.curvature import floor_of_mixture
from lem_safe.energies.gaussian import Gaussian
from lem_safe.energies.gaussian_sum import GaussianSum
from lem_safe.energies.numbers import points, vector
from lem_safe.energies.places import Places

SWEPT, FEWEST = 2**16, 16
"""Numbers of all components at a time that stay in the cache of a processor core, and rows at least."""


class GaussianMixture(Tractable):
    """A mixture of normal distributions, given by `means` with `std` (shared) or `covariances` (one each),
    and `weights`.
    """

    example: ClassVar[dict[str, object]] = {
        "kind": "gaussian_mixture",
        "means": [[1.0, 0.0], [-0.8, 0.6], [0.1, -1.2]],
        "covariances": [[[0.4, 0.1], [0.1, 0.3]], [[0.5, 0.0], [0.0, 0.5]], [[0.6, -0.2], [-0.2, 0.4]]],
        "weights": [2.0, 1.0, 1.5],
    }
    means: Tensor
    weights: Tensor
    factors: Tensor
    whiteners: Tensor
    centers: Tensor
    log_weights: Tensor

    def __init__(
        self,
        means: Annotated[list[list[float]], MinLen(1), Doc("The centre of each component.")],
        std: Annotated[
            float | list[float] | None,
            Doc("The standard deviation that all components share: a number, or one per column."),
        ] = None,
        covariances: Annotated[
            list[list[list[float]]] | None, Doc("One covariance matrix per component, instead of std.")
        ] = None,
        weights: Annotated[
            list[float] | None,
            Doc("Positive weights, one per component, which are normalised to sum 1; equal by default."),
        ] = None,
    ):
        super().__init__()
        owner = "GaussianMixture"
        m = points(owner, "means", means)
        k, d = m.shape
        L = _factors(owner, std, covariances, k, d)
        A = torch.linalg.inv(L)
        w = torch.ones(k, dtype=torch.float64) if weights is None else vector(owner, "weights", weights)
        _same_length("weights", w.shape[0], k)
        if not (w > 0).all():
            raise ValueError(f"{owner}: weights must be > 0; got {weights!r}")
        log_weights = (
            (w / w.sum()).log() - L.diagonal(dim1=1, dim2=2).log().sum(-1) - 0.5 * d * math.log(2 * math.pi)
        )
        self.register_buffer("means", m)
        self.register_buffer("weights", w / w.sum())
        self.register_buffer("factors", L.contiguous())
        self.register_buffer("whiteners", A.reshape(k * d, d))
        self.register_buffer("centers", torch.einsum("kij,kj->ki", A, m).reshape(k * d, 1))
        self.register_buffer("log_weights", log_weights[:, None])
        self.dimension = d

    def forward(self, x: Float[Tensor, "n d"]) -> Float[Tensor, "n"]:
        return -torch.logsumexp(self._logits(self._whitened(x)), 0)

    def value_and_gradient(self, x: Float[Tensor, "n d"]) -> tuple[Float[Tensor, "n"], Float[Tensor, "n d"]]:
        parts = [self._swept(part) for part in x.detach().split(self._rows(x))]
        if len(parts) == 1:
            return parts[0]
        values, gradients = zip(*parts, strict=True)
        return torch.cat(values), torch.cat(gradients)

    def _swept(self, x: Float[Tensor, "n d"]) -> tuple[Float[Tensor, "n"], Float[Tensor, "n d"]]:
        value, p, y = self._posterior(x)
        return value, (p[:, None] * y).flatten(0, 1).T @ self.whiteners.to(x.dtype)

    def _rows(self, x: Tensor) -> int:
        """How many rows at once: a power of two, so that blocks of noise are cut alike wherever they are."""
        wide = self.whiteners.shape[0]
        if x.device.type != "cpu" or len(x) * wide <= 2 * SWEPT:
            return max(len(x), 1)
        return max(1 << (SWEPT // wide).bit_length() - 1 if wide <= SWEPT else 0, FEWEST)

    def differentiable(self, x: Float[Tensor, "n d"]) -> tuple[Float[Tensor, "n"], Float[Tensor, "n d"]]:
        """U(x) and ∇U(x), both differentiable in x."""
        y = self._whitened(x)
        logits = self._logits(y)
        return -logits.logsumexp(0), (logits.softmax(0)[:, None] * y).flatten(0, 1).T @ self.whiteners.to(
            x.dtype
        )

    def laplacian(
        self, x: Float[Tensor, "n d"], directions: Float[Tensor, "d r"] | None = None
    ) -> Float[Tensor, "n"]:
        V = torch.eye(self.dimension, device=x.device) if directions is None else directions
        _, p, y = self._posterior(x.detach())
        A = self.whiteners.to(x.dtype).view(-1, self.dimension, self.dimension)
        AV = A @ V.to(x.dtype)
        g = AV.mT @ y  # [k, r, n]
        mean = (p[:, None] * g).sum(0)
        bend = squared_norm(AV.flatten(1), None)[:, None] - g.square().sum(1)
        return (p * bend).sum(0) + mean.square().sum(0)

    def sample(self, generator: torch.Generator, n: int) -> Float[Tensor, "n d"]:
        component = torch.multinomial(self.weights.double().cpu(), n, replacement=True, generator=generator)
        ξ = torch.randn(n, self.dimension, 1, generator=generator, dtype=torch.float64)
        return self.means.double().cpu()[component] + (self.factors.double().cpu()[component] @ ξ).squeeze(-1)

    def alternatives(self) -> list[tuple[float, Energy]]:
        pairs = zip(self.means.double(), self.factors.double(), strict=True)
        return [(1.0, Gaussian.of_factor(mean, factor)) for mean, factor in pairs]

    def places(self) -> list[Places]:
        """Those of `alternatives`, all parts at once."""
        ξ = standard_points(self.dimension)
        points = self.means.double().cpu()[:, None] + ξ @ self.factors.double().cpu().mT
        bends = self._each().double().cpu().square().sum(1)
        return [Places(points, bends[:, None].expand_as(points))]

    def surely_integrable(self, t: float = 1.0) -> bool:
        return True

    def gaussian_sum(self, t: float = 1.0) -> GaussianSum | None:
        return GaussianSum.around(self._each(), self.means, -self.log_weights.flatten()).power(t)

    def curvature_floor(self) -> float | None:
        A = self._each().double()
        if not torch.allclose(A, A[:1].expand_as(A), rtol=1e-9, atol=0):
            return None
        return floor_of_mixture(self.means, A[0])

    def _each(self) -> Float[Tensor, "k d d"]:
        """The inverse factor of each component."""
        return self.whiteners.view(-1, self.dimension, self.dimension)

    def _whitened(self, x: Tensor) -> Float[Tensor, "k d n"]:
        y = torch.addmm(self.centers.to(x.dtype), self.whiteners.to(x.dtype), x.T, beta=-1)
        return y.view(len(self.means), self.dimension, x.shape[0])

    def _logits(self, y: Tensor) -> Float[Tensor, "k n"]:
        return self.log_weights.to(y.dtype) - 0.5 * y.square().sum(1)

    def _posterior(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """U [n], p [k, n] and y [k, d, n]; logsumexp is written out, because all its parts are needed."""
        y = self._whitened(x)
        logits = self._logits(y)
        top = logits.amax(0)
        p = (logits - top).exp_()
        total = p.sum(0)
        return -(top + total.log()), p.div_(total), y


def _factors(
    owner: str,
    std: float | list[float] | Tensor | None,
    covariances: list[list[list[float]]] | Tensor | None,
    k: int,
    d: int,
) -> Float[Tensor, "k d d"]:
    """L of every component's covariance LLᵀ; ValueError unless one of both is given, and can be factored."""
    exactly_one(owner, std=std, covariances=covariances)
    if std is not None:
        return factor_of_std(owner, std, d).expand(k, d, d)
    each = [] if covariances is None else covariances
    _same_length("covariances", len(each), k)
    return torch.stack([factor_of_covariance(owner, Σ, d) for Σ in each])


def _same_length(name: str, length: int, components: int) -> None:
    if length != components:
        raise ValueError(
            f"GaussianMixture: {name} must have one entry a component: {components}; got {length}"
        )
