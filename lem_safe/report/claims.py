"""The assumption of each number of the page, and what a pass does not imply."""

import numpy as np

from barriers.filters import FILTERS, last_of
from lem_safe.report.contents import Contents
from lem_safe.samplers import promise_under

SILENT = (
    (
        "Step-size bias",
        "A sampler with a finite step samples a slightly different distribution than the energy's. "
        "The counts are right for these samples, whatever their distribution.",
    ),
    (
        "Mixing",
        "A chain that has not visited a mode says nothing about it. Compare the energies and columns above "
        "with the data's; "
        "more steps, or another start, are the test.",
    ),
    (
        "The energy",
        "A trained energy may be wrong where data are scarce. A filter limits how many samples lie in the "
        "regions named; "
        "it cannot make the others realistic.",
    ),
    ("Regions not named", "Only the regions of the scenario are counted."),
)
"""What a pass of a run does not imply."""
ELSEWHERE = (
    (
        "Where they come from",
        "Nothing here saw how these rows were made, chosen or left out; whether their units are "
        "independent, no audit can see.",
    ),
    (
        "Others than these",
        "A bound is about the distribution behind these samples: a generator that is changed, or asked "
        "otherwise, "
        "has another one.",
    ),
    SILENT[-1],
)
"""What a pass of samples from elsewhere does not imply."""


def claims(contents: Contents) -> list[tuple[str, str]]:
    """Each claim of the page, with its assumption."""
    count = (
        "Counted in float64, by exact geometry, on the values as saved. It assumes nothing and speaks "
        "of these samples alone."
    )
    found = [("Count", count)]
    if contents.clouds > 1:
        found.append(("Clouds", _clouds(contents)))
    if contents.trace:
        found.append(
            (
                "Every step",
                "The largest fraction over the recorded steps is a fact about this run, not about another "
                "seed.",
            )
        )
    found.append(("Bound", str(contents.audit.get("assumes_detail", contents.audit["assumes"]))))
    if not contents.run:
        return found
    found += _filter(contents)
    if why := contents.run.get("constraints"):
        found.append(("The constraints together", f"{why[0].upper()}{why[1:]}."))
    return [
        *found,
        *_shortfall(contents),
        *(("Composition", warning) for warning in contents.run.get("warnings", [])),
    ]


def _clouds(contents: Contents) -> str:
    n = len(contents.x) // contents.clouds
    return (
        f"{contents.clouds:,} independent clouds of {n:,} particles each, coupled within a cloud "
        "and never between two. "
        "At every step the fraction shown is the largest of any cloud, and judged by that; pictures "
        "show all clouds together; "
        "the monitors are of the first cloud."
    )


def _filter(contents: Contents) -> list[tuple[str, str]]:
    """What the filter promises; of a chain, its last one too."""
    if contents.filter not in FILTERS:
        unknown = "The documentation of this filter says what it promises."
        return [(f"Filter: {contents.filter}", unknown)]
    found = [(f"Filter: {contents.filter}", FILTERS[contents.filter].said(contents.filter))]
    chosen = contents.scenario.get("filter", {})
    last = last_of(chosen) if chosen else chosen
    if last is not chosen:
        found.append((f"Last of the chain: {last['kind']}", FILTERS[last["kind"]].said(last["kind"])))
    return [*found, *_under_this_sampler(contents, str(last.get("kind", "none")))]


def _under_this_sampler(contents: Contents, kind: str) -> list[tuple[str, str]]:
    """What the filter promises under a sampler other than plain Langevin dynamics; for a chain, what its last
    filter does.
    """
    sampler = str(contents.scenario["sampler"]["kind"])
    if sampler == "langevin" or kind == "none":
        return []
    remains = promise_under(sampler, kind)
    return [(f"{kind} under {sampler}", f"What remains of its promise: {remains.scope}. {remains.because}.")]


def _shortfall(contents: Contents) -> list[tuple[str, str]]:
    short = np.nan_to_num(contents.trace.get("shortfall", np.zeros((1, 1))))
    steps = int((short > 0).any(1).sum())
    missed = [
        ("Shortfall", str(one["text"])) for one in contents.run.get("promise", {}).get("shortfalls", [])
    ]
    if steps == 0:
        return missed
    return [
        *missed,
        (
            "Shortfall",
            f"At {steps:,} steps the filter could not keep the rate it was asked for, by up to "
            f"{short.max():.3g}.",
        ),
    ]
