"""`lem-safe merge`."""

from pathlib import Path
from typing import Annotated, Any

import typer

from lem_safe.commands.audit import (
    Clouds,
    Overwrite,
    Printed,
    Sharing,
    Trace,
    Writes,
    files_asked,
    must_be_a_format,
    tell,
)
from lem_safe.commands.options import Decimal, Header, Json, Out, Separator, Set, Strict, given
from lem_safe.errors import BadInput, Fault

Parts = Annotated[
    list[str],
    typer.Argument(
        metavar="PART... SCENARIO",
        help="The parts that lem-safe audit --shard i/N --out PART wrote, in any order, and last the "
        "scenario, a file or the name of a bundled one, unless --scenario names it.",
    ),
]
Scenario = Annotated[
    str | None,
    typer.Option("--scenario", metavar="SCENARIO", help="The scenario; then all arguments are parts."),
]


def merge(
    parts: Parts,
    scenario: Scenario = None,
    out: Out = None,
    form: Printed = "text",
    write: Writes = None,
    overwrite: Overwrite = False,
    strict: Strict = False,
    set_: Set = None,
    correction: Sharing = None,
    clouds: Clouds = None,
    trace: Trace = None,
    header: Header = None,
    separator: Separator = None,
    decimal: Decimal = None,
    json: Json = False,
) -> int:
    """Put the parts of an audit together: the audit of one pass over the whole data set."""
    from lem_safe import auditing
    from lem_safe.commands.files_asked import replaceable
    from lem_safe.run_directory import only_writer
    from lem_safe.sharded import merge as merged

    must_be_a_format(form)
    paths, asked = _told(parts, scenario)
    inputs = [*map(Path, paths), Path(asked), clouds, trace]
    files = files_asked(write or [], None, inputs, overwrite)
    if out is not None:
        replaceable(out, overwrite)
    options: dict[str, Any] = {"strict": strict, "correction": correction and correction.value}
    options["form"] = auditing.table_format(header, separator, decimal, "error")
    if clouds is None and options["form"].of_text:
        raise BadInput(Fault("says how the text of --clouds is written, and none is given", key="merge"))
    with only_writer(out, resume=overwrite):
        options["trace"] = None if trace is None else auditing.read_trace(trace)
        done = merged(paths, asked, given(set_), clouds=clouds, **options)
        if out is not None:
            auditing.write_audit(out, done)
    tell(done.report, "json" if json else form, files, [None if out is None else out / "report.html"])
    return done.report.status


def _told(parts: list[str], scenario: str | None) -> tuple[list[str], str]:
    """The parts, and the scenario; BadInput where there is no part."""
    paths, asked = (parts, scenario) if scenario is not None else (parts[:-1], parts[-1])
    _must_be_in_order(paths, asked)
    if not paths:
        message = "needs the parts and the scenario: lem-safe merge PART... SCENARIO"
        raise BadInput(Fault(message, key="merge"))
    return paths, asked


def _must_be_in_order(paths: list[str], scenario: str) -> None:
    """Refuses a part in the place of the scenario, and a scenario in that of a part."""
    from lem_safe.auditor.part import is_part

    order = "write lem-safe merge PART... SCENARIO, the scenario last, or --scenario SCENARIO"
    faults = [
        Fault(f"is a scenario in the place of a part; {order}", path)
        for path in paths
        if Path(path).suffix.lower() in (".yaml", ".yml")
    ]
    if is_part(Path(scenario)):
        faults.append(Fault(f"is a part, and the scenario is expected last; {order}", scenario))
    if faults:
        raise BadInput(faults)
