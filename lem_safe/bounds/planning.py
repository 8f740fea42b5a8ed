"""How many samples a certificate needs, before any is drawn.

With c violations allowed, n_c is the fewest samples whose upper bound at c is at most β: I_β(c+1, n−c) ≥ 1−α.
A distribution that really puts p < β inside is then certified with probability P(Bin(n_c, p) ≤ c), its power,
which grows with c. The same is computed for an anytime-valid audit, with the n_c at which its e-process
certifies, and for clouds that are all inside or all outside.

Where the cloud is the unit, R clouds never give a bound below about 1 − α^{1/R}, whatever they hold (A.5): a
certificate needs at least about log(1/α)/−log(1 − β) clouds even if all are empty, and more if they are not.
The mean over λ makes it slightly more.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from barriers.specification import SpecificationError
from lem_safe.bounds import anytime
from lem_safe.bounds.betting import clouds_all_or_nothing, clouds_needed
from lem_safe.bounds.binomial import at_least, at_most
from lem_safe.bounds.clopper_pearson import upper_bound
from lem_safe.bounds.search import MOST, SUREST, smallest_size
from lem_safe.formatting import level


@dataclass(frozen=True)
class Plan:
    """`samples` certify `beta` with probability `power` if the true fraction is `true`, allowing up to
    `allowed` violations.

    at_least: the fewest samples that could certify beta at all, with none inside. anytime: the samples of an
    anytime-valid audit. clouds: the number of independent clouds, in place of samples, if particles are
    coupled and each cloud holds exactly `true` inside;
    clouds_scattered: if each cloud is all inside or all outside; clouds_at_least: if none holds any. samples,
    anytime and clouds_scattered certify with at least the requested probability; for `clouds` it is unknown,
    as it depends on the scatter of the clouds.
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
    clouds_scattered: int | None
    clouds_at_least: int

    def __str__(self) -> str:
        inside = f"{100 * self.true:g} %"
        what = (
            f"{self.samples:,} independent samples certify {100 * self.beta:g} % at "
            f"{level(self.confidence)} confidence"
        )
        return (
            f"{what} with up to {self.allowed:,} inside, and do so with probability {self.power:.3g} "
            f"if {inside} really are. Fewer than {self.at_least:,} samples certify nothing.\n"
            f"An anytime-valid audit needs {_counted(self.anytime)}, with at least this probability.\n"
            "Where a filter or sampler couples particles the cloud is the unit: never fewer than "
            f"{self.clouds_at_least:,} independent clouds; about "
            f"{_counted(self.clouds)} if each holds exactly {inside}; {_counted(self.clouds_scattered)}, "
            "with at least this probability, if each cloud is all inside or all outside."
        )


SHARES = (0.0, 0.1, 0.25, 0.5, 0.75, 0.9)
"""The true fractions of a table, as shares of the tolerance."""


def plans(beta: float, confidence: float = 0.95, power: float = 0.9) -> str:
    """A table for several true fractions, as lines: the samples and clouds that each needs. Raises
    SpecificationError naming the invalid argument.
    """
    rows = [("true fraction", "samples", "allowed inside", "anytime", "clouds")]
    for share in SHARES:
        try:
            p = plan(beta, share * beta, confidence, power)
        except SpecificationError as error:
            if error.path != ("true",):
                raise
            rows.append((f"{100 * share * beta:.3g} %", "too close to beta", "", "", ""))
            continue
        fractions = f"{100 * p.true:.3g} %", f"{p.samples:,}", f"{p.allowed:,}"
        rows.append((*fractions, _counted(p.anytime), _counted(p.clouds)))
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = ["  ".join(cell.rjust(w) for cell, w in zip(row, widths, strict=True)).rstrip() for row in rows]
    head = (
        f"Independent samples that certify {100 * beta:g} % at {level(confidence)} confidence with "
        f"probability {power:.3g}, by the true fraction inside:"
    )
    foot = (
        "anytime: samples, if they are evaluated as they arrive.\n"
        "clouds: independent clouds instead of samples, where a filter makes particles dependent, if each "
        "holds the true fraction.\n"
        "--true FRACTION explains one row."
    )
    return "\n".join([head, "", *lines, "", foot])


