"""What the page says of a certification: how the samples were drawn, and how anyone checks it again."""

from collections.abc import Mapping
from typing import Any

from lem_safe.report.contents import Contents
from lem_safe.report.words import level, percent


def how(contents: Contents) -> list[tuple[str, str]]:
    """The procedure of the certificate, step by step, each with its numbers; empty without one."""
    c = contents.certificate
    if not c:
        return []
    found = [("Filter", _filter(c))]
    if c["pilot"] is not None:
        found.append(("Pilot", _pilot(c)))
    ends = c["evaluations"]
    units = "samples" if c["particles"] is None else f"clouds of {c['particles']:,} samples"
    found += [
        (
            "Samples",
            f"{c['samples']:,}, as independent {units}, of at most {c['budget']:,}; seed {c['seed']}.",
        ),
        (
            "Evaluations",
            f"{len(ends):,}, after {_listed(ends)} samples. The bound is anytime-valid, so stopping at the "
            "first one that decides keeps its confidence.",
        ),
        (
            "Confidence",
            f"All {len(c['constraints'])} tolerances together: {level(c['confidence'])}. A procedure that is "
            "over one of them is certified with at most the remaining probability; certifying again with "
            "another seed until it succeeds is not covered.",
        ),
    ]
    return found


def _filter(c: Mapping[str, Any]) -> str:
    kind, μ = c["filter"]["kind"], c["filter"].get("multipliers")
    text = kind
    if isinstance(μ, list):
        each = zip((one["set"] for one in c["constraints"]), μ, strict=False)
        text += ", with the multipliers " + ", ".join(f"{m:.4g} for {name}" for name, m in each)
    if c["replaced_filter"]:
        text += f"; in the place of {c['replaced_filter']}, whose particles depend on each other"
    return f"{text}. Frozen before the first sample was drawn."


def _pilot(c: Mapping[str, Any]) -> str:
    pilot = c["pilot"]
    each = [
        f"{percent(mass)} in {one['set']} without the filter, {percent(aim)} aimed at"
        for one, mass, aim in zip(c["constraints"], pilot["unfiltered"], pilot["aims"], strict=True)
    ]
    return f"{pilot['particles']:,} particles, none of them among the samples: {'; '.join(each)}."


def _listed(ends: list[int]) -> str:
    """The first and the last numbers of a list.

    >>> _listed([1000, 2000]), _listed(list(range(1000, 9000, 1000)))
    ('1,000 and 2,000', '1,000, 2,000, ... and 8,000')
    """
    shown = [f"{end:,}" for end in ends]
    if len(shown) > 4:
        shown = [*shown[:2], "...", shown[-1]]
        return f"{', '.join(shown[:-1])} and {shown[-1]}"
    return " and ".join([", ".join(shown[:-1]), shown[-1]]) if len(shown) > 1 else shown[0]
