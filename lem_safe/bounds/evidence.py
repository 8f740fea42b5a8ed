"""The evidence of counts about a tolerance, by one of three methods with one interface.

| method | from | valid |
| --- | --- | --- |
| `clopper-pearson` (A.2) | k of n independent units | for one evaluation, at an n fixed beforehand |
| `anytime` (A.4) | k of n independent units, in order of arrival | at every n simultaneously (anytime-valid)
| | `betting` (A.5) | the fraction inside of each of R independent clouds or chains | at every R
simultaneously |

A p-value is a number whose distribution under the hypothesis puts at most α below α; evidence e of an
e-process gives the p-value 1/e.
"""

import math
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from jaxtyping import Float

from lem_safe.bounds import anytime, betting, clopper_pearson
from lem_safe.bounds.several import p_certify, p_violate

Method = Literal["clopper-pearson", "anytime", "betting"]


class Evidence(Protocol):
    """The evidence of one region's data. Confidences and fractions lie between 0 and 1."""

    @property
    def method(self) -> Method: ...

    def p_certify(self, beta: float) -> float:
        """A p-value of ρ(𝒰) ≥ β."""

    def p_violate(self, beta: float) -> float:
        """A p-value of ρ(𝒰) ≤ β."""

    def upper(self, confidence: float) -> float:
        """The one-sided upper bound."""

    def lower(self, confidence: float) -> float:
        """The one-sided lower bound."""

    def smallest(self, confidence: float) -> float:
        """The smallest tolerance that as many units certify if none is inside (A.3)."""

    def more(self, beta: float, confidence: float) -> int | None:
        """About how many more units decide if the fraction stays the same; None where no number would."""


@dataclass(frozen=True)
class Fixed:
    """k of n independent units, evaluated once: Clopper–Pearson."""

    count: int
    n: int

    @property
    def method(self) -> Method:
        return "clopper-pearson"

    def p_certify(self, beta: float) -> float:
        return p_certify(self.count, self.n, beta)

    def p_violate(self, beta: float) -> float:
        return p_violate(self.count, self.n, beta)

    def upper(self, confidence: float) -> float:
        return clopper_pearson.upper_bound(self.count, self.n, confidence)

    def lower(self, confidence: float) -> float:
        return clopper_pearson.lower_bound(self.count, self.n, confidence)

    def smallest(self, confidence: float) -> float:
        return clopper_pearson.smallest_beta(self.n, confidence)

    def more(self, beta: float, confidence: float) -> int | None:
        return _still_needed(clopper_pearson.samples_needed(beta, self.count / self.n, confidence), self.n)


@dataclass(frozen=True)
class Sequential:
    """k of n independent units, anytime-valid: the e-process."""

    count: int
    n: int

    @property
    def method(self) -> Method:
        return "anytime"

    def p_certify(self, beta: float) -> float:
        return _p_value(anytime.log_evidence_below(self.count, self.n, beta))

    def p_violate(self, beta: float) -> float:
        return _p_value(anytime.log_evidence_above(self.count, self.n, beta))

    def upper(self, confidence: float) -> float:
        return anytime.anytime_upper_bound(self.count, self.n, confidence)

    def lower(self, confidence: float) -> float:
        return 1.0 - anytime.anytime_upper_bound(self.n - self.count, self.n, confidence)

    def smallest(self, confidence: float) -> float:
        return anytime.anytime_upper_bound(0, self.n, confidence)

    def more(self, beta: float, confidence: float) -> int | None:
        return _still_needed(anytime.samples_needed(beta, self.count / self.n, confidence), self.n)


@dataclass(frozen=True, eq=False)
class Betting:
    """The fractions inside of R independent clouds or chains: the mean of their distribution, by betting."""

    fractions: Float[np.ndarray, "r"]

    @property
    def method(self) -> Method:
        return "betting"

    def p_certify(self, beta: float) -> float:
        return 1.0 if beta == 0 else _p_value(betting.log_capital(self.fractions, beta))

    def p_violate(self, beta: float) -> float:
        if beta == 0:
            return 0.0 if bool((self.fractions > 0).any()) else 1.0
        return _p_value(betting.log_capital(1 - self.fractions, 1 - beta))

    def upper(self, confidence: float) -> float:
        return betting.mean_upper_bound(self.fractions, confidence)

    def lower(self, confidence: float) -> float:
        return 1.0 - betting.mean_upper_bound(1 - self.fractions, confidence)

    def smallest(self, confidence: float) -> float:
        return betting.mean_upper_bound(np.zeros_like(self.fractions), confidence)

    def more(self, beta: float, confidence: float) -> int | None:
        return _still_needed(betting.clouds_needed(beta, self.fractions, confidence), len(self.fractions))


def two_sided(evidence: Evidence, confidence: float) -> clopper_pearson.Interval:
    """Both ends, half of α on either side."""
    each = (1 + confidence) / 2
    return clopper_pearson.Interval(evidence.lower(each), evidence.upper(each))


def _p_value(log_evidence: float) -> float:
    return math.exp(-max(log_evidence, 0.0))


def _still_needed(needed: int | None, have: int) -> int | None:
    """How many of the needed units are still to come: at least one, as those there are have not decided."""
    return None if needed is None else max(needed - have, 1)
