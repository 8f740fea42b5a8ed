"""The dual of the filter's QP: μ = argmin_{μ ≥ 0} ½μᵀGμ − rᵀμ, with G the Gram matrix of the constraint rows (Q.2).

The primal has n·d unknowns, the dual only m. Rows are scaled to unit length, zero rows set aside, last step's active set is tried first,
and whatever active set is found is solved again directly, so that the KKT residual is at rounding level. Always in float64.
Letters: b independent problems, m constraints.
"""

from typing import Literal, NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from barriers.qp.lemke import lemke

OnInfeasible = Literal["relax", "raise"]


class Infeasible(ArithmeticError):
    """No velocity satisfies all constraints at once, and the caller asked to be told."""


class DualSolution(NamedTuple):
    """Multipliers, the KKT residual in the scaled problem, and by how much each constraint is missed (0 where feasible)."""

    multipliers: Float[Tensor, "b m"]
    residual: Float[Tensor, "b"]
    shortfall: Float[Tensor, "b m"]


def solve_dual(
    gram: Float[Tensor, "b m m"],
    excess: Float[Tensor, "b m"],
    *,
    warm: Bool[Tensor, "b m"] | None = None,
    on_infeasible: OnInfeasible = "relax",
) -> DualSolution:
    """Multipliers of `b` problems with Gram matrices G and excesses r (how far the unfiltered drift overshoots each bound).

    `warm` is a guess at the active set. An infeasible problem is relaxed to the one with least squared violation, its shortfall
    reported, or raises Infeasible.
    """
    G, r = gram.double(), excess.double()
    b, m = r.shape
    if m == 0 or not bool((r > 0).any()):  # nothing overshoots: the drift is safe as it is
        return DualSolution(torch.zeros_like(r), r.new_zeros(b), torch.zeros_like(r))
    G, r, scale = _normalised(G, r)
    μ = _warm_start(G, r, warm) if warm is not None and m > 1 else None
    if μ is None:
        μ, solved = _one(G, r) if m == 1 else lemke(G, -r)
        μ = _polished(G, r, μ) if m > 1 else μ
        missed = (r - torch.einsum("bkl,bl->bk", G, μ)).amax(1) > 1e-9 * (1 + r.abs().amax(1))
        bad = missed | ~solved
        if bool(bad.any()):
            if on_infeasible == "raise":
                raise Infeasible(_explain(r, bad))
            μ = torch.where(bad[:, None], _relaxed(G, r), μ)
    slope = torch.einsum("bkl,bl->bk", G, μ) - r
    residual = torch.minimum(μ, slope).abs().amax(1)
    short = (-slope).clamp(min=0)
    short = torch.where(short > 1e-9 * (1 + r.abs()), short, 0.0)
    return DualSolution(μ / scale, residual, short * scale)


def _normalised(G: Tensor, r: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Rows to unit length. A zero row keeps its excess but can push nothing: its diagonal stays 0."""
    length = G.diagonal(dim1=1, dim2=2).clamp(min=0).sqrt()
    zero = length <= 1e-100
    scale = torch.where(zero, 1.0, length)
    G = G / (scale[:, :, None] * scale[:, None, :])
    keep = ~(zero[:, :, None] | zero[:, None, :])
    return torch.where(keep, G, 0.0), r / scale, scale


def _one(G: Tensor, r: Tensor) -> tuple[Tensor, Tensor]:
    """m = 1 in closed form: μ = r₊/G."""
    can_push = G[:, :, 0] > 0
    return torch.where(can_push, r.clamp(min=0) / G[:, :, 0], 0.0), (can_push | (r <= 0))[:, 0]


def _warm_start(G: Tensor, r: Tensor, active: Tensor) -> Tensor | None:
    """The solution on last step's active set, where that is optimal for every problem of the batch; else None."""
    μ = _solve_on(G, r, active)
    slope = torch.einsum("bkl,bl->bk", G, μ) - r
    tolerance = 1e-12 * (1 + r.abs().amax())
    optimal = (μ >= 0).all() & torch.where(active, slope.abs() <= tolerance, slope >= -tolerance).all()
    return μ if bool(optimal) else None


def _polished(G: Tensor, r: Tensor, μ: Tensor) -> Tensor:
    """The same active set solved directly, kept where it stays nonnegative and lowers the residual."""
    again = _solve_on(G, r, μ > 0).clamp(min=0)

    def residual(ν: Tensor) -> Tensor:
        return torch.minimum(ν, torch.einsum("bkl,bl->bk", G, ν) - r).abs().amax(1, keepdim=True)

    return torch.where(residual(again) <= residual(μ), again, μ)


def _solve_on(G: Tensor, r: Tensor, active: Tensor) -> Tensor:
    """μ_A = G_AA⁺ r_A, zero elsewhere; the inactive block is replaced by the identity."""
    both = active[:, :, None] & active[:, None, :]
    eye = torch.eye(G.shape[1], dtype=G.dtype, device=G.device)
    block = torch.where(both, G, torch.where(active[:, :, None], 0.0, eye))
    target = torch.where(active, r, 0.0)
    solution, info = torch.linalg.solve_ex(block, target)
    good = (info == 0) & torch.isfinite(solution).all(1)
    if not bool(good.all()):
        pseudo = torch.einsum("bkl,bl->bk", torch.linalg.pinv(block, hermitian=True), target)
        solution = torch.where(good[:, None], solution, pseudo)
    return solution


def _relaxed(G: Tensor, r: Tensor) -> Tensor:
    """min ½‖u − v‖² + (1/2ε)‖violation‖²: always feasible, its dual is G + εI. ε = 1e-7 beside unit rows."""
    eye = torch.eye(G.shape[1], dtype=G.dtype, device=G.device)
    can_push = G.diagonal(dim1=1, dim2=2) > 0
    return torch.where(can_push, lemke(G + 1e-7 * eye, -r).z, 0.0)


def _explain(r: Tensor, bad: Tensor) -> str:
    k = int(bad.nonzero()[0, 0])
    worst = int(r[k].argmax())
    return f"no velocity satisfies all {r.shape[1]} constraints; the unfiltered drift misses constraint {worst} by {float(r[k, worst]):.3g} (scaled)"
