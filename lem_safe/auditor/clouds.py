"""Independent clouds beside each other: the mean of their fractions, and the largest, which decides.

At every step of a run with replicas, what is judged is the cloud with the largest fraction. One cloud among
many may be far from the others; the mean over clouds says what is usual.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from lem_safe.auditor.movement import recorded
from lem_safe.formatting import percent

if TYPE_CHECKING:
    from lem_safe.auditor.counted import Counted
    from lem_safe.auditor.question import Question


@dataclass(frozen=True)
class CloudFractions:
    """The fractions of several clouds inside one region, 0 to 1: the mean over clouds and the largest, of the
    samples audited, and over the judged steps (the largest at any step); None without a trace of each cloud.
    """

    set: str
    clouds: int
    mean: float
    largest: float
    mean_over_steps: float | None = None
    largest_over_steps: float | None = None


def by_cloud(counted: "Counted", question: "Question") -> tuple[CloudFractions, ...]:
    """One entry per constraint, where the samples are several clouds; else none."""
    if counted.unit != "cloud" or counted.units < 2:
        return ()
    found = []
    for i, c in enumerate(question.scenario.constraints):
        counts = counted.census.regions[c.set].by_unit
        if counts is None:
            continue
        own = counts.fractions()
        over = _over_steps(question, i, counted.units)
        found.append(CloudFractions(c.set, counted.units, float(own.mean()), float(own.max()), *over))
    return tuple(found)


def _over_steps(question: "Question", index: int, clouds: int) -> tuple[float | None, float | None]:
    """The largest mean over clouds and the largest fraction of a cloud, at any judged step."""
    if question.trace is None or "cloud_fraction" not in question.trace:
        return None, None
    each = recorded(question.trace, "cloud_fraction")
    step = recorded(question.trace, "step")
    if each.ndim != 3 or each.shape[:2] != (clouds, len(step)) or index >= each.shape[2]:
        return None, None
    judged = each[:, step >= question.scenario.audit.after_step, index]
    if judged.size == 0 or not np.isfinite(judged).all():
        return None, None
    return float(judged.mean(0).max()), float(judged.max())


def fractions_of(c: Mapping[str, Any], audit: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The entry of one constraint in the content of audit.json; None where there is none."""
    return next((f for f in audit.get("by_cloud", ()) if f["set"] == c["set"]), None)


def clouds_sentence(c: Mapping[str, Any], audit: Mapping[str, Any]) -> str:
    """The mean over clouds beside the largest, in words; empty where the samples are not several clouds."""
    f = fractions_of(c, audit)
    if f is None:
        return ""
    text = (
        f"Of {f['clouds']:,} clouds, the mean is {percent(f['mean'])} and the largest {percent(f['largest'])}"
    )
    if f["mean_over_steps"] is None:
        return f"{text}."
    return (
        f"{text}; at any judged step, the mean is at most {percent(f['mean_over_steps'])} and the largest "
        f"{percent(f['largest_over_steps'])}."
    )


def over_steps_cell(c: Mapping[str, Any], audit: Mapping[str, Any]) -> str:
    """The largest fraction over the steps, with the mean over clouds where there are several."""
    if c["max_fraction_over_steps"] is None:
        return "-"
    f = fractions_of(c, audit)
    mean = "" if f is None or f["mean_over_steps"] is None else f" (mean {percent(f['mean_over_steps'])})"
    return f"{percent(c['max_fraction_over_steps'])}{mean}"
