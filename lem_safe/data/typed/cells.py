"""The cells of a table as they are written, each different one of a column kept once."""

import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Int

from barriers.tables import TEXT, TableFormat, csv_head, kind_of, only_of_text, opened, pieces
from barriers.tables.cells import Record, is_missing
from lem_safe.data.coded import written
from lem_safe.data.csv_text import faults_of
from lem_safe.data.names import chosen_among, identifiers, placeholders
from lem_safe.data.parts import Part, in_parts, must_be_alike, parts_of
from lem_safe.errors import BadInput, Fault
from lem_safe.inputs import must_fit


class Column(NamedTuple):
    """n cells of one column: `cells[at[i]]` is that of row i, as written, None where it is missing.

    typed: the type that the file itself states, in Arrow's words; None in text. mark: how a missing cell is
    written. numbers: of the rows in their file, from 1, where some are left out.
    """

    name: str
    cells: tuple[str | None, ...]
    at: Int[np.ndarray, "n"]
    typed: str | None = None
    mark: str = ""
    numbers: Int[np.ndarray, "n"] | None = None

    def number(self, row: int) -> int:
        """The number of a row in its file, from 1."""
        return row + 1 if self.numbers is None else int(self.numbers[row])

    def kept(self, rows: np.ndarray) -> "Column":
        """The same of these rows alone."""
        used, at = np.unique(self.at[rows], return_inverse=True)
        own = np.arange(1, len(self.at) + 1) if self.numbers is None else self.numbers
        cells = tuple(self.cells[i] for i in used)
        return self._replace(cells=cells, at=at.reshape(-1).astype(np.int32), numbers=own[rows])

    @property
    def missing(self) -> np.ndarray:
        """Which rows miss a value, [n]."""
        gaps = np.array([cell is None for cell in self.cells], dtype=bool)
        return gaps[self.at] if len(gaps) else np.zeros(0, dtype=bool)


class _Collected:
    """The cells of columns, block by block."""

    def __init__(self, names: Sequence[str], typed: Sequence[str | None]):
        self.names, self.typed = names, typed
        self.known: list[dict[str | None, int]] = [{} for _ in names]
        self.marks: list[str | None] = [None for _ in names]
        self.at: list[list[np.ndarray]] = [[] for _ in names]

    def add(self, j: int, cells: Sequence[str | None]) -> None:
        known = self.known[j]
        found = [known.setdefault(cell, len(known)) for cell in cells]
        self.at[j].append(np.array(found, dtype=np.int32))

    def add_text(self, j: int, cells: Sequence[str]) -> None:
        """Cells of text, of which those that say so are missing."""
        gaps = {cell for cell in set(cells) if is_missing(cell)}
        if gaps and self.marks[j] is None:
            self.marks[j] = next(cell for cell in cells if cell in gaps)
        self.add(j, [None if cell in gaps else cell for cell in cells] if gaps else cells)

    def columns(self) -> list[Column]:
        """The columns, whole."""
        at = [np.concatenate([np.zeros(0, np.int32), *blocks]) for blocks in self.at]
        return [
            Column(name, tuple(self.known[j]), at[j], kind, self.marks[j] or "")
            for j, (name, kind) in enumerate(zip(self.names, self.typed, strict=True))
        ]


def names_in(path: Path, form: TableFormat) -> list[str]:
    """The names of a table's columns as written, x0, x1, ... where it has none; BadInput for what is no table
    of cells.
    """
    if in_parts(path):
        first = parts_of(path)[0]
        return [*names_in(first.path, form), *first.folders]
    must_fit(path, "check the path (a scenario's paths are relative to the scenario)")
    if kind_of(path) == ".parquet":
        if form.of_text:
            raise BadInput(Fault(only_of_text(form, ".parquet"), str(path)))
        names: list[str] = list(_parquet(path).schema_arrow.names)
    else:
        with faults_of(path):
            head = csv_head(path, form).settled(None)
        names = [f"x{i}" for i in range(head.width)] if head.names is None else list(head.names)
    return placeholders([name.strip() for name in names])


def read_columns(path: Path, chosen: Sequence[str] | None, form: TableFormat) -> list[Column]:
    """The chosen columns, by default all, of a file of text or Parquet, or of several."""
    if in_parts(path):
        parts = parts_of(path)
        every = [_of_part(part, None, form) for part in parts]
        names = [[column.name for column in columns] for columns in every]
        must_be_alike([part.path for part in parts], names, [len(own) for own in names])
        whole = [_joined([_called(columns, name) for columns in every]) for name in names[0]]
        kept = range(len(whole)) if chosen is None else chosen_among(chosen, names[0], str(path))
        return [whole[i] for i in kept]
    return _of_part(Part(path, {}), chosen, form)


