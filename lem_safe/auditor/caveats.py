"""Remarks on a bound: repeated rows, particles that never moved, chains that do not agree. Uses the content
of audit.json alone.
"""

from collections.abc import Mapping
from typing import Any

from lem_safe.auditor.movement import AGREE, FROZEN, Movement
from lem_safe.auditor.unclaimed import unclaimed_in
from lem_safe.formatting import percent

SOME = 0.99
"""A remark is made where the share of distinct rows, or of particles that moved, is below this."""


def caveats(audit: Mapping[str, Any]) -> list[str]:
    """The remarks that apply, one or two sentences each."""
    found = (
        _dropped(audit),
        *_unseen(audit),
        *_unequal(audit),
        _repeats(audit),
        _moved(audit),
        _mixed(audit),
    )
    return [text for text in found if text]


def _unseen(audit: Mapping[str, Any]) -> list[str]:
    """A remark on each value that a rule names and no row has: a slip would make the rule void."""
    return [
        f"Column '{found['column']}' never holds '{found['value']}', which a rule names"
        + (f"; is '{found['close']}' meant?" if found["close"] else ".")
        + (f" It holds {', '.join(map(repr, found['values']))}." if found["values"] else "")
        for found in audit.get("unseen", ())
    ]


def _unequal(audit: Mapping[str, Any]) -> list[str]:
    """A remark on each column that is not what the scenario derives it as."""
    return [
        f"Column '{found['column']}' is not {found['formula']} in {found['differ']:,} of {found['rows']:,} "
        + "rows"
        + (f", the first of which is row {found['first']}" if found["first"] is not None else "")
        + "; the counts are of its cells as they are."
        for found in audit.get("unequal", ())
    ]


def _dropped(audit: Mapping[str, Any]) -> str:
    dropped = audit.get("dropped")
    if not dropped:
        return ""
    rows = audit["samples"] + dropped
    return (
        f"Missing values: {dropped:,} of {rows:,} rows ({percent(dropped / rows)}) miss a value and were "
        "left out (missing: drop); counts and bounds are about the other rows, which are numbered without "
        "them."
    )


def copied(
    rows: int,
    distinct: int,
    exact: bool,
    units: int | None = None,
    different: int | None = None,
    kind: str = "row",
) -> str:
    """The number of distinct rows or units, in words.

    >>> copied(400, 1, True), copied(10**7, 5 * 10**6, False)
    ('1 distinct row among 400', 'about 5,000,000 distinct rows among 10,000,000')
    >>> copied(400, 40, True, 20, 2, "cloud")
    '2 distinct clouds among 20'
    """
    if units is not None and different is not None and different < units:
        rows, distinct, exact = units, different, True
    else:
        kind = "row"
    return f"{'' if exact else 'about '}{distinct:,} distinct {kind}{'s' * (distinct != 1)} among {rows:,}"


def _repeats(audit: Mapping[str, Any]) -> str:
    found = audit.get("repeats")
    if not found:
        return ""
    kind = str(audit.get("unit", "sample"))
    what = copied(
        found["rows"], found["distinct"], found["exact"], found["units"], found["distinct_units"], kind
    )
    unclaimed = unclaimed_in(audit)
    if unclaimed is not None and unclaimed.why == "copies":
        which = "clouds, chains or paths" if kind != "sample" else "rows written this finely"
        return (
            f"Copies: {what}. Independent {which} do not repeat like this, and copies are not independent "
            "samples, so no bound is claimed; draw fresh samples, each from its own random numbers."
        )
    repeated = found["units"] is None and found["distinct"] < SOME * found["rows"]
    if not repeated and (found["units"] is None or found["distinct_units"] == found["units"]):
        return ""
    common = (
        f"; the most frequent one occurs {found['commonest']:,} times"
        if found["commonest"] > 0.1 * found["rows"]
        else ""
    )
    why = (
        "Values with so few digits may repeat like this; if the rows are copies of each other, the bound "
        "does "
        "not hold."
        if unclaimed is None
        else ""
    )
    return f"Rows repeat: {what}{common}. {why}".strip()


def _moved(audit: Mapping[str, Any]) -> str:
    found = audit.get("movement")
    if not found or found["moved"] is None or found["moved"] >= SOME:
        return _refused(found)
    made = (
        ""
        if found["accepted"] is None
        else f" ({percent(found['accepted'])} of the proposed moves were made)"
    )
    if found["moved"] == 0:
        what = f"no particle has moved from its start{made}, so these samples are the start itself"
    else:
        what = f"{percent(1 - found['moved'])} of the particles have never moved from their start{made}"
    remedy = "a smaller sampler.step_size, another filter or another sampler.init may let them move"
    if found["moved"] >= FROZEN:
        return f"{what[0].upper()}{what[1:]}; {remedy}."
    return f"Frozen: {what}. No bound is claimed, and the counts say nothing about the energy; {remedy}."


def _refused(found: Mapping[str, Any] | None) -> str:
    """A remark where most moves were refused although every particle has moved."""
    if not found or found["accepted"] is None or found["accepted"] >= 0.5:
        return ""
    return (
        f"Only {percent(found['accepted'])} of the proposed moves were made: the particles rarely move, so "
        "the "
        "run needs more steps."
    )


def _mixed(audit: Mapping[str, Any]) -> str:
    found = audit.get("movement")
    known = None if not found else Movement(**found)
    if known is None or known.settled is not False:
        return ""
    return (
        f"The run has not settled: {unsettled(known)} ({known.numbers}). Counts and bounds describe the "
        "state after these steps; more steps may change it."
    )


def unsettled(found: Movement) -> str:
    """What a run that has not settled still does."""
    if found.nested_rhat is not None and found.nested_rhat <= AGREE:
        return "the means of the particles still drift"
    return "the particles still depend on where they started"
