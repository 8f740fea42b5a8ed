"""The filter's QP as a differentiable function: the nearest u that satisfies every constraint (Q.1–Q.3).

Derivatives by the implicit function theorem at the active set W = {μ > 0} and the free coordinates F (not
clipped by the speed bound), for an incoming gradient g of u and γ of μ, H = A_F w⁻¹ A_Fᵀ + 1/ρ:
    y = H_WW⁻¹(A_F w⁻¹g − γ)_W,   dv = g − Aᵀy,   dc = y,   dA = −μ(dv_F/w)ᵀ − y uᵀ,
    dw = (v − u)_F dv_F / w,   dρ = −yμ/ρ²,   dspeed = sign(u − v) dv on the clipped coordinates.
They hold away from weakly active rows (μ_k = 0 on its bound), where u has a kink and one of its one-sided
derivatives is returned.
"""

from typing import Any, Literal, NamedTuple

from jaxtyping import Bool, Float

from barriers.arrays import Tensor, torch
from barriers.derivatives import recorded
from barriers.qp.active_set import RELAXATION, solve_on
from barriers.qp.backends import solve_with_cvxpy, solve_with_qpth
from barriers.qp.dual import OnInfeasible, solve_dual
from barriers.qp.problem import (
    Found,
    Problem,
    inverse_weights,
    moved,
    moved_by,
    pose,
    push,
)
from barriers.qp.rows import combination, gram, gram_and_times, rows_times
from barriers.qp.speed import solve_bounded

Backend = Literal["structured", "qpth", "cvxpy"]


class Projection(NamedTuple):
    """The solution and its accuracy; b is absent for a cloud. Only `u` and `multipliers` are differentiable.

    residual: the largest violation of the KKT conditions in unit rows, relative to 1 + max excess + max μ,
    before u is cast to v's dtype; of the relaxed problem where there is no solution. gap: primal minus dual
    objective. shortfall: how far A u exceeds c, slack included, 0 where it does not.
    """

    u: Float[Tensor, "*b size"]
    multipliers: Float[Tensor, "*b m"]
    residual: Float[Tensor, "*b"]
    gap: Float[Tensor, "*b"]
    shortfall: Float[Tensor, "*b m"]


def project(
    v: Float[Tensor, "b size"],
    A: Float[Tensor, "..."],
    c: Float[Tensor, "..."],
    *,
    weights: Float[Tensor, "..."] | None = None,
    slack: Float[Tensor, "..."] | float | None = None,
    speed: Float[Tensor, "..."] | float | None = None,
    warm: Bool[Tensor, "b m"] | None = None,
    on_infeasible: OnInfeasible = "relax",
    backend: Backend = "structured",
) -> Projection:
    """min_u ½Σ w(u − v)² s.t. A u ≤ c for a batch: v [b, N], A [b, m, N], c [b, m], weights [b, N], slack [b,
    m], speed [b, N].

    Arguments shared by the batch may lack the b axis; their gradient is the sum over the batch. `slack` is a
    penalty ρ/2 on the squared violation instead of a hard constraint. `warm` is a guess of the active set
    (structured, without speed). An infeasible problem is relaxed to the smallest squared violation of unit
    rows, or raises Infeasible. Raises ValueError where shapes do not fit or a number is not finite;
    ImportError where the backend's library is missing.
    """
    if (
        v.dim() != 2
        or A.dim() not in (2, 3)
        or (A.dim() == 3 and A.shape[0] != v.shape[0])
        or A.shape[-1] != v.shape[-1]
    ):
        raise ValueError(
            f"project: rows {tuple(A.shape)} do not fit vectors {tuple(v.shape)}; expected v [b, N] and A "
            "[b, m, N] or [m, N]"
        )
    rows = A.expand(v.shape[0], *A.shape[-2:])
    problem = pose(v[:, None], rows[:, :, None], c, _with_axis(weights), slack, _with_axis(speed))
    solution = solve(problem, warm, on_infeasible, backend)
    return solution._replace(u=solution.u[:, 0])


