"""`lem-safe ood`."""

from pathlib import Path
from typing import Annotated

import typer

from lem_safe.commands.options import Json, Out, Quiet, ScenarioArgument
from lem_safe.commands.outcome import open_progress, say
from lem_safe.escaping import on_one_line

Against = Annotated[
    list[str],
    typer.Option(
        "--against",
        metavar="DATA",
        help="Out-of-distribution rows: a file, a kind of data, or {kind: ...}; NAME=DATA "
        "gives a name. Repeatable.",
    ),
]
More = Annotated[list[str] | None, typer.Argument(metavar="[DATA]...", help="More out-of-distribution rows.")]
Inside = Annotated[
    str | None,
    typer.Option("--inside", metavar="DATA", help="In-distribution rows that were not used in training."),
]
FlowStep = Annotated[
    float | None,
    typer.Option("--flow-step", help="Step size of the flow in S3; by default it is chosen automatically."),
]
FlowSteps = Annotated[int, typer.Option("--flow-steps", min=1, help="Number of steps of the flow in S3.")]
Seed = Annotated[int, typer.Option("--seed", min=0, help="Seed for fresh draws and for the bootstrap.")]


def ood(
    scenario: ScenarioArgument,
    against: Against,
    more: More = None,
    inside: Inside = None,
    out: Out = None,
    step_size: FlowStep = None,
    steps: FlowSteps = 10,
    seed: Seed = 0,
    quiet: Quiet = False,
    json: Json = False,
) -> int:
    """Score how far rows are out of distribution for a scenario's energy: AUROC, ROC, histograms."""
    import json as printer

    from lem_safe.ood.evaluate import named, source_of
    from lem_safe.ood.evaluate import ood as scored
    from lem_safe.registry import load
    from lem_safe.run_directory import fresh_under, only_writer

    loaded = load(scenario)
    sources, usual = named([*against, *(more or [])]), None if inside is None else source_of(inside)
    place = out if out is not None else fresh_under(Path("runs"), f"{loaded.name}-ood")
    with open_progress(quiet or json) as progress, only_writer(place):
        found = scored(
            loaded,
            sources,
            inside=usual,
            out=place,
            step_size=step_size,
            steps=steps,
            seed=seed,
            progress=progress,
        )
    page = on_one_line(place / "ood.html")
    say(printer.dumps(found.to_dict(), indent=2) if json else f"{found}\n\n{page}")
    return 0
