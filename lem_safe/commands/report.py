"""`lem-safe report`."""

from pathlib import Path
from typing import Annotated

import typer

from lem_safe.commands.outcome import say
from lem_safe.faults import BadInput, Fault


def report(directory: Annotated[Path, typer.Argument(metavar="DIR", help="The directory of a finished run.")]) -> int:
    """Render a run's report.html and figures again, from its files alone."""
    from lem_safe.report import render

    if not (directory / "audit.json").is_file() or not (directory / "run.json").is_file():
        raise BadInput(Fault("holds no finished run (audit.json and run.json); give the directory of one", file=str(directory)))
    say(str(render(directory)))
    return 0