def plan(beta: float, true: float, confidence: float = 0.95, power: float = 0.9) -> Plan:
    """The smallest audit that certifies `beta` with probability `power` when the true fraction is `true` <
    beta.

    Raises SpecificationError naming the invalid argument.

    >>> plan(0.01, 0.003).samples
    1049
    """
    _must_be_plannable(beta, true, confidence, power)
    fewest, empty = fewest_samples(0, beta, confidence), clouds_needed(beta, np.zeros(1), confidence)
    if fewest is None or empty is None:
        raise SpecificationError(
            f"is too small to plan for: {MOST:.2g} samples, none inside, do not certify {beta:g}; raise it",
            ("beta",),
        )
    found = _allowed(lambda c: fewest_samples(c, beta, confidence), true, power)
    if found is None:
        raise SpecificationError(
            f"a true fraction of {true} is too close to beta {beta} to plan for; raise beta or lower the "
            "power",
            ("true",),
        )
    allowed, n = found
    threshold = -np.log1p(-confidence)
    ever = _allowed(
        lambda c: smallest_size(lambda n: n >= c and anytime.log_evidence_below(c, n, beta) >= threshold),
        true,
        power,
    )
    scattered = _allowed(lambda c: clouds_all_or_nothing(c, beta, confidence), true, power)
    return Plan(
        beta,
        true,
        confidence,
        samples=n,
        allowed=allowed,
        power=at_most(allowed, n, true),
        at_least=fewest,
        anytime=ever and ever[1],
        clouds=clouds_needed(beta, np.array([true]), confidence),
        clouds_scattered=scattered and scattered[1],
        clouds_at_least=empty,
    )


def _must_be_plannable(beta: float, true: float, confidence: float, power: float) -> None:
    """Raises SpecificationError at the first argument out of its range."""
    for name, value, rule, holds in (
        ("beta", beta, "0 < beta < 1, as a tolerance of 0 cannot be certified", 0 < beta < 1),
        (
            "true",
            true,
            "0 <= true < beta, as only a true fraction below beta can be certified",
            0 <= true < beta,
        ),
        ("confidence", confidence, "0 < confidence <= 1 - 1e-9", 0 < confidence <= SUREST),
        ("power", power, "0 < power < 1", 0 < power < 1),
    ):
        if not holds:
            raise SpecificationError(f"must satisfy {rule}; got {value:.12g}", (name,))


def fewest_samples(violations: int, beta: float, confidence: float) -> int | None:
    """n_c: the fewest samples that certify beta with this many violations; None where no countable number
    does. The bound is at most beta where P(Bin(n, beta) > violations) is at least the confidence, which is a
    thousand times quicker to see; the bound itself decides between neighbours.
    """
    n = smallest_size(lambda n: n > violations and at_least(violations + 1, n, beta) >= confidence)
    if n is None:
        return None
    near = (m for m in (n - 1, n, n + 1) if m > violations)
    return next((m for m in near if upper_bound(violations, m, confidence) <= beta), n)


def _allowed(fewest: Callable[[int], int | None], true: float, power: float) -> tuple[int, int] | None:
    """The fewest violations c that must be allowed for that power, and the size n_c that allows them; None
    where there is no such c.
    """

    def enough(c: int) -> bool:
        n = fewest(c)
        return n is None or at_most(c, n, true) >= power

    high = 0
    while not enough(high):
        high = 2 * high + 1
    low = high // 2 - 1 if high else -1
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    n = fewest(high)
    return None if n is None else (high, n)


def _counted(n: int | None) -> str:
    return f"{n:,}" if n is not None else "more than any number of"
