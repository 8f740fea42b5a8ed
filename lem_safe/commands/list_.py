"""`lem-safe list`."""

import sys
from enum import StrEnum
from typing import Annotated

import typer

from lem_safe.commands.outcome import say


class Listing(StrEnum):
    """What `lem-safe list` can list."""

    sets = "sets"
    energies = "energies"
    samplers = "samplers"
    filters = "filters"
    losses = "losses"
    networks = "networks"
    data = "data"
    surrogates = "surrogates"
    stops = "stops"
    formats = "formats"
    scenarios = "scenarios"


def list_(
    what: Annotated[
        Listing | None, typer.Argument(metavar="[WHAT]", help="The table to show; by default all of them.")
    ] = None,
) -> None:
    """Show what a scenario can name, and what each filter promises."""
    from rich.console import Console
    from rich.table import Table

    from lem_safe.authoring.listing import listing

    console = Console(width=None if sys.stdout.isatty() else 140, highlight=False, markup=False)
    for kind in [what] if what else list(Listing):
        heads, rows = listing(kind.value)
        table = Table(
            title=kind.value,
            title_justify="left",
            title_style="bold",
            box=None,
            pad_edge=False,
            padding=(0, 2, 0, 0),
        )
        for head in heads:
            table.add_column(head, overflow="fold", no_wrap=head in ("kind", "name", "format", "promise"))
        for row in rows:
            table.add_row(*row)
        with console.capture() as captured:
            console.print(table)
        say("\n".join(line.rstrip() for line in captured.get().splitlines()) + "\n")
