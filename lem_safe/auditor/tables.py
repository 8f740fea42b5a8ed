"""CSV and Parquet as rows, a block at a time. Where a block of CSV holds something else than numbers, the whole file is read the slow
way, which names every offending cell.
"""

import csv
import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lem_safe.auditor.rows import Rows, must_be_file
from lem_safe.data.csv_text import is_number
from lem_safe.data.names import identifiers
from lem_safe.data.tables import read_table
from lem_safe.faults import BadInput, Fault

SEPARATORS = {";": "';'", "\t": "tabs", "|": "'|'"}
"""What a spreadsheet may have written between columns instead of commas, and what to call it."""


def open_csv(path: Path) -> Rows:
    """The rows of comma-separated numbers, with a header unless the first line is all numbers."""
    must_be_file(path)
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            filled = ((i, cells) for i, cells in enumerate(csv.reader(file)) if cells)
            skipped, first = next(filled, (0, []))
            second = next(filled, (0, first))[1]
    except (UnicodeDecodeError, csv.Error):
        first = []
    if not first:
        _refuse(path)
    other = next((mark for mark in SEPARATORS if len(first) == 1 and mark in first[0] and mark in ",".join(second)), None)
    if other is not None:
        raise BadInput(
            Fault(
                f"seems to separate its columns by {SEPARATORS[other]}; save it with commas between columns, and points in decimals",
                str(path),
            )
        )
    named = not all(is_number(cell) for cell in first)
    columns = identifiers(first, str(path))[0] if named else None
    width, start = len(first), skipped + named

    def stream(chosen: Sequence[int], size: int) -> Iterator[NDArray[Any]]:
        read = 0
        for lines in _lines(path, start, size):
            block = _numbers(lines, width, chosen)
            if block is None:  # read_table says what is wrong, or reads what only it can
                names = None if columns is None else [columns[i] for i in chosen]
                table = read_table(path, names)
                rest = table.values[read:] if names is not None else table.values[read:, list(chosen)]
                yield from (rest[i : i + size] for i in range(0, len(rest), size))
                return
            read += len(block)
            if len(block):
                yield block
        if not read:
            _refuse(path)

    return Rows(None, width, columns, stream)


def open_parquet(path: Path) -> Rows:
    """The rows of a Parquet file, of which only the chosen columns are read."""
    must_be_file(path)
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError:
        raise BadInput(Fault("reading .parquet needs pyarrow: pip install 'lem-safe[data]'", str(path))) from None
    try:
        with pq.ParquetFile(path) as file:
            schema, count = file.schema_arrow, file.metadata.num_rows
    except (pa.ArrowException, OSError) as error:
        raise BadInput(Fault(f"cannot be read as parquet: {error}", str(path))) from None
    if not count or not schema.names:
        raise BadInput(Fault(f"holds no samples: {count} rows of {len(schema.names)} columns", str(path)))

    def stream(chosen: Sequence[int], size: int) -> Iterator[NDArray[Any]]:
        kinds = [(schema.names[i], schema.types[i]) for i in chosen]
        numeric = (pa.types.is_integer, pa.types.is_floating, pa.types.is_boolean)
        faults = [
            Fault(f"column '{name}' must hold numbers; got {kind}", str(path))
            for name, kind in kinds
            if not any(f(kind) for f in numeric)
        ]
        if faults:
            raise BadInput(faults)
        try:
            with pq.ParquetFile(path, pre_buffer=False, buffer_size=1 << 20) as file:  # or memory grows with the file
                for batch in file.iter_batches(size, columns=[name for name, _ in kinds], use_threads=False):
                    yield np.stack([batch.column(name).cast(pa.float64()).to_numpy(zero_copy_only=False) for name, _ in kinds], 1)
        except (pa.ArrowException, OSError) as error:
            raise BadInput(Fault(f"cannot be read as parquet: {error}", str(path))) from None

    return Rows(count, len(schema.names), identifiers(schema.names, str(path))[0], stream)


def _lines(path: Path, start: int, size: int) -> Iterator[list[str]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rest = itertools.islice(file, start, None)
            while lines := list(itertools.islice(rest, size)):
                yield lines
    except UnicodeDecodeError as error:
        raise BadInput(Fault(f"is not UTF-8 text with commas: {error}", str(path))) from None


def _numbers(lines: list[str], width: int, chosen: Sequence[int]) -> NDArray[np.float64] | None:
    """The chosen cells of some lines, [b, chosen]; None unless every row is `width` wide and every chosen cell a number."""
    lines = [line for line in lines if line.strip()]
    if not lines:
        return np.empty((0, len(chosen)))
    try:
        block = np.loadtxt(lines, delimiter=",", comments=None, quotechar='"', ndmin=2)
        return None if block.shape != (len(lines), width) else block if list(chosen) == list(range(width)) else block[:, chosen]
    except (ValueError, IndexError):
        pass
    try:  # text in other columns
        rows = list(csv.reader(lines))
        if any(len(row) != width for row in rows):
            return None
        return np.array([[float(row[i]) for i in chosen] for row in rows])
    except (ValueError, csv.Error):
        return None


def _refuse(path: Path) -> None:
    """Raises what the slow reader says of a file without rows of numbers."""
    read_table(path)
    raise BadInput(Fault("holds no rows of numbers", str(path)))
