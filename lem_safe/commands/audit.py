"""`lem-safe audit`."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from lem_safe.commands.options import (
    Decimal,
    Header,
    Json,
    Missing,
    Out,
    ScenarioArgument,
    Separator,
    Set,
    Strict,
    given,
)
from lem_safe.commands.outcome import say, say_line
from lem_safe.errors import BadInput, Fault

if TYPE_CHECKING:
    from lem_safe.auditor import AuditReport
    from lem_safe.commands.files_asked import Written
    from lem_safe.scenario.overrides import Overrides


class Correction(StrEnum):
    """How several constraints share the error."""

    bonferroni = "bonferroni"
    holm = "holm"


Samples = Annotated[
    str,
    typer.Argument(
        metavar="SAMPLES",
        help="Samples from any source: .npz (array x), .npy, .parquet, .arrow, .feather or text (.csv, .tsv, "
        ".txt, .dat, .data, also .gz); a directory, a pattern in quotes such as 'year=*/*.parquet', or an "
        "address of these (s3://, gs://, abfs://, file://).",
    ),
]
Sharded = Annotated[
    str | None,
    typer.Option(
        "--shard",
        metavar="i/N",
        help="Count only shard i, from 1, of N of the files of a data set, and write the counts to --out "
        "FILE; lem-safe merge puts the parts together.",
    ),
]
Printed = Annotated[
    str,
    typer.Option(
        "--format", metavar="FORMAT", help="How the verdict is printed; one of lem-safe list formats."
    ),
]
Near = Annotated[
    float | None,
    typer.Option("--near", metavar="DISTANCE", help="Also count samples outside but within this distance."),
]
Sharing = Annotated[
    Correction | None,
    typer.Option(
        "--correction",
        help="How several constraints share the error probability; by default as the scenario says.",
    ),
]
Clouds = Annotated[
    Path | None,
    typer.Option(
        "--clouds", help="Independent clouds (.npz with replica); the bound is computed from them instead."
    ),
]
Trace = Annotated[
    Path | None,
    typer.Option(
        "--trace",
        help="The trace.npz of the run that produced these samples; its steps are judged like the count.",
    ),
]
Grow = Annotated[
    bool,
    typer.Option(
        "--grow",
        help="Audit a file that grows, again and again; --out DIR keeps every evaluation, and the "
        "bounds are anytime-valid.",
    ),
]


Writes = Annotated[
    list[str] | None,
    typer.Option(
        "--write",
        metavar="FORMAT=FILE",
        help="Also write the verdict to a file, in a format of lem-safe list formats; repeatable.",
    ),
]
Rows = Annotated[
    Path | None,
    typer.Option(
        "--failing-rows",
        metavar="FILE",
        help="Write every row inside a region to a .csv or .parquet: number, regions, clearances, values.",
    ),
]
Overwrite = Annotated[
    bool,
    typer.Option("--overwrite", help="Replace files, and an earlier audit in --out, that exist already."),
]


class _Kept(NamedTuple):
    """What is kept of an audit: a directory, a file of the rows inside a region; whether these may replace
    what is there.
    """

    out: Path | None
    rows: Path | None
    overwrite: bool


def audit(
    samples: Samples,
    scenario: ScenarioArgument,
    out: Out = None,
    form: Printed = "text",
    write: Writes = None,
    failing_rows: Rows = None,
    overwrite: Overwrite = False,
    strict: Strict = False,
    set_: Set = None,
    near: Near = None,
    correction: Sharing = None,
    clouds: Clouds = None,
    trace: Trace = None,
    grow: Grow = False,
    shard: Sharded = None,
    header: Header = None,
    separator: Separator = None,
    decimal: Decimal = None,
    missing: Missing = "error",
    json: Json = False,
) -> int:
    """Audit samples from any source against a scenario's tolerances."""
    from lem_safe.auditing import table_format
    from lem_safe.commands.shard import count_one

    must_be_a_format(form)
    asked: dict[str, Any] = {"form": table_format(header, separator, decimal, missing), "near": near}
    about_all = {"strict": strict, "correction": correction and correction.value}
    beside = {"clouds": clouds, "trace": trace, "grow": grow}
    kept = _Kept(out, failing_rows, overwrite)
    if shard is not None:
        others = {**about_all, **beside, "failing-rows": failing_rows, "write": write}
        others |= {"json": json, "format": form != "text"}
        return count_one(samples, scenario, given(set_), shard, out, others, overwrite, asked=asked)
    files = _files(samples, scenario, write or [], kept, [clouds, trace])
    report = _audited(samples, scenario, given(set_), kept, beside=beside, asked={**asked, **about_all})
    tell(report, "json" if json else form, files, [_page(out), failing_rows])
    return report.status


