"""The table of the gallery: the module of each entry, in the order of its pages."""

from typing import Any, Protocol, cast

from benchmarks.gallery import (
    around_what_came_later,
    behind_a_barrier,
    fair_posterior,
    impossible_cells,
    never_a_seven,
    nobodys_record,
    off_the_walls,
    pressure_vessel,
    rare_and_unsafe,
    rows_that_obey,
    welded_beam,
)
from benchmarks.gallery.row import Row


class Entry(Protocol):
    """What the module of an entry has. PROBLEM: it in a few words. HEADS: the measures that its table shows,
    in this order.
    """

    PROBLEM: str
    HEADS: tuple[str, ...]

    def measure(self) -> list[Row]:
        """The scenario, its samples without the filter, and what is used today, on the same thing; draws
        docs/pictures/gallery/NAME.png.
        """

    def notes(self, rows: dict[str, dict[str, Any]]) -> list[str]:
        """What the page says below the table, from the rows by their methods: what its columns mean."""

    def lacks(self) -> str | None:
        """What is not here without which it cannot be measured; None where everything is."""


ENTRIES: dict[str, Entry] = {
    module.NAME: cast(Entry, module)
    for module in (
        rows_that_obey,
        impossible_cells,
        nobodys_record,
        never_a_seven,
        around_what_came_later,
        welded_beam,
        pressure_vessel,
        off_the_walls,
        fair_posterior,
        rare_and_unsafe,
        behind_a_barrier,
    )
}
