"""`lem-safe train`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lem_safe.commands.many import in_job
from lem_safe.commands.options import Quiet, ScenarioArgument, Set, given
from lem_safe.commands.outcome import open_progress, say_line

if TYPE_CHECKING:
    from lem_safe.processes.group import Group


def train(
    scenario: ScenarioArgument,
    out: Annotated[Path | None, typer.Option("--out", help="A file to which the energy is copied.")] = None,
    set_: Set = None,
    quiet: Quiet = False,
) -> int:
    """Train only the energy of a scenario; a later run reuses it."""
    from lem_safe.registry import load
    from lem_safe.runs.learned_parts import train as trained

    def lead(group: "Group") -> int:
        loaded = load(scenario, given(set_))
        with open_progress(quiet) as progress:
            path = trained(loaded, out, progress, group)
        say_line(path)
        return 0

    return in_job("cpu", lead)
