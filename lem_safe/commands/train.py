"""`lem-safe train`."""

from pathlib import Path
from typing import Annotated

import typer

from lem_safe.commands.options import Quiet, ScenarioArgument
from lem_safe.commands.outcome import open_progress, say


def train(
    scenario: ScenarioArgument,
    out: Annotated[Path | None, typer.Option("--out", help="A file to copy the energy to.")] = None,
    quiet: Quiet = False,
) -> int:
    """Train a scenario's energy and nothing else; a later run reuses it."""
    from lem_safe.build import train as trained
    from lem_safe.catalogue import load

    loaded = load(scenario)
    progress, leave = open_progress(quiet)
    try:
        path = trained(loaded, out, progress)
    finally:
        leave()
    say(str(path))
    return 0
