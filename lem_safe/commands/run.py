"""`lem-safe run`."""

from pathlib import Path
from typing import Annotated

import typer

from lem_safe.commands.options import Json, Quiet, ScenarioArgument, Set, Strict, given
from lem_safe.commands.outcome import open_progress, say


def run(
    scenario: ScenarioArgument,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            help="Directory for the results; must be empty or absent. By default a new runs/NAME.",
        ),
    ] = None,
    seed: Annotated[int | None, typer.Option("--seed", help="Replace the scenario's seed.")] = None,
    samples: Annotated[int | None, typer.Option("--samples", help="Replace sampler.samples.")] = None,
    steps: Annotated[int | None, typer.Option("--steps", help="Replace sampler.steps.")] = None,
    set_: Set = None,
    device: Annotated[
        str, typer.Option("--device", metavar="cpu|cuda", help="The device to sample on.")
    ] = "cpu",
    threads: Annotated[
        int,
        typer.Option("--threads", min=1, help="Number of torch threads; one is fastest for small energies."),
    ] = 1,
    resume: Annotated[
        bool, typer.Option("--resume", help="Continue an interrupted run, with bitwise identical results.")
    ] = False,
    no_report: Annotated[
        bool,
        typer.Option("--no-report", help="Write no report.html; lem-safe report OUT writes it later."),
    ] = False,
    quiet: Quiet = False,
    strict: Strict = False,
    json: Json = False,
) -> int:
    """Sample a scenario under its constraints, audit the samples, write a report; with a sweep, run all
    combinations.
    """
    from lem_safe.registry import load

    loaded = load(scenario, given(set_, seed=seed, sampler__samples=samples, sampler__steps=steps))
    from lem_safe.run_directory import RESUME, last_unfinished, must_be_fresh
    from lem_safe.runs import runner
    from lem_safe.runs import sweep as sweeping

    if resume and out is None:
        swept = sweeping.last_unfinished(Path("runs"), loaded.name) if loaded.sweep else None
        out = swept or last_unfinished(Path("runs"), loaded.name)
    if out is not None and not resume:
        must_be_fresh(out, RESUME)
    progress, leave = open_progress(quiet or json)
    begin = sweeping.sweep if loaded.sweep else runner.run
    try:
        done = begin(
            loaded,
            out=out,
            device=device,
            resume=resume,
            threads=threads,
            progress=progress,
            strict=strict,
            with_report=not no_report,
        )
    finally:
        leave()
    say(done.to_json() if json else str(done))
    return done.exit_status
