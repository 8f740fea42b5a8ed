"""`lem-safe compare`."""

from pathlib import Path
from typing import Annotated

import typer

from lem_safe.commands.options import Json, Out, Quiet, ScenarioArgument, Set, given
from lem_safe.commands.outcome import open_progress, say
from lem_safe.escaping import on_one_line

Filters = Annotated[
    str | None,
    typer.Option(
        "--filters",
        metavar="none,step,...",
        help="The filters to compare; by default all of them, and the scenario's own. chain "
        "means the chain in the scenario.",
    ),
]
Seeds = Annotated[
    int,
    typer.Option(
        "--seeds",
        min=1,
        help="The number of seeds for starts and noise, counted from the scenario's seed.",
    ),
]


def compare(
    scenario: ScenarioArgument,
    filters: Filters = None,
    seeds: Seeds = 1,
    set_: Set = None,
    out: Out = None,
    quiet: Quiet = False,
    json: Json = False,
) -> int:
    """Run all filters and baselines on one scenario with the same seeds: one table, one picture."""
    import json as printer

    from lem_safe.comparison.compare import compare as compared
    from lem_safe.comparison.compare import must_be_known
    from lem_safe.registry import load
    from lem_safe.run_directory import fresh_under, only_writer

    loaded = load(scenario, given(set_))
    chosen = [name.strip() for name in filters.split(",") if name.strip()] if filters is not None else None
    if chosen is not None:
        must_be_known(chosen, loaded)
    place = out if out is not None else fresh_under(Path("runs"), f"compare-{loaded.name}")
    with open_progress(quiet or json) as progress, only_writer(place):
        found = compared(loaded, chosen, seeds=seeds, out=place, progress=progress)
    page = on_one_line(place / "compare.html")
    say(printer.dumps(found.to_dict(), indent=2) if json else f"{found}\n\n{page}")
    return 0
