"""The report's sentences: the verdict in plain words, percentages, what a bound says."""

from collections.abc import Mapping
from typing import Any

from lem_safe.report.contents import Contents


def percent(fraction: float) -> str:
    """A fraction as a percentage with three significant digits, its unit never alone on the next line."""
    return f"{100 * fraction:.3g}\N{NO-BREAK SPACE}%"


def verdict(contents: Contents, index: int) -> str:
    """One constraint in plain words: what is tolerated, what the run held, what it would have held unfiltered."""
    c = contents.audit["constraints"][index]
    n = contents.audit["samples"]
    whose = "the unfiltered cloud" if contents.filter == "none" else "the filtered cloud"
    text = f"At most {percent(c['beta'])} tolerated inside {c['set']}; {whose} "
    most = c["max_fraction_over_steps"]
    after = contents.audit.get("after_step", 0)
    if most is not None:
        steps = len(contents.trace["step"]) if contents.trace else 0
        where = f"at any of {steps:,} steps" if not after else f"from step {after:,} on"
        judged = c.get("max_fraction_judged", most) if after else most
        over = c.get("first_step_over")
        if over is None:
            text += f"never held more than {percent(judged)} {where}, and ends with "
        else:
            text += f"went over it, first at step {over:,} and up to {percent(judged)}, and ends with "
    else:
        text += "holds "
    text += f"{c['violations']:,} of {n:,} samples there ({percent(c['fraction'])})."
    if len(contents.reference):
        text += f" Without the filter: {percent(reference_fraction(contents, index))}."
    return text


def reference_fraction(contents: Contents, index: int) -> float:
    """The fraction of the unfiltered samples inside one constraint's region."""
    return float(contents.inside(contents.audit["constraints"][index]["set"], contents.reference["x"]).mean())


def bound(c: Mapping[str, Any], audit: Mapping[str, Any]) -> str:
    """What the bound says of one constraint, or why none is claimed."""
    if str(audit["assumes"]).startswith("coupled"):
        return "none claimed: the particles of one filtered cloud are not independent"
    level = percent(c.get("confidence_each", audit["confidence"]))
    return f"at most {percent(c['upper_bound'])} with {level} confidence, if the samples are independent"


def decides(c: Mapping[str, Any]) -> str:
    """What an inconclusive verdict would need."""
    more = c.get("samples_to_decide")
    if c["verdict"] != "inconclusive" or more == 0:
        return ""
    if c["beta"] == 0:
        return f"No number of samples certifies 0; this many, none inside, certify {percent(c['smallest_beta'])}."
    return f"About {more:,} more independent samples would decide." if more else ""


def flat(value: Any, prefix: str = "") -> list[tuple[str, str]]:
    """A nested mapping as (dotted key, text) rows."""
    if isinstance(value, Mapping):
        return [row for key, inner in value.items() for row in flat(inner, f"{prefix}.{key}" if prefix else str(key))]
    if isinstance(value, float):
        return [(prefix, f"{value:.6g}")]
    if value is None:
        return []
    return [(prefix, ", ".join(map(str, value)) if isinstance(value, list) else str(value))]