def project_cloud(
    drift: Float[Tensor, "n d"],
    gradients: Float[Tensor, "n m d"],
    bounds: Float[Tensor, "m"],
    *,
    weights: Float[Tensor, "n d"] | None = None,
    slack: Float[Tensor, "m"] | float | None = None,
    speed: Float[Tensor, "n d"] | float | None = None,
    warm: Bool[Tensor, "1 m"] | None = None,
    on_infeasible: OnInfeasible = "relax",
) -> Projection:
    """The ensemble's problem, with rows over the particles: min (1/2n)Σ w‖uᵢ − vᵢ‖² s.t. (1/n)Σ g_k(xᵢ)·uᵢ ≤
    bound_k (Q.1).

    Never copies the [n, m, d] gradients; u = v − Σ μ_k g_k / w, with the multipliers of (Q.2).
    """
    n = drift.shape[0]
    soft = None if slack is None else slack / n
    problem = pose(drift[None], gradients.transpose(0, 1)[None], bounds * n, weights, soft, speed)
    u, μ, residual, gap, shortfall = solve(problem, warm, on_infeasible, "structured")
    return Projection(u[0], μ[0], residual[0], gap[0] / n, shortfall[0] / n)


def solve(problem: Problem, warm: Tensor | None, on_infeasible: OnInfeasible, backend: str) -> Projection:
    """The solution of a posed problem by the given backend, with u as [b, n, d]."""
    if backend not in ("structured", "qpth", "cvxpy"):
        raise ValueError(f"project: backend must be structured, qpth or cvxpy; got {backend!r}")
    if problem.A.shape[1] == 0:
        return _unconstrained(problem)
    with torch.no_grad():
        H, r = _dual(problem)
        if not bool(torch.isfinite(r).all() & torch.isfinite(H).all()):
            raise ValueError(
                "project: v, A and c must be finite; got NaN, infinity, or rows whose squares overflow"
            )
    u, μ, found = _solved(problem, H, r, warm, on_infeasible, backend)
    with torch.no_grad():
        met, away = found.met, None
        if met is None:  # ours is u(μ) by construction
            met = rows_times(problem.A, found.u)
            away = (found.u - moved(problem, push(problem, found.multipliers))).abs().flatten(1).amax(1)
            away = away / (1 + found.u.abs().flatten(1).amax(1))
        residual, gap, shortfall = _conditions(problem, found, H, r, met)
        if away is not None:
            residual = torch.maximum(residual, away)
    return Projection(u.to(problem.v.dtype), μ, residual, gap, shortfall)


def _solved(
    problem: Problem, H: Tensor, r: Tensor, warm: Tensor | None, on_infeasible: OnInfeasible, backend: str
) -> tuple[Tensor, Tensor, Found]:
    """u and μ, in the graph where one is recorded, and what the solver found."""
    if backend == "qpth":
        u, found = solve_with_qpth(problem, on_infeasible)
        return u, found.multipliers, found
    with torch.no_grad():
        found = (
            _structured(problem, H, r, warm, on_infeasible)
            if backend == "structured"
            else solve_with_cvxpy(problem, on_infeasible)
        )
    if not recorded(*(x for x in problem if x is not None)):
        return found.u, found.multipliers, found
    u, μ = _Implicit.apply(*problem, *found[:4], H)
    return u, μ, found


def _structured(
    problem: Problem, H: Tensor, r: Tensor, warm: Tensor | None, on_infeasible: OnInfeasible
) -> Found:
    if problem.speed is None:
        dual = solve_dual(H, r, warm=warm, on_infeasible=on_infeasible)
        alone = problem.A.shape[1] == 1 and problem.slack is None
        along = r + problem.c.double() - H[:, 0] * dual.multipliers if alone else None  # A(v − W⁻¹Aᵀμ)
        u, met = moved_by(problem, dual.multipliers, along)
        return Found(u, dual.multipliers, None, dual.relaxed, met)
    bounded = solve_bounded(problem, on_infeasible)
    pushed = push(problem, bounded.multipliers)  # u − v would be off the bound by rounding
    free = pushed.abs() < problem.speed.double()
    u = moved(problem, pushed)
    return Found(u, bounded.multipliers, free, bounded.relaxed, rows_times(problem.A, u))


def _dual(problem: Problem) -> tuple[Tensor, Tensor]:
    """A w⁻¹ Aᵀ + 1/ρ, and the excess A v − c."""
    H, product = gram_and_times(problem.A, inverse_weights(problem), problem.v)
    softened = H if problem.slack is None else H + torch.diag_embed(1 / problem.slack.double())
    return softened, product - problem.c.double()


