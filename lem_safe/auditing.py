"""The public audit: like `lem_safe.auditor.audit`, and the scenario may be a file or a bundled name; once, or
again and again as samples come.
"""

import zlib
from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from lem_safe.auditor import AuditReport, badge_json, badge_svg
from lem_safe.auditor import audit as judge
from lem_safe.auditor import grow as look
from lem_safe.auditor.audit import Source
from lem_safe.auditor.growth import FILE as GROWTH
from lem_safe.auditor.samples import Samples, header_of, open_samples
from lem_safe.auditor.shown import FILE as SHOWN
from lem_safe.auditor.shown import shown
from lem_safe.errors import BadInput, Fault
from lem_safe.files import read_npz, write_npz, write_text
from lem_safe.registry import MAKERS, load
from lem_safe.run_directory import RunDirectory, must_be_fresh
from lem_safe.scenario import Scenario


def audit(samples: Source, scenario: Scenario | str | PathLike[str], **options: Any) -> AuditReport:
    """Counts, bounds and verdicts for samples from any source: a .npz, .npy, .csv or .parquet file, an
    array, a tensor or a table [n, d].

    options: those of `lem_safe.auditor.audit`: columns, header, strict, near, coupled, clouds, trace,
    correction. Raises BadInput for what cannot be judged.
    """
    opened = open_samples(
        samples,
        options.pop("columns", None),
        header_of(samples, options.get("header"), options.get("clouds")),
    )
    chosen = scenario if isinstance(scenario, Scenario) else for_samples(scenario, opened.columns)
    return judge(opened, chosen, **{"makers": MAKERS, **options})


def grow(
    samples: Source,
    scenario: Scenario | str | PathLike[str],
    out: str | PathLike[str],
    **options: Any,
) -> AuditReport:
    """One more evaluation of samples that keep arriving: all rows so far, with the rows of earlier
    evaluations unchanged. The bounds are anytime-valid.

    out: the directory that keeps all evaluations and the latest audit; absent or empty at the first call.
    Raises BadInput if earlier rows or the scenario changed, or if another process writes there.
    """
    opened = open_samples(samples, options.pop("columns", None), options.pop("header", None))
    chosen = scenario if isinstance(scenario, Scenario) else for_samples(scenario, opened.columns)
    path = Path(out)
    if not (path / GROWTH).exists():
        must_be_fresh(path)
    with RunDirectory(path):
        report, past = look(opened, chosen, path, **{"makers": MAKERS, **options})
        write_audit(path, chosen, report, opened)
        past.write(path)
    return report


def write_audit(directory: Path, scenario: Scenario, report: AuditReport, samples: Samples) -> Path:
    """An audit as files: scenario.yaml, badge.json, badge.svg, shown.npz, audit.json, and last the page,
    whose path is returned.
    """
    from lem_safe.report import render

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
        raise BadInput(Fault(f"is no trace of a run: it lacks '{missing[0]}'", str(path)))
    return found


def for_samples(
    scenario: str | PathLike[str], header: Sequence[str] | None, overrides: Mapping[str, Any] | None = None
) -> Scenario:
    """The scenario, its rules read over the samples' own names where the scenario alone does not know them.

    Where neither knows a name, the message shows the samples' names, which are those that can be mended.
    """
    try:
        return _one(load(scenario, overrides))
    except BadInput as alone:
        if header is None:
            raise
        try:
            return _one(load(scenario, {**(overrides or {}), "columns": list(header)}))
        except BadInput as over_samples:
            places = [[(f.file, f.line, f.key) for f in bad.faults] for bad in (alone, over_samples)]
            if places[0] == places[1]:
                raise over_samples from None
        raise


def _one(scenario: Scenario) -> Scenario:
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
            f"'{judged[0]}' is swept, so there is no one thing to judge by; audit against a single "
            "run's scenario.yaml"
        )
        raise BadInput(Fault(message, file=str(scenario.source), key="sweep"))
    return scenario
