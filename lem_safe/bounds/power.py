"""How likely independent particles inside must be for a count to stay low: a bound's power (A.18).

The multiplier that sets this probability p was learned from a pilot, so p is itself known up to the pilot's
chance. If a pilot of N particles has j inside where the share q is expected, the multiplier is off by
log(j/(N−j)) − log(q/(1−q)), and so are the log odds of p; the count of the run is then a mixture of binomial
counts over the pilot's j.
"""

import math
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from jaxtyping import Float64

STEPS = 40
"""Halvings of the interval in which the probability is searched."""
REACH = 8.0
"""Standard deviations of the pilot's count that are summed over; what is left out is below 1e-14."""
NODES = 501
"""Counts of the pilot that are summed over, evenly spread where there are more."""
SEEN, MOST = 200, 20_000
"""A pilot is large enough to expect so many inside the smallest tolerance, up to so many particles."""


def pilot_particles(samples: int, betas: Sequence[float]) -> int:
    """How many particles the pilot of a run of so many samples has.

    >>> pilot_particles(2000, [0.05, 0.2]), pilot_particles(50_000, [0.05]), pilot_particles(100, [0.0])
    (4000, 50000, 100)
    """
    least = min((β for β in betas if β > 0), default=None)
    return samples if least is None else max(samples, min(MOST, math.ceil(SEEN / least)))


def exceeds(n: int, count: int, p: float, share: float, pilot: int | None = None) -> float:
    """P(more than `count` of n are inside) where a pilot of `pilot` particles, by default n, that `share` of
    them expected inside, has set p by its multiplier; which is never negative, so no pilot raises the share.

    >>> round(exceeds(1000, 50, 0.05, 0.2), 2), exceeds(1000, 1000, 0.05, 0.1), exceeds(1000, 0, 0.0, 0.1)
    (0.47, 0.0, 0.0)
    """
    if p <= 0 or count >= n:
        return 0.0
    from scipy.special import bdtrc, expit, logit  # slow to import

    N = n if pilot is None else pilot
    spread = REACH * math.sqrt(N * share * (1 - share)) + REACH
    low, high = max(0, math.floor(N * share - spread)), min(N, math.ceil(N * share + spread))
    j = np.unique(np.linspace(low, high, NODES).round())
    with np.errstate(divide="ignore"):
        true = np.minimum(expit(logit(p) - (logit(j / N) - logit(share))), share)
    weights = _binomial(j, N, share)
    return float(weights @ bdtrc(count, n, true) / weights.sum())


def _binomial(j: Float64[np.ndarray, "k"], n: int, p: float) -> Float64[np.ndarray, "k"]:
    """P(j of n are inside), as scipy.stats has it, which takes longer to import than this to compute."""
    from scipy.special import gammaln, xlog1py, xlogy

    ways = gammaln(n + 1) - gammaln(j + 1) - gammaln(n - j + 1)
    return np.exp(ways + xlogy(j, p) + xlog1py(n - j, -p))


@lru_cache(maxsize=256)
def largest_probability(
    n: int, limits: tuple[tuple[int, float], ...], beta: float, pilot: int | None = None
) -> float:
    """The largest p up to beta with which, for every (count, chance) of `limits`, more than `count` of n are
    inside with at most that chance. A pilot expects at least the share beta inside: else nothing is needed.

    >>> round(largest_probability(2000, ((100, 0.05),), 0.05), 4)
    0.0398
    """
    low, high = 0.0, beta
    for _ in range(STEPS):
        p = (low + high) / 2
        kept = all(exceeds(n, count, p, beta, pilot) <= chance for count, chance in limits)
        low, high = (p, high) if kept else (low, p)
    return low
