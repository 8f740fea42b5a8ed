"""The QP with a speed bound (Q.1) where only some of its coordinates are here, the others in other processes.

The m multipliers are the same everywhere, and each process changes its own coordinates by them, u = v −
clip(Aᵀμ, ±speed). What the dual needs of all coordinates are sums of m numbers and of m × m.
"""

from typing import NamedTuple

from jaxtyping import Float

from barriers.arrays import Tensor
from barriers.qp.dual import OnInfeasible
from barriers.qp.problem import gram, moved, pose, push, rows_times
from barriers.qp.speed import Added, solve_bounded

ROUNDING = 1e-9
"""The share of a row's size by which it may be missed."""


class Part(NamedTuple):
    """The coordinates that are here, the multipliers, and how far each row is missed."""

    u: Float[Tensor, "b size"]
    multipliers: Float[Tensor, "b m"]
    shortfall: Float[Tensor, "b m"]


def project_part(
    v: Float[Tensor, "b size"],
    A: Float[Tensor, "b m size"],
    c: Float[Tensor, "b m"],
    speed: float,
    on_infeasible: OnInfeasible,
    added: Added,
) -> Part:
    """What `project` finds of these coordinates, within rounding, with A u ≤ c over all of them."""
    problem = pose(v[:, None], A[:, :, None], c, speed=speed)
    μ = solve_bounded(problem, on_infeasible, added).multipliers
    u = moved(problem, push(problem, μ))
    length = added(gram(problem.A, None)).diagonal(dim1=1, dim2=2).sqrt().clamp(min=1e-100)
    size = (added(rows_times(problem.A, problem.v)) - c).abs() / length
    over = added(rows_times(problem.A, u)) - c
    missed = over * (over > ROUNDING * length * (1 + size))
    return Part(u[:, 0].to(v.dtype), μ, missed)
