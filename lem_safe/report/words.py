"""The report's sentences: the verdict in plain words, percentages, bounds."""

from collections.abc import Mapping
from typing import Any

from lem_safe import formatting as percentages
from lem_safe.auditor.clouds import fractions_of
from lem_safe.auditor.headline import guaranteed
from lem_safe.auditor.unclaimed import unclaimed_in
from lem_safe.bounds import clopper_pearson
from lem_safe.report.contents import Contents


def percent(fraction: float) -> str:
    """A fraction as a percentage with three significant digits and a no-break space before the unit."""
    return percentages.percent(fraction).replace(" ", "\N{NO-BREAK SPACE}")


def level(confidence: float) -> str:
    """A confidence in the same way."""
    return percentages.level(confidence).replace(" ", "\N{NO-BREAK SPACE}")


def verdict(contents: Contents, index: int) -> str:
    """One constraint in plain words: the tolerance, the fraction of the run, and that of the
    unfiltered run.
    """
    c = contents.audit["constraints"][index]
    n = contents.audit["samples"]
    if not contents.run:
        ever = " at some time" if contents.audit.get("unit") == "path" else ""
        return (
            f"At most {percent(c['beta'])} tolerated inside {c['set']}; {_held(c, contents.audit)} "
            f"there{ever} ({percent(c['fraction'])})."
        )
    clouds, kind = contents.clouds, "unfiltered" if contents.filter == "none" else "filtered"
    whose = f"the fullest of {clouds:,} {kind} clouds" if clouds > 1 else f"the {kind} cloud"
    ends = "all together end with" if clouds > 1 else "ends with"
    text = f"At most {percent(c['beta'])} tolerated inside {c['set']}; {whose} "
    most = c["max_fraction_over_steps"]
    after = contents.audit.get("after_step", 0)
    if most is not None:
        steps = len(contents.trace["step"]) if contents.trace else 0
        where = f"at any of {steps:,} steps" if not after else f"from step {after:,} on"
        judged = c.get("max_fraction_judged", most) if after else most
        over = c.get("first_step_over")
        if over is None:
            text += f"never held more than {percent(judged)} {where}{_mean(c, contents.audit)}, and {ends} "
        else:
            text += f"went over it, first at step {over:,} and up to {percent(judged)}, and {ends} "
    else:
        text += "holds "
    text += f"{c['violations']:,} of {n:,} samples there ({percent(c['fraction'])})."
    if len(contents.reference):
        text += f" Without the filter: {percent(reference_fraction(contents, index))}."
    return text


def _mean(c: Mapping[str, Any], audit: Mapping[str, Any]) -> str:
    f = fractions_of(c, audit)
    if f is None or f["mean_over_steps"] is None:
        return ""
    return f" (their mean never more than {percent(f['mean_over_steps'])})"


def apart(c: Mapping[str, Any], audit: Mapping[str, Any]) -> str:
    """What several clouds hold, one by one: their mean and the largest; empty for one."""
    f = fractions_of(c, audit)
    return "" if f is None else f"; clouds: mean {percent(f['mean'])}, largest {percent(f['largest'])}"


def over_steps(c: Mapping[str, Any], audit: Mapping[str, Any]) -> str:
    """What the mean over clouds was at most, beside the largest cloud's fraction; empty for one."""
    f = fractions_of(c, audit)
    if f is None or f["mean_over_steps"] is None:
        return ""
    return f"largest of {f['clouds']:,} clouds; their mean at most {percent(f['mean_over_steps'])}"


def _held(c: Mapping[str, Any], audit: Mapping[str, Any]) -> str:
    what = "path" if audit.get("unit") == "path" else "sample"
    return (
        f"{c['violations']:,} of {audit['samples']:,} {what}{'s' * (audit['samples'] != 1)} "
        f"{'is' if c['violations'] == 1 else 'are'}"
    )


def reference_fraction(contents: Contents, index: int) -> float:
    """The fraction of the unfiltered samples inside one constraint's region."""
    return float(contents.inside(contents.audit["constraints"][index]["set"], contents.reference["x"]).mean())


