"""What a bound is taken from and needs, in words; or why none is claimed."""

from typing import NamedTuple

from lem_safe.auditor.samples import Unit
from lem_safe.bounds.several import Correction
from lem_safe.formatting import level

UNCLAIMED = "bound not claimed"
"""How `assumes` ends where counts are facts and nothing more."""

DETAIL = {
    "sample": "Bounds are Clopper-Pearson's and hold if the samples are independent draws of one law; no "
    "audit can check that.",
    "path": "The event is a path that is inside at any recorded time{between}. Bounds are "
    "Clopper-Pearson's and hold if the paths are independent.",
    "cloud": "The unit is the cloud: bounds are by betting on each cloud's fraction and hold if the clouds "
    "are independent, however their "
    "particles depend on one another.",
    "chain": "The unit is the chain: bounds are by betting on each chain's fraction of time inside and "
    "hold for the mean of that fraction if "
    "the chains are independent, however slowly they mix; they say nothing of what longer chains would do.",
}


BETWEEN = {"segments": ", or on the straight line between two", "points": "; nothing is known between them"}
"""What a path's event says of the time between two recorded points."""


class Stand(NamedTuple):
    """What bounds are taken from: the unit, how many of them, and the reason why none is claimed, if there is
    one.
    """

    unit: Unit
    units: int
    unclaimed: str | None


def in_words(
    stand: Stand,
    sequential: bool,
    confidence: float,
    m: int,
    correction: Correction,
    between: str | None = None,
) -> str:
    """The assumption in a sentence or two, and how m constraints share the confidence."""
    if stand.unclaimed and stand.unclaimed.startswith("coupled"):
        return (
            "The samples are one filtered cloud, whose particles influence one another: counts are facts "
            "about this cloud and "
            "this run; no bound on the law behind them is claimed."
        )
    if stand.unclaimed and stand.unclaimed.startswith("copies"):
        return (
            "Copies of one another are not independent samples: counts are facts about these rows; no "
            "bound on the distribution behind them is "
            "claimed."
        )
    if stand.unclaimed and stand.unclaimed.startswith("frozen"):
        return (
            "Most particles are where they started: counts are facts about these samples, which are the "
            "start of the run and not draws of what "
            "it samples; no bound is claimed."
        )
    if stand.unclaimed:
        return (
            "These samples took part in choosing the scenario's numbers: counts are facts about them; what "
            "they would certify is what they "
            "were used to make true, so no bound is claimed. Draw fresh ones with another seed."
        )
    text = DETAIL[stand.unit].format(between=BETWEEN[between or "segments"])
    if sequential and stand.unit in ("sample", "path"):
        text = text.replace(
            "Clopper-Pearson's and hold", "anytime-valid (an e-process) and hold, however often one looks,"
        )
    if m > 1:
        what = (
            "all bounds and verdicts"
            if correction == "bonferroni"
            else "all bounds, and all of Holm's verdicts,"
        )
        text += f" {m} constraints share the error: {what} hold at once with {level(confidence)} confidence."
    return text
