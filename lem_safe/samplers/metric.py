"""Constant metrics M for Langevin steps, and how fast the flow contracts in them (E.11).

The flow dx = −M⁻¹∇U dt contracts the distance of two trajectories at rate λ in the norm δᵀMδ, where λ is the
smallest eigenvalue of M^{−½}∇²U M^{−½} over the space: a contraction metric for a gradient flow. The best
constant M for a quadratic is its Hessian, with λ = 1. The factor L of M⁻¹ = LLᵀ is stored; λ is then the
smallest eigenvalue of Lᵀ∇²U L.
"""

from dataclasses import dataclass
from typing import Literal

from jaxtyping import Float

from barriers.arrays import Tensor, torch
from lem_safe.energies import Energy
from lem_safe.energies.numbers import points
from lem_safe.errors import BadInput, Fault

LARGEST = 256
"""The largest dimension in which a Hessian is computed: it costs d backward passes per point and an
eigenvalue problem.
"""

MetricName = Literal["covariance", "hessian"]
"""A metric that is found from the starting cloud."""

Origin = Literal[
    "Bakry-Emery: the Hessian is constant", "measured: the least over some points, no bound elsewhere"
]


@dataclass(frozen=True)
class Contraction:
    """The rate λ and the largest eigenvalue Λ in the metric, at the same points, and their origin.

    Euler's step x' = x − hM⁻¹∇U contracts by max(|1 − hλ|, |1 − hΛ|), so h must be below 2/Λ. rate ≤ 0: it
    does not contract there.
    """

    rate: float
    stiffest: float
    origin: Origin

    def factor(self, step_size: float) -> float:
        """The largest factor by which one Euler step changes the distance of two particles in the metric."""
        return max(abs(1 - step_size * self.rate), abs(1 - step_size * self.stiffest))


def contraction(energy: Energy, factor: Float[Tensor, "d d"], x: Float[Tensor, "n d"]) -> Contraction:
    """The contraction of dx = −M⁻¹∇U dt, M⁻¹ = LLᵀ, from the Hessians at the points x; exact where the
    Hessian is constant.
    """
    terms = energy.gaussian_sum()
    constant = terms is not None and len(terms.c) == 1
    L = factor.double()
    λ = torch.cat(
        [torch.linalg.eigvalsh(L.T @ hessian(energy, point) @ L) for point in (x[:1] if constant else x)]
    )
    origin: Origin = "measured: the least over some points, no bound elsewhere"
    return Contraction(
        float(λ.min()), float(λ.max()), "Bakry-Emery: the Hessian is constant" if constant else origin
    )


def hessian(energy: Energy, point: Float[Tensor, "d"]) -> Float[Tensor, "d d"]:
    """∇²U at one point, in float64; raises ValueError past 256 dimensions."""
    if point.shape[0] > LARGEST:
        raise ValueError(
            f"hessian: at most {LARGEST} dimensions; got {point.shape[0]}; use metric: covariance, or give "
            "a matrix"
        )
    H = torch.autograd.functional.hessian(lambda v: energy(v[None])[0], point.detach().double())
    return 0.5 * (H + H.T)


def given_factor(owner: str, metric: str | list[list[float]], energy: Energy) -> Float[Tensor, "d d"] | None:
    """L of a metric that is a matrix; None of one that is found from the start. Raises ValueError where it
    does not fit the energy, as far as its dimension is known: a user's own has none before its first call.
    """
    if isinstance(metric, str):
        if metric not in ("covariance", "hessian"):
            raise ValueError(f"{owner}: metric must be covariance, hessian or a matrix; got {metric!r}")
        return None
    d = getattr(energy, "dimension", None)
    if d is not None and len(metric) != d:
        raise ValueError(f"{owner}: metric must be {d} x {d}, like the energy; got {len(metric)} rows")
    return of_matrix(metric, owner)


