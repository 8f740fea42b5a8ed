"""Rows of text as numbers, one block at a time: numpy's own parser, and where that fails, a slow one that
names every offending cell.

All text is read by this module, so all readers agree row for row. Blank lines between rows are ignored,
except in a file of one column, where they are missing cells and are refused. `separators` finds how the cells
are separated, `cells` what a line is.
"""

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from barriers.tables.cell_kinds import CellKind
from barriers.tables.cells import Record, is_missing, marked_otherwise, records
from barriers.tables.coder import REMEDY, WANTED, Coder, kind_of_cells
from barriers.tables.first_row import WINDOW
from barriers.tables.head import CsvHead, may_be_a_row
from barriers.tables.separators import SAY_DECIMAL, decimals_in_doubt
from barriers.tables.table_format import name_of
from barriers.tables.text_file import TableFault, opened

BLOCK = 65536
"""Lines in memory at a time."""
SHOWN = 8
"""Faults of one file that are listed; the others are counted."""
_ODD = re.compile(r'[^ \t\r\n0-9A-Za-z+\-.,;|"]')
_ODD_CELL = re.compile(r"[^ \t0-9A-Za-z+\-.]")
"""Characters that no number has, in a line and in a cell: where one occurs, the slow parser decides."""

_MARK = re.compile(r",\d|\d\.\d{3}\.\d")
"""What a number is written with whose decimal mark is no point."""

PLAIN: Mapping[int, Coder] = {}
"""All columns hold numbers."""

Faults = list[tuple[str, int | None]]


Coders = Mapping[int, Coder]
"""How columns are read that are no plain numbers, by their positions."""


def csv_blocks(
    head: CsvHead, chosen: Sequence[int], size: int = BLOCK, coders: Coders = PLAIN
) -> Iterator[NDArray[np.float64]]:
    """The chosen columns of all rows, in file order, about `size` rows at a time, [b, chosen]; TableFault
    with every cell that is not a number, or not what its coder reads. Missing cells are NaN where the head's
    form drops or keeps them, and where a coder has gaps.
    """
    words = any(coder.kind != "number" for i, coder in coders.items() if i in chosen)
    faults: Faults = []
    read, blank, start = 0, None, head.start
    with opened(head.path) as file:
        rest = itertools.islice(file, head.start, None)
        while lines := list(itertools.islice(rest, size)):
            block = None if words else _fast(head, lines, chosen)
            if block is None:
                rows, more = _rows_from(head, lines, rest, start)
                block, bad = _slow(head, rows, chosen, coders)
                faults += sorted(more + bad, key=lambda fault: fault[1] or 0)
                read += len(rows)
            if head.width == 1:
                gaps, blank = _gaps(head, lines, start, blank if read else None)
                faults += gaps
            read += len(block)
            start += len(lines)
            if len(block) and not faults:
                yield block
    if len(faults) > SHOWN:
        faults = [*faults[:SHOWN], (f"and {len(faults) - SHOWN} more like these", None)]
    if faults:
        raise TableFault(faults)
    if not read:
        raise TableFault([("has a header but no rows", None)])


def csv_holdings(head: CsvHead, chosen: Sequence[int]) -> list[CellKind | None]:
    """What the first cells of columns hold: WINDOW rows, and as many more as it takes to find one that is not
    missing; None where there is none.
    """
    left, found = set(chosen), dict[int, CellKind | None]()
    with opened(head.path) as file:
        rows = records(itertools.islice(file, head.start, None), head.layout, head.start)
        while left and (some := list(itertools.islice(rows, WINDOW))):
            for i in list(left):
                cells = [record.cells[i] for record in some if len(record.cells) == head.width]
                found[i] = kind_of_cells([head.layout.plain(cell) for cell in cells])
                if found[i] is not None:
                    left.discard(i)
    return [found.get(i) for i in chosen]