def interval(contents: Contents, fraction: float) -> str:
    """The two-sided Clopper–Pearson interval of an unfiltered fraction (A.2), whose particles are
    independent.
    """
    n = len(contents.reference["x"])
    low, high = clopper_pearson.interval(round(fraction * n), n, float(contents.audit["confidence"]))
    return f"{100 * low:.3g} to {percent(high)}"


def unclaimed(audit: Mapping[str, Any]) -> bool:
    """Whether the counts are reported without any bound, for any reason."""
    return unclaimed_in(audit) is not None


def overall(audit: Mapping[str, Any]) -> str:
    """The bound's verdict on all constraints together, in addition to its one word."""
    found = unclaimed_in(audit)
    if found is not None and guaranteed(audit):
        return "the filter guarantees every tolerance at every step, by construction, and the run agrees"
    if found is not None:
        return f"a count of these samples only ({found.found}): no confidence bound is computed"
    many = len(audit["constraints"]) > 1
    said = {
        "certified": f"the distribution of the samples is within {'every' if many else 'the'} tolerance",
        "violated": "the distribution of the samples is over a tolerance",
        "inconclusive": f"there are too few {audit.get('unit', 'sample')}s to decide whether their "
        "distribution is within the tolerance",
    }[audit.get("verdict", "inconclusive")]
    return (
        f"{said}, at {level(audit['confidence'])} confidence, if "
        f"{audit['assumes'].removeprefix('independent ')} are independent"
    )


def bound(c: Mapping[str, Any], audit: Mapping[str, Any]) -> str:
    """The bound of one constraint, or why none is claimed."""
    found, guarantee = unclaimed_in(audit), c.get("guarantee")
    if found is not None and guarantee and guarantee["holds"]:
        return (
            f"at most {percent(guarantee['at_most'])} of every cloud, guaranteed by the filter: "
            f"{guarantee['because']}"
        )
    if found is not None:
        coupled = "the particles of one filtered cloud are not independent"
        why = coupled if found.why == "coupled" else found.found
        return f"no confidence bound: {why}" + (f"; {guarantee['because']}" if guarantee else "")
    sure = level(c.get("confidence_each", audit["confidence"]))
    between = (
        f"; two-sided {percent(c['interval'][0])} to {percent(c['interval'][1])}" if c.get("interval") else ""
    )
    return (
        f"at most {percent(c['upper_bound'])} with {sure} confidence{between}; if the "
        f"{audit.get('unit', 'sample')}s are independent"
    )


def union(audit: Mapping[str, Any]) -> str:
    """How many samples are in any region, and the bound on its probability."""
    u = audit["union"]
    what = "paths" if audit.get("unit") == "path" else "samples"
    text = (
        f"Inside any of them: {u['violations']:,} of {audit['samples']:,} {what} ({percent(u['fraction'])})."
    )
    if unclaimed(audit):
        return text
    low, high = (percent(end) for end in u["interval"])
    return (
        f"{text} The probability of any of them is at most {percent(u['upper_bound'])}, two-sided {low} to "
        f"{high} ({level(audit['confidence'])} confidence)."
    )


def decides(c: Mapping[str, Any], unit: str = "sample") -> str:
    """What would decide an inconclusive verdict, in independent units."""
    more = c.get("samples_to_decide")
    if c["verdict"] != "inconclusive" or more == 0:
        return ""
    if c["beta"] == 0:
        return (
            f"A tolerance of 0 cannot be certified; this many {unit}s, none of them inside, certify "
            f"{percent(c['smallest_beta'])}."
        )
    return (
        f"About {more:,} more independent {unit}s would decide, in one evaluation of fresh ones."
        if more
        else ""
    )


def flat(value: Any, prefix: str = "") -> list[tuple[str, str]]:
    """A nested mapping as (dotted key, text) rows."""
    if isinstance(value, Mapping):
        return [
            row
            for key, inner in value.items()
            for row in flat(inner, f"{prefix}.{key}" if prefix else str(key))
        ]
    if isinstance(value, float):
        return [(prefix, f"{value:.6g}")]
    if value is None:
        return []
    return [(prefix, ", ".join(map(str, value)) if isinstance(value, list) else str(value))]
