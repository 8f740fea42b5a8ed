"""How a file's columns are matched with the scenario's, and the meaning of other columns."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from barriers.sets.column_names import names_among, rule_names
from barriers.sets.derived import beside, missing_in, of_columns
from barriers.tables import Unpaired, by_position, defaults, folded, identifier, listed, pair
from lem_safe.auditor.reading import PLAIN, Reading, must_be_rules, reading_of
from lem_safe.auditor.rows import BLOCK
from lem_safe.auditor.samples import UNITS, Block, Marked, Samples, Unit
from lem_safe.data.names import UNNAMED, base_of
from lem_safe.errors import BadInput, Fault

MARKS = ("coupled", "tuned")
"""Members of an .npz that describe all its rows."""


class Match(NamedTuple):
    """How a file's columns become the scenario's. order: the positions in the file; names: the names that
    rules may use.
    """

    order: list[int]
    names: tuple[str, ...]
    how: str
    """By name, or by position where the samples or the scenario have no names of their own."""
    unit: Unit
    unit_column: int | None
    detail: str = ""
    """The matching in words; empty where the names are equal."""
    reading: Reading = PLAIN
    """How the columns are read."""

    def blocks(self, samples: Samples, size: int = BLOCK) -> Iterator[Block]:
        """The rows in file order, in the scenario's columns."""
        return samples.blocks(self.order, self.unit_column, size, self.reading)

    def marked(self, samples: Samples, size: int = BLOCK) -> Iterator[Marked]:
        """The same, without leaving out a row."""
        return samples.marked(self.order, self.unit_column, size, self.reading)


def match_columns(
    samples: Samples,
    columns: Sequence[str] | None,
    specs: Mapping[str, Any],
    derived: Mapping[str, str] | None = None,
) -> Match:
    """Which column of the samples is which of the scenario's, the names that rules may use, the column that
    numbers the units, and how the cells are read. derived: expressions by name; where the samples have a
    column of such a name, a rule about it is about the column's cells.
    """
    derived = derived or {}
    found = _matched(samples, _there(samples, columns, derived), specs, derived)
    if samples.gaps == "keep":
        must_be_rules(specs, samples.source)
    reading = reading_of(
        specs,
        beside(derived, found.names),
        found.names,
        found.order,
        rows=samples.rows,
        source=samples.source,
    )
    return found._replace(reading=reading)


def _matched(
    samples: Samples,
    columns: Sequence[str] | None,
    specs: Mapping[str, Any],
    derived: Mapping[str, str],
) -> Match:
    """The same, before the cells are looked at.

    Where the samples have names and all of the scenario's are among them, in any order, case and punctuation,
    columns are matched by name and further ones are ignored. Where one side has no names, by position, and a
    rule may use either name. Raises BadInput where both have names that do not match, where the number of
    columns differs, or where a name stands for different columns on the two sides.
    """
    unit, marker = samples.unit, samples.unit_column
    _must_be_plain(samples, columns or ())
    samples.rows.settle(columns)
    if marker is not None and columns and samples.rows.columns and samples.rows.columns[marker] in columns:
        marker = None  # a coordinate that happens to have this name
    if marker is not None and samples.rows.columns:
        unit = UNITS[samples.rows.columns[marker]]
    places = [i for i in range(samples.rows.width) if i != marker]
    own = tuple(samples.rows.columns[i] for i in places) if samples.rows.columns else None
    d = len(places)
    if not columns and own:
        columns = _named(specs, own, derived)
    expected = (
        tuple(columns) if columns else own if own and marker is not None else tuple(f"x{i}" for i in range(d))
    )
    own = _as_expected(own, expected)
    differs = _other_columns(samples, own, d, expected)
    try:
        pairing = pair(own, expected)
    except Unpaired as bad:
        few = d < len(expected)
        raise BadInput(
            [differs, Fault(str(bad), samples.source)] if few else Fault(str(bad), samples.source)
        ) from None
    if pairing is not None:
        return Match([places[i] for i in pairing.order], expected, pairing.how, unit, marker, pairing.detail)
    _must_have_names(samples, places, own)
    if d != len(expected):
        raise BadInput(differs)
    pairing = by_position(own, expected, places)
    names = _either(own or expected, expected, specs)
    return Match(places, names, pairing.how, unit, marker, pairing.detail)


def _there(
    samples: Samples, columns: Sequence[str] | None, derived: Mapping[str, str]
) -> Sequence[str] | None:
    """The scenario's columns without those that are derived and that samples with names do not have."""
    own = samples.rows.columns
    if not columns or own is None or defaults(own):
        return columns
    names = {folded(name) for name in own} | {folded(identifier(name)) for name in own}
    computed = of_columns(derived, columns).values()
    return [name for i, name in enumerate(columns) if i not in computed or folded(name) in names]


