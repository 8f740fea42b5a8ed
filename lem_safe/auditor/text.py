"""An audit in words and one small table, for a terminal and for a notebook. Uses the content of audit.json
alone.
"""

from collections.abc import Mapping
from typing import Any

from lem_safe.auditor.caveats import caveats
from lem_safe.auditor.clouds import clouds_sentence, over_steps_cell
from lem_safe.auditor.headline import counted, headline, more_words, reason, standing, unclaimed, unit
from lem_safe.auditor.movement import Movement
from lem_safe.escaping import each_on_one_line
from lem_safe.formatting import aligned, level, percent
from lem_safe.templates import rendered

HEADS = ("", "unsafe set", "tolerated", "found", "highest at any step", "upper limit", "clearance", "verdict")


def to_text(audit: Mapping[str, Any]) -> str:
    """The verdict first, then a table with one line per constraint, then what decided each and what the bound
    assumes.
    """
    audit = each_on_one_line(audit)
    table = aligned([HEADS, *(row(c, audit) for c in audit["constraints"])])
    sentences = [f"{c['set']}: {sentence(c, audit)}" for c in audit["constraints"]]
    why = [reason(audit)] if not audit["passed"] else []
    return "\n".join(
        [
            headline(audit),
            *why,
            *settled_sentence(audit),
            *caveats(audit),
            "",
            *table,
            "",
            *sentences,
            *union_sentence(audit),
            "",
            audit["assumes_detail"],
            *columns_sentence(audit),
            *estimated_sentence(audit),
        ]
    )


def to_html(audit: Mapping[str, Any]) -> str:
    """The same table as HTML, for a notebook."""
    return rendered(
        "table.html.j2",
        "lem_safe.auditor",
        headline=headline(audit),
        under=[reason(audit)] * (not audit["passed"]) + caveats(audit),
        heads=HEADS,
        rows=[row(c, audit) for c in audit["constraints"]],
        below=[audit["assumes_detail"], *columns_sentence(audit)],
    )


def sentence(c: Mapping[str, Any], audit: Mapping[str, Any]) -> str:
    """What was counted, the steps of the run, and the bound, in plain words."""
    parts = [census_sentence(c, audit), _paths(c), trace_sentence(c, audit), bound_sentence(c, audit)]
    parts.insert(3, clouds_sentence(c, audit))
    if c["undefined"]:
        parts.append(f"Samples for which the rule has no value, counted as inside: {c['undefined']:,}.")
    if c["near"] is not None:
        rows = "" if unit(audit) != "path" else f" of {audit['rows']:,} recorded rows"
        parts.append(f"Outside but within {audit['near_within']:g}: {c['near']:,}{rows}.")
    parts.append(dependence_sentence(c, audit))
    return " ".join(part for part in parts if part)


def union_sentence(audit: Mapping[str, Any]) -> list[str]:
    """How many samples are in any region; empty for a single region."""
    union = audit["union"]
    if union is None:
        return []
    what = counted(audit["samples"], "path" if unit(audit) == "path" else "sample")
    text = f"Any of them: {union['violations']:,} of {what} ({percent(union['fraction'])}) are inside."
    if unclaimed(audit):
        return [text]
    return [
        f"{text} The probability of any of them is at most {percent(union['upper_bound'])} "
        f"({level(audit['confidence'])} confidence)."
    ]


def settled_sentence(audit: Mapping[str, Any]) -> list[str]:
    """That the run has settled, where this was measured and is so; a caveat says the contrary."""
    found = audit.get("movement")
    known = None if not found else Movement(**found)
    if known is None or not known.settled:
        return []
    return [f"The run has settled, as far as its particles can tell ({known.numbers})."]


def columns_sentence(audit: Mapping[str, Any]) -> list[str]:
    """The matching of the columns, where names differ; else empty."""
    detail = str(audit.get("columns_detail", ""))
    return [f"{detail[0].upper()}{detail[1:]}."] if detail else []


def estimated_sentence(audit: Mapping[str, Any]) -> list[str]:
    """What the mark ~ in the table means, where it occurs; else nothing."""
    if not any(_clearance(c).startswith("~") for c in audit["constraints"]):
        return []
    return ["~ is a first-order estimate of the distance to the region."]


def census_sentence(c: Mapping[str, Any], audit: Mapping[str, Any]) -> str:
    """How many are inside, and how many are tolerated."""
    inside = "is" if c["violations"] == 1 else "are"
    what, ever = ("path", " at some time") if unit(audit) == "path" else ("sample", "")
    return (
        f"{c['violations']:,} of {counted(audit['samples'], what)} ({percent(c['fraction'])}) {inside} "
        f"inside{ever}; "
        f"at most {c['budget']:,} ({percent(c['beta'])}) tolerated."
    )


def _paths(c: Mapping[str, Any]) -> str:
    """What was checked of paths; empty where there are none."""
    match c.get("between"):
        case None:
            return ""
        case "points":
            return "Paths were checked at their recorded points only; between these nothing is known."
        case how:
            return f"Paths were checked at their points and between them ({how})."


