"""The public audit: like `lem_safe.auditor.audit`, and the scenario may be a file or a bundled name; once, or
again and again as samples come.
"""

import zlib
from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any, NamedTuple
from zipfile import BadZipFile

import numpy as np

from barriers.tables import TableFormat
from lem_safe.auditor import AuditReport, badge_json, badge_svg
from lem_safe.auditor.audit import examine, look_again
from lem_safe.auditor.growth import FILE as GROWTH
from lem_safe.auditor.opening import Source, open_both, open_samples
from lem_safe.auditor.question import Question
from lem_safe.auditor.samples import Samples
from lem_safe.auditor.shown import FILE as SHOWN
from lem_safe.auditor.shown import shown
from lem_safe.errors import BadInput, Fault
from lem_safe.files import read_npz, write_npz, write_text
from lem_safe.registry import MAKERS, tables
from lem_safe.run_directory import RunDirectory, must_be_fresh
from lem_safe.scenario import Scenario, load


class Audited(NamedTuple):
    """An audit, with the scenario that was loaded and the samples that were opened for it."""

    report: AuditReport
    scenario: Scenario
    samples: Samples


def audit(
    samples: Source,
    scenario: Scenario | str | PathLike[str],
    *,
    columns: Sequence[str] | None = None,
    header: bool | None = None,
    separator: str | None = None,
    decimal: str | None = None,
    missing: str = "error",
    clouds: Source | None = None,
    **options: Any,
) -> AuditReport:
    """Counts, bounds and verdicts for samples from any source: a .npz, .npy, .parquet or text file, a
    directory or a pattern of files, an array, a tensor or a table [n, d].

    header, separator (, ; | tab space) and decimal (. or ,): how a file of text is written, where it does not
    say so itself. missing: what is done with rows that miss a value that is needed, error or drop. options:
    those of `lem_safe.auditor.audit`: strict, near, coupled, trace, correction. Raises BadInput for what
    cannot be judged.
    """
    form = table_format(header, separator, decimal, missing)
    return audited(samples, scenario, None, columns=columns, form=form, clouds=clouds, **options).report


def table_format(
    header: bool | None, separator: str | None, decimal: str | None, missing: str
) -> TableFormat:
    """What is known of a file of text; BadInput for what it cannot be."""
    given: dict[str, Any] = {"separator": separator, "decimal": decimal, "missing": missing}
    try:
        return TableFormat(header, **given)
    except ValueError as error:
        key, _, rule = str(error).partition(" ")
        raise BadInput(Fault(rule, key=key)) from None


def audited(
    samples: Source,
    scenario: Scenario | str | PathLike[str],
    overrides: Mapping[str, Any] | None,
    *,
    columns: Sequence[str] | None = None,
    form: TableFormat | None = None,
    clouds: Source | None = None,
    **options: Any,
) -> Audited:
    """The same, with what was opened and loaded; overrides: of a scenario that is loaded, by dotted key."""
    opened, beside = open_both(samples, clouds, columns, form)
    chosen = _chosen(scenario, opened, overrides)
    question = Question(chosen, clouds=beside, **{"makers": MAKERS, **options})
    return Audited(examine(opened, question), chosen, opened)


def grow(
    samples: Source,
    scenario: Scenario | str | PathLike[str],
    out: str | PathLike[str],
    overrides: Mapping[str, Any] | None = None,
    *,
    columns: Sequence[str] | None = None,
    form: TableFormat | None = None,
    **options: Any,
) -> AuditReport:
    """One more evaluation of samples that keep arriving: all rows so far, with the rows of earlier
    evaluations unchanged. The bounds are anytime-valid.

    out: the directory that remembers the looks and holds the latest audit; absent or empty at the first.
    options: strict, near, coupled, correction. Raises BadInput where earlier rows or the scenario changed,
    and where another process writes there.
    """
    opened = open_samples(samples, columns, form)
    chosen = _chosen(scenario, opened, overrides)
    path = Path(out)
    if not (path / GROWTH).exists():
        must_be_fresh(path)
    with RunDirectory(path):
        report, past = look_again(opened, Question(chosen, **{"makers": MAKERS, **options}), path)
        write_audit(path, Audited(report, chosen, opened))
        past.write(path)
    return report


def write_audit(directory: Path, done: Audited) -> Path:
    """An audit as files: scenario.yaml, badge.json, badge.svg, shown.npz, audit.json, and last the page,
    whose path is returned.
    """
    from lem_safe.report import render

    report, scenario, samples = done
    directory.mkdir(parents=True, exist_ok=True)
    write_npz(directory / SHOWN, x=shown(samples, scenario, report), columns=np.array(report.columns))
    write_text(directory / "scenario.yaml", scenario.to_yaml())
    write_text(directory / "badge.json", badge_json(report.to_dict()))
    write_text(directory / "badge.svg", badge_svg(report.to_dict()))
    write_text(directory / "audit.json", report.to_json())
    return render(directory)


def read_trace(path: Path) -> dict[str, np.ndarray]:
    """The arrays of a run's trace.npz, `step` [t] and `fraction` [t, m] among them; raises BadInput for
    anything else.
    """
    if not path.is_file():
        raise BadInput(Fault("no such file", str(path)))
    try:
        found = read_npz(path)
    except (OSError, ValueError, EOFError, KeyError, BadZipFile, zlib.error) as error:
        raise BadInput(Fault(f"is not a readable .npz file ({error})", str(path))) from error
    missing = [name for name in ("step", "fraction") if name not in found]
    if missing:
        raise BadInput(Fault(f"is not the trace of a run: it lacks '{missing[0]}'", str(path)))
    return found


def _chosen(
    scenario: Scenario | str | PathLike[str], samples: Samples, overrides: Mapping[str, Any] | None
) -> Scenario:
    """The scenario as it is, or loaded: its rules are read over the samples' own names where the scenario
    does not know theirs.
    """
    if isinstance(scenario, Scenario):
        return scenario
    return _unswept(load(scenario, tables(), overrides, header=samples.columns))


def _unswept(scenario: Scenario) -> Scenario:
    """Refuses a scenario that sweeps what is judged: then there is no one tolerance to hold samples
    against.
    """
    judged = [
        key
        for key in scenario.sweep or {}
        if key.split(".")[0] in ("unsafe", "constraints", "audit", "columns")
    ]
    if judged:
        message = (
            f"'{judged[0]}' is swept, so there is not one question to audit; audit against a single "
            "run's scenario.yaml"
        )
        raise BadInput(Fault(message, file=str(scenario.source), key="sweep"))
    return scenario
