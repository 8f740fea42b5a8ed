"""The public audit: like `lem_safe.auditor.audit`, where the scenario may be a file or a bundled name; once,
or repeatedly as samples arrive.
"""

import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from os import PathLike
from pathlib import Path
from typing import Any, NamedTuple, SupportsFloat
from zipfile import BadZipFile

import numpy as np

from barriers.tables import TableFormat
from lem_safe.auditor import AuditReport, badge_json, badge_svg
from lem_safe.auditor.audit import examine, look_again
from lem_safe.auditor.failing import write_failing
from lem_safe.auditor.growth import FILE as GROWTH
from lem_safe.auditor.guarantee import Enforced
from lem_safe.auditor.opening import Source, open_both, open_samples
from lem_safe.auditor.question import Question
from lem_safe.auditor.samples import Samples
from lem_safe.auditor.shown import FILE as SHOWN
from lem_safe.auditor.shown import shown
from lem_safe.errors import BadInput, Fault
from lem_safe.files import read_npz, write_npz, write_text
from lem_safe.inputs import must_be_readable
from lem_safe.registry import MAKERS, enforced, tables
from lem_safe.run_directory import RunDirectory, must_be_fresh
from lem_safe.scenario import InPython, Scenario, load, of_regions


class Audited(NamedTuple):
    """An audit, with the loaded scenario and the opened samples. rows: those that a page shows, where the
    samples are not there to choose them from.
    """

    report: AuditReport
    scenario: Scenario
    samples: Samples
    question: Question
    rows: np.ndarray | None = None


Asked = Scenario | str | PathLike[str] | Mapping[Any, Any]
"""A scenario, a file, a bundled name, or regions by name."""


def audit(
    samples: Source,
    scenario: Asked,
    *,
    beta: SupportsFloat | Mapping[str, SupportsFloat] | None = None,
    columns: Sequence[str] | None = None,
    header: bool | None = None,
    separator: str | None = None,
    decimal: str | None = None,
    missing: str = "error",
    clouds: Source | None = None,
    **options: Any,
) -> AuditReport:
    """Counts, bounds and verdicts for samples from any source: a .npz, .npy, .parquet or text file, a
    directory or a pattern of files, an array, a tensor or a table [n, d]; of a table, only the columns that
    are named are read.

    scenario: a scenario, its file or its bundled name; or regions by name, each written as in a file,
    `{"debt": {"kind": "rule", "where": "loan > income"}}`. beta: with regions, the fraction tolerated in
    each, or one by name.
    columns: names for samples that carry none. header, separator (, ; | tab space) and decimal (. or ,): how
    a text file is written, where that is ambiguous. missing: error, drop or keep, for rows that miss a
    value in a column that is read. clouds: independent clouds from which the bound is taken.
    options: those of `lem_safe.auditor.audit`: strict, near, coupled, trace, correction. Raises BadInput for
    samples that cannot be audited.
    """
    form = table_format(header, separator, decimal, missing)
    done = audited(samples, scenario, None, beta=beta, columns=columns, form=form, clouds=clouds, **options)
    return done.report


def table_format(
    header: bool | None, separator: str | None, decimal: str | None, missing: str
) -> TableFormat:
    """The format of a text file as these options give it; BadInput for a value that is not allowed."""
    given: dict[str, Any] = {"separator": separator, "decimal": decimal, "missing": missing}
    try:
        return TableFormat(header, **given)
    except ValueError as error:
        key, _, rule = str(error).partition(" ")
        raise BadInput(Fault(rule, key=key)) from None


def audited(
    samples: Source,
    scenario: Asked,
    overrides: Mapping[str, Any] | None,
    *,
    beta: SupportsFloat | Mapping[str, SupportsFloat] | None = None,
    columns: Sequence[str] | None = None,
    form: TableFormat | None = None,
    clouds: Source | None = None,
    **options: Any,
) -> Audited:
    """The same, with the samples and the scenario; overrides: of a scenario that is loaded, by dotted key."""
    opened, beside = open_both(samples, clouds, columns, form)
    chosen = scenario_for(scenario, opened, overrides, beta)
    says = None if options.get("trace") is None else enforced(chosen)
    own = {"makers": MAKERS, "enforced": None if says is None else Enforced(*says)}
    question = Question(chosen, clouds=beside, **{**own, **options})
    with fitting(question):
        return Audited(examine(opened, question), chosen, opened, question)


