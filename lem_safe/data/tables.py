"""Tables of numbers, from text (.csv, .tsv, .txt, ...), .npz, .npy and .parquet, in one file or several:
every value finite, every column an identifier, or a fault.

The same reader is used for training data and sample files. Nothing pickled is ever loaded.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float64
from numpy.typing import NDArray

from barriers.tables import TableFormat, Unpaired, number, pair
from lem_safe.data.names import identifiers, known
from lem_safe.data.parts import Part, in_parts, must_be_alike, parts_of
from lem_safe.data.readers import Raw, raw_rows
from lem_safe.errors import BadInput, Fault


@dataclass(frozen=True)
class Table:
    """n rows of d finite numbers.

    columns: their names, None where the file has none. notes: the reader's changes, in words (a renamed
    column, for example). dropped: the number of rows left out because they missed a value.
    """

    values: Float64[np.ndarray, "n d"]
    columns: tuple[str, ...] | None
    notes: tuple[str, ...] = ()
    dropped: int = 0

    def select(self, columns: Sequence[str]) -> "Table":
        """The table of these columns, in this order; a BadInput for a name that is not there."""
        if self.columns is None:
            raise BadInput(
                f"columns {list(columns)} were asked for, but the data has no column names; add a header"
            )
        known(columns, self.columns)
        if len(set(columns)) < len(columns):
            raise BadInput(f"columns {list(columns)} name one column twice; name each once")
        return replace(
            self, values=self.values[:, [self.columns.index(c) for c in columns]], columns=tuple(columns)
        )


def read_table(
    path: str | Path,
    columns: Sequence[str] | None = None,
    header: bool | None = None,
    expected: Sequence[str] | None = None,
    form: TableFormat | None = None,
) -> Table:
    """The table in a file, a directory or a pattern; with `columns`, only those are read and checked, so
    others may contain text or gaps.

    header: whether the first line of text is names; by default detected, and refused where ambiguous
    (`barriers.tables.first_row`), unless it contains all of the `expected` names. form: that, and what else
    is known of the file. .npz contains the array `x` and may contain `columns`, an array of names.
    """
    path, form = Path(path), form or TableFormat(header=header)
    if in_parts(path):
        parts = parts_of(path)
        values, raw = _joined(parts, [_of_part(part, columns, form, expected) for part in parts])
    else:
        values, raw = raw_rows(path, columns, form, expected)
    return checked(values, raw, str(path), columns if raw is None else None, form)


def _joined(parts: Sequence[Part], read: Sequence[Raw]) -> Raw:
    """The rows of several files one after the other, columns by name as in the first; BadInput where one has
    others.
    """
    must_be_alike(
        [part.path for part in parts], [own for _, own in read], [values.shape[-1] for values, _ in read]
    )
    names = read[0][1]
    arrays = [
        values if own is None or names is None else values[:, [list(own).index(name) for name in names]]
        for values, own in read
    ]
    return np.concatenate(arrays), names


def _of_part(
    part: Part, columns: Sequence[str] | None, form: TableFormat, expected: Sequence[str] | None
) -> Raw:
    """What one file of several holds, with the columns that its folders give it behind its own."""
    wanted = columns or expected
    from_folders = [name for name in part.folders if wanted is None or name in wanted]
    own = None if columns is None else [name for name in columns if name not in part.folders]
    values, names = raw_rows(part.path, own, form, expected)
    if names is None or not from_folders:
        return values, names
    added = [np.full((len(values), 1), _number_of(part, name)) for name in from_folders]
    whole, every = np.concatenate([values, *added], 1), [*names, *from_folders]
    if own is None or columns is None:
        return whole, every
    order = [every.index(name) if name in from_folders else own.index(name) for name in columns]
    return whole[:, order], [every[i] for i in order]


def _number_of(part: Part, name: str) -> float:
    value = number(part.folders[name])
    if value is None:
        message = f"column '{name}' must hold numbers; its folder says '{part.folders[name]}'"
        raise BadInput(Fault(f"{message}; choose others with columns:", str(part.path)))
    return value


def read_fitting(
    path: str | Path,
    expected: Sequence[str],
    header: bool | None = None,
    form: TableFormat | None = None,
) -> Table:
    """The table in a file with the expected columns, in that order: by name where the file has names, else by
    position.

    Raises BadInput where the names do not match. A wrong number of columns is for the caller to report.
    """
    table = read_table(path, header=header, expected=expected, form=form)
    return fitting(table, expected, str(path))


def fitting(table: Table, expected: Sequence[str], source: str) -> Table:
    """The expected columns of a table, like `read_fitting`."""
    if table.columns is not None and len(table.columns) < len(expected):
        return table
    try:
        pairing = pair(table.columns, expected)
    except Unpaired as bad:
        raise BadInput(Fault(str(bad), source)) from None
    if pairing is None:
        return table
    return replace(table, values=table.values[:, pairing.order], columns=tuple(expected))


def checked(
    values: NDArray[Any],
    raw: Sequence[str] | None,
    source: str,
    columns: Sequence[str] | None = None,
    form: TableFormat | None = None,
) -> Table:
    """The table of an array and its names as written; BadInput unless it is rows of finite numbers with
    distinct names. Rows that miss a value are left out where `form` says so.
    """
    if values.dtype.kind not in "fiub":
        raise BadInput(Fault(f"must hold real numbers; got an array of {values.dtype}", source))
    if values.ndim != 2:
        hint = "; one column is shape (n, 1)" if values.ndim == 1 else ""
        raise BadInput(
            Fault(
                f"must be a table of n rows and d columns; got an array of shape {values.shape}{hint}", source
            )
        )
    if 0 in values.shape:
        raise BadInput(Fault(f"has no rows or no columns; got shape {values.shape}", source))
    names, notes = (None, ()) if raw is None else identifiers(raw, source)
    if names is not None and len(names) != values.shape[1]:
        raise BadInput(Fault(f"has {len(names)} column names for {values.shape[1]} columns", source))
    table = Table(np.ascontiguousarray(values, dtype=np.float64), names, notes)
    if columns is not None:
        try:
            table = table.select(columns)
        except BadInput as error:
            raise BadInput([Fault(f.message, source) for f in error.faults]) from None
    if form is not None and form.missing == "drop":
        table = _without_gaps(table, source)
    _finite(table, source)
    return table


def _without_gaps(table: Table, source: str) -> Table:
    gaps = np.isnan(table.values).any(1)
    if gaps.all():
        raise BadInput(Fault("every row misses a value; choose other columns with columns:", source))
    return replace(table, values=table.values[~gaps], dropped=int(gaps.sum()))


def _finite(table: Table, source: str) -> None:
    bad = ~np.isfinite(table.values)
    if not bad.any():
        return
    faults = []
    for j in np.flatnonzero(bad.any(0)):
        row = int(np.flatnonzero(bad[:, j])[0])
        name = f"'{table.columns[j]}'" if table.columns else str(j)
        count = int(bad[:, j].sum())
        where = f"row {row + 1} is {table.values[row, j]}" + (
            f", the first of {count} rows" if count > 1 else ""
        )
        way = "fill or remove such rows"
        if np.isnan(table.values[:, j]).any():
            way += ", or leave out those that miss a value with missing: drop"
        faults.append(Fault(f"column {name}: every value must be finite; {where}; {way}", source))
    raise BadInput(faults)
