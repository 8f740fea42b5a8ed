"""`lem-safe report`."""

from pathlib import Path
from typing import Annotated

import typer

from lem_safe.commands.outcome import say_line
from lem_safe.errors import BadInput, Fault


def report(
    directory: Annotated[
        Path, typer.Argument(metavar="DIR", help="The directory of a finished run, or of an audit.")
    ],
) -> int:
    """Render report.html and its figures again, only from the files of a run or an audit."""
    from lem_safe.report import render

    if not (directory / "audit.json").is_file() or not any(
        (directory / name).is_file() for name in ("run.json", "shown.npz")
    ):
        what = (
            "holds no finished run (audit.json and run.json) and no audit (audit.json and shown.npz); "
            "give the directory of one"
        )
        raise BadInput(Fault(what, file=str(directory)))
    say_line(render(directory))
    return 0