def _conditions(
    problem: Problem, found: Found, H: Tensor, r: Tensor, met: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """KKT residual, duality gap and shortfall of a solution, from the primal rows: `met` is A u."""
    μ, length = found.multipliers, H.diagonal(dim1=1, dim2=2).sqrt()
    zero = length <= 1e-100  # such a row can only fall short, which is not an error of the solver
    length = torch.where(zero, 1.0, length)
    over = met - problem.c.double()
    slope = -over if problem.slack is None else μ / problem.slack.double() - over
    slope = slope + torch.where(found.relaxed[:, None], RELAXATION * length**2 * μ, 0.0)
    wrong = torch.where(zero, 0.0, torch.minimum(μ * length, slope / length)).abs().amax(1)
    size = r.abs() / length
    residual = wrong / (1 + size.amax(1) + (μ * length).amax(1))
    return residual, (μ * slope).sum(1), torch.where(over > 1e-9 * length * (1 + size), over, 0.0)


def _unconstrained(problem: Problem) -> Projection:
    b = problem.v.shape[0]
    nothing = torch.zeros(b, dtype=torch.float64, device=problem.v.device)
    none = nothing.new_zeros(b, 0)
    return Projection(problem.v.clone(), none, nothing, nothing, none)


def _with_axis(given: Tensor | float | None) -> Any:
    """[N] or [b, N] as [..., 1, N]; numbers and 0-dim tensors unchanged."""
    return given.unsqueeze(-2) if isinstance(given, Tensor) and given.dim() > 0 else given


class _Implicit(torch.autograd.Function):
    """u and μ as functions of the problem, at the active set that was found. Differentiable twice: the
    backward is plain torch.
    """

    @staticmethod
    def forward(
        ctx: Any,
        v: Tensor,
        A: Tensor,
        c: Tensor,
        w: Tensor | None,
        slack: Tensor | None,
        speed: Tensor | None,
        u: Tensor,
        μ: Tensor,
        free: Tensor | None,
        relaxed: Tensor,
        H: Tensor,
    ) -> tuple[Tensor, Tensor]:
        u, μ = u.clone(), μ.clone()
        ctx.gram = H if free is None else None
        ctx.save_for_backward(v, A, c, w, slack, speed, u, μ, free, relaxed)
        return u, μ

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        v, A, c, w, slack, speed, u, μ, free, relaxed = ctx.saved_tensors
        g, γ = gradients
        problem = Problem(v, A, c, w, slack, speed)
        full = inverse_weights(problem)
        q = full if free is None else free.to(g.dtype) if full is None else full * free
        H = ctx.gram  # of the forward pass, as a constant
        if H is None or torch.is_grad_enabled():
            H = gram(A, q) if slack is None else gram(A, q) + torch.diag_embed(1 / slack.double())
        if bool(relaxed.any()):
            ε = torch.where(relaxed, RELAXATION, 0.0)[:, None]
            H = H + torch.diag_embed(ε * gram(A, full).diagonal(dim1=1, dim2=2))
        y = solve_on(H, rows_times(A, g if q is None else g * q) - γ, μ > 0)
        dv = g - combination(A, y)
        step = dv if q is None else dv * q
        dA, dw, dslack, dspeed = None, None, None, None
        if ctx.needs_input_grad[1]:
            sides = -torch.stack([μ, y], 2), torch.stack([step, u], 1).flatten(2)  # both terms in one product
            dA = (sides[0].to(A.dtype) @ sides[1].to(A.dtype)).reshape(A.shape)
        if w is not None:
            dw = (v.double() - u) * step
        if bool(
            relaxed.any()
        ):  # the relaxed problem's penalty is in unit rows, so the rows' lengths count too
            e = ε * y * μ
            if dA is not None:
                dA = dA + 2 * _column(e, A) * (A if full is None else A * full.to(A.dtype)[:, None])
            if dw is not None and full is not None:
                dw = dw - torch.einsum("bm,bmnd->bnd", e, A.double() ** 2) * full**2
        if slack is not None:
            dslack = (-y * μ / slack.double() ** 2).to(slack.dtype)
        if speed is not None and free is not None:
            dspeed = (torch.sign(u - v.double()) * dv * ~free).to(speed.dtype)
        dw = None if dw is None or w is None else dw.to(w.dtype)
        return dv.to(v.dtype), dA, y.to(c.dtype), dw, dslack, dspeed, None, None, None, None, None


def _column(μ: Tensor, A: Tensor) -> Tensor:
    return μ.to(A.dtype)[:, :, None, None]
