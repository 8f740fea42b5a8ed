"""What a bound is computed from and assumes, in words; or why none is claimed."""

from typing import NamedTuple

from lem_safe.auditor.caveats import copied
from lem_safe.auditor.counted import Counted
from lem_safe.auditor.crowding import units_by_nature
from lem_safe.auditor.question import Question
from lem_safe.auditor.samples import Unit
from lem_safe.auditor.unclaimed import Unclaimed, Why, because
from lem_safe.bounds.several import Correction
from lem_safe.formatting import level

FIXED = "Clopper-Pearson bounds, valid for one evaluation,"
ANYTIME = (
    "anytime-valid (an e-process: valid at every evaluation, so that one may stop at the first that decides),"
)

DETAIL = {
    "sample": "The bounds are {bounds} if the samples are independent draws from one distribution. The audit "
    "relies on this and cannot check it.",
    "path": "The event is that a path is inside at any recorded time{between}. The bounds are {bounds} if "
    "the "
    "paths are independent.",
    "cloud": "The unit is the cloud: the bounds are by betting on the fraction of each cloud. They hold if "
    "the "
    "clouds are independent, however the particles of one cloud depend on each other.",
    "chain": "The unit is the chain: the bounds are by betting on the fraction of time that each chain is "
    "inside. They hold for the mean of this fraction if the chains are independent, however slowly they mix; "
    "they say nothing about longer chains.",
}

BETWEEN = {"segments": ", or on the straight line between two", "points": "; nothing is known between them"}
"""How much of a path between two recorded points is checked."""

WITHOUT_BOUND: dict[Why, str] = {
    "coupled": "The samples are one filtered cloud, whose particles depend on each other, so the counts "
    "describe this cloud, and no confidence bound is computed from them. lem-safe certify draws independent "
    "samples and computes one.",
    "copies": "Copies are not independent samples: the counts are about these rows, and no confidence "
    "bound on "
    "their distribution is computed.",
    "frozen": "Most particles have not moved from their start: the counts are about these samples, which are "
    "the start of the run and not draws from what it samples, so no confidence bound is computed.",
    "tuned": "These samples were used to choose the scenario's numbers, so they would certify what they were "
    "used to make true: the counts are about these samples, and no confidence bound is computed. Draw fresh "
    "samples with another seed.",
}


class Stand(NamedTuple):
    """What bounds are computed from: the unit, the number of units, and why no bound is claimed."""

    unit: Unit
    units: int
    unclaimed: Unclaimed | None

    @property
    def assumes(self) -> str:
        """What the bound assumes, in two words; or why none is claimed."""
        return f"independent {self.unit}s" if self.unclaimed is None else self.unclaimed.assumes


def stand(counted: Counted, question: Question) -> Stand:
    """What a bound may be computed from, given the units counted."""
    samples, unit = counted.samples, counted.unit
    tuned_with = question.scenario.audit.tuned_with
    if samples.chose(tuned_with):
        return Stand(unit, counted.units, because("tuned"))
    if unit == "cloud" and counted.units == 1:  # the scatter of fractions needs a second cloud
        return Stand("sample", counted.census.n, because("coupled"))
    coupled = samples.coupled if question.coupled is None else question.coupled
    if coupled and unit != "cloud":
        return Stand(unit, counted.units, because("coupled"))
    if counted.moved is not None and counted.moved.frozen:
        return Stand(unit, counted.units, because("frozen"))
    found = counted.repeats
    if not units_by_nature(found, counted.few, unit):
        numbers = copied(found.rows, found.distinct, found.exact, found.units, found.distinct_units, unit)
        return Stand(unit, counted.units, because("copies", numbers))
    return Stand(unit, counted.units, None)


def in_words(
    stand: Stand,
    sequential: bool,
    confidence: float,
    m: int,
    correction: Correction,
    between: str | None = None,
) -> str:
    """The assumption in a sentence or two, and how m constraints share the confidence."""
    if stand.unclaimed is not None:
        return WITHOUT_BOUND[stand.unclaimed.why]
    bounds, ever = ANYTIME if sequential else FIXED, BETWEEN[between or "segments"]
    text = DETAIL[stand.unit].format(bounds=bounds, between=ever)
    if m > 1:
        what = (
            "all bounds and verdicts"
            if correction == "bonferroni"
            else "all bounds, and all of Holm's verdicts,"
        )
        text += (
            f" The error is shared by {m} constraints: {what} hold together with {level(confidence)} "
            "confidence."
        )
    return text
