"""One Newton step for multipliers: μ ≥ 0 and F(μ) ≤ 0, with equality in one of them for every constraint."""

from jaxtyping import Float

from barriers.arrays import Tensor, torch
from barriers.qp import solve_dual

FLOOR = 1e-30
"""The smallest curvature of a dual."""


def advanced(
    S: Float[Tensor, "*r m m"], μ: Float[Tensor, "*r m"], violation: Float[Tensor, "*r m"]
) -> Float[Tensor, "*r m"]:
    """ν ≥ 0 with S(ν − μ) = violation on its support W, for each cloud by itself. S = ∂B/∂μ is symmetric only
    at μ = 0, so W is computed with its symmetric part. NaN where a problem is not finite.
    """
    m = μ.shape[-1]
    ν = _advanced(S.reshape(-1, m, m), μ.reshape(-1, m), violation.reshape(-1, m))
    return ν.reshape(μ.shape)


def times(A: Float[Tensor, "*r m k"], x: Float[Tensor, "*r k"]) -> Float[Tensor, "*r m"]:
    """A x, for each cloud by itself."""
    return (A * x[..., None, :]).sum(-1)


def _advanced(
    S: Float[Tensor, "b m m"], μ: Float[Tensor, "b m"], violation: Float[Tensor, "b m"]
) -> Float[Tensor, "b m"]:
    finite = torch.isfinite(S).flatten(1).all(1) & torch.isfinite(violation).all(1)
    if not bool(finite.all()):  # NaN must not reach a factorisation
        ν = torch.full_like(μ, torch.nan)
        ν[finite] = _advanced(S[finite], μ[finite], violation[finite])
        return ν
    G = _positive((S + S.mT) / 2)
    guess = solve_dual(G, times(G, μ) + violation).multipliers
    W = guess > 0
    eye = torch.eye(μ.shape[1], dtype=S.dtype, device=S.device)
    block = torch.where(W[:, :, None] & W[:, None, :], S, eye)
    ν, singular = torch.linalg.solve_ex(block, torch.where(W, times(S, μ) + violation, 0.0))
    return torch.where(((ν >= 0).all(1) & (singular == 0))[:, None], ν, guess)


def _positive(G: Float[Tensor, "b m m"]) -> Float[Tensor, "b m m"]:
    """The nearest positive semidefinite matrices, with a floor that keeps the dual solvable."""
    values, vectors = torch.linalg.eigh(G)
    floor = 1e-9 * values.abs().amax(1, keepdim=True) + FLOOR
    return vectors @ torch.diag_embed(torch.maximum(values, floor)) @ vectors.mT
