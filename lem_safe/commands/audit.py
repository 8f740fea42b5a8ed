"""`lem-safe audit`."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from lem_safe.commands.options import Header, Json, Out, ScenarioArgument, Set, Strict, given
from lem_safe.commands.outcome import say
from lem_safe.errors import BadInput, Fault


class Form(StrEnum):
    """How an audit can be printed."""

    text = "text"
    json = "json"
    junit = "junit"
    markdown = "markdown"
    github = "github"


class Correction(StrEnum):
    """How several constraints share the error."""

    bonferroni = "bonferroni"
    holm = "holm"


def audit(
    samples: Annotated[
        Path,
        typer.Argument(
            metavar="SAMPLES", help="Samples from any source: .npz (array x), .npy, .csv or .parquet."
        ),
    ],
    scenario: ScenarioArgument,
    out: Out = None,
    form: Annotated[
        Form, typer.Option("--format", help="The format in which the verdict is printed.")
    ] = Form.text,
    strict: Strict = False,
    set_: Set = None,
    near: Annotated[
        float | None,
        typer.Option(
            "--near", metavar="DISTANCE", help="Also count samples outside but within this distance."
        ),
    ] = None,
    correction: Annotated[
        Correction | None,
        typer.Option(
            "--correction",
            help="How several constraints share the error probability; by default as the scenario says.",
        ),
    ] = None,
    clouds: Annotated[
        Path | None,
        typer.Option(
            "--clouds",
            help="Independent clouds (.npz with replica); the bound is computed from them instead.",
        ),
    ] = None,
    trace: Annotated[
        Path | None,
        typer.Option(
            "--trace",
            help="The trace.npz of the run that produced these samples; its steps are judged like the count.",
        ),
    ] = None,
    grow: Annotated[
        bool,
        typer.Option(
            "--grow",
            help="Audit a file that grows, again and again; --out DIR keeps every evaluation, and "
            "the bounds are anytime-valid.",
        ),
    ] = False,
    header: Header = None,
    json: Json = False,
) -> int:
    """Audit samples from any source against a scenario's tolerances."""
    from lem_safe.auditing import audit as judge
    from lem_safe.auditing import for_samples, read_trace, write_audit
    from lem_safe.auditing import grow as look
    from lem_safe.auditor.samples import header_of, open_samples
    from lem_safe.run_directory import must_be_fresh

    if grow and (out is None or clouds is not None or trace is not None):
        rule = (
            "needs --out DIR, where looks are remembered"
            if out is None
            else "takes all its samples from one file, without --clouds and --trace"
        )
        raise BadInput(Fault(rule, key="--grow"))
    if out is not None and not grow:
        must_be_fresh(out)
    opened = open_samples(samples, None, header_of(samples, header, clouds))
    loaded = for_samples(scenario, opened.columns, given(set_))
    asked = correction.value if correction is not None else None
    if grow and out is not None:
        report = look(opened, loaded, out, strict=strict, near=near, correction=asked)
    else:
        steps = None if trace is None else read_trace(trace)
        report = judge(
            opened,
            loaded,
            strict=strict,
            near=near,
            correction=asked,
            clouds=clouds,
            trace=steps,
            header=header,
        )
        if out is not None:
            write_audit(out, loaded, report, opened)
    say(report.to("json" if json else form.value))
    if out is not None and form is Form.text and not json:
        say(str(out / "report.html"))
    return report.status
