"""What is between the cells of a file and marks its decimals, told from its first rows; in doubt it is
refused.

| the first rows, for each of , ; tab | | the separator is |
| --- | --- |
| one of them parts every row into the same number of cells, two or more | that one |
| several do, and with one alone some column holds numbers | that one |
| several do, otherwise | in doubt |
| none does, but one or more occur in the first line and in a row | that one; rows are refused by their line |
| none occurs, and spaces do (and tabs may), in a file that is not called .csv | spaces, unless they may be
within numbers |
| none occurs at all | none: there is one column |

A file called .tsv is separated by tabs. Decimals are marked by points unless `decimal` says otherwise; a file
without commas between its cells that has commas within numbers (1,5), or points that mark thousands, is in
doubt; and so is one of whole numbers alone in which a cell after a comma begins with 0 (1,05).
"""

import itertools
import re
from collections.abc import Sequence
from pathlib import Path

from barriers.tables.cells import Layout, Record, is_missing, marked_otherwise, records
from barriers.tables.first_row import WINDOW
from barriers.tables.table_format import SEPARATORS, TableFormat, name_of
from barriers.tables.text_file import Elsewhere, TableFault, kind_of, opened

STRONG = (",", ";", "\t", "|")
ONE_COLUMN = {".": ",", ",": ";"}
"""What would separate where nothing does, so that a row that has two cells is refused."""
SAY = (
    "say which: separator: ',', ';', '|', tab or space beside its path, --separator on the command line, "
    "separator= in Python"
)
SAY_DECIMAL = (
    "say what marks decimals: decimal: ',' or decimal: '.' beside its path, --decimal on the command line, "
    "decimal= in Python"
)


HALVED = (
    "its commas may separate columns or mark decimals, as a cell before one is -0, or one after it begins "
    "with 0 (1,05); say "
    "which: separator: ',' or decimal: ',' beside its path, --separator or --decimal on the command line"
)


def layout_of(path: Path | Elsewhere, form: TableFormat) -> Layout:
    """How the file's lines become cells; a TableFault where it is in doubt."""
    decimal, given = form.decimal or ".", form.decimal is not None
    separator = _separator(path, decimal) if form.separator is None else SEPARATORS[form.separator]
    found = Layout(separator, decimal, given)
    rows = first_records(path, found)
    _must_be_plain(rows, found)
    if form.separator is None and not given and separator == "," and _halved(rows):
        raise TableFault([(HALVED, rows[0].line)])
    return found


def first_records(path: Path | Elsewhere, layout: Layout) -> list[Record]:
    """The first line, and those that are compared with it."""
    with opened(path) as file:
        return list(itertools.islice(records(file, layout), WINDOW + 1))


def decimals_in_doubt(cells: Sequence[str], layout: Layout) -> str | None:
    """Why the decimal mark is in doubt, by the cells of one row; None where it is not."""
    if not layout.may_be_in_doubt:
        return None
    cell = next((cell for cell in cells if marked_otherwise(cell)), None)
    if cell is None:
        return None
    return f"'{cell.strip()[:40]}' may be a number with a decimal comma or with thousands; {SAY_DECIMAL}"


def _separator(path: Path | Elsewhere, decimal: str) -> str:
    if kind_of(path) == ".tsv":
        return _tabs(path, decimal)
    candidates = [mark for mark in STRONG if mark != decimal]
    parted = {mark: _parted(path, Layout(mark, decimal)) for mark in candidates}
    fits = [mark for mark, rows in parted.items() if _widths(rows) and min(_widths(rows)) > 1]
    fits = [mark for mark in fits if len(_widths(parted[mark])) == 1]
    if len(fits) > 1:
        return _of_several(fits, parted, decimal)
    if fits:
        return fits[0]
    present = [mark for mark in candidates if _occurs(parted[mark], mark)]
    if present == ["\t"] and kind_of(path) != ".csv" and _by_spaces(path, decimal):
        return " "
    if present:
        return max(present, key=lambda mark: _agreeing(parted[mark]))
    return _spaces(path, decimal)


def _of_several(fits: Sequence[str], parted: dict[str, list[Record]], decimal: str) -> str:
    """The one of several separators with which some column holds numbers; else a TableFault."""
    numeric = [mark for mark in fits if _has_numbers(parted[mark], mark, decimal)]
    if len(numeric) == 1:
        return numeric[0]
    first = parted[fits[0]][0]
    counts = " or ".join(f"{len(parted[mark][0].cells)} by {name_of(mark)}" for mark in fits)
    commas = "; if commas mark decimals, decimal: ',' says so" if "," in fits else ""
    raise TableFault(
        [(f"its columns may be separated in several ways: {counts} cells; {SAY}{commas}", first.line)]
    )


