"""How many samples a certificate needs, before any is drawn.

With c violations allowed, n_c is the fewest samples whose upper bound at c is at most β: I_β(c+1, n−c) ≥ 1−α. A law that
really puts p < β inside is then certified with probability P(Bin(n_c, p) ≤ c), its power, which grows with c.

Where the cloud is the unit, R clouds never bound below about 1 − α^{1/R}, whatever they hold (A.5): a certificate needs at least about
log(1/α)/−log(1 − β) clouds even if all are empty, and more if they are not. The mean over λ makes it a little more than that.
"""

from dataclasses import dataclass

import numpy as np

from barriers.specification import SpecificationError
from lem_safe.bounds import anytime
from lem_safe.bounds.betting import clouds_needed
from lem_safe.bounds.clopper_pearson import upper_bound


@dataclass(frozen=True)
class Plan:
    """`samples` certify `beta` with probability `power` if the true fraction is `true`, allowing up to `allowed` violations.

    at_least: the fewest samples that could certify beta at all, none of them inside. anytime: about how many an audit takes that is looked at
    after every sample, if exactly `true` of them keep being inside. clouds: how many independent clouds take the place of samples whose particles
    are coupled, if each holds `true` inside; clouds_at_least: if none holds any.
    """

    beta: float
    true: float
    confidence: float
    samples: int
    allowed: int
    power: float
    at_least: int
    anytime: int | None
    clouds: int | None
    clouds_at_least: int

    def __str__(self) -> str:
        what = f"{self.samples:,} independent samples certify {100 * self.beta:g} % at {100 * self.confidence:g} % confidence"
        return (
            f"{what} with up to {self.allowed:,} inside, and do so with probability {self.power:.3g} "
            f"if {100 * self.true:g} % really are. Fewer than {self.at_least:,} samples certify nothing.\n"
            f"Looked at whenever one likes, about {_counted(self.anytime)} samples. Where a filter couples particles the cloud is the unit: "
            f"about {_counted(self.clouds)} independent clouds that hold {100 * self.true:g} % each, "
            f"and never fewer than {self.clouds_at_least:,}."
        )


def plan(beta: float, true: float, confidence: float = 0.95, power: float = 0.9) -> Plan:
    """The smallest audit that certifies `beta` with probability `power` when the true fraction is `true` < beta.

    Raises SpecificationError at the argument that cannot be.

    >>> plan(0.01, 0.003).samples
    1049
    """
    for name, value, rule, holds in (
        ("beta", beta, "0 < beta < 1, as no number of samples certifies 0 (A.3)", 0 < beta < 1),
        ("true", true, "0 <= true < beta, as only a true fraction below beta can be certified", 0 <= true < beta),
        ("confidence", confidence, "0 < confidence < 1", 0 < confidence < 1),
        ("power", power, "0 < power < 1", 0 < power < 1),
    ):
        if not holds:
            raise SpecificationError(f"must satisfy {rule}; got {value:g}", (name,))
    high = 0
    while _power(high, beta, true, confidence) < power:
        high = 2 * high + 1
        if high > 1 << 40:
            raise SpecificationError(f"a true fraction of {true} is too close to beta {beta} to plan for; raise beta or lower the power",
                                     ("true",))  # fmt: skip
    low = high // 2 - 1 if high else -1
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if _power(middle, beta, true, confidence) >= power else (middle, high)
    n = fewest_samples(high, beta, confidence)
    fewest = clouds_needed(beta, np.zeros(1), confidence)
    assert fewest is not None  # empty clouds certify any beta > 0, and 0 <= true < beta
    return Plan(
        beta, true, confidence, n, high, _power(high, beta, true, confidence), fewest_samples(0, beta, confidence),
        anytime.samples_needed(beta, true, confidence), clouds_needed(beta, np.array([true]), confidence), fewest,
    )  # fmt: skip


def fewest_samples(violations: int, beta: float, confidence: float) -> int:
    """n_c: the fewest samples that certify beta with this many violations."""
    low, high = violations, 2 * violations + 2
    while upper_bound(violations, high, confidence) > beta:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if upper_bound(violations, middle, confidence) <= beta else (middle, high)
    return high


def _power(allowed: int, beta: float, true: float, confidence: float) -> float:
    """P(Bin(n_c, true) ≤ c), by the Beta law: for n past 2³¹ too."""
    from scipy.special import betaincc

    return float(betaincc(allowed + 1, fewest_samples(allowed, beta, confidence) - allowed, true))


def _counted(n: int | None) -> str:
    return f"{n:,}" if n is not None else "more than any number of"
