"""What a scenario can name, as rows for readers: kind, description, origin, for a filter its promise, and for
a sampler the promises under it.
"""

from collections.abc import Callable
from typing import NamedTuple

from barriers.filters import FILTERS
from barriers.kinds import Entry, summary
from lem_safe.auditor.formats import FORMATS
from lem_safe.registry import TABLES, naming
from lem_safe.samplers import promise_under
from lem_safe.scenario import bundled_programs, bundled_scenarios, expected_verdict, first_sentence

Rows = tuple[list[str], list[list[str]]]


class Columns(NamedTuple):
    """The columns of a table of kinds: heads, and the cells of one kind besides its description."""

    heads: tuple[str, ...]
    cells: Callable[[str, str], list[str]]


def listing(what: str) -> Rows:
    """Heads and rows of one table: sets, energies, samplers, filters, losses, networks, data, surrogates,
    stops, formats or scenarios. A kind that cannot be used has a row with the reason.
    """
    if what == "scenarios":
        known = bundled_scenarios() | bundled_programs()
        return ["name", "expected verdict", "what it shows"], [
            [name, expected_verdict(path), first_sentence(path)] for name, path in known.items()
        ]
    if what == "formats":
        return ["format", "what it is"], [[name, summary(form)] for name, form in FORMATS.items()]
    table, columns = TABLES[what], COLUMNS.get(what, PLAIN)
    naming(table.names())
    members, refused = table.members, table.refusals()
    rows = []
    for kind in table.names():
        if kind in members:
            rows.append([kind, *columns.cells(kind, _described(members[kind]))])
        else:
            empty = [""] * len(columns.heads)
            empty[columns.heads.index("what it is")] = f"cannot be used: {refused[kind]}"
            rows.append([kind, *empty])
    for kind, origin in table.unused():
        empty = [""] * len(columns.heads)
        empty[columns.heads.index("what it is")] = (
            f"the kind of this name that {origin} offers is not used: lem-safe has one; rename it in the "
            "entry points of that distribution"
        )
        rows.append([kind, *empty])
    if what == "sets":
        rows += [
            ["any:", "The union of regions."],
            ["all:", "The intersection of regions."],
            ["not:", "The complement of a region."],
        ]
    return ["kind", *columns.heads], rows


def _described(entry: Entry) -> str:
    return f"{entry.summary} ({entry.origin})" if entry.origin else entry.summary


def _sampler(kind: str, said: str) -> list[str]:
    after, before = promise_under(kind, "gate"), promise_under(kind, "drift")
    return [after.scope, before.scope, said, before.because]


def _filter(kind: str, said: str) -> list[str]:
    promise = FILTERS[kind].promise
    return [promise.scope, said, promise.because]


PLAIN = Columns(("what it is",), lambda kind, said: [said])
COLUMNS = {
    "samplers": Columns(("under gate, step, reject", "under drift", "what it is", "because"), _sampler),
    "filters": Columns(("promise", "what it is", "because"), _filter),
}
"""Tables with additional columns."""