def _files(
    samples: str, scenario: str, write: Sequence[str], kept: _Kept, others: Sequence[Path | None]
) -> "list[Written]":
    """The files that --write names; BadInput where one of them cannot be written."""
    from lem_safe.auditor.formats import FORMATS
    from lem_safe.commands.files_asked import read_of, written

    outputs = [*(file.path for file in written(write, FORMATS)), kept.rows]
    inputs = [*read_of(samples, outputs), Path(scenario), *others]
    return files_asked(write, kept.rows, inputs, kept.overwrite)


def _audited(
    samples: str,
    scenario: str,
    replaced: "Overrides",
    kept: _Kept,
    *,
    beside: Mapping[str, Any],
    asked: Mapping[str, Any],
) -> "AuditReport":
    """The audit, once or as the samples grow."""
    from lem_safe import auditing
    from lem_safe.data.remote import is_address

    source = samples if is_address(samples) else Path(samples)
    clouds, trace = beside["clouds"], beside["trace"]
    if not beside["grow"]:
        return _audited_once(source, scenario, replaced, kept, clouds=clouds, trace=trace, asked=asked)
    place = _for_looks(kept.out, clouds, trace, kept.rows)
    return auditing.grow(source, scenario, place, replaced, **asked)


def tell(report: "AuditReport", form: str, files: "Sequence[Written]", others: Sequence[Path | None]) -> None:
    """Writes the files that were asked for and prints the verdict; in text, also what was written."""
    for file in files:
        file.put(report.to(file.form))
    say(report.to(form))
    if form == "text":
        for path in filter(None, [*others, *(file.path for file in files)]):
            say_line(path)


def _page(out: Path | None) -> Path | None:
    return None if out is None else out / "report.html"


def must_be_a_format(name: str) -> None:
    """Refuses what is no format of an audit."""
    from lem_safe.auditor.formats import FORMATS
    from lem_safe.scenario.messages import did_you_mean

    if name not in FORMATS:
        raise BadInput(
            Fault(f"'{name}' is not an audit format{did_you_mean(name, list(FORMATS))}", key="--format")
        )


def files_asked(
    texts: Sequence[str], rows: Path | None, inputs: Sequence[Path | None], overwrite: bool
) -> "list[Written]":
    """The files that --write names; BadInput where one of them, or the file of rows, cannot be written."""
    from lem_safe.auditor.failing import must_be_table
    from lem_safe.auditor.formats import FORMATS
    from lem_safe.commands.files_asked import must_be_free, written

    files = written(texts, FORMATS)
    tables = [] if rows is None else [rows]
    must_be_free([*(file.path for file in files), *tables], filter(None, inputs), overwrite)
    for table in tables:
        must_be_table(table)
    return files


def _audited_once(
    samples: str | Path,
    scenario: str,
    replaced: "Overrides",
    kept: _Kept,
    *,
    clouds: Path | None,
    trace: Path | None,
    asked: Mapping[str, Any],
) -> "AuditReport":
    """The audit of a file that does not grow, with the files that are kept of it."""
    from lem_safe.auditing import audited, read_trace, write_audit, write_failing_rows
    from lem_safe.commands.files_asked import replaceable
    from lem_safe.run_directory import only_writer

    if kept.out is not None:
        replaceable(kept.out, kept.overwrite)
    with only_writer(kept.out, resume=kept.overwrite):
        steps = None if trace is None else read_trace(trace)
        done = audited(samples, scenario, replaced, clouds=clouds, trace=steps, **asked)
        if kept.out is not None:
            write_audit(kept.out, done)
        if kept.rows is not None:
            write_failing_rows(kept.rows, done)
    return done.report


def _for_looks(out: Path | None, clouds: Path | None, trace: Path | None, rows: Path | None) -> Path:
    """The directory of an audit that grows; BadInput where an option does not fit it."""
    if out is None:
        raise BadInput(Fault("needs --out DIR, which keeps the earlier evaluations", key="--grow"))
    if clouds is not None or trace is not None:
        raise BadInput(
            Fault("takes all its samples from one file, without --clouds and --trace", key="--grow")
        )
    if rows is not None:
        raise BadInput(Fault("is not possible with --grow; audit once more without it", key="--failing-rows"))
    return out
