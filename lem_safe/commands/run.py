"""`lem-safe run`."""

from pathlib import Path
from typing import Annotated

import typer

from lem_safe.commands.options import Json, Quiet, ScenarioArgument, Strict
from lem_safe.commands.outcome import open_progress, say


def run(
    scenario: ScenarioArgument,
    out: Annotated[
        Path | None, typer.Option("--out", help="Directory to write to, empty or absent; by default a fresh runs/NAME.")
    ] = None,
    seed: Annotated[int | None, typer.Option("--seed", help="Replaces the scenario's seed.")] = None,
    samples: Annotated[int | None, typer.Option("--samples", help="Replaces sampler.samples.")] = None,
    steps: Annotated[int | None, typer.Option("--steps", help="Replaces sampler.steps.")] = None,
    device: Annotated[str, typer.Option("--device", metavar="cpu|cuda", help="Where to sample.")] = "cpu",
    threads: Annotated[int, typer.Option("--threads", min=1, help="Threads of torch; one is fastest for small energies.")] = 1,
    resume: Annotated[bool, typer.Option("--resume", help="Continue an interrupted run, bit for bit.")] = False,
    quiet: Quiet = False,
    strict: Strict = False,
    json: Json = False,
) -> int:
    """Sample a scenario under its constraints, audit the samples, write a report."""
    from lem_safe.catalogue import load

    overrides = {
        key: value
        for key, value in {"seed": seed, "sampler.samples": samples, "sampler.steps": steps}.items()
        if value is not None
    }
    loaded = load(scenario, overrides)
    from lem_safe import runner
    from lem_safe.run_directory import last_unfinished, must_be_fresh

    if resume and out is None:
        out = last_unfinished(Path("runs"), loaded.name)
    if out is not None and not resume:
        must_be_fresh(out)
    progress, leave = open_progress(quiet or json)
    try:
        done = runner.run(loaded, out=out, device=device, resume=resume, threads=threads, progress=progress, strict=strict)
    finally:
        leave()
    say(done.report.to_json() if json else str(done))
    return done.exit_status
