"""The table of a sweep, one row for each of its runs: as text, and as a page."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from lem_safe.formatting import percent
from lem_safe.scenario import Scenario, named
from lem_safe.templates import rendered

VERDICTS = {0: "passed", 1: "failed", 3: "numerical failure"}


@dataclass(frozen=True)
class Entry:
    """One combination: what it set, where its run is, its exit status, and its report's numbers (None where
    it failed numerically).
    """

    settings: Mapping[str, Any]
    directory: str
    status: int
    failure: str | None
    constraints: tuple[Mapping[str, Any], ...]


def table(entries: Sequence[Entry]) -> tuple[list[str], list[list[str]]]:
    """Heads and rows: a column for each swept key, then the result and, for each constraint, its fraction,
    its largest and its verdict.
    """
    keys = list(entries[0].settings) if entries else []
    sets = next(([c["set"] for c in entry.constraints] for entry in entries if entry.constraints), [])
    heads = [*keys, "result"]
    for name in sets:
        of = f" {name}" if len(sets) > 1 else ""
        heads += [f"found{of}", f"most over steps{of}", f"verdict{of}"]
    rows = []
    for entry in entries:
        cells = [named({key: value}).removeprefix(f"{key} = ") for key, value in entry.settings.items()]
        by_set = {c["set"]: c for c in entry.constraints}
        row = [*cells, VERDICTS.get(entry.status, str(entry.status))]
        for name in sets:
            c = by_set.get(name)
            row += (
                ["", "", ""]
                if c is None
                else [percent(c["fraction"]), percent(c["max_fraction_over_steps"]), str(c["verdict"])]
            )
        rows.append(row)
    return heads, rows


def page(scenario: Scenario, entries: Sequence[Entry]) -> str:
    """One self-contained page: the table, each row with a link to its run's own report."""
    keys = ", ".join(f"{key} ({len(values)})" for key, values in (scenario.sweep or {}).items())
    passed = sum(entry.status == 0 for entry in entries)
    tone, head = ("passed", "Passed") if passed == len(entries) else ("failed", "Not all passed")
    return rendered(
        "sweep.html.j2",
        "lem_safe.runs",
        title=f"{scenario.name}: sweep",
        tone=tone,
        head=head,
        lead=f"{passed} of {len(entries)} combinations passed; {len(scenario.variants)} planned. "
        f"Swept: {keys}.",
        note=(
            "Every row is a run of its own, judged like any other. All begin with the same seed, unless the "
            "seed is what is swept."
        ),
        **cells(entries, links=True),
    )


class Cell(NamedTuple):
    """One cell of the page: under a head that it repeats where a narrow page turns rows into cards."""

    head: str
    text: str
    link: str | None


def cells(entries: Sequence[Entry], *, links: bool) -> dict[str, Any]:
    """The heads and rows of the page's table."""
    heads, rows = table(entries)
    shown = []
    for entry, row in zip(entries, rows, strict=True):
        place = len(entry.settings)
        cells = [Cell(head, text, None) for head, text in zip(heads, row, strict=True)]
        if entry.failure is not None:
            cells[place] = cells[place]._replace(text=f"{row[place]}: {entry.failure}")
        elif links:
            cells[place] = cells[place]._replace(link=f"{entry.directory}/report.html")
        shown.append(cells)
    return {"heads": heads, "rows": shown}