def factor_at(
    energy: Energy, metric: str | list[list[float]], x: Float[Tensor, "n d"]
) -> Float[Tensor, "d d"]:
    """L of a metric that is found from the starting cloud x, of its dtype and on its device."""
    return (of_cloud(x) if metric == "covariance" else at_the_mode(energy, x)).to(x)


def of_matrix(matrix: list[list[float]], owner: str = "Preconditioned") -> Float[Tensor, "d d"]:
    """L of M⁻¹ = LLᵀ, from M; raises ValueError where M is not symmetric and positive definite."""
    M = points(owner, "metric", matrix)
    if M.shape[0] != M.shape[1] or not torch.allclose(M, M.T, rtol=1e-9, atol=0):
        raise ValueError(f"{owner}: metric must be a symmetric matrix; got {matrix!r}")
    λ = float(torch.linalg.eigvalsh(M)[0])
    if not λ > 0:
        raise ValueError(f"{owner}: metric must be positive definite; its smallest eigenvalue is {λ:.3g}")
    return torch.linalg.cholesky(torch.linalg.inv(M))


def of_cloud(x: Float[Tensor, "n d"]) -> Float[Tensor, "d d"]:
    """L of the covariance of a cloud, M⁻¹ = Σ; raises BadInput where it has no spread in some direction."""
    n, d = x.shape
    y = x.double() - x.double().mean(0)
    Σ = y.T @ y / max(n - 1, 1)
    if not _share(Σ) > 1e-12:
        raise _bad_metric(
            f"covariance needs particles that start spread in all {d} directions; the least variance of "
            f"these {n} is {max(0.0, float(torch.linalg.eigvalsh(Σ)[0])):.3g}; "
            "use init: {kind: data} or a wider start, or give a matrix"
        )
    return torch.linalg.cholesky(Σ)


def at_the_mode(energy: Energy, x: Float[Tensor, "n d"]) -> Float[Tensor, "d d"]:
    """L of the inverse Hessian at the mode reached from the likeliest of the points x; raises BadInput where
    there is none.
    """
    from scipy.optimize import minimize

    if x.shape[1] > LARGEST:
        raise _bad_metric(
            f"hessian takes at most {LARGEST} dimensions; got {x.shape[1]}; use covariance, or give a matrix"
        )
    cloud = x.double()
    spread = cloud.std(0, unbiased=False)
    units = torch.where(spread > 0, spread, torch.ones_like(spread))  # of the search, whatever those of x
    start = cloud[energy(cloud).argmin()].detach()

    def at(v: object) -> Tensor:
        return start + units * torch.as_tensor(v, dtype=torch.float64, device=x.device)

    def fall(v: object) -> tuple[float, object]:
        U, g = energy.value_and_gradient(at(v)[None])
        return float(U), (units * g[0]).numpy(force=True)

    found = minimize(
        fall,
        [0.0] * x.shape[1],
        jac=True,
        method="L-BFGS-B",
        options={"maxiter": 2000, "ftol": 1e-15, "gtol": 1e-9},
    )
    H = hessian(energy, at(found.x))
    if not _share(H) > 1e-9:
        λ = torch.linalg.eigvalsh(H) if bool(H.isfinite().all()) else H.diagonal()
        raise _bad_metric(
            "the Hessian where the energy is least is not positive definite (eigenvalues from "
            f"{float(λ[0]):.3g} to {float(λ[-1]):.3g}); "
            "use covariance, or give a matrix"
        )
    return torch.linalg.cholesky(torch.linalg.inv(H))


def _share(S: Float[Tensor, "d d"]) -> float:
    """The smallest eigenvalue of S over its largest, in units in which its diagonal is 1; 0 or less where
    there are none.
    """
    scale = S.detach().diagonal().clamp(min=0).sqrt()
    R = S.detach() / (scale[:, None] * scale)
    if not bool(R.isfinite().all()):
        return 0.0
    λ = torch.linalg.eigvalsh(R)
    return float(λ[0] / λ[-1])


def _bad_metric(message: str) -> BadInput:
    return BadInput(Fault(message, key="sampler.metric"))
