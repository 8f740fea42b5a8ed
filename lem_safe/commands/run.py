"""`lem-safe run`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lem_safe.commands.many import in_job
from lem_safe.commands.options import Device, Json, Quiet, ScenarioArgument, Set, Strict, given
from lem_safe.commands.outcome import open_progress, say

if TYPE_CHECKING:
    from lem_safe.scenario import Scenario
    from lem_safe.scenario.overrides import Overrides

NewOut = Annotated[
    Path | None,
    typer.Option(
        "--out",
        help="Directory for the results; must be empty or absent. By default a new runs/NAME.",
    ),
]
Seed = Annotated[int | None, typer.Option("--seed", help="Replace the scenario's seed.")]
Samples = Annotated[int | None, typer.Option("--samples", help="Replace sampler.samples.")]
Steps = Annotated[int | None, typer.Option("--steps", help="Replace sampler.steps.")]
Threads = Annotated[
    int,
    typer.Option("--threads", min=1, help="Number of torch threads; one is fastest for small energies."),
]
Resume = Annotated[
    bool, typer.Option("--resume", help="Continue an interrupted run, with bitwise identical results.")
]
NoReport = Annotated[
    bool,
    typer.Option("--no-report", help="Write no report.html; lem-safe report OUT writes it later."),
]


def run(
    scenario: ScenarioArgument,
    out: NewOut = None,
    seed: Seed = None,
    samples: Samples = None,
    steps: Steps = None,
    set_: Set = None,
    device: Device = "cpu",
    threads: Threads = 1,
    resume: Resume = False,
    no_report: NoReport = False,
    quiet: Quiet = False,
    strict: Strict = False,
    json: Json = False,
) -> int:
    """Sample a scenario under its constraints, audit the samples, write a report; with a sweep, run all
    combinations.
    """
    return in_job(
        device,
        lambda group: _run(
            scenario,
            out,
            given(set_, seed=seed, sampler__samples=samples, sampler__steps=steps),
            progress=not (quiet or json),
            json=json,
            device=device,
            threads=threads,
            resume=resume,
            with_report=not no_report,
            strict=strict,
            group=group,
        ),
    )


def _run(
    scenario: str,
    out: Path | None,
    replaced: "Overrides",
    *,
    progress: bool,
    json: bool,
    resume: bool,
    **options: Any,
) -> int:
    """The command, by process 0 where there are several."""
    from lem_safe.registry import load

    loaded = load(scenario, replaced)
    from lem_safe.run_directory import RESUME, must_be_fresh
    from lem_safe.runs import runner
    from lem_safe.runs import sweep as sweeping

    if resume and out is None:
        out = _unfinished(loaded)
    if out is not None and not resume:
        must_be_fresh(out, RESUME)
    begin = sweeping.sweep if loaded.sweep else runner.run
    with open_progress(not progress) as shown:
        done = begin(loaded, out=out, resume=resume, progress=shown, **options)
    say(done.to_json() if json else str(done))
    return done.exit_status


def _unfinished(scenario: "Scenario") -> Path | None:
    """The newest directory under runs/ that an interrupted run or sweep of the scenario has left."""
    from lem_safe.run_directory import last_unfinished
    from lem_safe.runs import sweep as sweeping

    swept = sweeping.last_unfinished(Path("runs"), scenario.name) if scenario.sweep else None
    return swept or last_unfinished(Path("runs"), scenario.name)
