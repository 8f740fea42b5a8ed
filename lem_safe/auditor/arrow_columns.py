"""The columns of a file that pyarrow reads, by name and Arrow type, as blocks of rows."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from barriers.tables import Holding
from barriers.tables.first_row import WINDOW
from lem_safe.auditor.rows import BLOCK, Coders
from lem_safe.data.coded import coded_arrow, held_by
from lem_safe.data.names import identifiers
from lem_safe.data.parquet import cast_to_float64, must_be_numbers


class ArrowColumns(NamedTuple):
    """columns: names and Arrow types. batches: batches of some columns, by name, of so many rows."""

    source: str
    columns: Sequence[tuple[str, Any]]
    batches: Callable[[Sequence[str], int], Iterator[Any]]

    def stream(self, chosen: Sequence[int], size: int) -> Iterator[NDArray[Any]]:
        """Chosen columns, all of them numbers."""
        return self.blocks(chosen, size, {})

    def blocks(self, chosen: Sequence[int], size: int, coders: Coders) -> Iterator[NDArray[Any]]:
        """Chosen columns as float64, `size` rows at a time."""
        kinds = [self.columns[i] for i in chosen]
        words = [i for i in chosen if i in coders and coders[i].kind != "number"]
        must_be_numbers([self.columns[i] for i in chosen if i not in words], self.source)
        start = 0
        for batch in self._read([name for name, _ in kinds], size):
            if not batch.num_rows:
                continue
            if not kinds:
                yield np.empty((batch.num_rows, 0))
                continue
            place = (self.source, start)
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
        for batch in self._read([self.columns[i][0] for i in left], BLOCK) if left else ():
            for i in left:
                found[i] = held_by(self.columns[i][1], batch.column(self.columns[i][0])[:WINDOW].to_pylist())
            left = [i for i in left if found[i].kind is None]
            if not left:
                break
        return [found[i] for i in chosen]

    def _read(self, names: Sequence[str], size: int) -> Iterator[Any]:
        everything = [name for name, _ in self.columns]
        identifiers([name for name in everything if name in names], self.source)
        return self.batches(list(names) or everything[:1], size)
