"""The drift filter with one constraint, on the mean of one statistic, of small clouds side by side (Q.1),
where no derivative is taken: in numpy, whose operations on so few numbers take half as long as torch's. What
is found of a cloud from its numbers does not depend on the others.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from barriers.arrays import Tensor, torch
from barriers.functionals.base import StatisticsJet
from barriers.qp.dual import OnInfeasible
from barriers.qp.one_row import nearest

Numbers = Float[np.ndarray, "r 1"]


class Filtered(NamedTuple):
    """The drift, the mean of the statistic, the multiplier and the shortfall of each cloud."""

    drift: Float[Tensor, "r n d"]
    mean: Numbers
    multipliers: Numbers
    shortfall: Numbers


@np.errstate(all="ignore")
def filtered(
    jet: StatisticsJet,
    drift: Float[Tensor, "r n d"],
    limit: float,
    rate: float,
    speed: float | None,
    on_infeasible: OnInfeasible,
) -> Filtered | None:
    """The smallest change of the drift of each cloud with which the mean falls fast enough, no coordinate
    changed by more than `speed`; None where a cloud has no gradient to change it with.

    jet: of all particles, cloud by cloud.
    """
    r, n, d = drift.shape
    f, g, lap = jet.value.numpy(), jet.gradient.numpy(), jet.laplacian.numpy()
    row, v = g.reshape(r, n * d).astype(np.float64), drift.numpy().reshape(r, n * d)
    mean = f.reshape(r, n).astype(np.float64).sum(1) / n
    along = (row * v).sum(1) + lap.reshape(r, n).astype(np.float64).sum(1)
    excess, gram = along - n * rate * (limit - mean), (row * row).sum(1)
    over = excess > 0
    if not over.any() and not np.isnan(excess).any():
        return Filtered(drift, mean[:, None], np.zeros((r, 1)), np.zeros((r, 1)))
    if (over & (gram <= n * 1e-200)).any():
        return None
    μ, shortfall = np.where(excess <= 0, 0.0, excess / gram)[:, None], np.zeros((r, 1))
    change = np.where(over[:, None], -μ * row, 0.0).astype(v.dtype)  # nor where a position is not a number
    if speed is not None:
        far = (over & ~(np.absolute(change).max(1) <= speed)).nonzero()[0]
        if len(far):
            near = nearest(row[far], excess[far, None], speed, on_infeasible)
            change[far], μ[far], shortfall[far] = near.change, near.multipliers, near.shortfall / n
    moved = drift + torch.from_numpy(change.reshape(r, n, d))
    return Filtered(moved, mean[:, None], μ, shortfall)
