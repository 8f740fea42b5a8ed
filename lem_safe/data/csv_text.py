"""Comma-separated numbers: numpy's own fast parser, and where that stops, a slow pass that names every offending cell."""

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lem_safe.data.names import identifiers, known
from lem_safe.faults import BadInput, Fault

SHOWN = 8
"""Faults of one file that are listed; the rest are counted."""


def read_csv(path: Path, columns: Sequence[str] | None) -> tuple[NDArray[np.float64], list[str] | None]:
    """The numbers and the header (None where the first line is all numbers); with `columns`, of those columns alone."""
    try:
        return _read(path, columns)
    except (UnicodeDecodeError, csv.Error) as error:  # at the first byte or at the last
        raise BadInput(Fault(f"is not UTF-8 text with commas: {error}", str(path))) from None


def _read(path: Path, columns: Sequence[str] | None) -> tuple[NDArray[np.float64], list[str] | None]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        skipped, first = next(((i, cells) for i, cells in enumerate(csv.reader(file)) if cells), (0, None))
    if first is None:
        raise BadInput(Fault("is empty; a table needs at least one row", str(path)))
    _commas(first, path)
    header = None if all(is_number(cell) for cell in first) else first
    kept = None
    if columns is not None and header is not None:
        names, _ = identifiers(header, str(path))
        known(columns, names, str(path))
        kept = [i for i, name in enumerate(names) if name in columns]
    start = skipped + (header is not None)
    values = _fast(path, start)
    if values is None or values.shape[1] != len(first):
        return _slow(path, start, header, len(first), kept), header if kept is None or header is None else [
            header[i] for i in kept
        ]
    return values, header


def _fast(path: Path, start: int) -> NDArray[np.float64] | None:
    with path.open(encoding="utf-8-sig") as file:
        if not any(line.strip() for i, line in enumerate(file) if i >= start):
            raise BadInput(Fault("has a header but no rows", str(path)))
    try:
        return np.loadtxt(path, delimiter=",", skiprows=start, comments=None, quotechar='"', ndmin=2, encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise
    except (ValueError, IndexError):
        return None


def _slow(path: Path, start: int, header: list[str] | None, width: int, kept: list[int] | None) -> NDArray[np.float64]:
    rows: list[list[float]] = []
    faults: list[Fault] = []
    for line, cells in _lines(path, start):
        if len(cells) != width:
            faults.append(Fault(f"every row must have {width} cells, like the first; this one has {len(cells)}", str(path), line))
            continue
        row = []
        for i in kept or range(width):
            if is_number(cells[i]):
                row.append(float(cells[i]))
            else:
                faults.append(Fault(_not_a_number(cells[i], header[i] if header else str(i)), str(path), line))
        rows.append(row)
    if len(faults) > SHOWN:
        faults = [*faults[:SHOWN], Fault(f"and {len(faults) - SHOWN} more like these", str(path))]
    if faults:
        raise BadInput(faults)
    return np.array(rows, dtype=np.float64)


def _lines(path: Path, start: int) -> Iterator[tuple[int, list[str]]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.reader(file)
        for i, cells in enumerate(reader):
            if i >= start and cells:
                yield reader.line_num, cells


def _not_a_number(text: str, column: str) -> str:
    what = f"'{text[:40]}' is not a number" if text.strip() else "the cell is empty"
    return f"column '{column}': {what}; mend it, or choose other columns with columns:"


def _commas(first: list[str], path: Path) -> None:
    for other, name in ((";", "semicolons"), ("\t", "tabs")):
        if len(first) == 1 and other in first[0]:
            raise BadInput(Fault(f"has columns separated by {name}; separate them by commas", str(path), 1))


def is_number(text: str) -> bool:
    """Whether a cell is a number as people write one: Python's 1_000 is not."""
    try:
        float(text)
    except ValueError:
        return False
    return "_" not in text
