"""Which rows stay, decided by their count (P.8), or each on its own with a probability that other rows
determined (P.1, A.18).
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from jaxtyping import Int64

from lem_safe.errors import BadInput, Fault
from lem_safe.scenario import Judged
from lem_safe.scenario.aim import independent_aim
from lem_safe.thinning.choice import Counted, Groups, Kept, Single, flags, learning
from lem_safe.thinning.membership import MISSING, changed
from lem_safe.thinning.plan import Tilted, chances, planned, tilted
from lem_safe.thinning.task import Task

LEARNED = 0.2
"""The share of the rows that determine the probabilities of the others."""
POWER = 0.95
"""The probability with which rows that are kept on their own meet every tolerance, and certify it where so
many can.
"""


class Decision(NamedTuple):
    """How many rows there are of each group, how many of them stay, and which: `again` gives the flags of all
    rows from the beginning. tilted: the projection that is rounded; None where units have one each.
    """

    counts: Int64[np.ndarray, "g"]
    kept: Int64[np.ndarray, "g"]
    again: Callable[[], Iterator[Kept]]
    tilted: Tilted | None
    learned_from: int = 0


def by_count(task: Task) -> Decision:
    """As many rows of each pattern as the tolerances allow, unit by unit; BadInput where none can stay."""
    member = task.membership
    counts = member.counts(task.blocks("count"))
    _must_be_rows(task, counts)
    kept, one = np.zeros_like(counts), None
    units = np.unique(member.units)
    for unit in units.tolist():
        own = np.flatnonzero(member.units == unit)
        own = own[np.lexsort(member.patterns[own].T[::-1])]
        uniforms = np.random.default_rng([task.key.fold("rounding").value, unit % 2**63]).random(len(own))
        try:
            plan = planned(member.patterns[own], counts[own], task.betas, uniforms)
        except ValueError:  # no row of this unit can stay
            continue
        kept[own] = plan.kept
        if len(units) == 1:
            keep = np.empty(len(own))
            keep[own] = plan.tilted.keep
            one = Tilted(plan.tilted.multipliers, keep)
    if not kept.any():
        raise excluded(task)

    def again() -> Iterator[Kept]:
        choice = Counted(counts, kept, task.key.fold("rows"))
        yield from flags(task.blocks("copy", int(counts.sum())), choice.of)
        if not choice.done:
            raise changed(task.samples.source)

    return Decision(counts, kept, again, one)


def one_by_one(task: Task) -> Decision:
    """Each row on its own, with a probability learned from a fifth of the rows, which do not stay."""
    _must_be_independent(task)
    member, key = task.membership, task.key
    seen = 0

    def learned(blocks: Iterator[Groups]) -> Iterator[Groups]:
        nonlocal seen
        for group in blocks:
            yield np.where(learning(key, seen, len(group), LEARNED), group, MISSING)
            seen += len(group)

    sample = member.counts(learned(task.blocks("learn")))
    chance = _chances(task, sample, seen)
    choice = Single(chance.keep, key, LEARNED)

    def again() -> Iterator[Kept]:
        yield from flags(task.blocks("copy", seen), choice.of)

    counts, kept, start = np.zeros_like(sample), np.zeros_like(sample), 0
    for group in task.blocks("choose", seen):
        stays = choice.of(group, start)
        start += len(group)
        counts += np.bincount(group[group != MISSING], minlength=len(counts))
        kept += np.bincount(group[stays], minlength=len(counts))
    if not kept.any():
        raise BadInput(
            Fault(f"of {counts.sum():,} rows, none was chosen; more are needed", task.samples.source)
        )
    return Decision(counts, kept, again, chance, int(sample.sum()))


def _chances(task: Task, sample: Int64[np.ndarray, "g"], rows: int) -> Tilted:
    """The probability of each group, for limits below beta with which the rows that stay meet it."""
    there = sample > 0
    patterns, audit, m = task.membership.patterns, task.scenario.audit, len(task.betas)
    if not there.any():
        raise BadInput(
            Fault(f"has too few rows to learn from: {rows:,}; thin them by count", task.samples.source)
        )
    learned = int(sample.sum())
    try:
        first = tilted(patterns[there], sample[there], task.betas)
        expected = int((rows - learned) * (sample[there] / learned) @ first.keep)
        asked = Judged(max(expected, 1), audit.confidence, audit.require)
        aims = [independent_aim(β, asked, m, POWER, learned) for β in task.betas]
        found = tilted(patterns[there], sample[there], aims)
    except ValueError as error:
        raise excluded(task) from error
    each = chances(patterns, found.multipliers)
    return Tilted(found.multipliers, np.minimum(each / each[there].max(), 1.0))


def _must_be_rows(task: Task, counts: Int64[np.ndarray, "g"]) -> None:
    if not counts.sum():
        raise BadInput(Fault("each of its rows misses a value that is needed", task.samples.source))


def _must_be_independent(task: Task) -> None:
    """Refuses rows that the file marks as depending on one another."""
    unit = task.match.unit
    if unit != "sample" or task.samples.coupled:
        what = f"numbers {unit}s" if unit != "sample" else "marks its rows as one filtered cloud"
        message = f"{what}, whose rows depend on one another, and would not become independent; thin by count"
        raise BadInput(Fault(message, task.samples.source))


def excluded(task: Task) -> BadInput:
    """The fault that no rows meet the tolerances together."""
    names = ", ".join(task.sets)
    return BadInput(
        Fault(
            f"no choice of its rows meets the tolerances of {names}"
            + " together" * (len(task.sets) > 1)
            + ", as too few are outside; raise a tolerance, or give more rows outside these regions",
            task.samples.source,
        )
    )
