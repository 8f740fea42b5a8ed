"""Three claims about one constraint, never mixed (A.2): the census of this cloud, the trace of its run, the
bound on its distribution.

`passed` is census and trace, in integers: at most ⌊βn⌋ samples inside, now and at every judged step.
`verdict` is the bound:

    certified   the upper bound is at most β      violated   the lower bound is above β      inconclusive
        neither

each side at confidence 1 − α/m where m constraints are audited together (A.4; Holm's variant is in
`several`), so that all m verdicts are right at once with probability 1 − α. Nothing certifies β = 0 (A.3).
The particles of one filtered cloud influence one another, and samples that chose the scenario's numbers are
no fresh draws (A.7), so no bound is claimed for either: such samples are never certified, and `violated` only
where they hold more than their budget, which is a fact.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Num

from barriers.budget import budget
from lem_safe.auditor.as_written import sample_of
from lem_safe.auditor.census import RegionCensus
from lem_safe.auditor.clearances import Clearances
from lem_safe.auditor.guarantee import Guarantee
from lem_safe.auditor.inside import Inside
from lem_safe.auditor.standing import Standing, Verdict
from lem_safe.auditor.worst import Sample
from lem_safe.bounds import clopper_pearson
from lem_safe.bounds.evidence import Evidence, two_sided
from lem_safe.bounds.several import Correction, rejected
from lem_safe.errors import BadInput


class TraceFacts(NamedTuple):
    """One constraint over a run: its largest fraction, the largest of the judged steps, and the first judged
    step over budget.
    """

    largest: float
    largest_judged: float | None
    first_over: int | None


@dataclass(frozen=True)
class ConstraintReport:
    """What is known of one constraint. Fractions are of samples; clearances are in the data's units, negative
    inside.
    """

    set: str
    beta: float
    violations: int
    fraction: float
    upper_bound: float | None
    """One-sided, at `confidence_each`: the number the verdict compares with beta; None where no bound is
    claimed.
    """
    max_fraction_over_steps: float | None
    clearance_min: float | None
    verdict: Verdict
    passed: bool
    budget: int
    """⌊βn⌋, the largest count that passes."""
    lower_bound: float
    interval: clopper_pearson.Interval
    """Two-sided, at `confidence_each`."""
    confidence_each: float
    samples_to_decide: int | None
    """About how many more independent units would end an inconclusive verdict at this fraction; None where
    none would.
    """
    p_value: float
    """What a certificate is decided by: the probability of so few inside if beta were the truth, or 1/e of an
    e-process.
    """
    smallest_beta: float
    """The least tolerance that this many units could certify, had none been inside (A.3)."""
    max_fraction_judged: float | None
    first_step_over: int | None
    clearance_kind: str
    """exact, bound (the true distance is at least this large) or first_order (a rule's s/‖∇s‖; clearance_min
    is then null).
    """
    clearance_first_order: float | None
    undefined: int
    near: int | None
    worst: tuple[Sample, ...]
    clearances: Clearances | None = None
    inside: Inside | None = None
    diagnostic_ess: float | None = None
    """How many independent rows these amount to by batch means (A.6): a diagnostic, which no bound or verdict
    uses.
    """
    diagnostic_interval: clopper_pearson.Interval | None = None
    """The two-sided interval at that number of rows: a diagnostic, never a certificate."""
    decided_at: int | None = None
    """In an audit that grows: after how many units the verdict fell; it stays."""
    contradicted: bool = False
    """In an audit that grows: whether looks exclude each other, so that the units are no independent draws of
    one distribution.
    """
    bound_claimed: bool = True
    """Whether a confidence bound is computed; not where the samples are not independent units."""
    guarantee: Guarantee | None = None
    """What the filter guarantees by construction, and whether the run agrees; None where it guarantees
    nothing, or where nothing was recorded.
    """
    between: str | None = None
    """What of paths was looked at: points, or segments and how; None where neither the units nor the set are
    about paths.
    """

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "ConstraintReport":
        """The report that JSON made lists and mappings of."""
        read = dict(data)
        read["worst"] = tuple(map(sample_of, data["worst"]))
        for name, made in (("clearances", Clearances.from_dict), ("inside", Inside.from_dict)):
            read[name] = made(data[name]) if data.get(name) is not None else None
        if data.get("guarantee") is not None:
            read["guarantee"] = Guarantee(**data["guarantee"])
        for name in ("interval", "diagnostic_interval"):
            read[name] = clopper_pearson.Interval(*data[name]) if data.get(name) is not None else None
        return cls(**read)


@dataclass(frozen=True)
class UnionReport:
    """The samples inside at least one constrained region: one more claim, at the audit's whole confidence,
    with no tolerance.
    """

    sets: tuple[str, ...]
    violations: int
    fraction: float
    upper_bound: float | None
    """None where no bound is claimed."""
    interval: clopper_pearson.Interval

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "UnionReport":
        """The report that JSON made lists of."""
        return cls(
            **{**data, "sets": tuple(data["sets"]), "interval": clopper_pearson.Interval(*data["interval"])}
        )


def verdicts(
    standings: Sequence[Standing],
    confidence: float,
    correction: Correction,
    over: Sequence[bool] | None = None,
) -> list[Verdict]:
    """One verdict a constraint, all of them right at once with probability `confidence`.

    over: where no bound is claimed, which constraints hold more than their budget: all that can then be said.
    """
    if over is not None:
        return ["violated" if more else "inconclusive" for more in over]
    certified = rejected([s.p_certify for s in standings], 1 - confidence, correction)
    violated = rejected([s.p_violate for s in standings], 1 - confidence, correction)
    return [
        "certified" if c else "violated" if v else "inconclusive"
        for c, v in zip(certified, violated, strict=True)
    ]


def overall(each: Sequence[Verdict]) -> Verdict:
    """The verdict on all constraints together: as bad as the worst, as good as the least certain."""
    if "violated" in each:
        return "violated"
    return "certified" if each and set(each) == {"certified"} else "inconclusive"


def judge(
    name: str,
    beta: float,
    count: int,
    n: int,
    region: RegionCensus,
    evidence: Evidence,
    standing: Standing,
    *,
    confidence: float,
    claimed: bool,
    require_bound: bool,
    trace: TraceFacts | None,
    between: str | None = None,
    guarantee: Guarantee | None = None,
) -> ConstraintReport:
    """The report of one constraint. count: units inside, of `n`. confidence: of each side of a bound.
    claimed: whether a bound is claimed. require_bound: whether passing needs a certificate.
    """
    allowed = budget(beta, n)
    certified = standing.verdict == "certified" or not require_bound
    passed = count <= allowed and (trace is None or trace.first_over is None) and certified
    decided = standing.verdict != "inconclusive"
    return ConstraintReport(
        set=name,
        beta=beta,
        violations=count,
        fraction=count / n,
        passed=passed,
        budget=allowed,
        interval=two_sided(evidence, confidence),
        confidence_each=confidence,
        samples_to_decide=0 if decided else evidence.more(beta, confidence) if claimed else None,
        smallest_beta=evidence.smallest(confidence),
        diagnostic_interval=_diagnostic(region, confidence),
        bound_claimed=claimed,
        guarantee=guarantee,
        between=between,
        **_of_standing(standing, claimed),
        **_of_trace(trace),
        **_shown(region),
    )


def _of_standing(standing: Standing, claimed: bool) -> dict[str, Any]:
    """What a report says of the bound."""
    return {
        "upper_bound": standing.upper if claimed else None,
        "lower_bound": standing.lower,
        "verdict": standing.verdict,
        "p_value": standing.p_certify,
        "decided_at": standing.decided_at,
        "contradicted": standing.contradicted,
    }


def _of_trace(trace: TraceFacts | None) -> dict[str, Any]:
    """What a report says of the steps of the run, where they are known."""
    return {
        "max_fraction_over_steps": trace.largest if trace else None,
        "max_fraction_judged": trace.largest_judged if trace else None,
        "first_step_over": trace.first_over if trace else None,
    }


def _shown(region: RegionCensus) -> dict[str, Any]:
    """What a report shows of a region beside its count."""
    first_order = region.kind == "first_order"
    return {
        "clearance_min": None if first_order else region.clearance,
        "clearance_kind": region.kind,
        "clearance_first_order": region.clearance if first_order else None,
        "undefined": region.undefined,
        "near": region.near,
        "worst": region.worst,
        "clearances": region.clearances,
        "inside": region.inside,
        "diagnostic_ess": region.effective,
    }


def trace_facts(
    step: Num[np.ndarray, "t"], fraction: Float[np.ndarray, "t"], beta: float, n: int, after_step: int
) -> TraceFacts:
    """The facts of one column, fractions turned back into the integer counts they were; steps from
    `after_step` on are judged.
    """
    counts = np.rint(fraction * n)
    if not np.isfinite(fraction).all():
        first = int(step[~np.isfinite(fraction)][0])
        raise BadInput(f"the trace holds no fraction at step {first}; it is not the trace of a finished run")
    if not ((fraction >= 0) & (fraction <= 1)).all():
        first = int(step[(fraction < 0) | (fraction > 1)][0])
        raise BadInput(f"the trace holds a fraction outside 0 to 1 at step {first}; it is not that of a run")
    if np.abs(counts - fraction * n).max(initial=0) > 1e-2:
        raise BadInput(
            f"the trace counts fractions of another number of samples than the {n} audited; audit those of "
            "its own run"
        )
    judged = step >= after_step
    over = step[judged & (counts > budget(beta, n))]
    return TraceFacts(
        largest=float(fraction.max()),
        largest_judged=float(fraction[judged].max()) if judged.any() else None,
        first_over=int(over[0]) if over.size else None,
    )


def _diagnostic(region: RegionCensus, confidence: float) -> clopper_pearson.Interval | None:
    """Clopper–Pearson's interval, had there been n_eff independent rows with the same fraction inside
    (A.6).
    """
    if region.effective is None or region.rows == 0:
        return None
    return clopper_pearson.interval(
        region.violations / region.rows * region.effective, region.effective, confidence
    )
