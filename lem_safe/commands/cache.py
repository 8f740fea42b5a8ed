"""`lem-safe cache`."""

from typing import Annotated

import typer

from lem_safe.commands.options import Json
from lem_safe.commands.outcome import say, say_line


def cache(
    clear: Annotated[
        bool,
        typer.Option(
            "--clear",
            help="Delete every trained energy and every timing of steps; the next run trains again.",
        ),
    ] = False,
    json: Json = False,
) -> int:
    """Show where trained energies are kept and how large they are, or delete them."""
    from json import dumps

    from lem_safe.authoring.timings import Timings
    from lem_safe.files import CACHE_VARIABLE, default_cache
    from lem_safe.training.cache import cached
    from lem_safe.training.cache import clear as cleared

    place = default_cache()
    found = cached(place)
    size = sum(one.bytes for one in found)
    unfinished = sum(not one.finished for one in found)
    if clear:
        cleared(place)
        Timings.here().forget()
    if json:
        facts = {"directory": str(place), "energies": len(found), "bytes": size, "unfinished": unfinished}
        say(dumps({**facts, "cleared": clear}, indent=2))
        return 0
    many = f"{len(found):,} trained energ{'y' if len(found) == 1 else 'ies'}, {size / 1e6:,.1f} MB"
    begun = f" ({unfinished:,} with an unfinished training)" if unfinished else ""
    say_line(f"{place}: {many}{begun}{', deleted' if clear and found else ''}")
    if not clear:
        say(f"lem-safe cache --clear deletes them; the variable {CACHE_VARIABLE} sets another directory.")
    return 0
