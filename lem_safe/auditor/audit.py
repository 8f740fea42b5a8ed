"""The audit: samples and a scenario in, an AuditReport out. It uses geometry and counting only, nothing that
sampled or filtered.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from barriers.specification import Nested
from barriers.tables import TableFormat
from lem_safe.auditor.assembly import assembled, looked
from lem_safe.auditor.audit_report import AuditReport
from lem_safe.auditor.batch import Batch
from lem_safe.auditor.counted import count, count_clouds, counted
from lem_safe.auditor.decision import by_key, decide
from lem_safe.auditor.growth import Past
from lem_safe.auditor.opening import Source, open_both, open_samples
from lem_safe.auditor.part import Part
from lem_safe.auditor.question import Question
from lem_safe.auditor.samples import Samples
from lem_safe.auditor.standing import Standing
from lem_safe.bounds.several import Correction

if TYPE_CHECKING:
    from lem_safe.scenario import Scenario


def audit(
    samples: Source,
    scenario: "Scenario",
    *,
    trace: Mapping[str, Any] | None = None,
    coupled: bool | None = None,
    clouds: Source | None = None,
    columns: Sequence[str] | None = None,
    strict: bool = False,
    near: float | None = None,
    correction: Correction | None = None,
    makers: Nested | None = None,
    header: bool | None = None,
    form: TableFormat | None = None,
) -> AuditReport:
    """Counts, bounds and verdicts for `samples` (a .npz, .npy, .parquet or text file, several of them, an
    array or a tensor, [n, d], data units).

    trace: the arrays of trace.npz (`step` [t], `fraction` [t, m]) where the samples end a recorded run.
    coupled: whether the samples are one cloud of particles made dependent by a filter; None: as the file
    says.
    clouds: independent clouds (a file with `replica`, see `samples`) from which the bound is computed
    instead; counts are of `samples`.
    columns: names for samples that carry none. near: also count samples outside but within this distance.
    correction: how several constraints share the error, by default the scenario's; `holm` decides more, but
    then only its verdicts hold simultaneously.
    strict: every constraint must be certified to pass, as under `audit: {require: bound}`.
    header: whether the first line of text, of samples or clouds, is names; by default detected, and refused
    where ambiguous. form: that, and what else is known of the files.
    makers: builders of the energies that regions refer to; the auditor itself has none (see
    `barriers.sets.build_set`). Raises BadInput for samples that cannot be read or do not fit the scenario.
    """
    opened, beside = open_both(samples, clouds, columns, form or header)
    asked = Question(
        scenario,
        trace=trace,
        coupled=coupled,
        clouds=beside,
        strict=strict,
        near=near,
        correction=correction,
        makers=makers,
    )
    return examine(opened, asked)


def grow(
    samples: Source,
    scenario: "Scenario",
    directory: Path,
    *,
    columns: Sequence[str] | None = None,
    header: bool | None = None,
    coupled: bool | None = None,
    strict: bool = False,
    near: float | None = None,
    correction: Correction | None = None,
    makers: Nested | None = None,
    form: TableFormat | None = None,
) -> tuple[AuditReport, Past]:
    """One more evaluation of samples that keep coming: the rows audited before, unchanged, and any number of
    new ones.

    directory: where earlier evaluations are stored; the caller writes the returned Past after everything else
    is written. Verdicts and bounds hold at all evaluations simultaneously, and a decided verdict is final.
    The other options are those of `audit`.
    """
    asked = Question(
        scenario, coupled=coupled, strict=strict, near=near, correction=correction, makers=makers
    )
    return look_again(open_samples(samples, columns, form or header), asked, directory)


def examine(samples: Samples, question: Question) -> AuditReport:
    """The audit of opened samples: match columns, count, decide, assemble."""
    match = question.match(samples)
    found, _ = count(samples, match, question, None)
    bounded = found if question.clouds is None else count_clouds(question.clouds, found, question)
    return assembled(found, decide(found, bounded, question, None), question)


def look_again(samples: Samples, question: Question, directory: Path) -> tuple[AuditReport, Past]:
    """One more evaluation of opened samples, and what to store of it."""
    match = question.match(samples)
    past = Past.read(directory, question.growing(match))
    found, seen = count(samples, match, question, past)
    decision = decide(found, found, question, past)
    report = assembled(found, decision, question, looks=len(past.looks) + (seen.rows > past.rows))
    return report, past.then(looked(report), seen, decision.by_constraint(question))


def concluded(samples: Samples, question: Question, standings: Sequence[Standing], looks: int) -> AuditReport:
    """The audit of opened samples that were evaluated as they arrived, `looks` times, with these standings at
    the end, one per constraint.
    """
    past = Past({}, standings=by_key(question, standings))
    found, _ = count(samples, question.match(samples), question, None)
    return assembled(found, decide(found, found, question, past), question, looks=looks)


def concluded_of(batch: Batch, question: Question) -> AuditReport:
    """The audit of the rows that were counted in batches."""
    asked = replace(question, near=batch.asked["near"])
    asked.must_allow_clouds(batch.match, str(batch.facts["source"]))
    found = batch.counted(asked)
    bounded = found if asked.clouds is None else count_clouds(asked.clouds, found, asked)
    return assembled(found, decide(found, bounded, asked, None), asked)


def concluded_from(part: Part, question: Question) -> AuditReport:
    """The audit of all rows that a part has counted: that of one pass over them."""
    asked = replace(question, near=part.asked["near"])
    samples = part.samples()
    asked.must_allow_clouds(part.match, samples.source)
    found = counted(part.tallies, samples, part.match, asked)
    bounded = found if asked.clouds is None else count_clouds(asked.clouds, found, asked)
    return assembled(found, decide(found, bounded, asked, None), asked)