def _gaps(head: CsvHead, lines: Sequence[str], start: int, blank: int | None) -> tuple[Faults, int | None]:
    """Blank lines that are followed by a row, and the first of those not yet followed by one."""
    found: Faults = []
    for i, line in enumerate(lines, start + 1):
        if head.layout.is_blank(line):
            blank = blank or i
        elif blank is not None and not head.layout.is_comment(line):
            found.append(
                (
                    "the line is empty, which in a file of one column is a missing value; fill it or "
                    "remove the line",
                    blank,
                )
            )
            blank = None
    return found, blank


def _fast(head: CsvHead, lines: Sequence[str], chosen: Sequence[int]) -> NDArray[np.float64] | None:
    """The chosen cells; None unless every line is a row as wide as the first and all its cells are plain
    numbers.
    """
    filled = [line for line in lines if not head.layout.is_blank(line)]
    if not filled:
        return np.empty((0, len(chosen)))
    text = "".join(filled)
    if _ODD.search(text) or ('"' in text and any(line.count('"') % 2 for line in filled)):
        return None
    if head.layout.decimal == ",":
        if "." in text or '"' in text:
            return None
        filled = [line.replace(",", ".") for line in filled]
    separator = None if head.layout.separator == " " else head.layout.separator
    try:
        block = np.loadtxt(filled, delimiter=separator, comments=None, quotechar='"', ndmin=2)
    except (ValueError, IndexError):
        return None
    if block.shape != (len(filled), head.width) or np.isinf(block).any():
        return None
    return block if list(chosen) == list(range(head.width)) else block[:, list(chosen)]


def _rows_from(
    head: CsvHead, lines: list[str], rest: Iterator[str], start: int
) -> tuple[list[Record], Faults]:
    """The rows that begin in these lines, and comments that may be rows; lines of the `rest` in which the
    last row ends are added to the lines.
    """
    faults: Faults = []
    taken = 0

    def fed() -> Iterator[str]:
        nonlocal taken
        for line in lines[:]:
            taken += 1
            yield line
        for line in rest:
            taken += 1
            lines.append(line)
            yield line

    def comment(line: int, text: str) -> None:
        if any(len(cells) == head.width for cells in head.layout.as_row(text)):
            faults.append((may_be_a_row(head.width), line))

    rows, many = [], len(lines)
    for record in records(fed(), head.layout, start, comment):
        rows.append(record)
        if taken >= many:
            break
    return rows, faults


def _slow(
    head: CsvHead, rows: Sequence[Record], chosen: Sequence[int], coders: Coders
) -> tuple[NDArray[np.float64], Faults]:
    """The chosen cells of every sound row, and what is wrong with the others."""
    whole = _sound(head, rows, chosen, coders)
    if whole is not None:
        return whole, []
    values: list[list[float]] = []
    faults: Faults = []
    for cells, line, _ in rows:
        if len(cells) != head.width:
            faults.append((_ragged(head, len(cells)), line))
            continue
        why = decimals_in_doubt(cells, head.layout)
        if why is not None:
            faults.append((why, line))
            continue
        found = [_value(head, cells[i], coders.get(i)) for i in chosen]
        faults += [
            (_no_value(head, cells[i], head.names[i] if head.names else str(i), coders.get(i)), line)
            for i, value in zip(chosen, found, strict=True)
            if value is None
        ]
        values.append([0.0 if value is None else value for value in found])
    return np.array(values, dtype=np.float64).reshape(len(values), len(chosen)), faults


