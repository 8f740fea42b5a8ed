"""Comma-separated numbers, a block at a time: numpy's own parser, and where that stops, a slow one that names
every offending cell.

Every reader of a CSV is this one, so all of them agree row for row. A row in is a row out: blank lines
between rows are none, except in a file of one column, where they are cells that are missing and are refused.
"""

import csv
import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from barriers.regular_files import must_be_regular
from barriers.tables.first_row import WINDOW, Doubt, first_row, number
from barriers.tables.pairing import folded, listed

BLOCK = 65536
"""Lines that are in memory at a time."""
LONGEST, WIDEST = 1 << 24, 100_000
"""Bytes of a line, and columns, at most."""
SHOWN = 8
"""Faults of one file that are listed; the rest are counted."""


class TableFault(ValueError):
    """A table that cannot be read; `faults` is what is wrong with it, and the number of the line or None."""

    def __init__(self, faults: Sequence[tuple[str, int | None]]):
        self.faults = list(faults)
        super().__init__(
            "; ".join(message if line is None else f"line {line}: {message}" for message, line in self.faults)
        )


@dataclass(frozen=True)
class CsvHead:
    """What is known of a CSV before its rows are read.

    first: the cells of its first line, `line` the number of that. names: the same where they are names, None
    where they are a row.
    start: how many lines come before the first row. second: the cells of the next line. doubt: why they may
    be either.
    """

    path: Path
    first: tuple[str, ...]
    second: tuple[str, ...]
    line: int
    names: tuple[str, ...] | None
    doubt: Doubt | None

    @property
    def width(self) -> int:
        return len(self.first)

    @property
    def start(self) -> int:
        return self.line if self.names is not None else 0

    def settled(self, expected: Sequence[str] | None = None) -> "CsvHead":
        """The same, in no doubt: the line is names where words in it are all the `expected` names; else a
        TableFault with both readings.
        """
        if self.doubt is None:
            return self
        words = {folded(word) for word in self.doubt.words}
        if not expected or not {folded(name) for name in expected} <= words:
            raise TableFault([(_both(self), self.line)])
        return replace(self, doubt=None)


def csv_head(path: Path, header: bool | None = None) -> CsvHead:
    """The head of a file; `header` says whether its first line is names, where that is known. A TableFault
    where there is nothing in it.
    """
    _must_have_lines(path)
    with _readable(), path.open(encoding="utf-8-sig", newline="") as file:
        found = list(itertools.islice(_records(file), WINDOW + 1))
    if not found:
        raise TableFault([("is empty; a table needs at least one row", None)])
    (first, line, raw), rest = found[0], found[1:]
    if len(first) > WIDEST:
        raise TableFault([(f"must have at most {WIDEST:,} columns; got {len(first):,}", line)])
    below = [cells for cells, _, _ in rest]
    reading = first_row(first, below, _in_quotes(raw, [text for _, _, text in rest], len(first)))
    if header is not None:
        reading = "names" if header else "row"
    doubt = reading if isinstance(reading, Doubt) else None
    names = None if reading == "row" else tuple(first)
    return CsvHead(path, tuple(first), tuple(below[0]) if below else tuple(first), line, names, doubt)


def csv_blocks(head: CsvHead, chosen: Sequence[int], size: int = BLOCK) -> Iterator[NDArray[np.float64]]:
    """The chosen columns of all rows, in file order, at most `size` rows at a time, [b, chosen]; a TableFault
    with all that is no number.
    """
    faults: list[tuple[str, int | None]] = []
    read, blank = 0, None
    for start, lines in _lines(head, size):
        filled = [line for line in lines if line.strip()]
        if head.width == 1:
            gaps, blank = _gaps(lines, start, blank if read else None)
            faults += gaps
        block = _fast(filled, head.width, chosen)
        if block is None:
            block, more = _slow(lines, start, head, chosen)
            faults += more
        read += len(filled)
        if len(block) and not faults:
            yield block
    if len(faults) > SHOWN:
        faults = [*faults[:SHOWN], (f"and {len(faults) - SHOWN} more like these", None)]
    if faults:
        raise TableFault(faults)
    if not read:
        raise TableFault([("has a header but no rows", None)])


def _must_have_lines(path: Path) -> None:
    """Refuses what is no regular file, and one whose first line alone is longer than any row of numbers."""
    must_be_regular(path)
    with path.open("rb") as file:
        if len(line := file.readline(LONGEST + 1)) > LONGEST and b"\r" not in line:
            raise TableFault([(f"must have lines of at most {LONGEST:,} bytes", 1)])


