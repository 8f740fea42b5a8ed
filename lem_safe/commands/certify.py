"""`lem-safe certify`."""

from pathlib import Path
from typing import Annotated

import typer

from lem_safe.commands.options import Device, Json, Quiet, ScenarioArgument, Set, given
from lem_safe.commands.outcome import open_progress, say
from lem_safe.commands.run import NoReport, Resume, Seed, Threads

Budget = Annotated[
    int | None,
    typer.Option(
        "--budget",
        metavar="N",
        help="At most so many samples. By default enough for a tilt that aims at three quarters of every "
        "tolerance; the plan is printed first.",
    ),
]
Place = Annotated[
    Path | None,
    typer.Option(
        "--out",
        help="Directory for samples, certificate.json and report; must be empty or absent. By default a new "
        "runs/NAME-certificate.",
    ),
]


def certify(
    scenario: ScenarioArgument,
    out: Place = None,
    budget: Budget = None,
    seed: Seed = None,
    set_: Set = None,
    device: Device = "cpu",
    threads: Threads = 1,
    resume: Resume = False,
    no_report: NoReport = False,
    quiet: Quiet = False,
    json: Json = False,
) -> int:
    """Draw fresh independent samples until a bound certifies every tolerance, and write a certificate."""
    from lem_safe.registry import load

    loaded = load(scenario, given(set_, seed=seed))
    from lem_safe.certificates.certify import certify as begin

    with open_progress(quiet or json) as progress:
        done = begin(
            loaded,
            out=out,
            budget=budget,
            device=device,
            threads=threads,
            resume=resume,
            progress=progress,
            with_report=not no_report,
        )
    say(done.to_json() if json else str(done))
    return done.exit_status
