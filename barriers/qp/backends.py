"""The same problem by two external solvers: qpth, an interior-point layer with its own gradients, and cvxpy,
as a reference.

Both are far slower than the m-variable dual (see `benchmarks/qp.py`) and imported only on use. The defects of
qpth 0.0.18 are worked around here: arguments shared by a batch are expanded (their gradient would be the
mean, not the sum), everything is float64 with unit rows, zero rows are removed, problems without rows are not
passed to it, every result is checked element by element and solved again without the elements that stopped
the batch, infeasible problems are detected, and a second derivative, which would silently be wrong, raises.
Letters as in `problem`; N = n·d.
"""

import warnings
from collections.abc import Iterator
from types import ModuleType
from typing import Any, NamedTuple

from jaxtyping import Float

from barriers.arrays import Tensor, torch
from barriers.qp.active_set import RELAXATION
from barriers.qp.dual import Infeasible, OnInfeasible
from barriers.qp.problem import Found, Problem, gram, inverse_weights

HARD, SOFT = (1e3, 1e6), (1.0, RELAXATION)
"""Factors of rows and objective for qpth. Its gradient clamps multipliers and slacks at 1e-8, which would
cost 1e-8/μ and 1e-8/slack of the derivatives; scaled, 1e-11 of each. A relaxed problem has multipliers near
1/ε, which it cannot reach.
"""
ACCEPTED = 1e-9
"""The KKT residual in unit rows above which a result of qpth is rejected."""


class _Standard(NamedTuple):
    """min ½zᵀdiag(p)z − (p∘t)ᵀz s.t. Gz ≤ h: unit rows, the slack as m more unknowns, the speed bound as 2N
    more rows.
    """

    p: Float[Tensor, "b z"]
    t: Float[Tensor, "b z"]
    G: Float[Tensor, "b k z"]
    h: Float[Tensor, "b k"]

    def part(self, index: Tensor) -> "_Standard":
        return _Standard(*(tensor[index] for tensor in self))


def solve_with_qpth(problem: Problem, on_infeasible: OnInfeasible) -> tuple[Float[Tensor, "b n d"], Found]:
    """u with qpth's gradients, and the solution outside the graph.

    Raises ImportError without the extra [qpth]; Infeasible if requested; ArithmeticError where qpth does not
    converge.
    """
    _library("qpth")
    flat, length = _flat(problem.each(lambda x: _DifferentiableOnce.apply(x) if x.requires_grad else x))
    b, m, N = flat.A.shape[0], flat.A.shape[1], flat.A.shape[3]
    u, μ = flat.v[:, 0], torch.zeros(b, m, dtype=torch.float64, device=flat.v.device)
    relaxed = torch.zeros(b, dtype=torch.bool, device=flat.v.device)
    zero = (flat.A == 0).flatten(2).all(2)
    if on_infeasible == "raise" and problem.slack is None and bool((zero & (flat.c < 0)).any()):
        raise Infeasible("no velocity satisfies a constraint whose row is zero and whose bound is negative")
    pieces: list[Tensor] = []
    order: list[Tensor] = []
    for rows, index in _by_rows(zero):
        if not rows.any():
            pieces, order = [*pieces, u[index]], [*order, index]
            continue
        z, λ, soft = _hard_or_relaxed(flat.part(index), rows, on_infeasible)
        pieces, order = [*pieces, z[:, :N]], [*order, index]
        relaxed[index] = soft
        μ[index] = μ[index].masked_scatter(rows.expand(len(index), m), λ[:, : int(rows.sum())])
    if problem.slack is not None:
        μ = torch.where(zero, (-problem.slack.double() * flat.c * length).clamp(min=0) * length, μ)
    u = torch.cat(pieces)[torch.cat(order).argsort()].reshape(problem.v.shape)
    return u, Found(u.detach(), (μ / length).detach(), None, relaxed)


def solve_with_cvxpy(problem: Problem, on_infeasible: OnInfeasible) -> Found:
    """Each problem by Clarabel at its tightest tolerance; μ is 0 where the row's slack exceeds it, so that {μ
    > 0} is the active set.

    Raises ImportError without the extra [cvxpy]; Infeasible if requested; ArithmeticError where no solver
    converges.
    """
    cp = _library("cvxpy")
    flat, length = _flat(problem)
    found: list[tuple[Tensor, Tensor, Tensor, bool]] = []
    for k in range(flat.v.shape[0]):
        v, A, c, w, slack, speed = (None if x is None else x[k].detach().cpu().numpy() for x in flat)
        found.append(_refereed(cp, (v, A, c, w, slack, speed), on_infeasible))
    u, μ, free = (torch.stack([torch.as_tensor(f[i]) for f in found]).to(length.device) for i in range(3))
    relaxed = torch.tensor([f[3] for f in found], device=length.device)
    shape = problem.v.shape
    return Found(
        u.reshape(shape), μ / length, None if problem.speed is None else free.reshape(shape), relaxed
    )