def trace_sentence(c: Mapping[str, Any], audit: Mapping[str, Any]) -> str:
    """The largest fraction at any checked step; empty without a trace."""
    if c["max_fraction_over_steps"] is None:
        return ""
    judged = f" from step {audit['after_step']:,} on" if audit["after_step"] > 0 else ""
    if c["first_step_over"] is not None:
        return (
            f"The run went over first at step {c['first_step_over']:,}, and up to "
            f"{percent(c['max_fraction_judged'])}{judged}."
        )
    most = c["max_fraction_judged"]
    return (
        f"No step{judged} held more than {percent(most)}."
        if most is not None
        else f"The trace has no step{judged}."
    )


def guarantee_sentence(c: Mapping[str, Any]) -> str:
    """What the filter guarantees without a confidence level, or why it does not; empty where it promises
    nothing.
    """
    guarantee = c.get("guarantee")
    if not guarantee:
        return ""
    because = guarantee["because"]
    if not guarantee["holds"]:
        return f"Not guaranteed: {because}."
    return (
        f"Guaranteed: {because}. So a sample drawn at random from a cloud that this filter has produced is "
        f"inside with probability at most {percent(guarantee['at_most'])}, by construction and not by "
        "statistics."
    )


def bound_sentence(c: Mapping[str, Any], audit: Mapping[str, Any]) -> str:
    """The bounds on the probability of the set, and what would decide an inconclusive verdict."""
    low, high = (percent(end) for end in c["interval"])
    if unclaimed(audit):
        return guarantee_sentence(c)
    if c.get("contradicted"):
        return (
            f"According to these {unit(audit)}s, {low} to {high} are inside ({level(c['confidence_each'])} "
            f"confidence{_however(audit)}), which earlier evaluations exclude: the {unit(audit)}s are not "
            "independent draws from one distribution. Nothing is certified; check what changed between the "
            "evaluations."
        )
    many = "of a cloud " if unit(audit) == "cloud" else "of a chain's time " if unit(audit) == "chain" else ""
    text = (
        f"In the distribution that they come from, {low} to {high} {many}are inside "
        f"({level(c['confidence_each'])} confidence, two-sided{_however(audit)})."
    )
    if c["verdict"] != "inconclusive":
        at = c.get("decided_at")
        return (
            text
            if at is None or at == audit["units"]
            else f"{text} {c['verdict'].capitalize()} after {at:,} {unit(audit)}s; this decision is final."
        )
    if c["beta"] == 0:
        return (
            f"{text} A tolerance of 0 cannot be certified; {audit['units']:,} {unit(audit)}s without a "
            f"violation certify {percent(c['smallest_beta'])}."
        )
    more = c["samples_to_decide"]
    if more is not None:
        words = more_words(c, audit)
        return f"{text} {words[0].upper()}{words[1:]}."
    why = (
        "the fraction is exactly beta"
        if c["fraction"] == c["beta"] or unit(audit) in ("sample", "path")
        else "the fractions scatter too widely"
    )
    return f"{text} No number of {unit(audit)}s would decide, because {why}."


def _however(audit: Mapping[str, Any]) -> str:
    return ", anytime-valid" if audit.get("method") == "anytime" else ""


def dependence_sentence(c: Mapping[str, Any], audit: Mapping[str, Any]) -> str:
    """A warning if rows that are assumed to be independent do not look independent; a diagnostic only."""
    effective = c.get("diagnostic_ess")
    if effective is None or unit(audit) != "sample" or unclaimed(audit) or effective > audit["samples"] / 2:
        return ""
    low, high = (percent(end) for end in c["diagnostic_interval"])
    return (
        f"Diagnostic: in file order, these rows are worth about {effective:,.0f} independent ones ({low} to "
        f"{high} inside). If they are a chain, add a column or array `chain`; if they are sorted, shuffle "
        "them."
    )


def row(c: Mapping[str, Any], audit: Mapping[str, Any]) -> tuple[str, ...]:
    """One line of the table, one cell for each of HEADS."""
    return (
        "pass" if c["passed"] else "FAIL",
        c["set"],
        f"{percent(c['beta'])} ({c['budget']:,})",
        f"{percent(c['fraction'])} ({c['violations']:,})",
        over_steps_cell(c, audit),
        bound_cell(c, audit),
        _clearance(c),
        standing(c, audit),
    )


def bound_cell(c: Mapping[str, Any], audit: Mapping[str, Any]) -> str:
    """What is guaranteed, or bounded with confidence; `-` where neither is."""
    guarantee = c.get("guarantee")
    if not unclaimed(audit):
        return f"{percent(c['upper_bound'])} ({level(c['confidence_each'])})"
    return f"{percent(guarantee['at_most'])} (by filter)" if guarantee and guarantee["holds"] else "-"


def _clearance(c: Mapping[str, Any]) -> str:
    if c["clearance_min"] is not None:
        return f"{c['clearance_min']:.3g}"
    return "-" if c["clearance_first_order"] is None else f"~{c['clearance_first_order']:.3g}"
