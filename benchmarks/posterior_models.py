"""Three models of posteriordb in torch, over unconstrained rows: what a user of `lem_safe.energy` writes.

A parameter with bounds is a function of a number without: τ = e^t, α = 1/(1 + e^{−a}), and the log density
has the logarithm of the slope (Jacobian) beside it, as Stan's does. `natural` maps rows back to the
parameters, in the order and under the names of posteriordb's reference draws.
"""

from collections.abc import Mapping
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid


class Model(Protocol):
    """columns: names of the unconstrained coordinates. parameters: of what `natural` returns."""

    columns: tuple[str, ...]
    parameters: tuple[str, ...]

    def log_density(self, z: Tensor) -> Tensor:
        """log of the posterior density of rows z [n, d], Jacobian included, up to a constant."""
        ...

    def natural(self, z: Tensor) -> Tensor:
        """The parameters [n, k] of rows z [n, d]."""
        ...


def _vector(values: Any) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


class EightSchools:
    """y_j ~ N(θ_j, σ_j), θ = μ + τη, η ~ N(0, I), μ ~ N(0, 5²), τ ~ Cauchy⁺(0, 5); rows (η, μ, log τ)."""

    def __init__(self, data: Mapping[str, Any]):
        self.y, self.sigma = _vector(data["y"]), _vector(data["sigma"])
        J = len(self.y)
        self.columns = (*(f"eta{j}" for j in range(1, J + 1)), "mu", "log_tau")
        self.parameters = (*(f"theta[{j}]" for j in range(1, J + 1)), "mu", "tau")

    def natural(self, z: Tensor) -> Tensor:
        η, μ, τ = z[:, :-2], z[:, -2:-1], z[:, -1:].exp()
        return torch.cat([μ + τ * η, μ, τ], 1)

    def log_density(self, z: Tensor) -> Tensor:
        η, μ, t = z[:, :-2], z[:, -2], z[:, -1]
        r = (self.y.to(z) - self.natural(z)[:, :-2]) / self.sigma.to(z)
        prior = -0.5 * η.square().sum(1) - 0.5 * (μ / 5).square() - (t.exp() / 5).square().log1p()
        return prior - 0.5 * r.square().sum(1) + t


class Garch:
    """y_t ~ N(μ, σ_t), σ_t² = α₀ + α₁(y_{t−1} − μ)² + β₁σ_{t−1}², flat priors on α₀ > 0, 0 < α₁ < 1, 0 < β₁ <
    1 − α₁; rows (μ, log α₀, logit α₁, logit of β₁/(1 − α₁)).
    """

    columns = ("mu", "log_alpha0", "logit_alpha1", "logit_beta1")
    parameters = ("mu", "alpha0", "alpha1", "beta1")

    def __init__(self, data: Mapping[str, Any]):
        self.y, self.first = _vector(data["y"]), float(data["sigma1"])

    def natural(self, z: Tensor) -> Tensor:
        α = z[:, 2].sigmoid()
        return torch.stack([z[:, 0], z[:, 1].exp(), α, (-z[:, 2]).sigmoid() * z[:, 3].sigmoid()], 1)

    def log_density(self, z: Tensor) -> Tensor:
        μ, α0, α1, β1 = self.natural(z).unbind(1)
        r = (self.y.to(z)[:, None] - μ).square()  # times are rows here
        variances = [torch.full_like(μ, self.first**2)]
        for driven in (α0 + α1 * r[:-1]).unbind():
            variances.append(torch.addcmul(driven, β1, variances[-1]))
        v = torch.stack(variances)
        slopes = z[:, 1] + logsigmoid(z[:, 2]) + 2 * logsigmoid(-z[:, 2])
        slopes = slopes + logsigmoid(z[:, 3]) + logsigmoid(-z[:, 3])
        return -0.5 * (v.log() + r / v).sum(0) + slopes


class KidScore:
    """score_i ~ N(β₁ + β₂ iq_i, σ), flat priors on β, σ ~ Cauchy⁺(0, 2.5); rows (β₁, β₂, log σ). The sum of
    squares is that at its least and a quadratic form around it.
    """

    columns = ("beta1", "beta2", "log_sigma")
    parameters = ("beta[1]", "beta[2]", "sigma")

    def __init__(self, data: Mapping[str, Any]):
        y, iq = _vector(data["kid_score"]), _vector(data["mom_iq"])
        X = torch.stack([torch.ones_like(iq), iq], 1)
        self.n, self.gram = len(y), X.T @ X
        self.best = torch.linalg.solve(self.gram, X.T @ y)
        self.least = float((y - X @ self.best).square().sum())

    def natural(self, z: Tensor) -> Tensor:
        return torch.cat([z[:, :2], z[:, 2:].exp()], 1)

    def log_density(self, z: Tensor) -> Tensor:
        b, s = z[:, :2] - self.best.to(z), z[:, 2]
        squares = self.least + ((b @ self.gram.to(z)) * b).sum(1)
        return -0.5 * squares * (-2 * s).exp() - self.n * s - (s.exp() / 2.5).square().log1p() + s
