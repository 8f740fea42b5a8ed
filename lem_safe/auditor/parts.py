"""Several files as one stream of rows: a directory or a pattern of tables."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from barriers.tables import TableFormat, is_text, number
from lem_safe.auditor.rows import Rows
from lem_safe.auditor.tables import open_csv, open_parquet
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

    def stream(chosen: Sequence[int], size: int) -> Iterator[NDArray[Any]]:
        for rows in opened:
            own = list(chosen)
            if rows.columns is not None and first.columns is not None:
                own = [rows.columns.index(first.columns[i]) for i in chosen]
            yield from rows.stream(own, size)

    def settle(expected: Sequence[str] | None) -> None:
        for rows in opened:
            rows.settle(expected)

    known = [total for total in totals if total is not None]
    return Rows(sum(known) if len(known) == len(totals) else None, first.width, first.columns, stream, settle)


def _open(part: Part, form: TableFormat) -> Rows:
    """The rows of one file, its folders' columns behind its own."""
    rows = open_csv(part.path, form) if is_text(part.path) else open_parquet(part.path)
    if not part.folders or rows.columns is None:
        return rows
    columns = identifiers(placeholders([*rows.columns, *part.folders]), str(part.path))[0]
    return rows._replace(width=len(columns), columns=columns, stream=_with_folders(part, rows))


def _with_folders(part: Part, rows: Rows) -> Callable[[Sequence[int], int], Iterator[NDArray[Any]]]:
    """The stream of a file that also gives the columns that its folders say."""
    values = list(part.folders.items())

    def stream(chosen: Sequence[int], size: int) -> Iterator[NDArray[Any]]:
        own = [i for i in chosen if i < rows.width]
        said = {i: _value(part, *values[i - rows.width]) for i in chosen if i >= rows.width}
        for block in rows.stream(own, size):
            whole = np.empty((len(block), len(chosen)))
            for place, i in enumerate(chosen):
                whole[:, place] = said[i] if i in said else block[:, own.index(i)]
            yield whole

    return stream


def _value(part: Part, name: str, text: str) -> float:
    value = number(text)
    if value is None:
        raise BadInput(Fault(f"column '{name}' must hold numbers; its folder says '{text}'", str(part.path)))
    return value
