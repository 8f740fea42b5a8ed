"""Random projection problems, and how far an answer is from satisfying what defines it, typed from the
definition.
"""

from typing import NamedTuple

import torch
from torch import Tensor

F64 = torch.float64


class Posed(NamedTuple):
    """v [b, N], rows [b, m, N], bounds [b, m], weights [b, N]."""

    v: Tensor
    A: Tensor
    c: Tensor
    w: Tensor


def posed(seed: int, b: int, m: int, size: int) -> Posed:
    """Problems some u satisfies strictly, with about half of the rows active."""
    g = torch.Generator().manual_seed(seed)
    v, A, x = (torch.randn(*shape, generator=g, dtype=F64) for shape in ((b, size), (b, m, size), (b, size)))
    c = torch.einsum("bmj,bj->bm", A, x) + 0.02 + 0.5 * torch.rand(b, m, generator=g, dtype=F64)
    return Posed(v, A, c, 0.5 + torch.rand(b, size, generator=g, dtype=F64))


def clear_margin(problem: Posed, u: Tensor, multipliers: Tensor) -> float:
    """The least of μ_k + slack_k in unit rows: how far the problem is from a weakly active row, where
    gradients have a kink.
    """
    length = problem.A.norm(dim=2)
    slack = (problem.c - torch.einsum("bmj,bj->bm", problem.A, u)) / length
    return float(torch.maximum(slack, multipliers * length).min())


def kkt(
    problem: Posed, u: Tensor, μ: Tensor, *, slack: float | None = None, speed: float | None = None
) -> float:
    """The largest violation of stationarity, feasibility, sign and complementarity of min ½Σw(u−v)² +
    ½ρ‖s‖².
    """
    v, A, c, w = problem
    bound = c if slack is None else c + μ / slack
    spare = bound - torch.einsum("bmj,bj->bm", A, u)
    force = w * (v - u) - torch.einsum("bmj,bm->bj", A, μ)
    if speed is not None:  # where |u − v| is at its bound the force may point outward
        force = torch.where((u - v).abs() >= speed - 1e-12, (force * torch.sign(u - v)).clamp(max=0), force)
    parts = [force.abs().max(), (-spare).clamp(min=0).max(), (-μ).clamp(min=0).max(), (μ * spare).abs().max()]
    if speed is not None:
        parts.append(((u - v).abs() - speed).clamp(min=0).max())
    return max(float(p) for p in parts)
