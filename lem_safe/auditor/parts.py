"""The files of a data set as one stream of rows, in the order of their names, one file open at a time."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from barriers.tables import Coder, Holding, TableFormat, is_text, kind_of, kind_of_cells, number
from barriers.tables.names import identifier
from lem_safe.auditor.arrow_files import open_arrow
from lem_safe.auditor.dataset import ARROW, DataFile, DataSet
from lem_safe.auditor.rows import Coders, Rows
from lem_safe.auditor.tables import open_csv, open_parquet
from lem_safe.data.coded import coded
from lem_safe.data.names import identifiers, placeholders
from lem_safe.data.parts import must_be_alike
from lem_safe.errors import BadInput, Fault

AHEAD = 8
"""Files in which the kind of a column is looked for that has no cell in the first ones."""


def open_parts(data: DataSet, form: TableFormat) -> Rows:
    """The rows of the chosen files, columns by name as in the first file; a folder's name=value is a column.
    The first file is read for the names in any case. BadInput, where a file has other columns than the first,
    when it is reached.
    """
    files = _Files(data, form, _open(data.files[0], form))
    first = files.first
    return Rows(
        None,
        first.width,
        first.columns,
        files.stream,
        files.settle,
        files.coded,
        files.holds,
        files.parts,
        len(data.files),
    )


class _Files:
    """The files of a data set, opened one after the other."""

    def __init__(self, data: DataSet, form: TableFormat, first: Rows):
        self.data, self.form, self.first = data, form, first
        self._expected: Sequence[str] | None = None

    def settle(self, expected: Sequence[str] | None) -> None:
        """Settles the first file's names, and those of the others once they are opened."""
        self._expected = expected
        self.first.settle(expected)

    def parts(self) -> Iterator[tuple[int, str, Rows]]:
        """The number of each chosen file, its path, and its rows in the columns of the first."""
        for i in self.data.chosen:
            yield i, str(self.data.files[i].path), self._file(i)

    def stream(self, chosen: Sequence[int], size: int) -> Iterator[NDArray[Any]]:
        """All columns as numbers."""
        return self.coded(chosen, size, {})

    def coded(self, chosen: Sequence[int], size: int, coders: Coders) -> Iterator[NDArray[Any]]:
        """Some columns by their coders."""
        for _, source, rows in self.parts():
            yield from rows.read(chosen, size, coders, source)

    def holds(self, chosen: Sequence[int]) -> list[Holding]:
        """What columns hold in the first file that has a cell of them."""
        found = self.first.holds(chosen)
        for i in range(1, min(AHEAD, len(self.data.files))):
            left = [place for place, held in enumerate(found) if held.kind is None]
            if not left:
                break
            for place, held in zip(left, self._file(i).holds([chosen[p] for p in left]), strict=True):
                found[place] = held
        return found

    def _file(self, i: int) -> Rows:
        if i == 0:
            return self.first
        files, rows = self.data.files, _open(self.data.files[i], self.form)
        named = [files[0].path, files[i].path]
        must_be_alike(named, [self.first.columns, rows.columns], [self.first.width, rows.width])
        rows.settle(self._expected)
        if rows.columns is None or rows.columns == self.first.columns:
            return rows
        order = [rows.columns.index(name) for name in self.first.columns or ()]
        return _reordered(rows, order, str(files[i].path))


def _reordered(rows: Rows, order: Sequence[int], source: str) -> Rows:
    """The same rows with their columns in another order."""

    def coded(chosen: Sequence[int], size: int, coders: Coders) -> Iterator[NDArray[Any]]:
        own = {order[i]: coder for i, coder in coders.items()}
        return rows.read([order[i] for i in chosen], size, own, source)

    def stream(chosen: Sequence[int], size: int) -> Iterator[NDArray[Any]]:
        return coded(chosen, size, {})

    def holds(chosen: Sequence[int]) -> list[Holding]:
        return rows.holds([order[i] for i in chosen])

    columns = None if rows.columns is None else tuple(rows.columns[i] for i in order)
    return rows._replace(columns=columns, stream=stream, coded=coded, holds=holds)


def _open(file: DataFile, form: TableFormat) -> Rows:
    """The rows of one file, its folders' columns behind its own."""
    path = file.path
    if is_text(path):
        rows = open_csv(path, form)
    else:
        rows = open_arrow(path) if kind_of(path) in ARROW else open_parquet(path, may_be_empty=True)
    if not file.folders or rows.columns is None:
        return rows
    clash = next((name for name in file.folders if identifier(name) in map(identifier, rows.columns)), None)
    if clash is not None:
        message = f"has a column '{clash}', and its folder {clash}={file.folders[clash]} says that column too"
        raise BadInput(
            Fault(f"{message}; rename one of them, or leave the column out of the file", str(path))
        )
    columns = identifiers(placeholders([*rows.columns, *file.folders]), str(path))[0]
    said = _Folders(file, rows)
    return rows._replace(
        width=len(columns), columns=columns, stream=said.stream, coded=said.coded, holds=said.holds
    )


class _Folders(NamedTuple):
    """The rows of a file, with the columns that its folders say."""

    file: DataFile
    rows: Rows

    def stream(self, chosen: Sequence[int], size: int) -> Iterator[NDArray[Any]]:
        """All columns as numbers."""
        return self.coded(chosen, size, {})

    def coded(self, chosen: Sequence[int], size: int, coders: Coders) -> Iterator[NDArray[Any]]:
        """Some columns by their coders."""
        rows, values = self.rows, list(self.file.folders.items())
        own = [i for i in chosen if i < rows.width]
        said = {
            i: _value(self.file, *values[i - rows.width], coders.get(i)) for i in chosen if i >= rows.width
        }
        for block in rows.read(own, size, coders, str(self.file.path)):
            whole = np.empty((len(block), len(chosen)))
            for place, i in enumerate(chosen):
                whole[:, place] = said[i] if i in said else block[:, own.index(i)]
            yield whole

    def holds(self, chosen: Sequence[int]) -> list[Holding]:
        """What the file's columns hold, and what the folders say."""
        own = [i for i in chosen if i < self.rows.width]
        found = dict(zip(own, self.rows.holds(own), strict=True)) if own else {}
        values = list(self.file.folders.values())
        return [
            found[i] if i in found else Holding(kind_of_cells([values[i - self.rows.width]])) for i in chosen
        ]


def _value(file: DataFile, name: str, text: str, coder: Coder | None) -> float:
    if coder is not None and coder.kind != "number":
        return float(coded([text], coder, (name, str(file.path), 0))[0])
    value = number(text) if text else np.nan
    if value is None:
        raise BadInput(Fault(f"column '{name}' must hold numbers; its folder says '{text}'", str(file.path)))
    return value
