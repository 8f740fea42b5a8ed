"""The well-formed parts of a scenario, and functions of one part: its files, the place of its dimension,
whether it is learned.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from barriers.regular_files import refusal
from barriers.sets import Cells
from barriers.sets.column_names import names_of_all, rule_names
from barriers.sets.derived import beside
from barriers.sets.usage import usage_of
from barriers.tables import Holding
from lem_safe.data.parts import in_parts
from lem_safe.scenario.key_path import KeyPath

Held = Callable[[int], Holding]
KEYS = ("energy", "sampler", "filter", "given", "derived", "shape")


class Parts:
    """The well-formed parts of a scenario by key path: `energy`, each penalty, region and constraint,
    `sampler`, `filter`, ...; runs: whether the scenario is to be run, or only to audit files with. holds:
    what each column of the table holds that the energy is learned from, where these are no plain numbers.
    """

    def __init__(self, values: Mapping[KeyPath, Any], runs: bool = True, holds: Held | None = None):
        self.values, self.runs, self.holds = values, runs, holds
        self._cells: dict[tuple[str, ...], Cells] = {}

    @property
    def derived(self) -> Mapping[str, str]:
        """Expressions by name."""
        return self.get("derived") or {}

    def columns_named(self) -> list[str]:
        """The columns that regions and derived names name."""
        regions = names_of_all(dict(self.under("unsafe")), self.derived) or []
        return list(dict.fromkeys([*regions, *rule_names(self.derived, self.derived)]))

    def cells(self, columns: Sequence[str]) -> Cells:
        """What is known of the cells of columns: a sampler's numbers, or what the rules say of a file's."""
        over = tuple(columns)
        derived = beside(self.derived, over)
        if self.runs and self.holds is None:
            return Cells(stage="measured", derived=derived)
        if over not in self._cells:  # asked for by every region, and made from all of them
            usage = usage_of(dict(self.under("unsafe")), over, derived)
            kinds = usage.kinds(self.holds or (lambda column: Holding(None)))
            if self.holds is not None:
                held = {name: self.holds(i).kind for i, name in enumerate(over)}
                kinds = {name: kind for name, kind in held.items() if kind is not None} | kinds
            self._cells[over] = Cells(kinds, "open" if self.holds is None else "known", derived)
        return self._cells[over]

    def by_name(self) -> dict[str, Any]:
        """The well-formed parts that rows of a table have a say in, by name."""
        whole = {name: self.get(name) for name in KEYS}
        lists = {name: [part for _, part in self.under(name)] for name in ("penalties", "constraints")}
        return {**whole, **lists, "unsafe": dict(self.under("unsafe"))}

    def get(self, *path: str | int) -> Any:
        return self.values.get(path)

    def under(self, name: str) -> Iterator[tuple[Any, Any]]:
        """(name or index, part) of every well-formed entry of a list or mapping, in file order."""
        return ((path[1], part) for path, part in self.values.items() if len(path) == 2 and path[0] == name)


def files_in(part: Any, path: KeyPath) -> Iterator[tuple[KeyPath, Path]]:
    """Every file that a part names, with its key."""
    if isinstance(part, Path):
        yield path, part
    elif isinstance(part, Mapping):
        for key, item in part.items():
            yield from files_in(item, (*path, key))
    elif isinstance(part, list):
        for i, item in enumerate(part):
            yield from files_in(item, (*path, i))


def may_be_parts(part: Any, path: KeyPath, where: KeyPath) -> bool:
    """Whether the path at `where`, inside a part that stands at `path`, is that of a table: it may be a
    directory of files, or a pattern.
    """
    *above, key = where[len(path) :] or ("",)
    for name in above:
        part = part[name]
    return key == "path" and isinstance(part, Mapping) and part.get("kind") == "file"


def there(part: Any, path: KeyPath) -> bool:
    """Whether every file that a part names can be read; a table's directory or pattern holds some."""
    for where, file in files_in(part, path):
        if refusal(file) is not None and not (may_be_parts(part, path, where) and in_parts(file)):
            return False
    return True


def trained_on_data(energy: Any) -> bool:
    """Whether an energy, or a term anywhere in it, is learned from rows."""
    if isinstance(energy, list):
        return any(trained_on_data(part) for part in energy)
    return isinstance(energy, Mapping) and (
        "data" in energy or any(trained_on_data(part) for part in energy.values())
    )


def longest_list(spec: Any, path: KeyPath) -> KeyPath:
    """The place of a region's dimension: its first list of numbers, else the region itself."""
    if isinstance(spec, Mapping):
        for key, value in spec.items():
            if isinstance(value, list) and value and all(isinstance(v, int | float) for v in value):
                return (*path, key)
    return path