def _flat(problem: Problem) -> tuple[Problem, Tensor]:
    """The problem as [b, 1, N] in float64 with rows of unit length (√(A w⁻¹ Aᵀ), held fixed), and those
    lengths (1 for a zero row).
    """
    with torch.no_grad():
        length = gram(problem.A, inverse_weights(problem)).diagonal(dim1=1, dim2=2).sqrt()
        length = torch.where(length > 1e-100, length, 1.0)
    b, m, n, d = problem.A.shape
    v, w, speed = (
        None if x is None else x.double().reshape(b, 1, n * d) for x in (problem.v, problem.w, problem.speed)
    )
    assert v is not None, "every problem has a v"
    slack = None if problem.slack is None else problem.slack.double() * length**2
    A = problem.A.double().reshape(b, m, 1, n * d) / length[:, :, None, None]
    return Problem(v, A, problem.c.double() / length, w, slack, speed), length


def _by_rows(zero: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """Groups of elements with the same nonzero rows: (which rows [m], which elements)."""
    patterns, group = torch.unique(~zero, dim=0, return_inverse=True)
    for k, rows in enumerate(patterns):
        yield rows, (group == k).nonzero()[:, 0]


def _hard_or_relaxed(
    group: Problem, rows: Tensor, on_infeasible: OnInfeasible
) -> tuple[Tensor, Tensor, Tensor]:
    """z and λ of elements with the same rows, and which of them were relaxed."""
    standard = _standard(group, rows, None if group.slack is None else group.slack[:, rows])
    z, λ, stuck = _apart(standard)
    if not bool(stuck.any()):
        return z, λ, stuck
    missing = stuck.nonzero()[:, 0]
    count = int(rows.sum())
    penalty = torch.full((len(missing), count), 1 / RELAXATION, dtype=torch.float64, device=z.device)
    softened = _standard(group.part(missing), rows, penalty)
    y, ν, failed = _apart(softened, SOFT)
    N = group.A.shape[3]
    short = (softened.G[:, :count, :N] @ y[:, :N, None])[:, :, 0] - softened.h[:, :count]
    hopeless = (short > 1e-6 * (1 + softened.h[:, :count].abs())).any(1) & (group.slack is None)
    if bool((failed | ~hopeless).any()):
        k = int(missing[(failed | ~hopeless).nonzero()[0, 0]])
        raise ArithmeticError(
            f"qpth: element {k} of the batch did not converge to {ACCEPTED:g}; use backend: structured"
        )
    if on_infeasible == "raise":
        raise Infeasible(f"no velocity satisfies all {count} constraints of problem {int(missing[0])}")
    λ[missing] = torch.cat([ν[:, :count], ν[:, count:]], 1)
    return z.index_copy(0, missing, y[:, : z.shape[1]]), λ, stuck


def _standard(problem: Problem, rows: Tensor, penalty: Tensor | None) -> _Standard:
    b, _, _, N = problem.A.shape
    m = int(rows.sum())
    p = (
        torch.ones(b, N, dtype=torch.float64, device=problem.v.device)
        if problem.w is None
        else problem.w[:, 0]
    )
    t, G, h = problem.v[:, 0], problem.A[:, rows, 0], problem.c[:, rows]
    if problem.speed is not None:
        eye = torch.eye(N, dtype=torch.float64, device=t.device).expand(b, N, N)
        G, h = (
            torch.cat([G, eye, -eye], 1),
            torch.cat([h, t + problem.speed[:, 0], problem.speed[:, 0] - t], 1),
        )
    if penalty is not None:
        extra = -torch.eye(G.shape[1], m, dtype=torch.float64, device=t.device).expand(b, -1, m)
        p, t, G = (
            torch.cat([p, penalty], 1),
            torch.cat([t, torch.zeros_like(penalty)], 1),
            torch.cat([G, extra], 2),
        )
    return _Standard(p, t, G, h)


def _apart(standard: _Standard, scales: tuple[float, float] = HARD) -> tuple[Tensor, Tensor, Tensor]:
    """z, λ and which elements failed even alone. A batch is solved again without the elements that stop it
    early.
    """
    z, λ = _call(standard, scales)
    bad = ~(_kkt(standard, z, λ) <= ACCEPTED)
    b = len(bad)
    if not bool(bad.any()) or b == 1:
        return z, λ, bad
    index = torch.arange(b, device=bad.device)
    halves = (index[: b // 2], index[b // 2 :]) if bool(bad.all()) else (index[~bad], index[bad])
    solved = [_apart(standard.part(half), scales) for half in halves]
    back = torch.cat(halves).argsort()
    z, λ, failed = (torch.cat(list(parts))[back] for parts in zip(*solved, strict=True))
    return z, λ, failed


def _call(standard: _Standard, scales: tuple[float, float]) -> tuple[Tensor, Tensor]:
    """qpth's solution and its multipliers, which it stores only on the graph; NaN where it fails."""
    from qpth.qp import QPFunction

    steeper, heavier = scales
    p, t, G, h = standard.p * heavier, standard.t, standard.G * steeper, standard.h * steeper
    linear = -p * t
    in_graph = torch.is_grad_enabled() and any(x.requires_grad for x in standard)
    empty = torch.empty(0, dtype=torch.float64, device=t.device)
    try:
        with torch.enable_grad():
            linear = linear if in_graph else linear.detach().requires_grad_()
            layer = QPFunction(eps=1e-14, verbose=-1, notImprovedLim=5, maxIter=50, check_Q_spd=False)
            z = layer(torch.diag_embed(p), linear, G, h, empty, empty)
    except RuntimeError:  # a singular factorisation; the batch is divided until it is found
        return torch.full_like(t, torch.nan), torch.full_like(h, torch.nan).detach()
    return (z if in_graph else z.detach()), z.grad_fn.lams.detach() * (steeper / heavier)


def _kkt(standard: _Standard, z: Tensor, λ: Tensor) -> Tensor:
    """The largest violation of the KKT conditions of each element, as a share of 1 + the size of its
    numbers.
    """
    p, t, G, h = (x.detach() for x in standard)
    z = z.detach()
    stationary = (p * (z - t) + (λ[:, None] @ G)[:, 0]) / p
    slope = h - (G @ z[:, :, None])[:, :, 0]
    wrong = torch.maximum(stationary.abs().amax(1), torch.minimum(λ, slope).abs().amax(1))
    return wrong / (1 + λ.abs().amax(1) + t.abs().amax(1))


def _refereed(cp: Any, arrays: tuple[Any, ...], on_infeasible: OnInfeasible) -> tuple[Any, Any, Any, bool]:
    """u, μ and the free coordinates of one problem with unit rows, and whether it was relaxed."""
    v, A, c, w, slack, speed = arrays
    m, _, N = A.shape
    v, A = v.reshape(N), A.reshape(m, N)
    u, s = cp.Variable(N), None if slack is None else cp.Variable(m)
    cost = cp.sum_squares(u - v) / 2 if w is None else cp.sum(cp.multiply(w.reshape(N), cp.square(u - v))) / 2
    if s is not None:
        cost = cost + cp.sum(cp.multiply(slack, cp.square(s))) / 2
    rows = A @ u <= c if s is None else A @ u <= c + s
    box = [] if speed is None else [u - v <= speed.reshape(N), v - u <= speed.reshape(N)]
    problem = cp.Problem(cp.Minimize(cost), [rows, *box])
    for tolerance in (1e-13, 1e-11, 1e-9):  # where the tightest is below rounding Clarabel fails
        try:
            with warnings.catch_warnings():  # "may be inaccurate": so it is solved again, and checked
                warnings.simplefilter("ignore")
                problem.solve(
                    solver=cp.CLARABEL, tol_gap_abs=tolerance, tol_gap_rel=tolerance, tol_feas=tolerance
                )
        except cp.SolverError:
            continue
        if problem.status != "optimal_inaccurate":
            break
    if problem.status in ("infeasible", "infeasible_inaccurate"):
        if on_infeasible == "raise":
            raise Infeasible(f"no velocity satisfies all {m} constraints (cvxpy: {problem.status})")
        import numpy as np

        return *_refereed(cp, (*arrays[:4], np.full(m, 1 / RELAXATION), speed), on_infeasible)[:3], True
    if problem.status not in ("optimal", "optimal_inaccurate"):
        raise ArithmeticError(f"cvxpy ended with status {problem.status}; use backend: structured")
    μ = rows.dual_value
    spare = c - A @ u.value + (0 if s is None else s.value)
    free = (
        μ[:0] == 0 if speed is None else sum(b.dual_value for b in box) <= speed.reshape(N) - abs(u.value - v)
    )
    return u.value, μ * (μ > spare), free, False


def _library(name: str) -> ModuleType:
    try:
        return __import__(name)
    except ImportError as error:
        raise ImportError(
            f"backend: {name} needs the library {name}; install lem-safe[{name}], or use backend: structured"
        ) from error


class _DifferentiableOnce(torch.autograd.Function):
    """The identity, whose gradient may not be differentiated again: qpth treats its multipliers as
    constants.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return x.clone()

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        return _RefuseSecondDerivative.apply(gradients[0], *ctx.saved_tensors)


class _RefuseSecondDerivative(torch.autograd.Function):
    """A gradient that raises where its own gradient is needed."""

    @staticmethod
    def forward(ctx: Any, gradient: Tensor, x: Tensor) -> Tensor:
        return gradient.clone()

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> None:
        raise RuntimeError("backend: qpth has no second derivative; use backend: structured, which has")
