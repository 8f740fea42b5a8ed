"""One constraint and a bound on the change of every coordinate: what `project` finds, in a few operations and
without derivatives, for the few small problems of clouds side by side.

    min_δ ½‖δ‖²  s.t.  a·δ ≤ −excess,  |δ_j| ≤ speed:    δ = −clip(μa, ±speed)

The derivative of the dual, Σ_j |a_j| min(μ|a_j|, speed) − excess, is piecewise linear and increasing, and
bends at μ = speed/|a_j|, where a coordinate becomes clipped: μ is found from these, sorted. In numpy, whose
operations on so few numbers take half as long as torch's.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from barriers.qp.active_set import RELAXATION
from barriers.qp.dual import Infeasible, OnInfeasible


class Change(NamedTuple):
    """The change δ, its multiplier, and how far the constraint is missed."""

    change: Float[np.ndarray, "b size"]
    multipliers: Float[np.ndarray, "b 1"]
    shortfall: Float[np.ndarray, "b 1"]


@np.errstate(divide="ignore", invalid="ignore", over="ignore")
def nearest(
    row: Float[np.ndarray, "b size"],
    excess: Float[np.ndarray, "b 1"],
    speed: float,
    on_infeasible: OnInfeasible,
) -> Change:
    """The smallest changes of `b` problems; of one without a solution, that of the relaxed problem.

    row: float64, not 0. Raises Infeasible if requested, and ValueError where a number is not finite.
    """
    b, n = row.shape
    size, r = np.zeros((b, n + 1)), excess[:, 0]  # 0 first: where it is the largest free one, all are clipped
    np.absolute(row, out=size[:, 1:])
    size.sort(axis=1)
    free, most = (size * size).cumsum(1), size.cumsum(1)
    total, all_ = free[:, -1], most[:, -1]
    reach = speed * all_
    if not np.isfinite(total + r).all():
        raise ValueError("nearest: the row and its excess must be finite; got NaN or infinity")
    clipped, beyond = all_[:, None] - most, r >= reach
    rare = bool(beyond.any())
    if rare:
        free += (RELAXATION * total * beyond)[:, None]
    k = n - (clipped + free / size <= (r / speed)[:, None]).sum(1)
    at = np.arange(b)
    μ = np.maximum((r - speed * clipped[at, k]) / free[at, k], 0)[:, None]
    δ = np.minimum(np.maximum(row * -μ, -speed), speed)
    if not rare:
        return Change(δ, μ, np.zeros_like(μ))
    missed = r + (row * δ).sum(1)
    short = missed > 1e-9 * (np.sqrt(total) + np.absolute(r))
    if on_infeasible == "raise" and bool(short.any()):
        worst = int(short.nonzero()[0][0])
        raise Infeasible(f"no velocity within the speed bound satisfies the constraint of problem {worst}")
    return Change(δ, μ, np.where(short, missed, 0.0)[:, None])
