"""The fields of a table, those with a formula made fields that are computed."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from jaxtyping import Float64, Int64

from barriers.arrays import Tensor
from barriers.sets.derived import beside, needed, of_columns
from barriers.tables import listed
from lem_safe.data.typed.codec import Codec
from lem_safe.data.typed.computed import Computed, both
from lem_safe.data.typed.fields import Field
from lem_safe.data.typed.inference import FIRST, LAST, shape_of
from lem_safe.data.typed.settings import ColumnSettings, must_be_computable
from lem_safe.errors import BadInput, Fault


def must_suit(
    derived: Mapping[str, str], columns: Sequence[str], settings: Mapping[str, ColumnSettings], source: str
) -> None:
    """BadInput where something is said of a column that makes no sense as it is computed."""
    try:
        for j in of_columns(derived, columns).values():
            must_be_computable(columns[j], settings.get(columns[j], ColumnSettings()))
    except ValueError as bad:
        raise BadInput(Fault(f"derived: {bad}", source)) from None


def with_formulas(
    fields: Sequence[Field], derived: Mapping[str, str], settings: Mapping[str, ColumnSettings], source: str
) -> list[Field]:
    """The fields, those that `derived` names computed, and those that are said to be relative with their
    bases; BadInput where one cannot be.
    """
    columns = [field.name for field in fields]
    own, others = of_columns(derived, columns), beside(derived, columns)
    used = {word for name in own for word in needed(derived, name)}
    made = list(fields)
    for j, name in enumerate(columns):
        said = settings.get(name, ColumnSettings())
        if base := said.minus or said.over:
            inner = needed({**derived, "": base}, "")
            used |= set(inner)
            names = tuple((word, text) for word, text in inner.items() if word in others)
            made[j] = replace(made[j], base=base, ratio=said.over is not None, names=names)
    if idle := [name for name in others if name not in used]:
        message = f"'{idle[0]}' is no column, and no column is computed from it; the columns are "
        raise BadInput(Fault(f"derived: {message}{listed(columns)}", source))
    try:
        for name, j in own.items():
            inner = needed(derived, name)
            names = tuple((word, text) for word, text in inner.items() if word in others)
            made[j] = _computed(fields[j], derived[name], names)
        return _with_gaps(made)
    except ValueError as bad:
        raise BadInput(Fault(f"derived: {bad}" if own else str(bad), source)) from None


def with_bases(
    codec: Codec, cells: Sequence[Float64[Tensor, "n"]], numbers: Int64[np.ndarray, "n"], source: str
) -> list[Field]:
    """The fields, those with a base fitted to the differences from it, or to the shares of it; BadInput where
    a row that has the cell has none. numbers: of the rows in their file, from 1.
    """
    made = list(codec.fields)
    for j, field in enumerate(codec.fields):
        if not field.base:
            continue
        u, there = codec.computed.relative(j, cells).numpy(), ~cells[j].isnan().numpy()
        if (wrong := there & ~np.isfinite(u)).any():
            row, what = int(numbers[wrong.argmax()]), "over" if field.ratio else "minus"
            message = f"column '{field.name}' {what} {field.base} has no value in row {row}; leave {what} out"
            raise BadInput(Fault(message, source))
        unique, counts = np.unique(u[there], return_counts=True)
        atoms, knots = shape_of(unique, counts, None, linear=field.linear)
        made[j] = replace(field, atoms=atoms, knots=knots)
    return made


def _computed(field: Field, formula: str, names: tuple[tuple[str, str], ...]) -> Field:
    """A field without a latent number and codes, whose values are what its formula gives."""
    low, high = (FIRST, LAST) if field.kind == "date" else (float("-inf"), float("inf"))
    return replace(both(field), atoms=(), knots=None, low=low, high=high, formula=formula, names=names)


def _with_gaps(fields: Sequence[Field]) -> list[Field]:
    """The fields, those marked as columns with gaps whose formula may have no value."""
    made = list(fields)
    for j in Computed(fields).order:
        if fields[j].formula and not Computed(made).total(j):
            made[j] = replace(made[j], gaps=True)
    return made
