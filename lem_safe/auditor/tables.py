"""Text and Parquet as rows, one block at a time."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from barriers.tables import CsvHead, Holding, TableFormat, csv_blocks, csv_head, csv_holdings
from lem_safe.auditor.arrow_columns import ArrowColumns
from lem_safe.auditor.rows import Coders, Rows, must_be_file
from lem_safe.data.csv_text import faults_of
from lem_safe.data.names import identifiers, placeholders
from lem_safe.data.remote import Remote, reached
from lem_safe.errors import BadInput, Fault


def open_csv(path: Path | Remote, form: TableFormat | bool | None = None) -> Rows:
    """The rows of a text file. form: what is known of it (True or False alone: whether its first line is
    names).

    An ambiguous first line is refused, immediately or, if it contains words, once the expected names are
    known.
    """
    if isinstance(path, Path):
        must_be_file(path)
    with faults_of(path):
        head = csv_head(path, form)
        if head.doubt is None or not head.doubt.words:
            head.settled()
    columns = None if head.names is None else _names(path, head, head.names)

    def stream(chosen: Sequence[int], size: int) -> Iterator[NDArray[Any]]:
        with faults_of(path):
            yield from csv_blocks(head, chosen, size)

    def coded(chosen: Sequence[int], size: int, coders: Coders) -> Iterator[NDArray[Any]]:
        with faults_of(path):
            yield from csv_blocks(head, chosen, size, coders)

    def holds(chosen: Sequence[int]) -> list[Holding]:
        with faults_of(path):
            return [Holding(kind) for kind in csv_holdings(head, chosen)]

    def settle(expected: Sequence[str] | None) -> None:
        with faults_of(path):
            head.settled(expected)

    return Rows(None, head.width, columns, stream, settle, coded, holds)


def _names(path: Path | Remote, head: CsvHead, names: Sequence[str]) -> tuple[str, ...]:
    """The names in the first line; a fault where the line may be a row and is not valid as names."""
    try:
        return identifiers(placeholders(names), str(path))[0]
    except BadInput:
        with faults_of(path):
            head.settled()
        raise


def open_parquet(path: Path | Remote, *, may_be_empty: bool = False) -> Rows:
    """The rows of a Parquet file, of which only the chosen columns are read."""
    if isinstance(path, Path):
        must_be_file(path)
    with _opened(path) as file:
        schema, count = file.schema_arrow, file.metadata.num_rows
    if not (count or may_be_empty) or not schema.names:
        raise BadInput(Fault(f"holds no samples: {count} rows of {len(schema.names)} columns", str(path)))

    def batches(names: Sequence[str], size: int) -> Iterator[Any]:
        with _opened(path) as file:
            yield from file.iter_batches(size, columns=list(names), use_threads=False)

    table = ArrowColumns(str(path), list(zip(schema.names, schema.types, strict=True)), batches)
    columns = identifiers(placeholders(schema.names), str(path))[0]
    return Rows(count, len(schema.names), columns, table.stream, coded=table.blocks, holds=table.holds)


@contextmanager
def _opened(path: Path | Remote) -> Iterator[Any]:
    """A Parquet file; BadInput where it cannot be read."""
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError:
        raise BadInput(
            Fault("reading .parquet needs pyarrow: pip install 'lem-safe[data]'", str(path))
        ) from None
    small = {"pre_buffer": False, "buffer_size": 1 << 20}  # without it memory grows with the file
    if isinstance(path, Remote):
        with reached(path.address), pq.ParquetFile(path.opened(), **small) as file:
            yield file
        return
    try:
        with pq.ParquetFile(path, **small) as file:
            yield file
    except (pa.ArrowException, OSError) as error:
        raise BadInput(Fault(f"cannot be read as parquet: {error}", str(path))) from None