class _readable:
    """Turns what reading text may raise into a TableFault."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        if isinstance(error, UnicodeDecodeError | csv.Error):
            raise TableFault([(f"is not UTF-8 text with commas: {error}", None)]) from None


def _records(lines: Iterable[str]) -> Iterator[tuple[list[str], int, str]]:
    """The cells of every line that is not blank, the number of that line, and its text; a cell with line
    breaks makes one of several.
    """
    text: list[str] = []

    def remembered() -> Iterator[str]:
        for line in lines:
            text.append(line)
            yield line

    reader = csv.reader(remembered())
    for cells in reader:
        raw = "".join(text)
        text.clear()
        if raw.strip():
            yield cells, reader.line_num, raw


def _in_quotes(first: str, below: Sequence[str], width: int) -> bool:
    """Whether cells of the first line are in quotes where none below is; only asked where all are numbers,
    which hold no comma.
    """
    marked = [cell.strip().startswith('"') for cell in first.strip().split(",")]
    rows = [[cell.strip().startswith('"') for cell in line.split(",")] for line in below]
    return len(marked) == width and any(
        mark and rows and not any(row[i] for row in rows if len(row) == width)
        for i, mark in enumerate(marked)
    )


def _lines(head: CsvHead, size: int) -> Iterator[tuple[int, list[str]]]:
    """Lines after the names, at most `size` records at a time, and how many came before; a cell with a line
    break in it stays whole.
    """
    with _readable(), head.path.open(encoding="utf-8-sig", newline="") as file:
        done = head.start
        rest = itertools.islice(file, done, None)
        while lines := list(itertools.islice(rest, size)):
            odd = sum(line.count('"') for line in lines) % 2
            while odd and (line := next(rest, None)) is not None:
                lines.append(line)
                odd = (odd + line.count('"')) % 2
            yield done, lines
            done += len(lines)


def _gaps(
    lines: Sequence[str], start: int, blank: int | None
) -> tuple[list[tuple[str, int | None]], int | None]:
    """Blank lines that a row follows, and the first of those that nothing follows yet."""
    found: list[tuple[str, int | None]] = []
    for i, line in enumerate(lines, start + 1):
        if not line.strip():
            blank = blank or i
        elif blank is not None:
            found.append(
                (
                    "the line is empty, which in a file of one column is a missing value; fill it or "
                    "remove the line",
                    blank,
                )
            )
            blank = None
    return found, blank


def _fast(filled: list[str], width: int, chosen: Sequence[int]) -> NDArray[np.float64] | None:
    """The chosen cells; None unless every row is `width` wide and all its cells are numbers."""
    if not filled:
        return np.empty((0, len(chosen)))
    try:
        block = np.loadtxt(filled, delimiter=",", comments=None, quotechar='"', ndmin=2)
    except (ValueError, IndexError):
        return None
    if block.shape != (len(filled), width):
        return None
    return block if list(chosen) == list(range(width)) else block[:, list(chosen)]


def _slow(
    lines: Sequence[str], start: int, head: CsvHead, chosen: Sequence[int]
) -> tuple[NDArray[np.float64], list[tuple[str, int | None]]]:
    """The chosen cells of every sound row, and what is wrong with the others."""
    rows: list[list[float]] = []
    faults: list[tuple[str, int | None]] = []
    with _readable():
        for cells, at, _ in _records(lines):
            line = start + at
            if len(cells) != head.width:
                rule = f"every row must have {head.width} cells, like the first; this one has {len(cells)}"
                faults.append((rule, line))
                continue
            values = [number(cells[i]) for i in chosen]
            faults += [
                (_not_a_number(cells[i], head.names[i] if head.names else str(i)), line)
                for i, value in zip(chosen, values, strict=True)
                if value is None
            ]
            rows.append([0.0 if value is None else value for value in values])
    return np.array(rows, dtype=np.float64).reshape(len(rows), len(chosen)), faults


def _not_a_number(text: str, column: str) -> str:
    what = f"'{text[:40]}' is not a number" if text.strip() else "the cell is empty"
    return f"column '{column}': {what}; mend it, or choose other columns with columns:"


def _both(head: CsvHead) -> str:
    """Both readings of a first line, and what decides."""
    with _readable(), head.path.open(encoding="utf-8-sig", newline="") as file:
        rows = sum(1 for _ in _records(file))
    bad = next((cell for cell in head.first if number(cell) is None), None)
    as_row = f"as a row, there are {_count(rows)}" + (
        f" and the first is refused: {_unreadable(bad)}" if bad is not None else ""
    )
    cells = listed([cell.strip() or "an empty cell" for cell in head.first])
    why = head.doubt.why if head.doubt is not None else ""
    return (
        f"the first line ({cells}) may be column names or a row, as {why}: as names, {_count(rows - 1)} "
        f"follow; {as_row}; "
        "say which: header: true (names) or header: false (a row) beside its path, --header or --no-header "
        "on the command line, "
        "header=True or header=False in Python"
    )


def _count(rows: int) -> str:
    return f"{rows:,} sample{'s' * (rows != 1)}"


def _unreadable(cell: str) -> str:
    return f"'{cell.strip()[:40]}' is not a number" if cell.strip() else "a cell is empty"
