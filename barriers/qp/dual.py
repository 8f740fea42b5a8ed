"""The dual of the filter's QP: μ = argmin_{μ ≥ 0} ½μᵀGμ − rᵀμ, with G the Gram matrix of the constraint rows
(Q.2).

The primal has n·d unknowns, the dual only m. Rows are scaled to unit length, and zero rows removed. m = 1 has
a closed form; otherwise block pivoting nearly always ends after one to four small solves, and after one from
the last step's active set; the rest (singular blocks, cycles, infeasible problems) is solved by Lemke's
method, which ends with a solution or a proof that there is none. Always in float64.

Differentiable in G and r by the implicit function theorem at the active set W = {μ > 0} (Q.3):
    y = G_WW⁻¹ ḡ_W,   dr = y,   dG = −½(yμᵀ + μyᵀ).
Letters: b independent problems, m constraints.
"""

from typing import Literal, NamedTuple

from jaxtyping import Bool, Float

from barriers.arrays import Tensor, torch
from barriers.derivatives import transforming
from barriers.qp.active_set import RELAXATION, Implicit, solve_on, times, transformed
from barriers.qp.guess import LARGEST, confirm
from barriers.qp.lemke import lemke

OnInfeasible = Literal["relax", "raise"]

ROUNDS = 12
"""Block pivots before Lemke's method takes over; most problems need one to four."""


class Infeasible(ArithmeticError):
    """No velocity satisfies all constraints at once, and the caller requested an error."""


class DualSolution(NamedTuple):
    """The result of a dual solve.

    residual: the largest |min(μ, Gμ − r)| over unit rows, relative to 1 + max|r| + max μ; of the relaxed
    problem where `relaxed`. shortfall: by how much each constraint is missed, 0 where it is met. NaN
    multipliers: the problem was not finite.
    """

    multipliers: Float[Tensor, "b m"]
    residual: Float[Tensor, "b"]
    shortfall: Float[Tensor, "b m"]
    relaxed: Bool[Tensor, "b"]


def solve_dual(
    gram: Float[Tensor, "b m m"],
    excess: Float[Tensor, "b m"],
    *,
    warm: Bool[Tensor, "b m"] | None = None,
    on_infeasible: OnInfeasible = "relax",
) -> DualSolution:
    """Multipliers of `b` problems with Gram matrices G and excesses r (how far the unfiltered drift exceeds
    each bound).

    warm: a guess of the active set. An infeasible problem is relaxed to the one with the smallest squared
    violation of unit rows, with its shortfall returned, or raises Infeasible. The multipliers are
    differentiable in `gram` and `excess`; residual and shortfall are not.
    """
    with torch.no_grad():
        solution = _solve(gram.double(), excess.double(), warm, on_infeasible)
    if transforming(gram, excess):
        return solution._replace(
            multipliers=transformed(gram, excess, solution.multipliers, solution.relaxed)
        )
    if torch.is_grad_enabled() and (gram.requires_grad or excess.requires_grad):
        μ = Implicit.apply(gram, excess, solution.multipliers, solution.relaxed)
        return solution._replace(multipliers=μ)
    return solution


def _solve(G: Tensor, r: Tensor, warm: Tensor | None, on_infeasible: OnInfeasible) -> DualSolution:
    b, m = r.shape
    if m == 0 or bool((r <= 0).all()):  # no excess: the drift is safe as it is (and NaN is not "safe")
        return DualSolution(
            torch.zeros_like(r),
            r.new_zeros(b),
            torch.zeros_like(r),
            torch.zeros(b, dtype=torch.bool, device=r.device),
        )
    if m == 1:
        return _single_constraint(G, r, on_infeasible)
    if b == 1 and warm is not None and m <= LARGEST:
        confirmed = confirm(G[0].tolist(), r[0].tolist(), warm[0].tolist())
        if confirmed is not None:
            μ, residual = r.new_tensor([confirmed[0]]), r.new_tensor([confirmed[1]])
            return DualSolution(
                μ, residual, torch.zeros_like(r), torch.zeros_like(residual, dtype=torch.bool)
            )
    G, r, scale, unmovable = _normalised(G, r)
    μ, slope, fits = pivot(G, r, r > 0 if warm is None else warm)
    if bool(fits.all()):
        residual = _residual(μ, slope, r)
        return _reported(μ, residual, unmovable, torch.zeros_like(r), scale, ~fits, on_infeasible)
    μ, residual, short, relaxed = _completed(G, r, μ, fits, on_infeasible)
    return _reported(μ, residual, unmovable, short, scale, relaxed, on_infeasible)


