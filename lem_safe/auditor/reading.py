"""How the columns of some samples are read for the rules about them: which are text, dates or truth values,
which may be missing, which must hold whole numbers; and what was seen of them on the way.
"""

import difflib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from barriers.sets import Cells, Rule
from barriers.sets.column_names import column_names
from barriers.sets.meeting import Demands
from barriers.sets.usage import rules_in, usage_of
from barriers.tables import CellKind, Coder
from lem_safe.auditor.repeats import Few
from lem_safe.auditor.rows import Coders, Rows
from lem_safe.errors import BadInput, Fault

CATEGORIES = 997
SHOWN = 8
"""Values of a column that a remark lists."""


@dataclass(frozen=True)
class Unseen:
    """A text that a rule compares a column with and that never occurs in it. close: a value that does occur
    and is written alike; values: some that occur.
    """

    column: str
    value: str
    close: str | None
    values: tuple[str, ...]


@dataclass(frozen=True)
class Reading:
    """cells: what the columns are, by name. names, order: the columns that are read, and their positions in
    the file. coders: the reading of those that are no plain numbers, and of those that may be missing, by
    position. whole: the columns that a rule compares by ==, by their place in that order, with the name of
    the column and of the region.
    """

    cells: Cells = Cells()
    names: tuple[str, ...] = ()
    order: tuple[int, ...] = ()
    coders: Coders = field(default_factory=dict)
    whole: Mapping[int, tuple[str, str]] = field(default_factory=dict)

    @property
    def gaps(self) -> frozenset[int]:
        """The positions in the file of columns that may be missing."""
        return frozenset(i for i, coder in self.coders.items() if coder.gaps)

    @property
    def kinds(self) -> dict[str, str]:
        """What the columns that hold no numbers are, by name."""
        return {name: kind for name, kind in self.cells.kinds.items() if kind != "number"}

    def shown(self, values: Sequence[float]) -> tuple[str, ...] | None:
        """The cells of a row as a person reads them; None where all are plain numbers."""
        if not self.coders:
            return None
        plain = Coder("number")
        pairs = zip(self.order, values, strict=True)
        return tuple(self.coders.get(i, plain).shown(value) for i, value in pairs)

    def coarse(self, few: Few) -> Few:
        """Rows with small numbers for what has no order, as categories repeat naturally; 0 where a cell is
        missing.
        """
        if not self.coders:
            return few
        found = np.nan_to_num(few.values, nan=0.0)
        for place, i in enumerate(self.order):
            if i in self.coders and self.coders[i].kind == "text":
                found[:, place] %= CATEGORIES
        return few.merged(found)

    def unseen(self) -> tuple[Unseen, ...]:
        """The texts that rules name and that have not occurred in the rows read so far."""
        named = [
            (name, self.coders[i]) for name, i in zip(self.names, self.order, strict=True) if i in self.coders
        ]
        return tuple(
            _unseen(name, value, coder)
            for name, coder in named
            if coder.kind == "text"
            for value in sorted(coder.named - coder.seen)
        )


PLAIN = Reading()
"""All columns hold numbers."""


def reading_of(
    specs: Mapping[str, Any],
    derived: Mapping[str, str],
    names: Sequence[str],
    order: Sequence[int],
    *,
    rows: Rows,
    source: str,
) -> Reading:
    """How columns, by their names in rules and their positions in the file, are read for these regions.
    BadInput where a region other than a rule is over cells that are no numbers.
    """
    usage = usage_of(specs, names, derived)
    other = _places_of_others(specs, names, derived)
    for place in other:
        usage.sign(place, "number")
    held = dict(zip(usage.signs, rows.holds([order[i] for i in usage.signs]), strict=True))
    kinds: dict[str, CellKind] = usage.kinds(lambda i: held[i])
    cells = Cells(kinds, "known", derived)
    demands = _demands(specs, names, cells)
    every = [demand for found in demands.values() for demand in found]
    gaps = {i for demand in every for i in demand.gaps}
    coders = {}
    for i, name in enumerate(names):
        kind = cells.kinds.get(name, "number")
        named = {text for demand in every for text in demand.named.get(i, ())}
        if kind != "number" or i in gaps:
            coders[order[i]] = Coder(kind, named, i in gaps)
        if i in other and (kind != "number" or i in gaps):
            what = "may be missing" if kind == "number" else f"holds {kind} cells"
            raise BadInput(
                Fault(f"column '{name}' {what}, and a region that is no rule has no value there", source)
            )
    unused = [i for i in range(len(names)) if i not in usage.signs]
    for i, holding in zip(unused, rows.holds([order[i] for i in unused]), strict=True):
        if holding.kind in ("text", "date", "boolean"):
            kinds[names[i]] = holding.kind
            coders[order[i]] = Coder(holding.kind, (), True)
    whole = {
        i: (names[i], region) for region, found in demands.items() for demand in found for i in demand.whole
    }
    return Reading(cells, tuple(names), tuple(order), coders, whole)


def must_be_rules(specs: Mapping[str, Any], source: str) -> None:
    """Refuses `missing: keep` beside regions that are no rules: these have no value at a missing cell."""
    other = next(_leaves(list(specs.values())), None)
    if other is not None:
        what = f"missing: keep is for rules, and there is a region of kind '{other.get('kind')}'"
        raise BadInput(Fault(f"{what}, which has no value at a missing cell; write missing: drop", source))


def _demands(specs: Mapping[str, Any], names: Sequence[str], cells: Cells) -> dict[str, list[Demands]]:
    """What the rules of each region demand; those that cannot be built are told where they are."""
    found: dict[str, list[Demands]] = {}
    for region, spec in specs.items():
        for rule in rules_in(spec):
            given = {key: value for key, value in rule.items() if key != "kind"}
            try:
                made = Rule(**given, columns=names, cells=cells)
            except (ValueError, TypeError):
                continue
            found.setdefault(region, []).append(made.demands)
    return found


def _places_of_others(specs: Mapping[str, Any], names: Sequence[str], derived: Mapping[str, str]) -> set[int]:
    """The places of the columns that regions other than rules are over."""
    found: set[int] = set()
    for leaf in _leaves(list(specs.values())):
        used = column_names(leaf, specs, derived)
        found |= set(range(len(names))) if used is None else {names.index(n) for n in used if n in names}
    return found


def _leaves(spec: Any) -> Iterator[Mapping[str, Any]]:
    """Every region in a specification that is no rule and not joined from others by any, all or not."""
    match spec:
        case {"any": parts} | {"all": parts} | {"not": parts}:
            yield from _leaves(parts)
        case [*parts]:
            for part in parts:
                yield from _leaves(part)
        case {"kind": kind} if kind != "rule":
            yield spec


def _unseen(column: str, value: str, coder: Coder) -> Unseen:
    values = coder.values()
    folded = {other.casefold(): other for other in values}
    close = difflib.get_close_matches(value.casefold(), folded, 1, 0.6)
    return Unseen(column, value, folded[close[0]] if close else None, tuple(values[:SHOWN]))
