"""One Newton step for multipliers: μ ≥ 0 and F(μ) ≤ 0, with equality in one of them for every constraint."""

import torch
from torch import Tensor

from barriers.qp import solve_dual


def advanced(S: Tensor, μ: Tensor, violation: Tensor) -> Tensor:
    """ν ≥ 0 with S(ν − μ) = violation on its support W. S = ∂B/∂μ is symmetric only at μ = 0, so W is
    computed with its symmetric part.
    """
    G = _positive((S + S.T) / 2)
    guess = solve_dual(G[None], (G @ μ + violation)[None]).multipliers[0]
    if len(μ) == 1:
        return guess
    W = guess > 0
    block = torch.where(W[:, None] & W, S, torch.eye(len(μ), dtype=S.dtype, device=S.device))
    ν, singular = torch.linalg.solve_ex(block, torch.where(W, S @ μ + violation, 0.0))
    return ν if bool((ν >= 0).all() & (singular == 0)) else guess


def _positive(G: Tensor) -> Tensor:
    """The nearest positive semidefinite matrix, with a floor that keeps the dual solvable."""
    if G.shape[0] == 1:
        return G.clamp(min=1e-30)
    values, vectors = torch.linalg.eigh(G)
    return vectors @ torch.diag(values.clamp(min=1e-9 * float(values.abs().max()) + 1e-30)) @ vectors.T
