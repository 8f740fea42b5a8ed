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
            help="Strange rows: a file, a kind of data, or {kind: ...}; NAME=DATA names it. Repeat.",
        ),
    ],
    more: Annotated[
        list[str] | None, typer.Argument(metavar="[DATA]...", help="More strange rows, after the first.")
    ] = None,
    inside: Annotated[
        str | None, typer.Option("--inside", metavar="DATA", help="Usual rows, which training has not seen.")
    ] = None,
    out: Out = None,
    step_size: Annotated[
        float | None, typer.Option("--flow-step", help="Step of S3's flow; chosen by default.")
    ] = None,
    steps: Annotated[int, typer.Option("--flow-steps", min=1, help="Steps of S3's flow.")] = 10,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Seed of fresh draws and of the bootstrap.")] = 0,
    quiet: Quiet = False,
    json: Json = False,
) -> int:
    """Score rows by how strange they are to a scenario's energy: AUROC, ROC, histograms."""
    import json as printer

    from lem_safe.ood.evaluate import named, source_of
    from lem_safe.ood.evaluate import ood as scored
    from lem_safe.registry import load
    from lem_safe.run_directory import fresh_under, must_be_fresh

    loaded = load(scenario)
    sources, usual = named([*against, *(more or [])]), None if inside is None else source_of(inside)
    if out is not None:
        must_be_fresh(out)
    place = out if out is not None else fresh_under(Path("runs"), f"{loaded.name}-ood")
    progress, leave = open_progress(quiet or json)
    try:
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