def _named(
    specs: Mapping[str, Any], own: tuple[str, ...], derived: Mapping[str, str]
) -> Sequence[str] | None:
    """The columns that regions name, and those that a column of a derived name, among them, is derived from;
    None where a region takes columns by position.
    """
    others = missing_in(derived, own)
    names = names_among(specs, own, others)
    if names is None:
        return None
    also = [rule_names({"where": text}, others) for name, text in derived.items() if name in names]
    held = {folded(name) for name in own}
    return list(dict.fromkeys([*names, *(n for new in also if held >= set(map(folded, new)) for n in new)]))


def _as_expected(own: tuple[str, ...] | None, expected: Sequence[str]) -> tuple[str, ...] | None:
    """The names there are; those that had to be changed for rules (2nd: x2nd, class: class_) as expected."""
    changed = {
        identifier(name): name
        for name in expected
        if folded(identifier(name)) != folded(name) and name not in (own or ())
    }
    return own if own is None else tuple(changed.get(name, name) for name in own)


def _other_columns(samples: Samples, own: tuple[str, ...] | None, d: int, expected: tuple[str, ...]) -> Fault:
    """The fault that the samples do not have the scenario's columns."""
    return Fault(
        f"has {d} column{'s' * (d != 1)}"
        + (f" ({listed(own)})" if own else "")
        + f", the scenario has {len(expected)} ({listed(expected)}); save those columns, one row per sample",
        samples.source,
    )


def _must_have_names(samples: Samples, places: Sequence[int], own: tuple[str, ...] | None) -> None:
    """Refuses a table with an unnamed column, or with two columns of the same name."""
    unnamed = next((i for i, name in zip(places, own or (), strict=False) if name.startswith(UNNAMED)), None)
    if unnamed is not None:
        raise BadInput(
            Fault(
                f"column {unnamed + 1} has no usable name; name it, or drop it (pandas: index=False)",
                samples.source,
            )
        )
    shared = next((name for name in own or () if base_of(name)), None)
    if shared is not None:
        number = shared.rpartition("_")[2]
        message = f"column names must differ; '{base_of(shared)}' is also column {number}'s; rename one"
        raise BadInput(Fault(message, samples.source))


def _either(own: Sequence[str], expected: Sequence[str], specs: Any) -> tuple[str, ...]:
    """For columns matched by position, the name that a rule uses, of either side."""
    text = " ".join(_strings(specs))
    words = {*re.findall(r"[^\W\d]\w*", text), *re.findall(r"`([^`]+)`", text)}
    words |= {identifier(word) for word in words}
    return tuple(
        theirs if {theirs, identifier(theirs)} & words and mine not in words else mine
        for mine, theirs in zip(own, expected, strict=True)
    )


def _must_be_plain(samples: Samples, columns: Sequence[str]) -> None:
    """Refuses columns of a table that seem to describe dependence and would otherwise be ignored silently."""
    if samples.rows.columns is None:
        return
    extra = [name for name in samples.rows.columns if name not in columns]
    units = [name for name in extra if name in UNITS]
    if len(units) > 1 and samples.members is None and samples.each is None:
        raise BadInput(Fault(f"numbers its rows' units twice, by {listed(units)}; keep one", samples.source))
    asked = {folded(name) for name in (*UNITS, *MARKS, *columns)}
    again = [name for name in extra if base_of(name) and folded(base_of(name)) in asked]
    if again:
        name = base_of(again[0])
        raise BadInput(
            Fault(f"has several columns '{name}'; rename all but one, or remove them", samples.source)
        )
    alike = [name for name in extra if name.strip().casefold() in (*UNITS, *MARKS) and name not in UNITS]
    if not alike:
        return
    name, meant = alike[0], alike[0].strip().casefold()
    way = (
        f"name it '{meant}' if it numbers each row's {UNITS[meant]}, else remove or rename it"
        if meant in UNITS
        else f"a table cannot say so: save an .npz with x and {meant}, or remove the column"
    )
    raise BadInput(Fault(f"has a column '{name}', which would be left out; {way}", samples.source))


def _strings(spec: Any) -> Iterable[str]:
    if isinstance(spec, str):
        yield spec
    elif isinstance(spec, Mapping):
        for value in spec.values():
            yield from _strings(value)
    elif isinstance(spec, Sequence):
        for value in spec:
            yield from _strings(value)
