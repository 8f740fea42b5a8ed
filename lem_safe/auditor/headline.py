"""The verdict of an audit, said once: passed or failed, what is known, and from what. Uses the content of
audit.json alone.
"""

from collections.abc import Mapping
from typing import Any

from lem_safe.auditor.unclaimed import unclaimed_in
from lem_safe.formatting import level, percent

Audit = Mapping[str, Any]


def headline(audit: Audit) -> str:
    """One line: passed or failed, the scenario, the samples, and what is known beyond their count."""
    failed = [c["set"] for c in audit["constraints"] if not c["passed"]]
    word = "PASSED" if audit["passed"] else f"FAILED ({', '.join(failed)})"
    units = audit.get("units") or audit["samples"]
    joined = ", bound by" if audit.get("clouds") else " in"
    of = f"{joined} {counted(units, unit(audit))}" if unit(audit) in ("cloud", "chain") else ""
    what = counted(audit["samples"], "path" if unit(audit) == "path" else "sample")
    return f"{word}  {audit['scenario']}: {what}{of}: {known(audit)}"


def known(audit: Audit) -> str:
    """What is known beyond the count, in a few words."""
    over = any(_exceeded(c) for c in audit["constraints"])
    words = "over a tolerance" if over else "within every tolerance"
    verdict, found = audit.get("verdict", "inconclusive"), unclaimed_in(audit)
    if found is None and verdict == "certified":
        return (
            f"certified at {level(audit['confidence'])} confidence, if the {unit(audit)}s are independent"
            + f", although {words}" * over
        )
    if found is None and verdict == "violated":
        return f"their distribution is over a tolerance at {level(audit['confidence'])} confidence"
    if guaranteed(audit) and not over:
        return f"{words}, guaranteed by the filter at every step"
    if found is not None:
        return f"{words}; a count of these samples only ({found.found})"
    return f"{words}; not certified"


def guaranteed(audit: Audit) -> bool:
    """Whether the filter guarantees every constraint by construction, and the run agrees."""
    found = [c.get("guarantee") for c in audit["constraints"]]
    return bool(found) and all(g is not None and g["holds"] for g in found)


def standing(c: Mapping[str, Any], audit: Audit) -> str:
    """What is known of one constraint, in a word or two: the bound's verdict, or the filter's guarantee, or a
    count alone.
    """
    if c["verdict"] != "inconclusive":
        return str(c["verdict"])
    if not unclaimed(audit):
        return "not certified"
    return "guaranteed" if c.get("guarantee") and c["guarantee"]["holds"] else "counted only"


def counted(number: int, what: str) -> str:
    """A number of things, in words.

    >>> counted(1, "sample"), counted(1200, "cloud")
    ('1 sample', '1,200 clouds')
    """
    return f"{number:,} {what}{'s' * (number != 1)}"


def reason(audit: Audit) -> str:
    """Why it failed; or that it passed, and what is known beyond the count. One sentence."""
    over = [text for c in audit["constraints"] for text in _exceeded(c)]
    if over:
        return f"Failed: {', and '.join(over)}."
    if audit["passed"]:
        return f"Passed: every count is within its tolerance; {_beyond(audit)}."
    open_ = "; ".join(_uncertified(c, audit) for c in audit["constraints"] if c["verdict"] != "certified")
    return (
        "Failed: every count is within its tolerance, but a certificate is required (require: "
        f"{audit['require']}), and {open_}."
    )


def _beyond(audit: Audit) -> str:
    """What is known of the distribution, or of the procedure, beside the count."""
    found = unclaimed_in(audit)
    if found is not None:
        if guaranteed(audit):
            return "the filter guarantees it for every cloud, so no confidence bound is needed"
        return f"no confidence bound is computed ({found.found})"
    if audit.get("verdict") == "certified":
        return f"a bound certifies it at {level(audit['confidence'])} confidence"
    return "a certificate, which is not needed to pass, would take more of them or fewer inside"


def _exceeded(c: Mapping[str, Any]) -> list[str]:
    """How one constraint's counts exceeded its tolerance; empty if they did not."""
    if c["violations"] > c["budget"]:
        return [f"{c['set']} holds {percent(c['fraction'])} where {percent(c['beta'])} is tolerated"]
    if c["first_step_over"] is not None:
        return [f"{c['set']} was over its tolerance at step {c['first_step_over']:,}"]
    return []


def _uncertified(c: Mapping[str, Any], audit: Mapping[str, Any]) -> str:
    """Why one constraint has no certificate, and what would decide."""
    kind = unit(audit)
    found = unclaimed_in(audit)
    if found is not None:
        remedy = (
            "lem-safe certify draws independent samples and computes one, or audit.replicas runs independent "
            "clouds"
            if found.why == "coupled"
            else "draw fresh samples"
        )
        return f"no confidence bound is computed for {c['set']} ({found.found}): {remedy}"
    if c["beta"] == 0:
        return f"a tolerance of 0, as {c['set']} has, cannot be certified by any number of {kind}s"
    text = f"the bound on {c['set']} is {percent(c['upper_bound'])}, above {percent(c['beta'])}"
    more = c["samples_to_decide"]
    return f"{text}: {more_words(c, audit)}" if more else text


def unit(audit: Mapping[str, Any]) -> str:
    """What the bounds count: sample, cloud, chain or path."""
    return str(audit.get("unit", "sample"))


def unclaimed(audit: Mapping[str, Any]) -> bool:
    """Whether the counts are reported without any bound."""
    return unclaimed_in(audit) is not None


def more_words(c: Mapping[str, Any], audit: Mapping[str, Any]) -> str:
    """How many more would decide, and how to evaluate them: a bound for one evaluation is not valid for a
    second one that includes the same rows.
    """
    more, kind = c["samples_to_decide"], unit(audit)
    text = f"about {more:,} more {kind}{'s' * (more != 1)} would decide"
    if audit.get("method") != "clopper-pearson":
        return text
    return (
        f"{text}: audit {audit['units'] + more:,} fresh ones (this bound holds for one evaluation; use "
        "--grow for several)"
    )
