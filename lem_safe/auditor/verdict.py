"""Three claims about one constraint, never mixed (A.2): the census of this cloud, the trace of its run, the bound on its law.

`passed` is census and trace, in integers: at most ⌊βn⌋ samples inside, now and at every judged step. `verdict` is the bound:

    certified   the upper bound is at most β      violated   the lower bound is above β      inconclusive   neither

each side at confidence 1 − α/m where m constraints are audited together (A.4; Holm's variant is in `several`), so that all m
verdicts are right at once with probability 1 − α. Nothing certifies β = 0 (A.3). The particles of one filtered cloud influence
one another, so no bound is claimed for them: such a cloud is never certified, and `violated` only where it holds more than its
budget, which is a fact.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
from jaxtyping import Float, Num

from lem_safe.auditor import bounds
from lem_safe.auditor.census import RegionCensus, Sample
from lem_safe.auditor.several import Correction, p_certify, p_violate, rejected
from lem_safe.faults import BadInput

Verdict = Literal["certified", "violated", "inconclusive"]


class TraceFacts(NamedTuple):
    """One constraint over a run: its largest fraction, the largest of the judged steps, and the first judged step over budget."""

    largest: float
    largest_judged: float | None
    first_over: int | None


@dataclass(frozen=True)
class ConstraintReport:
    """What is known of one constraint. Fractions are of samples; clearances are in the data's units, negative inside."""

    set: str
    beta: float
    violations: int
    fraction: float
    upper_bound: float
    """One-sided, at `confidence_each`: the number the verdict compares with beta."""
    max_fraction_over_steps: float | None
    clearance_min: float | None
    verdict: Verdict
    passed: bool
    budget: int
    """⌊βn⌋, the largest count that passes."""
    lower_bound: float
    interval: bounds.Interval
    """Two-sided, at `confidence_each`."""
    confidence_each: float
    samples_to_decide: int | None
    """About how many more independent samples would end an inconclusive verdict at this fraction; None where none would."""
    p_value: float
    """The exact probability of so few inside if beta were the truth: what a certificate is decided by."""
    smallest_beta: float
    """The least tolerance that this many samples could certify, had none been inside (A.3)."""
    max_fraction_judged: float | None
    first_step_over: int | None
    clearance_kind: str
    """exact, bound (the true distance is at least this large) or first_order (a rule's s/‖∇s‖; clearance_min is then null)."""
    clearance_first_order: float | None
    undefined: int
    near: int | None
    worst: tuple[Sample, ...]

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "ConstraintReport":
        """The report that JSON made lists and mappings of."""
        worst = tuple(Sample(**{**sample, "values": tuple(sample["values"])}) for sample in data["worst"])
        return cls(**{**data, "interval": bounds.Interval(*data["interval"]), "worst": worst})


@dataclass(frozen=True)
class UnionReport:
    """The samples inside at least one constrained region: one more claim, at the audit's whole confidence, with no tolerance."""

    sets: tuple[str, ...]
    violations: int
    fraction: float
    upper_bound: float
    interval: bounds.Interval

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "UnionReport":
        """The report that JSON made lists of."""
        return cls(**{**data, "sets": tuple(data["sets"]), "interval": bounds.Interval(*data["interval"])})


def verdicts(
    counts: Sequence[int], n: int, betas: Sequence[float], confidence: float, correction: Correction, coupled: bool
) -> list[Verdict]:
    """One verdict a constraint, all of them right at once with probability `confidence`."""
    each = list(zip(counts, betas, strict=True))
    if coupled:
        return ["violated" if k > bounds.budget(beta, n) else "inconclusive" for k, beta in each]
    certified = rejected([p_certify(k, n, beta) for k, beta in each], 1 - confidence, correction)
    violated = rejected([p_violate(k, n, beta) for k, beta in each], 1 - confidence, correction)
    return ["certified" if c else "violated" if v else "inconclusive" for c, v in zip(certified, violated, strict=True)]


def judge(
    name: str, beta: float, n: int, region: RegionCensus, verdict: Verdict,
    *, confidence: float, coupled: bool, require_bound: bool, trace: TraceFacts | None,
) -> ConstraintReport:  # fmt: skip
    """The report of one constraint; `confidence` is the one each side of each bound has."""
    k = region.violations
    allowed = bounds.budget(beta, n)
    passed = k <= allowed and (trace is None or trace.first_over is None) and (verdict == "certified" or not require_bound)
    first_order = region.kind == "first_order"
    return ConstraintReport(
        set=name,
        beta=beta,
        violations=k,
        fraction=k / n,
        upper_bound=bounds.upper_bound(k, n, confidence),
        max_fraction_over_steps=trace.largest if trace else None,
        clearance_min=None if first_order else region.clearance,
        verdict=verdict,
        passed=passed,
        budget=allowed,
        lower_bound=bounds.lower_bound(k, n, confidence),
        interval=bounds.interval(k, n, confidence),
        confidence_each=confidence,
        samples_to_decide=_more(verdict, k, n, beta, confidence, coupled),
        p_value=p_certify(k, n, beta),
        smallest_beta=bounds.smallest_beta(n, confidence),
        max_fraction_judged=trace.largest_judged if trace else None,
        first_step_over=trace.first_over if trace else None,
        clearance_kind=region.kind,
        clearance_first_order=region.clearance if first_order else None,
        undefined=region.undefined,
        near=region.near,
        worst=region.worst,
    )


def trace_facts(step: Num[np.ndarray, "t"], fraction: Float[np.ndarray, "t"], beta: float, n: int, after_step: int) -> TraceFacts:
    """The facts of one column, fractions turned back into the integer counts they were; steps from `after_step` on are judged."""
    counts = np.rint(fraction * n)
    if not np.isfinite(fraction).all():
        first = int(step[~np.isfinite(fraction)][0])
        raise BadInput(f"the trace holds no fraction at step {first}; it is not the trace of a finished run")
    if np.abs(counts - fraction * n).max(initial=0) > 1e-2:
        raise BadInput(
            f"the trace counts fractions of another number of samples than the {n} audited; audit those of its own run"
        )
    judged = step >= after_step
    over = step[judged & (counts > bounds.budget(beta, n))]
    return TraceFacts(
        largest=float(fraction.max()),
        largest_judged=float(fraction[judged].max()) if judged.any() else None,
        first_over=int(over[0]) if over.size else None,
    )


def _more(verdict: Verdict, k: int, n: int, beta: float, confidence: float, coupled: bool) -> int | None:
    if verdict != "inconclusive":
        return 0
    needed = None if coupled else bounds.samples_needed(beta, k / n, confidence)
    return None if needed is None else max(needed - n, 1)
