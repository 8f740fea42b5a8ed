"""Text and Parquet as rows, one block at a time."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from barriers.tables import CsvHead, Holding, TableFormat, csv_blocks, csv_head, csv_holdings
from barriers.tables.first_row import WINDOW
from lem_safe.auditor.rows import BLOCK, Coders, Rows, must_be_file
from lem_safe.data.coded import coded_arrow, held_by
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

    table = _Parquet(path, list(zip(schema.names, schema.types, strict=True)))

    def stream(chosen: Sequence[int], size: int) -> Iterator[NDArray[Any]]:
        return table.blocks(chosen, size, {})

    columns = identifiers(placeholders(schema.names), str(path))[0]
    return Rows(count, len(schema.names), columns, stream, coded=table.blocks, holds=table.holds)


class _Parquet(NamedTuple):
    """The columns of a Parquet file, by name and Arrow type."""

    path: Path
    columns: Sequence[tuple[str, Any]]

    def blocks(self, chosen: Sequence[int], size: int, coders: Coders) -> Iterator[NDArray[Any]]:
        """Chosen columns as float64, `size` rows at a time."""
        kinds = [self.columns[i] for i in chosen]
        words = [i for i in chosen if i in coders and coders[i].kind != "number"]
        must_be_numbers([self.columns[i] for i in chosen if i not in words], str(self.path))
        start = 0
        for batch in self._batches([name for name, _ in kinds], size):
            if not kinds:
                yield np.empty((batch.num_rows, 0))
                continue
            place = (str(self.path), start)
            read = [
                coded_arrow(batch.column(name), coders[i], (name, *place))
                if i in words
                else cast_to_float64(batch.column(name))
                for i, (name, _) in zip(chosen, kinds, strict=True)
            ]
            yield np.stack(read, 1)
            start += batch.num_rows

    def holds(self, chosen: Sequence[int]) -> list[Holding]:
        """What columns hold, by their types; of text, by its first cells."""
        found = {i: held_by(self.columns[i][1], ()) for i in chosen}
        left = [i for i in chosen if found[i].kind is None]
        for batch in self._batches([self.columns[i][0] for i in left], BLOCK) if left else ():
            for i in left:
                found[i] = held_by(self.columns[i][1], batch.column(self.columns[i][0])[:WINDOW].to_pylist())
            left = [i for i in left if found[i].kind is None]
            if not left:
                break
        return [found[i] for i in chosen]

    def _batches(self, names: Sequence[str], size: int) -> Iterator[Any]:
        import pyarrow as pa
        import pyarrow.parquet as pq

        everything = [name for name, _ in self.columns]
        identifiers([name for name in everything if name in names], str(self.path))
        try:
            with pq.ParquetFile(
                self.path, pre_buffer=False, buffer_size=1 << 20
            ) as file:  # without it memory grows with the file
                yield from file.iter_batches(size, columns=list(names) or everything[:1], use_threads=False)
        except (pa.ArrowException, OSError) as error:
            raise BadInput(Fault(f"cannot be read as parquet: {error}", str(self.path))) from None