def _has_numbers(rows: Sequence[Record], mark: str, decimal: str) -> bool:
    """Whether some column holds numbers below its first cell, decimals marked by either mark."""
    body = [record.cells for record in (rows[1:] or rows)]
    layouts = [Layout(mark, decimal)] + ([Layout(mark, ",")] if mark != "," else [])
    return any(
        all(is_missing(cell) or layout.number(cell) is not None for cell in column)
        and any(not is_missing(cell) for cell in column)
        for layout in layouts
        for column in zip(*body, strict=True)
    )


def _tabs(path: Path | Elsewhere, decimal: str) -> str:
    """Tabs, which the file's name promises; a TableFault where there are none, but something else is."""
    rows = _parted(path, Layout("\t", decimal))
    if not rows or any(len(record.cells) > 1 for record in rows):
        return "\t"
    others = [mark for mark in STRONG if mark not in ("\t", decimal) and mark in rows[0].text]
    if others:
        raise TableFault(
            [(f"is called .tsv and holds no tabs, but {name_of(others[0])}; {SAY}", rows[0].line)]
        )
    return "\t"


def _spaces(path: Path | Elsewhere, decimal: str) -> str:
    """Spaces, where they part every row alike and are not within numbers; else what a file of one column
    has.
    """
    rows = _by_spaces(path, decimal)
    if not rows:
        return ONE_COLUMN[decimal]
    if kind_of(path) == ".csv":
        told = f"its columns seem to be separated by spaces, which is unusual in a .csv; {SAY}"
        raise TableFault([(told, rows[0].line)])
    if all(_grouped(record.cells) for record in (rows[1:] or rows)):
        raise TableFault(
            [(f"spaces may be between its columns or within its numbers (1 000); {SAY}", rows[0].line)]
        )
    return " "


def _by_spaces(path: Path | Elsewhere, decimal: str) -> list[Record]:
    """The first rows parted by spaces and tabs; nothing where these do not part all of them alike, in two or
    more.
    """
    rows = _parted(path, Layout(" ", decimal))
    return rows if rows and len(_widths(rows)) == 1 and len(rows[0].cells) > 1 else []


def _grouped(cells: Sequence[str]) -> bool:
    """Whether cells parted by spaces may be one number, such as 1 000 000."""
    return re.fullmatch(r"[+-]?\d{1,3}( \d{3})+([.,]\d*)?", " ".join(cells)) is not None


def _parted(path: Path | Elsewhere, layout: Layout) -> list[Record]:
    """The first rows by one separator; nothing where quotes make no sense with it."""
    try:
        return first_records(path, layout)
    except TableFault as bad:
        if "quote" in str(bad):
            return []
        raise


def _occurs(rows: Sequence[Record], mark: str) -> bool:
    """Whether a mark parts the first line, and some row; a comma in the first line is enough."""
    parts = [len(record.cells) > 1 for record in rows]
    return bool(parts) and parts[0] and (mark == "," or len(parts) == 1 or any(parts[1:]))


def _widths(rows: Sequence[Record]) -> set[int]:
    return {len(record.cells) for record in rows}


def _agreeing(rows: Sequence[Record]) -> int:
    """How many rows have as many cells as the first."""
    return sum(len(record.cells) == len(rows[0].cells) for record in rows)


def _halved(rows: Sequence[Record]) -> bool:
    """Whether rows of whole numbers may be half as many with decimal commas: 1,05 is no two columns."""
    cells = [record.cells for record in rows]
    if not cells or len(cells[0]) % 2 or not all(len(row) == len(cells[0]) for row in cells):
        return False
    wholes = (
        re.fullmatch(r"[+-]?\d+" if i % 2 == 0 else r"\d+", c) for row in cells for i, c in enumerate(row)
    )
    return all(wholes) and any(
        re.match(r"0\d", cell) or whole == "-0"
        for row in cells
        for whole, cell in zip(row[::2], row[1::2], strict=True)
    )


def _must_be_plain(rows: Sequence[Record], layout: Layout) -> None:
    for record in rows:
        why = decimals_in_doubt(record.cells, layout)
        if why is not None:
            raise TableFault([(why, record.line)])