def _called(columns: Sequence[Column], name: str) -> Column:
    return next(column for column in columns if column.name == name)


def _joined(columns: Sequence[Column]) -> Column:
    collected = _Collected([columns[0].name], [columns[0].typed])
    for column in columns:
        own = np.array([collected.known[0].setdefault(c, len(collected.known[0])) for c in column.cells])
        collected.at[0].append(own[column.at].astype(np.int32))
        collected.marks[0] = collected.marks[0] or column.mark
    return collected.columns()[0]


def _of_part(part: Part, chosen: Sequence[str] | None, form: TableFormat) -> list[Column]:
    must_fit(part.path, "check the path (a scenario's paths are relative to the scenario)")
    read = _of_parquet if kind_of(part.path) == ".parquet" else _of_text
    if kind_of(part.path) not in (*TEXT, ".parquet"):
        raise BadInput(Fault("holds no cells of text; use CSV or Parquet", str(part.path)))
    columns = read(part.path, chosen, form)
    n = len(columns[0].at) if columns else 0
    return [*columns, *(Column(k, (v,), np.zeros(n, np.int32)) for k, v in part.folders.items())]


def _of_text(path: Path, chosen: Sequence[str] | None, form: TableFormat) -> list[Column]:
    with faults_of(path):
        head = csv_head(path, form).settled(chosen)
        names = placeholders([n.strip() for n in head.names or [f"x{i}" for i in range(head.width)]])
        kept = list(range(head.width)) if chosen is None else chosen_among(chosen, names, str(path))
    collected = _Collected([names[i] for i in kept], [None] * len(kept))
    pointed = head.layout.decimal == "."
    faults: list[Fault] = []
    with opened(path) as file:
        rows = pieces(itertools.islice(file, head.start, None), head.layout, head.start)
        records = (piece for piece in rows if isinstance(piece, Record))
        for block in _blocks(records):
            bad = [r for r in block if len(r.cells) != head.width]
            faults += [Fault(_ragged(head.width, len(r.cells)), str(path), r.line) for r in bad]
            if faults:
                continue
            for place, i in enumerate(kept):
                cells = [r.cells[i].strip() for r in block]
                collected.add_text(place, cells if pointed else [head.layout.plain(c) for c in cells])
    if faults:
        raise BadInput(faults[:8])
    return _with_rows(collected.columns(), str(path))


def _blocks(records: Iterator[Record], size: int = 65536) -> Iterator[list[Record]]:
    while block := list(itertools.islice(records, size)):
        yield block


def _ragged(width: int, found: int) -> str:
    return f"every row must have {width} cells, like the first; this one has {found}"


def _parquet(path: Path) -> Any:
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError:
        message = "reading .parquet needs pyarrow: pip install 'lem-safe[data]'"
        raise BadInput(Fault(message, str(path))) from None
    try:
        return pq.ParquetFile(path)
    except (pa.ArrowException, OSError) as error:
        raise BadInput(Fault(f"cannot be read as parquet: {error}", str(path))) from None


def _of_parquet(path: Path, chosen: Sequence[str] | None, form: TableFormat) -> list[Column]:
    if form.of_text:
        raise BadInput(Fault(only_of_text(form, ".parquet"), str(path)))
    file = _parquet(path)
    raw = list(file.schema_arrow.names)
    names = placeholders(raw)
    kept = list(range(len(names))) if chosen is None else chosen_among(chosen, names, str(path))
    identifiers([names[i] for i in kept], str(path))
    types = [str(file.schema_arrow.types[i]) for i in kept]
    collected = _Collected([names[i] for i in kept], types)
    with file:
        for batch in file.iter_batches(columns=[raw[i] for i in kept]):
            for place, i in enumerate(kept):
                cells = [written(cell) for cell in batch.column(batch.schema.names.index(raw[i])).to_pylist()]
                if types[place].startswith(("string", "large_string", "dictionary")):
                    collected.add_text(place, ["" if cell is None else cell.strip() for cell in cells])
                else:
                    collected.add(place, cells)
    return _with_rows(collected.columns(), str(path))


def _with_rows(columns: list[Column], source: str) -> list[Column]:
    if not columns or not len(columns[0].at):
        raise BadInput(Fault("has no rows or no columns", source))
    return columns