def _sound(
    head: CsvHead, rows: Sequence[Record], chosen: Sequence[int], coders: Coders
) -> NDArray[np.float64] | None:
    """The chosen cells, column by column; None unless all rows are as wide as the first and all these cells
    are plain numbers, or what their coders read.
    """
    if head.layout.decimal != "." or any(len(record.cells) != head.width for record in rows):
        return None
    if head.layout.may_be_in_doubt and any(_MARK.search(record.text) for record in rows):
        return None
    block = np.empty((len(rows), len(chosen)))
    for place, i in enumerate(chosen):
        cells = [record.cells[i] for record in rows]
        if i in coders and coders[i].kind != "number":
            block[:, place], bad = coders[i].codes(cells)
            if bad.any() or not _may_miss(head, coders.get(i)) and np.isnan(block[:, place]).any():
                return None
            continue
        try:
            block[:, place] = list(map(float, cells))
        except ValueError:
            found = _with_gaps(head, cells, coders.get(i))
            if found is None:
                return None
            block[:, place] = found
            continue
        if _ODD_CELL.search("".join(cells)):
            return None
    return None if np.isinf(block).any() else block


def _with_gaps(head: CsvHead, cells: Sequence[str], coder: Coder | None) -> NDArray[np.float64] | None:
    """Numbers, NaN where a cell is missing; None where one may not be, or is something else."""
    if not _may_miss(head, coder):
        return None
    found = [_value(head, cell, coder) for cell in cells]
    return None if any(value is None for value in found) else np.array(found, dtype=np.float64)


def _may_miss(head: CsvHead, coder: Coder | None) -> bool:
    """Whether a cell of a column may be missing."""
    return head.form.missing != "error" or (coder is not None and coder.gaps)


def _value(head: CsvHead, text: str, coder: Coder | None) -> float | None:
    """The number in a cell or that stands for it, NaN where it is missing and may be; None for anything
    else.
    """
    if coder is not None and coder.kind != "number":
        value = coder.number(text)
        return None if value is None or (np.isnan(value) and not _may_miss(head, coder)) else value
    found = head.layout.number(text)
    if found is not None and np.isinf(found) and any(c.isdigit() for c in text):
        return None
    return np.nan if found is None and _may_miss(head, coder) and is_missing(text) else found


def _no_value(head: CsvHead, text: str, column: str, coder: Coder | None) -> str:
    """What is wrong with a cell that is no number, or not what its column holds."""
    if coder is None or coder.kind == "number":
        return _not_a_number(head, text, column, None if coder is None else coder.remedy)
    if coder.missing(text):
        way = "fill it, leave out rows that miss a value with missing: drop, or count them with missing: keep"
        return f"column '{column}': {_shown(text)} is no value; {way}"
    return f"column '{column}': {_shown(text)} is not {WANTED[coder.kind]}; {coder.remedy or REMEDY}"


def _shown(text: str) -> str:
    bare = text.strip(" \t")
    return "'" + "".join(c if c.isprintable() else "·" for c in bare[:40]) + "'" if bare else "an empty cell"


def _ragged(head: CsvHead, many: int) -> str:
    separator = head.layout.separator
    by = "" if separator == "," else f", separated by {name_of(separator)}"
    return f"every row must have {head.width} cells, like the first{by}; this one has {many}"


def _not_a_number(head: CsvHead, text: str, column: str, remedy: str | None = None) -> str:
    """What is wrong with a cell, and the ways out."""
    bare = text.strip(" \t")
    shown = "".join(c if c.isprintable() else "·" for c in bare[:40])
    what = f"'{shown}' is not a number" if bare else "the cell is empty"
    way = "mend it"
    if head.layout.number(text) is not None:
        what, way = f"'{shown}' is beyond float64, which ends at 1.8e308", "mend it"
    elif is_missing(text):
        way = "fill it, leave out rows that miss a value with missing: drop"
    elif marked_otherwise(text) or "," in bare:
        way = f"write it without thousands; {SAY_DECIMAL}" if marked_otherwise(text) else "mend it"
    elif "_" in bare or bare[:2].casefold() == "0x":
        way = "write its digits alone, as 1000"
    if remedy is not None and way == "mend it":
        return f"column '{column}': {what}; {remedy}"
    return f"column '{column}': {what}; {way}, or choose other columns with columns:"
