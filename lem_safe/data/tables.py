"""Tables of numbers, from .csv, .npz, .npy and .parquet: every value finite, every column an identifier, or a
fault.

The same reader is used for training data and sample files. Nothing pickled is ever loaded.
"""

import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float64
from numpy.typing import NDArray

from barriers.tables import Unpaired, pair
from lem_safe.data.csv_text import read_csv
from lem_safe.data.names import chosen_among, identifiers, known
from lem_safe.data.parquet import cast_to_float64, must_be_numbers
from lem_safe.errors import BadInput, Fault
from lem_safe.inputs import must_fit

Raw = tuple[NDArray[Any], Sequence[str] | None]
"""What a reader returns of a file: an array, and column names as written or None."""


@dataclass(frozen=True)
class Table:
    """n rows of d finite numbers.

    columns: their names, None where the file has none. notes: the reader's changes, in words (a renamed
    column, for example).
    """

    values: Float64[np.ndarray, "n d"]
    columns: tuple[str, ...] | None
    notes: tuple[str, ...] = ()

    def select(self, columns: Sequence[str]) -> "Table":
        """The table of these columns, in this order; a BadInput for a name that is not there."""
        if self.columns is None:
            raise BadInput(
                f"columns {list(columns)} were asked for, but the data has no column names; add a header"
            )
        known(columns, self.columns)
        if len(set(columns)) < len(columns):
            raise BadInput(f"columns {list(columns)} name one column twice; name each once")
        return Table(self.values[:, [self.columns.index(c) for c in columns]], tuple(columns), self.notes)


def read_table(
    path: str | Path,
    columns: Sequence[str] | None = None,
    header: bool | None = None,
    expected: Sequence[str] | None = None,
) -> Table:
    """The table in a file; with `columns`, only those are read and checked, so others may contain text or
    gaps.

    header: whether the first line of a .csv is names; by default detected, and refused where ambiguous
    (`barriers.tables.first_row`), unless it contains all of the `expected` names. .npz contains the array `x`
    and may contain `columns`, an array of names.
    """
    path = Path(path)
    reader = READERS.get(path.suffix.lower())
    if reader is None:
        raise BadInput(
            Fault(f"'{path.suffix}' is not a table this reads; use one of {', '.join(READERS)}", str(path))
        )
    if header is not None and reader is not read_csv:
        raise BadInput(
            Fault(
                f"header is for a .csv, whose first line may be names; a {path.suffix} has none: leave it "
                "out",
                str(path),
            )
        )
    must_fit(path, "check the path (a scenario's paths are relative to the scenario)")
    try:
        values, raw = (
            read_csv(path, columns, header, expected) if reader is read_csv else reader(path, columns)
        )
    except PermissionError as error:
        raise BadInput(Fault("cannot be read: permission denied", str(path))) from error
    return checked(values, raw, str(path), columns)


def read_fitting(path: str | Path, expected: Sequence[str], header: bool | None = None) -> Table:
    """The table in a file with the expected columns, in that order: by name where the file has names, else by
    position.

    Raises BadInput where the names do not match. A wrong number of columns is for the caller to report.
    """
    table = read_table(path, header=header, expected=expected)
    return fitting(table, expected, str(path))


def fitting(table: Table, expected: Sequence[str], source: str) -> Table:
    """The expected columns of a table, like `read_fitting`."""
    if table.columns is not None and len(table.columns) < len(expected):
        return table
    try:
        pairing = pair(table.columns, expected)
    except Unpaired as bad:
        raise BadInput(Fault(str(bad), source)) from None
    return table if pairing is None else Table(table.values[:, pairing.order], tuple(expected), table.notes)


def checked(
    values: NDArray[Any], raw: Sequence[str] | None, source: str, columns: Sequence[str] | None = None
) -> Table:
    """The table of an array and its names as written; BadInput unless it is rows of finite numbers with
    distinct names.
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
    _finite(table, source)
    return table


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
        faults.append(
            Fault(f"column {name}: every value must be finite; {where}; drop or fill such rows", source)
        )
    raise BadInput(faults)


def _read_npy(path: Path, columns: Sequence[str] | None) -> Raw:
    array = _numpy(path)
    return array, None


def _read_npz(path: Path, columns: Sequence[str] | None) -> Raw:
    archive = _numpy(path)
    with archive:
        if "x" not in archive.files:
            found = ", ".join(f"'{name}'" for name in archive.files) or "nothing"
            raise BadInput(Fault(f"must hold its rows as the array 'x'; found {found}", str(path)))
        x = _guard(path, lambda: archive["x"])
        if "columns" not in archive.files:
            return x, None
        names = _guard(path, lambda: archive["columns"])
    if names.ndim != 1 or names.dtype.kind != "U":
        raise BadInput(
            Fault(f"'columns' must be a list of text; got {names.dtype} of shape {names.shape}", str(path))
        )
    return x, [str(name) for name in names]


def _numpy(path: Path) -> Any:
    loaded = _guard(path, lambda: np.load(path, allow_pickle=False))
    if isinstance(loaded, np.ndarray) != (path.suffix.lower() == ".npy"):
        raise BadInput(
            Fault(
                f"is not a {path.suffix} file inside; save it with numpy.save (.npy) or numpy.savez (.npz)",
                str(path),
            )
        )
    return loaded


def _guard(path: Path, load: Callable[[], Any]) -> Any:
    try:
        return load()
    except (ValueError, EOFError, zipfile.BadZipFile, OSError) as error:
        if isinstance(error, PermissionError):
            raise
        pickled = "pickle" in str(error).lower()
        why = (
            "holds pickled objects, which are never loaded; save plain numbers"
            if pickled
            else f"cannot be read: {error}"
        )
        raise BadInput(Fault(why, str(path))) from None


def _read_parquet(path: Path, columns: Sequence[str] | None) -> Raw:
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError:
        raise BadInput(
            Fault("reading .parquet needs pyarrow: pip install 'lem-safe[data]'", str(path))
        ) from None
    try:
        table = pq.read_table(path)
    except (pa.ArrowException, OSError) as error:
        raise BadInput(Fault(f"cannot be read as parquet: {error}", str(path))) from None
    names = table.column_names
    if columns is not None:
        keep = chosen_among(columns, names, str(path))
        table, names = table.select(keep), [names[i] for i in keep]
    must_be_numbers(
        [(name, column.type) for name, column in zip(names, table.columns, strict=True)], str(path)
    )
    arrays = [cast_to_float64(column) for column in table.columns]
    values = np.stack(arrays, 1) if arrays else np.empty((table.num_rows, 0))
    return values, names


READERS: dict[str, Callable[[Path, Sequence[str] | None], Raw]] = {
    ".csv": read_csv,
    ".npz": _read_npz,
    ".npy": _read_npy,
    ".parquet": _read_parquet,
}
"""Every file a table can come from, by its extension."""
