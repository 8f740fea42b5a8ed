"""`lem-safe audit`."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

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
from lem_safe.commands.outcome import say
from lem_safe.errors import BadInput, Fault


class Correction(StrEnum):
    """How several constraints share the error."""

    bonferroni = "bonferroni"
    holm = "holm"


Samples = Annotated[
    Path,
    typer.Argument(
        metavar="SAMPLES",
        help="Samples from any source: .npz (array x), .npy, .parquet or text (.csv, .tsv, .txt, .dat, "
        ".data, also .gz); a directory, or a pattern in quotes such as 'parts/*.parquet'.",
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


def audit(
    samples: Samples,
    scenario: ScenarioArgument,
    out: Out = None,
    form: Printed = "text",
    strict: Strict = False,
    set_: Set = None,
    near: Near = None,
    correction: Sharing = None,
    clouds: Clouds = None,
    trace: Trace = None,
    grow: Grow = False,
    header: Header = None,
    separator: Separator = None,
    decimal: Decimal = None,
    missing: Missing = "error",
    json: Json = False,
) -> int:
    """Audit samples from any source against a scenario's tolerances."""
    from lem_safe.auditing import audited, read_trace, table_format, write_audit
    from lem_safe.auditing import grow as look
    from lem_safe.auditor.formats import FORMATS
    from lem_safe.run_directory import must_be_fresh
    from lem_safe.scenario.messages import did_you_mean

    if form not in FORMATS:
        raise BadInput(
            Fault(f"'{form}' is not an audit format{did_you_mean(form, list(FORMATS))}", key="--format")
        )

    asked: dict[str, Any] = {
        "form": table_format(header, separator, decimal, missing),
        "strict": strict,
        "near": near,
        "correction": None if correction is None else correction.value,
    }
    if grow:
        report = look(samples, scenario, _for_looks(out, clouds, trace), given(set_), **asked)
    else:
        if out is not None:
            must_be_fresh(out)
        steps = None if trace is None else read_trace(trace)
        done = audited(samples, scenario, given(set_), clouds=clouds, trace=steps, **asked)
        report = done.report
        if out is not None:
            write_audit(out, done)
    say(report.to("json" if json else form))
    if out is not None and form == "text" and not json:
        say(str(out / "report.html"))
    return report.status


def _for_looks(out: Path | None, clouds: Path | None, trace: Path | None) -> Path:
    """The directory of an audit that grows; BadInput where an option does not fit it."""
    if out is None:
        raise BadInput(Fault("needs --out DIR, which keeps the earlier evaluations", key="--grow"))
    if clouds is not None or trace is not None:
        raise BadInput(
            Fault("takes all its samples from one file, without --clouds and --trace", key="--grow")
        )
    return out
