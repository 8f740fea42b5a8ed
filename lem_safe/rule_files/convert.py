"""From a file of rules to a scenario, with the counts of real rows."""

from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

from lem_safe.errors import BadInput, Fault
from lem_safe.rule_files.converted import Converted
from lem_safe.rule_files.counts import Data, counts, must_load
from lem_safe.rule_files.reading import read_rules
from lem_safe.rule_files.rule_file import EXACT
from lem_safe.rule_files.table import Result

USUAL = Decimal("0.01")
"""The tolerance that PiShield checks with, counted beside the exact one where no other is asked for."""


def convert(
    path: Path,
    *,
    data: Data | None = None,
    columns: Sequence[str] | None = None,
    tolerance: Decimal = EXACT,
    beta: float = 0.0,
    out: Path | None = None,
) -> Result:
    """The rules of a file as a scenario to audit with, and how often the rows of `data` break them.

    columns: the names of the columns that a file numbers; by default those of the data. tolerance: by how
    much an inequality may be missed, in the units of its sides; at least 0. beta: the fraction of rows that
    may break each rule, 0 <= beta < 1. out: where the scenario is to be written, which the result names.
    Raises BadInput with every fault found.
    """
    _must_be_sound(columns, tolerance, beta)
    names = columns if columns is not None or data is None else data.names()
    source = "--columns" if columns is not None else str(data.path) if data is not None else ""

    def under(slack: Decimal) -> Converted:
        return Converted(read_rules(path, names, slack, source), path.name, slack, beta)

    converted, beside = under(tolerance), tolerance or USUAL
    place = None if out is None else str(out)
    must_load(converted)
    if data is None:
        return Result(converted, beside, out=place)
    found = counts(data, under(EXACT), under(beside))
    return Result(converted, beside, str(data.path), found, place)


def _must_be_sound(columns: Sequence[str] | None, tolerance: Decimal, beta: float) -> None:
    """Refuses options out of their range, and columns without a name or with one name."""
    faults = []
    if not (tolerance.is_finite() and 0 <= tolerance < Decimal("1e300")):
        faults.append(Fault(f"must be a number >= 0; got {tolerance}", key="--tolerance"))
    if not 0 <= beta < 1:
        faults.append(Fault(f"must satisfy 0 <= beta < 1; got {beta}", key="--beta"))
    for i, name in enumerate(columns or ()):
        if not name.strip() or name in list(columns or ())[:i]:
            what = "is there twice" if name.strip() else "has no name"
            faults.append(
                Fault(f"column {i} ('{name}') {what}; give each column a name of its own", key="--columns")
            )
    if faults:
        raise BadInput(faults)


__all__ = ["Data", "convert"]
