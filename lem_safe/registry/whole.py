"""Rules that compare by == what the columns of a table do not hold: whole numbers."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from barriers.sets import Cells, Rule
from barriers.sets.meeting import TOLERANCE
from barriers.sets.usage import rules_in
from barriers.tables import Coder
from lem_safe.data.typed import Codec, Field


def not_whole(
    codec: Codec, columns: Sequence[str], unsafe: Mapping[str, Any], cells: Cells
) -> Iterator[tuple[str, str]]:
    """The regions with a rule that compares numbers with decimals by ==, and why that cannot be: an audit of
    what is written would refuse it. cells: what the columns are taken for.
    """
    for region, spec in unsafe.items():
        for rule in rules_in(spec):
            given = {key: value for key, value in rule.items() if key != "kind"}
            try:
                demanded = Rule(**given, columns=tuple(columns), cells=cells).demands.whole
            except (ValueError, TypeError):  # reported where it stands
                continue
            wrong = next((j for j in sorted(demanded) if not _whole(codec.fields[j])), None)
            if wrong is not None:
                yield (
                    region,
                    f"compares column '{columns[wrong]}', {_held(codec.fields[wrong])}, by ==; {TOLERANCE}",
                )
                break


def _whole(field: Field) -> bool:
    """Whether a column that is taken for numbers holds whole ones alone."""
    if field.kind == "category":
        found = [Coder("number").number(label) for label in field.labels]
        return all(value is None or value.is_integer() for value in found)
    if field.digits is not None and field.digits <= 0:
        return True
    return not (field.moves or field.formula) and all(atom.is_integer() for atom in field.atoms)


def _held(field: Field) -> str:
    if field.kind == "category" or field.digits is None:
        return "which holds other than whole numbers"
    return f"which has {field.digits} decimal{'s' * (field.digits > 1)}"
