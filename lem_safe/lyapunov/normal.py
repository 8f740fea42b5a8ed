"""Normal distributions: densities of starts, the KL between them, and the distributions that a flow or a
Langevin chain makes of N(0, s²) for the target N(0, σ²).

    KL(N(m,S)‖N(μ,Σ)) = ½(tr Σ⁻¹S + ‖m − μ‖²_Σ⁻¹ − d + log det Σ − log det S).

On U = x²/2σ² every linear scheme keeps a normal distribution, so its variance after k steps is known exactly,
with its step-size bias: flow v' = (1 − h/σ²)²v, Euler–Maruyama v' = (1 − h/σ²)²v + 2h (E.2).
"""

import math
from dataclasses import dataclass

from jaxtyping import Float

from barriers.arrays import Tensor, torch


@dataclass(frozen=True)
class Normal:
    """N(mean, covariance) over sampler coordinates, float64."""

    mean: Float[Tensor, "d"]
    covariance: Float[Tensor, "d d"]

    def log_density(self, x: Float[Tensor, "n d"]) -> Float[Tensor, "n"]:
        """log of the density, normalised."""
        L = torch.linalg.cholesky(self.covariance)
        y = torch.linalg.solve_triangular(L, (x.double() - self.mean).T, upper=False)
        return -0.5 * y.square().sum(0) - L.diagonal().log().sum() - 0.5 * x.shape[1] * math.log(2 * math.pi)

    def score(self, x: Float[Tensor, "n d"]) -> Float[Tensor, "n d"]:
        """∇ log density."""
        return -torch.linalg.solve(self.covariance, (x.double() - self.mean).T).T


def isotropic(dimension: int, std: float) -> Normal:
    """N(0, std² I)."""
    return Normal(
        torch.zeros(dimension, dtype=torch.float64), std**2 * torch.eye(dimension, dtype=torch.float64)
    )


def fitted(x: Float[Tensor, "n d"]) -> Normal:
    """The normal distribution with the mean and covariance of a cloud."""
    y = x.double()
    return Normal(y.mean(0), torch.atleast_2d(torch.cov(y.T)))


def normal_kl(p: Normal, q: Normal) -> float:
    """KL(p‖q) in nats."""
    L = torch.linalg.cholesky(q.covariance)
    A = torch.linalg.solve_triangular(L, torch.linalg.cholesky(p.covariance), upper=False)
    m = torch.linalg.solve_triangular(L, (p.mean - q.mean)[:, None], upper=False)
    log_ratio = 2 * L.diagonal().log().sum() - torch.linalg.slogdet(p.covariance).logabsdet
    return 0.5 * float(A.square().sum() + m.square().sum() - len(p.mean) + log_ratio)


def flow_variance(start: float, target: float, step_size: float, steps: int) -> float:
    """The variance of N(0, start) after `steps` Euler steps of x' = −x/target."""
    return start * (1 - step_size / target) ** (2 * steps)


def langevin_variance(start: float, target: float, step_size: float, steps: int) -> float:
    """The variance of N(0, start) after `steps` Euler–Maruyama steps on U = x²/2·target: it tends to
    target/(1 − h/2target).
    """
    a = (1 - step_size / target) ** 2
    return start * a**steps + 2 * step_size * (steps if a == 1 else (1 - a**steps) / (1 - a))
