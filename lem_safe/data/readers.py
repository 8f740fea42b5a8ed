"""What one file holds of a table: an array and the names in it, by the file's ending.

Nothing pickled is ever loaded.
"""

import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from barriers.tables import TEXT, TableFormat, kind_of, only_of_text
from lem_safe.data.csv_text import read_csv
from lem_safe.data.names import chosen_among, expected_among, identifiers
from lem_safe.data.parquet import cast_to_float64, must_be_numbers
from lem_safe.errors import BadInput, Fault
from lem_safe.inputs import must_fit

Raw = tuple[NDArray[Any], Sequence[str] | None]
"""What a reader finds in a file: an array, and column names as written or None."""


def raw_rows(
    path: Path, columns: Sequence[str] | None, form: TableFormat, expected: Sequence[str] | None
) -> Raw:
    """What one file holds, of the chosen columns where it has names; raises BadInput for what is no table."""
    kind = kind_of(path)
    reader = READERS.get(kind)
    if reader is None:
        raise BadInput(
            Fault(f"'{path.suffix}' is not a table this reads; use one of {', '.join(READERS)}", str(path))
        )
    if form.of_text and kind not in TEXT:
        raise BadInput(Fault(only_of_text(form, kind), str(path)))
    must_fit(path, "check the path (a scenario's paths are relative to the scenario)")
    try:
        return reader(path, columns, form, expected)
    except PermissionError as error:
        raise BadInput(Fault("cannot be read: permission denied", str(path))) from error


def _read_npy(
    path: Path, columns: Sequence[str] | None, form: TableFormat, expected: Sequence[str] | None
) -> Raw:
    array = _numpy(path)
    return array, None


def _read_npz(
    path: Path, columns: Sequence[str] | None, form: TableFormat, expected: Sequence[str] | None
) -> Raw:
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
    written = [str(name) for name in names]
    if columns is None or x.ndim != 2 or len(written) != x.shape[1]:
        return x, written
    kept = chosen_among(columns, written, str(path))
    return x[:, kept], [written[i] for i in kept]


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


def _read_parquet(
    path: Path, columns: Sequence[str] | None, form: TableFormat, expected: Sequence[str] | None
) -> Raw:
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError:
        raise BadInput(
            Fault("reading .parquet needs pyarrow: pip install 'lem-safe[data]'", str(path))
        ) from None
    try:
        with pq.ParquetFile(path) as file:
            names = file.schema_arrow.names
            keep = list(range(len(names)))
            if columns is not None:
                keep = chosen_among(columns, names, str(path))
            elif expected is not None:
                keep = expected_among(expected, names) or keep
            identifiers([names[i] for i in keep], str(path))
            table = file.read(columns=list(dict.fromkeys(names[i] for i in keep)))
    except (pa.ArrowException, OSError) as error:
        raise BadInput(Fault(f"cannot be read as parquet: {error}", str(path))) from None
    kept = [names[i] for i in keep]
    must_be_numbers([(name, table.schema.field(name).type) for name in kept], str(path))
    arrays = [cast_to_float64(table.column(name)) for name in kept]
    values = np.stack(arrays, 1) if arrays else np.empty((table.num_rows, 0))
    return values, kept


READERS: dict[str, Callable[[Path, Sequence[str] | None, TableFormat, Sequence[str] | None], Raw]] = {
    **dict.fromkeys(TEXT, read_csv),
    ".npz": _read_npz,
    ".npy": _read_npy,
    ".parquet": _read_parquet,
}
"""Every file a table can come from, by its extension."""