def _completed(
    G: Tensor, r: Tensor, μ: Tensor, fits: Tensor, on_infeasible: OnInfeasible
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Multipliers, residual, shortfall and which are relaxed, where pivoting has solved only those that fit;
    NaN where the problem is not finite.
    """
    finite = torch.isfinite(r).all(1) & torch.isfinite(G).all(2).all(1)
    G = torch.where(
        finite[:, None, None], G, torch.eye(r.shape[1], dtype=G.dtype, device=G.device)
    )  # NaN must not reach a factorisation
    r = torch.where(finite[:, None], r, 0.0)
    hard = ~fits & finite
    μ = torch.where(fits[:, None], μ, 0.0)
    relaxed = torch.zeros_like(hard)
    if bool(hard.any()):
        μ[hard], relaxed[hard] = _robust(G[hard], r[hard])
    if bool(relaxed.any()) and on_infeasible == "raise":
        raise Infeasible(_explain(r, relaxed))
    slope = times(G, μ) - r
    short = torch.where(relaxed[:, None] & (slope < 0), -slope, 0.0)
    residual = _residual(μ, slope + torch.where(relaxed[:, None], RELAXATION * μ, 0.0), r)
    μ, residual = torch.where(finite[:, None], μ, torch.nan), torch.where(finite, residual, torch.nan)
    return μ, residual, short, relaxed


def _single_constraint(G: Tensor, r: Tensor, on_infeasible: OnInfeasible) -> DualSolution:
    """m = 1 in closed form: μ = r₊/G."""
    over, g = r.clamp(min=0), G[:, 0]
    stuck = (g <= 1e-200) & (over > 0)
    if bool(stuck.any()):
        if on_infeasible == "raise":
            raise Infeasible(_explain(r, stuck[:, 0]))
        μ, short = torch.where(g <= 1e-200, 0.0, over / g), torch.where(stuck, over, 0.0)
    else:
        μ, short = torch.where(over == 0, over, over / g), torch.zeros_like(r)
    return DualSolution(μ, r.new_zeros(r.shape[0]), short, torch.zeros_like(stuck[:, 0]))


def _normalised(G: Tensor, r: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor | None]:
    """Rows scaled to unit length, G symmetrised. A zero row has no effect: it is removed, and its excess
    returned separately.
    """
    length = G.diagonal(dim1=1, dim2=2).sqrt()
    zero = ~(length > 1e-100) & ~length.isnan()
    if not bool(zero.any()):
        return (G + G.mT) / (2 * length[:, :, None] * length[:, None, :]), r / length, length, None
    scale = torch.where(zero, 1.0, length)
    keep = ~(zero[:, :, None] | zero[:, None, :])
    eye = torch.eye(G.shape[1], dtype=G.dtype, device=G.device)
    G = torch.where(keep, (G + G.mT) / (2 * scale[:, :, None] * scale[:, None, :]), eye)
    return G, torch.where(zero, 0.0, r / scale), scale, torch.where(zero, r.clamp(min=0), 0.0)


def _reported(
    μ: Tensor,
    residual: Tensor,
    unmovable: Tensor | None,
    short: Tensor,
    scale: Tensor,
    relaxed: Tensor,
    on_infeasible: OnInfeasible,
) -> DualSolution:
    """The solution in the caller's units, with the excess of the zero rows."""
    if unmovable is None:
        return DualSolution(μ / scale, residual, short * scale, relaxed)
    if on_infeasible == "raise" and bool((unmovable > 0).any()):
        raise Infeasible(_explain(unmovable, (unmovable > 0).any(1)))
    return DualSolution(μ / scale, residual, short * scale + unmovable, relaxed)


def pivot(G: Tensor, r: Tensor, active: Tensor, tolerance: float = 1e-12) -> tuple[Tensor, Tensor, Tensor]:
    """Block principal pivoting: solve on the active set, then exchange every index of the wrong sign at once
    [Júdice, Pires 1994].

    Returns μ, the slope Gμ − r, and where they are optimal; the rest (cycles, singular blocks) is for Lemke's
    method.
    """
    left: Tensor | None = None  # None: every problem is still unsolved
    for _ in range(ROUNDS):
        z = _blockwise(G, r, active)
        slope = times(G, z) - r
        least = -tolerance * (1 + r.abs().amax(1, keepdim=True))
        fits = ((z >= 0) & (torch.where(active, -slope.abs(), slope) >= least)).all(1)
        if left is None:
            if bool(fits.all()):
                return z, slope, fits
            μ, slopes, done, left = z, slope, fits, torch.arange(len(r), device=r.device)
        else:
            found = left[fits]
            μ[found], slopes[found], done[found] = z[fits], slope[fits], True
        wrong = ~fits
        if not bool(wrong.any()):
            break
        active = torch.where(active, z > 0, slope < 0)[wrong]
        left, G, r = left[wrong], G[wrong], r[wrong]
    return μ, slopes, done


def _robust(G: Tensor, r: Tensor) -> tuple[Tensor, Tensor]:
    """Lemke's method, with its final active set solved again directly; the relaxed problem where there is no
    solution.
    """
    μ, solved = lemke(G, -r)
    μ = _polished(G, r, μ)
    missed = (r - times(G, μ)).amax(1) > 1e-9 * (1 + r.abs().amax(1))
    bad = missed | ~solved
    if bool(bad.any()):
        eye = torch.eye(G.shape[1], dtype=G.dtype, device=G.device)
        H, e = G[bad] + RELAXATION * eye, r[bad]
        ν, _, fits = pivot(H, e, e > 0, 0.1 * RELAXATION)  # multipliers as large as 1/ε
        if not bool(fits.all()):
            ν = torch.where(fits[:, None], ν, _polished(H, e, lemke(H, -e).z))
        μ[bad] = ν
    return μ, bad


def _polished(G: Tensor, r: Tensor, μ: Tensor) -> Tensor:
    """The same active set solved directly, kept where it stays nonnegative and lowers the residual."""
    again = solve_on(G, r, μ > 0).clamp(min=0)

    def residual(ν: Tensor) -> Tensor:
        return torch.minimum(ν, times(G, ν) - r).abs().amax(1, keepdim=True)

    return torch.where(residual(again) <= residual(μ), again, μ)


def _blockwise(G: Tensor, r: Tensor, active: Tensor) -> Tensor:
    """μ_A = G_AA⁻¹ r_A, zero elsewhere, with the identity in place of the inactive block. Not finite where
    singular.
    """
    both = active[:, :, None] & active[:, None, :]
    eye = torch.eye(G.shape[1], dtype=G.dtype, device=G.device)
    return torch.linalg.solve_ex(torch.where(both, G, eye), torch.where(active, r, 0.0))[0]


def _residual(μ: Tensor, slope: Tensor, r: Tensor) -> Tensor:
    return torch.minimum(μ, slope).abs().amax(1) / (1 + r.abs().amax(1) + μ.amax(1))


def _explain(r: Tensor, bad: Tensor) -> str:
    k = int(bad.nonzero()[0, 0])
    worst = int(r[k].argmax())
    return (
        f"no velocity satisfies all {r.shape[1]} constraints; the unfiltered drift misses constraint "
        f"{worst} by {float(r[k, worst]):.3g} (scaled)"
    )
