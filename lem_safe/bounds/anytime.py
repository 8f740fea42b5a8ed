"""An anytime-valid audit: an e-process whose guarantee holds however often it is evaluated and whenever it is
stopped.

Against H₀: p ≥ β, averaged over alternatives q below β by a uniform distribution (a Beta distribution
truncated to [0, β)):

E_n = (1/β) ∫₀^β (q/β)^k ((1−q)/(1−β))^{n−k} dq = B(k+1, n−k+1) I_β(k+1, n−k+1) / (β^{k+1} (1−β)^{n−k}).

Each factor has mean at most 1 under H₀, so E is a nonnegative supermartingale and P(E_n ≥ 1/α for some n) ≤ α
(Ville). Certifying when E reaches 1/α is then wrong with probability at most α, for any stopping time; this
is not so for Clopper–Pearson evaluated repeatedly. The mirror image, q above β, shows a violation. Counts may
come in batches; only independence is assumed.
"""

import math
from dataclasses import dataclass, field
from typing import Literal

from barriers.budget import budget
from lem_safe.bounds.search import largest_kept, smallest_size


def log_evidence_below(count: float, n: int, beta: float) -> float:
    """log E_n against p ≥ β: large where the data indicate that less than β is inside; 0
    before any sample.
    """
    from scipy.special import betaln

    if not 0 < beta < 1:
        return -math.inf if n else 0.0  # no alternative is below 0
    k, rest = count, n - count
    return (
        float(betaln(k + 1, rest + 1))
        + _log_betainc(k + 1, rest + 1, beta)
        - (k + 1) * math.log(beta)
        - rest * math.log1p(-beta)
    )


def log_evidence_above(count: float, n: int, beta: float) -> float:
    """log E_n against p ≤ β: large where the data indicate that more than β is inside. At β = 0 one sample
    inside is a proof.
    """
    if beta == 0:
        return math.inf if count else -math.log(n + 1.0)
    return log_evidence_below(n - count, n, 1 - beta)


def anytime_upper_bound(count: int, n: int, confidence: float) -> float:
    """The largest fraction not rejected, valid at every n simultaneously; 1.2 to 1.5 times Clopper–Pearson's
    at typical sizes.

    >>> round(anytime_upper_bound(0, 5000, 0.95), 6)
    0.000902
    """
    threshold = -math.log1p(-confidence)
    return largest_kept(lambda p: log_evidence_below(count, n, p) >= threshold, count / n)


def samples_needed(beta: float, true: float, confidence: float) -> int | None:
    """About how many samples decide `beta`, evaluated after each, if the fraction stays `true`; None where no
    number would.

    >>> samples_needed(0.01, 0.0, 0.95)
    449
    """
    if true == beta or (beta == 0 and true == 0):
        return None
    evidence, threshold = (
        (log_evidence_below if true < beta else log_evidence_above),
        -math.log1p(-confidence),
    )
    return smallest_size(lambda n: evidence(true * n, n, beta) >= threshold)


@dataclass
class Watch:
    """A verdict on one tolerance while samples keep coming; once certified or violated it is final.

    confidence: the probability with which the verdict is right, however often it is read.
    """

    beta: float
    confidence: float = 0.95
    count: int = 0
    n: int = 0
    decided: Literal["certified", "violated"] | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        budget(self.beta, 0)  # beta is checked where every budget is made

    def add(self, inside: int, samples: int) -> Literal["certified", "violated", "inconclusive"]:
        """Adds a batch of `samples`, `inside` of them in the region, and returns the verdict so far."""
        if not 0 <= inside <= samples:
            raise ValueError(f"a batch of {samples} samples cannot have {inside} inside")
        self.count, self.n = self.count + inside, self.n + samples
        threshold = -math.log1p(-self.confidence)
        if self.decided is None and log_evidence_below(self.count, self.n, self.beta) >= threshold:
            self.decided = "certified"
        if self.decided is None and log_evidence_above(self.count, self.n, self.beta) >= threshold:
            self.decided = "violated"
        return self.decided or "inconclusive"


def _log_betainc(a: float, b: float, x: float) -> float:
    """log I_x(a, b), by its leading series where I itself underflows."""
    from scipy.special import betainc, betaln

    value = float(betainc(a, b, x))
    if value > 1e-290:
        return math.log(value)
    total, term, j = 1.0, 1.0, 0  # I_x = x^a (1−x)^b / (a B(a, b)) Σ (a+b)_j / (a+1)_j x^j
    while term > 1e-16 * total:
        term *= (a + b + j) / (a + 1 + j) * x
        total, j = total + term, j + 1
    return a * math.log(x) + b * math.log1p(-x) - math.log(a) - float(betaln(a, b)) + math.log(total)