@contextmanager
def fitting(question: Question) -> Iterator[None]:
    """BadInput where a region that is a function of rows cannot take these."""
    try:
        yield
    except (ValueError, RuntimeError) as error:
        if not isinstance(question.scenario, InPython):
            raise
        message = f"a region given as a function cannot take these rows: {error}"
        raise BadInput(Fault(message, "lem_safe.audit", key="unsafe")) from error


def grow(
    samples: Source,
    scenario: Asked,
    out: str | PathLike[str],
    overrides: Mapping[str, Any] | None = None,
    *,
    beta: SupportsFloat | Mapping[str, SupportsFloat] | None = None,
    columns: Sequence[str] | None = None,
    form: TableFormat | None = None,
    **options: Any,
) -> AuditReport:
    """One more evaluation of samples that keep arriving: all rows so far, with the rows of earlier
    evaluations unchanged. The bounds are anytime-valid.

    out: the directory that stores the evaluations and the latest audit; absent or empty at the first one.
    options: strict, near, coupled, correction. Raises BadInput where earlier rows or the scenario changed,
    and where another process writes there.
    """
    opened = open_samples(samples, columns, form)
    chosen = scenario_for(scenario, opened, overrides, beta)
    path = Path(out)
    if not (path / GROWTH).exists():
        must_be_fresh(path)
    with RunDirectory(path):
        question = Question(chosen, **{"makers": MAKERS, **options})
        report, past = look_again(opened, question, path)
        write_audit(path, Audited(report, chosen, opened, question))
        past.write(path)
    return report


def write_audit(directory: Path, done: Audited) -> Path:
    """An audit as files: scenario.yaml, badge.json, badge.svg, shown.npz, audit.json, and last the page,
    whose path is returned.
    """
    from lem_safe.report import render

    write_audit_files(directory, done)
    return render(directory)


def write_audit_files(directory: Path, done: Audited) -> None:
    """The same files without the page."""
    report, scenario, samples, _, rows = done
    rows = shown(samples, scenario, report) if rows is None else rows
    directory.mkdir(parents=True, exist_ok=True)
    for old in (directory / "figures").glob("*.png"):  # of an audit that this one replaces
        old.unlink()
    write_npz(directory / SHOWN, x=rows, columns=np.array(report.columns))
    write_text(directory / "scenario.yaml", scenario.to_yaml())
    write_text(directory / "badge.json", badge_json(report.to_dict()))
    write_text(directory / "badge.svg", badge_svg(report.to_dict()))
    write_text(directory / "audit.json", report.to_json())


def write_failing_rows(path: Path, done: Audited) -> int:
    """Every row inside a constrained region, in a .csv or .parquet (see `lem_safe.auditor.failing`); returns
    how many there are.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    return write_failing(path, done.samples, done.question, done.report)


def read_trace(path: Path) -> dict[str, np.ndarray]:
    """The arrays of a run's trace.npz, including `step` [t] and `fraction` [t, m]; raises BadInput for
    anything else.
    """
    must_be_readable(path)
    try:
        found = read_npz(path)
    except (OSError, ValueError, EOFError, KeyError, BadZipFile, zlib.error) as error:
        raise BadInput(Fault(f"is not a readable .npz file ({error})", str(path))) from error
    missing = [name for name in ("step", "fraction") if name not in found]
    if missing:
        raise BadInput(Fault(f"is not the trace of a run: it lacks '{missing[0]}'", str(path)))
    return found


def scenario_for(
    scenario: Asked,
    samples: Samples,
    overrides: Mapping[str, Any] | None,
    beta: SupportsFloat | Mapping[str, SupportsFloat] | None,
) -> Scenario:
    """The scenario, loaded if it is a file or a name: its rules use the samples' own names where the scenario
    has none for them.
    """
    columns = samples.columns
    return scenario_of(scenario, samples.rows.width if columns is None else columns, overrides, beta)


def scenario_of(
    scenario: Asked,
    columns: Sequence[str] | int,
    overrides: Mapping[str, Any] | None,
    beta: SupportsFloat | Mapping[str, SupportsFloat] | None,
) -> Scenario:
    """The scenario for samples with columns of these names, or so many without names."""
    width = columns if isinstance(columns, int) else None
    header = None if isinstance(columns, int) else columns
    if isinstance(scenario, Mapping):
        return of_regions(scenario, beta, tables(), header, width)
    if beta is not None:
        raise BadInput(Fault("belongs to regions given by name; a scenario has its own", key="beta"))
    if isinstance(scenario, Scenario):
        return scenario
    return _unswept(load(scenario, tables(), overrides, to_audit=True, header=header, width=width))


def _unswept(scenario: Scenario) -> Scenario:
    """Refuses a scenario that sweeps a key the audit depends on: then there is no single tolerance."""
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
