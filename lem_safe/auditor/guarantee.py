"""What a filter guarantees by construction, and whether the run bears it out (A.19).

A filter that promises every step lets no cloud of n particles hold more than ⌊βn⌋ inside. So a particle that
is drawn uniformly from such a cloud is inside with probability at most ⌊βn⌋/n: a statement about the
procedure, without a confidence level, for one cloud or many. Its premises are checked as far as a record
shows them: within the budget where the judged steps begin, no shortfall since, no recorded count over it. The
guarantee is the filter's; the count of the samples is the audit's own and must not exceed it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np

from barriers.budget import budget

START = "start"
"""[m]: the array of a trace that holds the fractions inside before the first step, the largest of all
clouds."""


class Enforced(NamedTuple):
    """What a filter says it enforces at every step: `by` names it, one tolerance per constraint."""

    by: str
    limits: tuple[float, ...]


@dataclass(frozen=True)
class Guarantee:
    """A guarantee of one constraint. at_most: the largest fraction of a cloud that it allows. holds: whether
    everything that was recorded and counted agrees with it. because: that in words.
    """

    kind: Literal["by_construction"]
    at_most: float
    holds: bool
    because: str


def guarantees(
    enforced: Enforced,
    trace: Mapping[str, Any],
    counts: Sequence[int],
    *,
    particles: int,
    clouds: int,
    after_step: int,
) -> list[Guarantee]:
    """The guarantee of each constraint. trace: `fraction` [t, m], with `shortfall` [t, m] and `start` [m] if
    they were recorded; of several clouds, the largest at each step. counts: of all `clouds` of so many
    particles, as the audit counts them.
    """
    fraction = np.asarray(trace["fraction"], dtype=np.float64)
    shortfall = np.asarray(trace.get("shortfall", np.full_like(fraction, np.nan)), dtype=np.float64)
    begins = _begins(trace, fraction, after_step)
    return [
        _guarantee(
            enforced.by,
            budget(limit, particles),
            particles,
            clouds,
            None if begins is None else round(float(begins[k]) * particles),
            np.rint(fraction[after_step:, k] * particles),
            shortfall[after_step:, k],
            counts[k],
            after_step,
        )
        for k, limit in enumerate(enforced.limits)
    ]


def _begins(trace: Mapping[str, Any], fraction: np.ndarray, after_step: int) -> np.ndarray | None:
    """The fractions where the judged steps begin; None where they were not recorded."""
    if 0 < after_step <= len(fraction):
        found: np.ndarray = fraction[after_step - 1]
        return found
    return None if after_step or START not in trace else np.asarray(trace[START], dtype=np.float64)


def _guarantee(
    by: str,
    most: int,
    n: int,
    clouds: int,
    first: int | None,
    recorded: np.ndarray,
    shortfall: np.ndarray,
    count: int,
    after_step: int,
) -> Guarantee:
    cloud = f"of {n:,} particles" if clouds == 1 else f"of {n:,} particles of each of {clouds:,} clouds"
    where = "the start" if not after_step else f"step {after_step:,}"
    promise = f"the filter {by} lets at most {most:,} {cloud} be inside at any step"
    over = recorded > most
    short = np.nan_to_num(shortfall) > 0
    failed = (
        f"the fraction inside at {where} was not recorded"
        if first is None
        else f"{where} had {first:,} inside already"
        if first > most
        else f"{int(over.sum()):,} recorded steps held more, up to {int(recorded.max()):,}"
        if over.any()
        else f"the filter reported a shortfall at {int(short.sum()):,} steps"
        if short.any()
        else f"the samples hold {count:,} inside, more than that allows"
        if count > most * clouds
        else ""
    )
    if failed:
        return Guarantee("by_construction", most / n, False, f"{promise}, but {failed}")
    agreed = f"{where} had {first:,} inside, no step held more than {int(recorded.max(initial=0)):,}"
    return Guarantee(
        "by_construction", most / n, True, f"{promise}; {agreed}, and the samples hold {count:,}"
    )
