"""Several files as one stream of rows: a directory or a pattern of tables."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from barriers.tables import Coder, Holding, TableFormat, is_text, kind_of_cells, number
from lem_safe.auditor.rows import Coders, Rows
from lem_safe.auditor.tables import open_csv, open_parquet
from lem_safe.data.coded import coded
from lem_safe.data.names import identifiers, placeholders
from lem_safe.data.parts import Part, must_be_alike, parts_of
from lem_safe.errors import BadInput, Fault


def open_parts(path: Path, form: TableFormat) -> Rows:
    """The rows of several files, in the order of their names, columns by name as in the first one; a folder's
    name=value is a column. Raises BadInput where a file has other columns than the first.
    """
    parts = parts_of(path)
    opened = [_open(part, form) for part in parts]
    first = opened[0]
    must_be_alike(parts, [rows.columns for rows in opened], [rows.width for rows in opened])
    totals = [rows.total for rows in opened]

    def coded(chosen: Sequence[int], size: int, coders: Coders) -> Iterator[NDArray[Any]]:
        for part, rows in zip(parts, opened, strict=True):
            own = list(chosen)
            if rows.columns is not None and first.columns is not None:
                own = [rows.columns.index(first.columns[i]) for i in chosen]
            its = {mine: coders[i] for mine, i in zip(own, chosen, strict=True) if i in coders}
            yield from rows.read(own, size, its, str(part.path))

    def stream(chosen: Sequence[int], size: int) -> Iterator[NDArray[Any]]:
        return coded(chosen, size, {})

    def settle(expected: Sequence[str] | None) -> None:
        for rows in opened:
            rows.settle(expected)

    known = [total for total in totals if total is not None]
    total = sum(known) if len(known) == len(totals) else None
    return Rows(total, first.width, first.columns, stream, settle, coded, first.holds)


def _open(part: Part, form: TableFormat) -> Rows:
    """The rows of one file, its folders' columns behind its own."""
    rows = open_csv(part.path, form) if is_text(part.path) else open_parquet(part.path)
    if not part.folders or rows.columns is None:
        return rows
    columns = identifiers(placeholders([*rows.columns, *part.folders]), str(part.path))[0]
    said = _Folders(part, rows)
    return rows._replace(
        width=len(columns), columns=columns, stream=said.stream, coded=said.coded, holds=said.holds
    )


class _Folders(NamedTuple):
    """The rows of a file, with the columns that its folders say."""

    part: Part
    rows: Rows

    def stream(self, chosen: Sequence[int], size: int) -> Iterator[NDArray[Any]]:
        """All columns as numbers."""
        return self.coded(chosen, size, {})

    def coded(self, chosen: Sequence[int], size: int, coders: Coders) -> Iterator[NDArray[Any]]:
        """Some columns by their coders."""
        rows, values = self.rows, list(self.part.folders.items())
        own = [i for i in chosen if i < rows.width]
        said = {
            i: _value(self.part, *values[i - rows.width], coders.get(i)) for i in chosen if i >= rows.width
        }
        for block in rows.read(own, size, coders, str(self.part.path)):
            whole = np.empty((len(block), len(chosen)))
            for place, i in enumerate(chosen):
                whole[:, place] = said[i] if i in said else block[:, own.index(i)]
            yield whole

    def holds(self, chosen: Sequence[int]) -> list[Holding]:
        """What the file's columns hold, and what the folders say."""
        own = [i for i in chosen if i < self.rows.width]
        found = dict(zip(own, self.rows.holds(own), strict=True)) if own else {}
        values = list(self.part.folders.values())
        return [
            found[i] if i in found else Holding(kind_of_cells([values[i - self.rows.width]])) for i in chosen
        ]


def _value(part: Part, name: str, text: str, coder: Coder | None) -> float:
    if coder is not None and coder.kind != "number":
        return float(coded([text], coder, (name, str(part.path), 0))[0])
    value = number(text)
    if value is None:
        raise BadInput(Fault(f"column '{name}' must hold numbers; its folder says '{text}'", str(part.path)))
    return value
