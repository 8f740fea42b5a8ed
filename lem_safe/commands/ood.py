"""`lem-safe ood`."""

from pathlib import Path
from typing import Annotated

import typer

from lem_safe.commands.options import Json, Out, Quiet, ScenarioArgument
from lem_safe.commands.outcome import open_progress, say


def ood(
    scenario: ScenarioArgument,
    against: Annotated[
        list[str],
        typer.Option(
            "--against",
            metavar="DATA",
            help="Out-of-distribution rows: a file, a kind of data, or {kind: ...}; NAME=DATA "
            "gives a name. Repeatable.",
        ),
    ],
    more: Annotated[
        list[str] | None, typer.Argument(metavar="[DATA]...", help="More out-of-distribution rows.")
    ] = None,
    inside: Annotated[
        str | None,
        typer.Option("--inside", metavar="DATA", help="In-distribution rows that were not used in training."),
    ] = None,
    out: Out = None,
    step_size: Annotated[
        float | None,
        typer.Option(
            "--flow-step", help="Step size of the flow in S3; by default it is chosen automatically."
        ),
    ] = None,
    steps: Annotated[
        int, typer.Option("--flow-steps", min=1, help="Number of steps of the flow in S3.")
    ] = 10,
    seed: Annotated[
        int, typer.Option("--seed", min=0, help="Seed for fresh draws and for the bootstrap.")
    ] = 0,
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
    progress, leave = open_progress(quiet or json)
    try:
        with only_writer(place):
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
    finally:
        leave()
    say(printer.dumps(found.to_dict(), indent=2) if json else f"{found}\n\n{place / 'ood.html'}")
    return 0
