"""How often the rows of a table break rules: exactly, and by more than a tolerance. Counted by the audit."""

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from barriers.tables import TableFormat
from lem_safe.auditing import audited
from lem_safe.auditor.opening import open_samples
from lem_safe.auditor.samples import Samples
from lem_safe.errors import BadInput, Fault
from lem_safe.registry import tables
from lem_safe.rule_files.converted import ANY, Converted
from lem_safe.scenario import Scenario, of_values


class Broken(NamedTuple):
    """How many rows break a rule as written, and by more than the tolerance; None where the rule has no such
    form. undefined: rows among them for which the rule has no value, as a cell is missing.
    """

    exactly: int | None
    within: int | None
    undefined: int


class Counts(NamedTuple):
    """broken: by the names of rules, and of any of them. rows: how many were read. dropped: rows that missed
    a value and were left out. unit: what was counted: a sample is a row.
    """

    broken: dict[str, Broken]
    rows: int
    dropped: int
    unit: str


class Data(NamedTuple):
    """A table of real rows. columns: names for one that has none of its own. form: what is known of its
    text.
    """

    path: Path
    form: TableFormat
    columns: Sequence[str] | None = None

    def opened(self) -> Samples:
        """The table, opened; BadInput where it cannot be read."""
        found = open_samples(self.path, None, self.form)
        return found if found.rows.columns else open_samples(self.path, self.columns, self.form)

    def names(self) -> list[str]:
        """The names of all its columns in file order, as rules write them; x0, x1, … where it has none."""
        rows = self.opened().rows
        return list(rows.columns or (f"x{i}" for i in range(rows.width)))


def counts(data: Data, exact: Converted, within: Converted) -> Counts:
    """One pass over the rows for the rules as written and the same rules under a tolerance."""
    prefixes = {"exactly": exact, "within": within}
    regions: dict[str, Any] = {}
    for prefix, converted in prefixes.items():
        own = converted.unsafe()
        regions |= {_in(prefix, name): _renamed(spec, prefix) for name, spec in own.items()}
    derived = {**exact.rules.derived, **within.rules.derived}
    content = {"unsafe": regions, "constraints": [{"set": name, "beta": 0} for name in regions]}
    opened = data.opened()
    width = opened.rows.width if opened.columns is None else None
    whole = content | ({"derived": derived} if derived else {})
    scenario = _scenario(whole, exact.file, opened.columns, width)
    named = list(opened.rows.columns or ()) or None
    report = audited(data.path, scenario, None, columns=named, form=data.form).report
    found = {c.set: c for c in report.constraints}
    broken = {}
    for name in within.unsafe():
        sets = [found.get(_in(prefix, name)) for prefix in prefixes]
        inside = [None if c is None else c.violations for c in sets]
        undefined = max(c.undefined for c in sets if c is not None)
        broken[name] = Broken(inside[0], inside[1], undefined)
    return Counts(broken, report.samples, report.dropped or 0, report.unit)


def must_load(converted: Converted) -> None:
    """Refuses rules that are no scenario together, as where one takes a column for text and another one for a
    number: BadInput.
    """
    content = {key: value for key, value in converted.content().items() if key not in ("version", "name")}
    _scenario(content, converted.file, None, None)


def _scenario(
    content: dict[str, Any], file: str, columns: Sequence[str] | None, width: int | None
) -> Scenario:
    """The scenario of these values; BadInput with what the file of rules must be told."""
    try:
        return of_values(content, tables(), columns, width, who=file)
    except BadInput as bad:
        raise BadInput(_once(bad.faults)) from None


def _in(prefix: str, name: str) -> str:
    return f"{prefix} {name}"


def _once(faults: Sequence[Fault]) -> list[Fault]:
    """Faults of the rules as the file names them, each once though there are two of each rule."""
    told: dict[str, Fault] = {}
    for fault in faults:
        key = re.sub(r"^unsafe\.((exactly|within) )?", "", fault.key or "")
        told.setdefault(key, replace(fault, key=key or None))
    return list(told.values())


def _renamed(spec: dict[str, Any], prefix: str) -> dict[str, Any]:
    """A region with the names of others as they are called here."""
    return {"any": [_in(prefix, name) for name in spec["any"]]} if "any" in spec else spec


__all__ = ["ANY", "Broken", "Counts", "Data", "counts", "must_load"]
