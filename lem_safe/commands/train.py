"""`lem-safe train`."""

from pathlib import Path
from typing import Annotated

import typer

from lem_safe.commands.options import Quiet, ScenarioArgument, Set, given
from lem_safe.commands.outcome import open_progress, say_line


def train(
    scenario: ScenarioArgument,
    out: Annotated[Path | None, typer.Option("--out", help="A file to which the energy is copied.")] = None,
    set_: Set = None,
    quiet: Quiet = False,
) -> int:
    """Train only the energy of a scenario; a later run reuses it."""
    from lem_safe.registry import load
    from lem_safe.runs.learned_parts import train as trained

    loaded = load(scenario, given(set_))
    with open_progress(quiet) as progress:
        path = trained(loaded, out, progress)
    say_line(path)
    return 0
