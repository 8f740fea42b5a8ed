"""What a value that a scenario gives of a column of a table stands for: a code, or a stretch of latent
numbers (E.30).
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

from barriers.arrays import torch
from barriers.sets import SpecificationError
from barriers.tables import ticks_of
from lem_safe.data.typed import Codec, Field


class GivenValue(NamedTuple):
    """A column by its place, and what all samples have there: `code`, at the place `choice` among the columns
    with codes, where it has a choice; `value`, of an ordered column where it is no code.
    """

    column: int
    choice: int | None
    code: int
    value: float | None


def given_value(codec: Codec, columns: Sequence[str], name: str, value: Any) -> GivenValue:
    """What a given value stands for; SpecificationError where the column cannot have it."""
    if name not in columns:
        raise SpecificationError(f"no column is named '{name}'; the columns are {', '.join(columns[:12])}")
    j = list(columns).index(name)
    field = codec.fields[j]
    if field.formula or field.base:
        how = f"computed as {field.formula}" if field.formula else f"modelled relative to {field.base}"
        raise SpecificationError(
            f"is {how}, and samples are drawn with given values of columns that have a number or a code of "
            "their own; give others, or make a rule of it"
        )
    choice = codec.choosing.index(j) if j in codec.choosing else None
    code = _code(field, value)
    if code is not None:
        return GivenValue(j, choice, code, None)
    if value is None:
        raise SpecificationError(f"no cell of '{name}' is missing; got null")
    if not field.moves:
        shown = [repr(field.text(atom)) for atom in field.atoms[:12]] + ["null"] * field.gaps
        raise SpecificationError(f"can be one of {', '.join(shown)}; got {value!r}")
    return GivenValue(j, choice, len(field.atoms), _ordered(field, value))


def _code(field: Field, value: Any) -> int | None:
    """The code of a missing cell, a category or a value that many rows share; None of any other."""
    if value is None:
        return field.codes - 1 if field.gaps else None
    text = str(value).lower() if isinstance(value, bool) else str(value)
    for k, atom in enumerate(field.atoms):
        own = field.text(atom)
        same = own == text or (isinstance(value, bool) and own.lower() == text)
        if same or (field.kind in ("number", "integer") and _number(value) == atom):
            return k
    return None


def _ordered(field: Field, value: Any) -> float:
    """A value of an ordered column, within its range and on its grid; SpecificationError for any other."""
    found = ticks_of(str(value)) if field.kind == "date" else _number(value)
    if found is None:
        what = "a date, such as 2021-03-01" if field.kind == "date" else "a number"
        raise SpecificationError(f"must be {what}; got {value!r}")
    if not field.low <= found <= field.high:
        ends = f"from {field.text(field.low)} to {field.text(field.high)}"
        way = "widen the range with data.columns, or give another value"
        raise SpecificationError(f"is outside the column's range, {ends}; {way}; got {value}")
    written = float(field.rounded(torch.tensor([found], dtype=torch.float64))[0])
    if abs(written - found) > 1e-9 * max(1.0, abs(found)):
        raise SpecificationError(f"is written as {field.text(written)} in this column; got {value}")
    return written


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
