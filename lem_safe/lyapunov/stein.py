"""The kernel Stein discrepancy: a distance of a cloud from ρ_U that needs ∇U only: neither log Z nor a second
sample (L.8).

With the inverse multiquadric k(x, y) = (c² + ‖x − y‖²)^{−1/2}, r = x − y, q = c² + ‖r‖² and scores s = −∇U,

    u(x, y) = s(x)·s(y) k + (s(x) − s(y))·r q^{−3/2} + d q^{−3/2} − 3‖r‖² q^{−5/2},
    KSD² = E u(x, x') over independent pairs.

It is a kernelised Fisher information: the rate −dKL/dt of Langevin dynamics (L.1) with the score difference
∇log ρ − s smoothed by k. The U-statistic omits the diagonal and is unbiased, so it may be negative; the
V-statistic includes it and is never negative. Rows are processed in blocks: memory is BLOCK × n.
"""

import math
from typing import NamedTuple

from jaxtyping import Float

from barriers.arrays import Tensor, torch
from lem_safe.energies.base import Energy

BLOCK = 512


class Stein(NamedTuple):
    """KSD² as U- and V-statistic; `error`: the standard error of the U-statistic when the cloud *is* drawn
    from ρ_U independently; `bandwidth`: the c that was used.
    """

    u: float
    v: float
    error: float
    bandwidth: float

    @property
    def value(self) -> float:
        """KSD, 0 where the U-statistic is negative."""
        return math.sqrt(max(self.u, 0.0))

    @property
    def floor(self) -> float:
        """KSD that sampling noise alone gives for exact draws: √(2 errors)."""
        return math.sqrt(2 * self.error)

    @property
    def at_most(self) -> float:
        """KSD with two standard errors of sampling noise added."""
        return math.sqrt(max(self.u + 2 * self.error, 0.0))


def stein_discrepancy(energy: Energy, x: Float[Tensor, "n d"], bandwidth: float | None = None) -> Stein:
    """The kernel Stein discrepancy of n ≥ 2 particles. bandwidth: c in sampler units, by default the median
    distance.
    """
    return stein_of_scores(x, -energy.value_and_gradient(x)[1], bandwidth)


def stein_of_scores(
    x: Float[Tensor, "n d"], score: Float[Tensor, "n d"], bandwidth: float | None = None
) -> Stein:
    """The discrepancy from scores s = −∇U. x is centred first, so that distances far from 0 keep their
    digits.
    """
    n, d = x.shape
    if n < 2:
        raise ValueError(f"stein_discrepancy: needs two particles or more; got {n}")
    z, s = (x - x.mean(0)).double(), score.double()
    c = median_distance(z) if bandwidth is None else bandwidth
    if not c > 0:
        raise ValueError(f"stein_discrepancy: bandwidth must be > 0; got {c:g}")
    sz, z2 = (s * z).sum(1), z.square().sum(1)
    total = squares = diagonal = 0.0
    for i in range(0, n, BLOCK):
        rows = slice(i, min(i + BLOCK, n))
        r2 = (z2[rows, None] + z2 - 2 * z[rows] @ z.T).clamp(min=0)
        q = c * c + r2
        k = q.rsqrt()
        k3 = k / q
        pull = sz[rows, None] + sz - s[rows] @ z.T - z[rows] @ s.T  # (s(x) − s(y))·(x − y)
        u = s[rows] @ s.T * k + (pull + d - 3 * r2 / q) * k3
        own = u.diagonal(offset=i)
        total += float(u.sum())
        squares += float(u.square().sum() - own.square().sum())
        diagonal += float(own.sum())
    pairs = n * (n - 1)
    return Stein((total - diagonal) / pairs, total / n**2, math.sqrt(2 * squares) / pairs, c)


def median_distance(x: Float[Tensor, "n d"], most: int = 512) -> float:
    """The median distance between distinct particles, of at most `most` evenly spaced ones; 1 where all
    coincide.

    Duplicates are left out: a cloud of mostly duplicates would otherwise get a bandwidth of 1 in any unit.
    """
    some = x[torch.linspace(0, len(x) - 1, min(len(x), most), device=x.device).long()].double()
    distances = torch.pdist(some)
    apart = distances[distances > 0]
    return float(apart.median()) if len(apart) else 1.0
