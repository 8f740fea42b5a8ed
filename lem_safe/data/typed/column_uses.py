"""What the rules of a scenario take the columns of a table for, and the table's rows as they know them."""

from collections.abc import Mapping, Sequence
from typing import Any

from barriers.sets.backticks import place_of
from barriers.sets.column_names import column_names
from barriers.sets.derived import beside
from barriers.sets.expression import FUNCTIONS
from barriers.sets.sides import CONSTANTS, TRUTHS
from barriers.sets.usage import usage_of
from barriers.tables import CellKind, identifier
from lem_safe.data.typed.codec import Codec
from lem_safe.data.typed.coordinates import RowCoordinates


def kinds_of(
    codec: Codec, columns: Sequence[str], unsafe: Mapping[str, Any], derived: Mapping[str, str] | None
) -> dict[str, CellKind]:
    """What the rules of a scenario take the columns of a table for; by default categories are text."""
    own: dict[str, CellKind] = {"category": "text", "date": "date"}
    pairs = zip(columns, codec.fields, strict=True)
    known = {name: own[field.kind] for name, field in pairs if field.kind in own}
    return {**known, **usage_of(unsafe, columns, beside(derived, columns)).kinds(codec.holding)}


def coordinates_of(
    codec: Codec, columns: Sequence[str], unsafe: Mapping[str, Any], derived: Mapping[str, str] | None
) -> RowCoordinates:
    """The rows of a table as the regions over `columns`, its columns' names in the scenario, know them."""
    kinds = kinds_of(codec, columns, unsafe, derived)
    pairs = zip(columns, codec.fields, strict=True)
    return RowCoordinates(codec, {field.name: kinds[name] for name, field in pairs if name in kinds})


def about(
    told: RowCoordinates,
    names: Sequence[str],
    columns: Sequence[str],
    unsafe: Mapping[str, Any],
    derived: Mapping[str, str] | None,
) -> RowCoordinates:
    """The same coordinates, of the columns alone that the named regions are about."""
    others = beside(derived, columns)
    each = [column_names(unsafe[name], unsafe, others) for name in names]
    words = {*CONSTANTS, *FUNCTIONS, *TRUTHS}  # which names of columns may be, in a rule's text
    if not all(each) or any(identifier(column).lower() in words for column in columns):
        return told
    try:
        return told.about({place_of(column, columns) for used in each for column in used or ()})
    except ValueError:  # a name that only the region itself can tell
        return told
