"""What is known of a table of text before its rows are read: its names, its width, where its rows begin."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from barriers.tables.cells import Layout, Record, records
from barriers.tables.first_row import WINDOW, Doubt, Reading, first_row
from barriers.tables.pairing import folded, listed
from barriers.tables.separators import layout_of
from barriers.tables.table_format import UNKNOWN, TableFormat
from barriers.tables.text_file import Elsewhere, TableFault, opened

NAMES_OR_COMMENT = (
    "begins with # and may hold the names, as may the next line: remove its # if it holds the names, and the "
    "line if it does not"
)


WIDEST = 100_000
"""The largest number of columns of a table of text."""


@dataclass(frozen=True)
class CsvHead:
    """What is known of a table of text before its rows are read.

    first: the cells of its first line that is no comment, `line` the number of that. names: of the columns,
    in that line or in a comment above it; None where there are none. start: how many lines come before the
    first row. second: the cells of the next line. doubt: why the first line may be names or a row.
    """

    path: Path | Elsewhere
    first: tuple[str, ...]
    second: tuple[str, ...]
    line: int
    names: tuple[str, ...] | None
    doubt: Doubt | None
    layout: Layout = Layout()
    form: TableFormat = UNKNOWN
    start: int = 0

    @property
    def width(self) -> int:
        return len(self.first)

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


def csv_head(path: Path | Elsewhere, form: TableFormat | bool | None = UNKNOWN) -> CsvHead:
    """The head of a file; `form` says what is known of it beforehand (True or False alone: whether its first
    line is names). A TableFault where there is nothing in it, and where what separates its cells is in doubt.
    """
    form = form if isinstance(form, TableFormat) else TableFormat(header=form)
    layout = layout_of(path, form)
    comments: list[tuple[int, str]] = []
    with opened(path) as file:
        rows = records(file, layout, comment=lambda line, text: comments.append((line, text)))
        first = next(rows, None)
        above = list(comments)
        below = list(itertools.islice(rows, WINDOW))
    if first is None:
        raise TableFault([("is empty; a table needs at least one row", None)])
    if len(first.cells) > WIDEST:
        message = f"must have at most {WIDEST:,} columns; got {len(first.cells):,}"
        raise TableFault([(message, first.line)])
    head = CsvHead(
        path,
        tuple(first.cells),
        tuple(below[0].cells if below else first.cells),
        first.line,
        None,
        None,
        layout,
        form,
        first.line - 1 - first.text.rstrip("\r\n").count("\n"),
    )
    return _named(head, _read(first, below, layout), above, below)


def _read(first: Record, below: Sequence[Record], layout: Layout) -> Reading:
    """What the first line is by its cells and those below."""
    cells = [[layout.plain(cell) for cell in record.cells] for record in (first, *below)]
    quoted = in_quotes(first.text, [record.text for record in below], len(first.cells), layout)
    return first_row(cells[0], cells[1:], quoted)


def _named(
    head: CsvHead, reading: Reading, above: Sequence[tuple[int, str]], below: Sequence[Record]
) -> CsvHead:
    """With its names: those of the first line, or of the last comment above it where that has as many words
    and the first line is a row.
    """
    told = head.form.header
    if reading == "names" and told is not False:
        return replace(head, names=head.first, start=head.line)
    names = _in_comment(head, above, below)
    if told and names is not None:
        raise TableFault([(NAMES_OR_COMMENT, above[-1][0])])
    if told or (isinstance(reading, Doubt) and told is None):
        doubt = reading if isinstance(reading, Doubt) and told is None else None
        return replace(head, names=head.first, doubt=doubt, start=head.line)
    return replace(head, names=names if told is None else None)


def _in_comment(
    head: CsvHead, above: Sequence[tuple[int, str]], below: Sequence[Record]
) -> tuple[str, ...] | None:
    """The names in the last comment before the first row, None where it holds none; a TableFault where a
    comment may be a row.
    """
    for i, (line, text) in enumerate(above):
        rows = [head.first, *(record.cells for record in below)]
        for cells in head.layout.as_row(text):
            if len(cells) == head.width and first_row(cells, rows, False) != "names":
                raise TableFault([(may_be_a_row(head.width), line)])
        names = head.layout.cells(text)
        if i == len(above) - 1 and len(names) == head.width:
            return tuple(names)
    return None


def may_be_a_row(width: int) -> str:
    """What is said of a comment that has as many cells as a row."""
    return (
        f"begins with # and has {width} cell{'s' * (width != 1)}, like the rows: a comment or a row? Remove "
        "the line if it is a comment, put the first cell in quotes if it is a row"
    )


def in_quotes(first: str, below: Sequence[str], width: int, layout: Layout) -> bool:
    """Whether cells of the first line are in quotes where none below is; only asked where all are numbers,
    which hold no separator.
    """
    marked, *rows = (
        [cell.strip().startswith('"') for cell in _split(text, layout)] for text in (first, *below)
    )
    return len(marked) == width and any(
        mark and rows and not any(row[i] for row in rows if len(row) == width)
        for i, mark in enumerate(marked)
    )


def _split(text: str, layout: Layout) -> list[str]:
    return text.split() if layout.separator == " " else text.strip("\r\n ").split(layout.separator)


def _both(head: CsvHead) -> str:
    """Both readings of a first line, and what decides."""
    with opened(head.path) as file:
        rows = sum(1 for _ in records(file, head.layout))
    bad = next((cell for cell in head.first if head.layout.number(cell) is None), None)
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
