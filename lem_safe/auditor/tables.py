"""Text and Parquet as rows, one block at a time."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from barriers.tables import CsvHead, TableFormat, csv_blocks, csv_head
from lem_safe.auditor.rows import Rows, must_be_file
from lem_safe.data.csv_text import faults_of
from lem_safe.data.names import identifiers, placeholders
from lem_safe.data.parquet import cast_to_float64, must_be_numbers
from lem_safe.errors import BadInput, Fault


def open_csv(path: Path, form: TableFormat | bool | None = None) -> Rows:
    """The rows of a text file. form: what is known of it (True or False alone: whether its first line is
    names).

    An ambiguous first line is refused, immediately or, if it contains words, once the expected names are
    known.
    """
    must_be_file(path)
    with faults_of(path):
        head = csv_head(path, form)
        if head.doubt is None or not head.doubt.words:
            head.settled()
    columns = None if head.names is None else _names(head, head.names)

    def stream(chosen: Sequence[int], size: int) -> Iterator[NDArray[Any]]:
        with faults_of(path):
            yield from csv_blocks(head, chosen, size)

    def settle(expected: Sequence[str] | None) -> None:
        with faults_of(path):
            head.settled(expected)

    return Rows(None, head.width, columns, stream, settle)


def _names(head: CsvHead, names: Sequence[str]) -> tuple[str, ...]:
    """The names in the first line; a fault where the line may be a row and is not valid as names."""
    try:
        return identifiers(placeholders(names), str(head.path))[0]
    except BadInput:
        with faults_of(head.path):
            head.settled()
        raise


def open_parquet(path: Path) -> Rows:
    """The rows of a Parquet file, of which only the chosen columns are read."""
    must_be_file(path)
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError:
        raise BadInput(
            Fault("reading .parquet needs pyarrow: pip install 'lem-safe[data]'", str(path))
        ) from None
    try:
        with pq.ParquetFile(path) as file:
            schema, count = file.schema_arrow, file.metadata.num_rows
    except (pa.ArrowException, OSError) as error:
        raise BadInput(Fault(f"cannot be read as parquet: {error}", str(path))) from None
    if not count or not schema.names:
        raise BadInput(Fault(f"holds no samples: {count} rows of {len(schema.names)} columns", str(path)))

    def stream(chosen: Sequence[int], size: int) -> Iterator[NDArray[Any]]:
        kinds = [(schema.names[i], schema.types[i]) for i in chosen]
        must_be_numbers(kinds, str(path))
        identifiers([name for name in schema.names if name in dict(kinds)], str(path))
        try:
            with pq.ParquetFile(
                path, pre_buffer=False, buffer_size=1 << 20
            ) as file:  # without it memory grows with the file
                wanted = [name for name, _ in kinds] or schema.names[:1]
                for batch in file.iter_batches(size, columns=wanted, use_threads=False):
                    if not kinds:
                        yield np.empty((batch.num_rows, 0))
                        continue
                    yield np.stack([cast_to_float64(batch.column(name)) for name, _ in kinds], 1)
        except (pa.ArrowException, OSError) as error:
            raise BadInput(Fault(f"cannot be read as parquet: {error}", str(path))) from None

    return Rows(count, len(schema.names), identifiers(placeholders(schema.names), str(path))[0], stream)
