"""Audits in parts: shards of a data set that are counted apart and merged, and batches in Python whose counts
add.
"""

from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any, SupportsFloat

from barriers.tables import TableFormat
from lem_safe.auditing import Asked, Audited, fitting, scenario_for, scenario_of
from lem_safe.auditor import AuditReport
from lem_safe.auditor.audit import concluded_from, concluded_of
from lem_safe.auditor.batch import Batch
from lem_safe.auditor.dataset import Shard
from lem_safe.auditor.decision import upper_bounds
from lem_safe.auditor.guarantee import Enforced
from lem_safe.auditor.merging import merged
from lem_safe.auditor.opening import Source, open_samples
from lem_safe.auditor.part import Part, count_part, header_of
from lem_safe.auditor.question import Question
from lem_safe.auditor.samples import UNITS
from lem_safe.errors import BadInput, Fault
from lem_safe.registry import MAKERS, enforced


def count_shard(
    samples: Source,
    scenario: Asked,
    shard: tuple[int, int],
    overrides: Mapping[str, Any] | None = None,
    *,
    form: TableFormat | None = None,
    near: float | None = None,
) -> Part:
    """The counts of one shard of a data set: part `shard[0]`, from 1, of `shard[1]`. BadInput where the
    samples are not several files, and where there are fewer files than shards.
    """
    opened = open_samples(samples, None, form, Shard(*shard))
    question = Question(scenario_for(scenario, opened, overrides, None), makers=MAKERS, near=near)
    return count_part(opened, question, Shard(*shard))


def merge(
    parts: Sequence[str | PathLike[str]],
    scenario: Asked,
    overrides: Mapping[str, Any] | None = None,
    *,
    clouds: Source | None = None,
    form: TableFormat | None = None,
    **options: Any,
) -> Audited:
    """The audit of one pass over a data set, from the parts that its shards were counted into. options:
    strict, trace, correction. Raises BadInput where a part is damaged, missing, there twice, or of something
    else.
    """
    paths = [Path(part) for part in parts]
    if not paths:
        raise BadInput(Fault("needs the parts that lem-safe audit --shard i/N --out PART writes"))
    chosen = scenario_of(scenario, header_of(paths[0]), overrides, None)
    beside = None if clouds is None else open_samples(clouds, None, form)
    says = None if options.get("trace") is None else enforced(chosen)
    own = {"makers": MAKERS, "enforced": None if says is None else Enforced(*says)}
    question = Question(chosen, clouds=beside, **{**own, **options})
    whole = merged(paths, question)
    report = concluded_from(whole, question)
    return Audited(report, chosen, whole.samples(), question, whole.tallies.shown.rows())


def batch_of(
    samples: Source,
    scenario: Asked,
    beta: SupportsFloat | Mapping[str, SupportsFloat] | None,
    *,
    columns: Sequence[str] | None,
    form: TableFormat,
    near: float | None,
) -> Batch:
    """The counts of some rows, which add to those of others."""
    opened = open_samples(samples, columns, form)
    question = Question(scenario_for(scenario, opened, None, beta), makers=MAKERS, near=near)
    with fitting(question):
        return Batch.of(opened, question)


def constrained(
    scenario: Asked,
    columns: Sequence[str] | None,
    width: int,
    beta: SupportsFloat | Mapping[str, SupportsFloat] | None,
) -> list[str]:
    """The names of the constrained regions of a scenario, for a table that has columns and no rows."""
    names = list(columns) if columns else None
    units = [name for name in names or () if name in UNITS]
    if names is not None and len(units) == 1:  # it numbers the units of the rows that there are none of
        names.remove(units[0])
    return [c.set for c in scenario_of(scenario, width if names is None else names, None, beta).constraints]


def audit_of(batch: Batch, *, clouds: Source | None = None, **options: Any) -> AuditReport:
    """The audit of rows that were counted in batches. options: strict, correction."""
    beside = None if clouds is None else open_samples(clouds)
    return concluded_of(batch, Question(batch.scenario, clouds=beside, makers=MAKERS, **options))


def bounds_of(batch: Batch, confidence: float) -> dict[str, float | None]:
    """The upper bounds that the audit of these rows would claim at this confidence."""
    question = Question(batch.scenario, makers=MAKERS, near=batch.asked["near"])
    return upper_bounds(batch.counted(question), question, confidence)
