"""`lem-safe audit`."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from lem_safe.commands.options import Json, Out, ScenarioArgument, Strict
from lem_safe.commands.outcome import say


class Form(StrEnum):
    """How an audit can be printed."""

    text = "text"
    json = "json"
    junit = "junit"
    markdown = "markdown"
    github = "github"


def audit(
    samples: Annotated[
        Path, typer.Argument(metavar="SAMPLES", help="Samples anyone made: .npz (array x), .npy, .csv or .parquet.")
    ],
    scenario: ScenarioArgument,
    out: Out = None,
    form: Annotated[Form, typer.Option("--format", help="How the verdict is printed.")] = Form.text,
    strict: Strict = False,
    json: Json = False,
) -> int:
    """Judge samples from anywhere against a scenario's tolerances."""
    from lem_safe.auditing import audit as judge
    from lem_safe.auditing import for_samples
    from lem_safe.auditor import badge_json, badge_svg
    from lem_safe.auditor.samples import open_samples
    from lem_safe.files import write_text
    from lem_safe.run_directory import must_be_fresh

    if out is not None:
        must_be_fresh(out)
    opened = open_samples(samples)
    loaded = for_samples(scenario, opened.columns)
    report = judge(opened, loaded, strict=strict, coupled=opened.coupled)
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        write_text(out / "scenario.yaml", loaded.to_yaml())
        write_text(out / "badge.json", badge_json(report.to_dict()))
        write_text(out / "badge.svg", badge_svg(report.to_dict()))
        write_text(out / "audit.json", report.to_json())
    say(report.to("json" if json else form.value))
    return report.status
