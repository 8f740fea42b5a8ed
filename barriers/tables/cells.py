"""The cells of lines of text, and the numbers in them.

A line that begins with # is a comment. Where it has as many cells as a row it may be a row, and whoever reads
is told of it. Blank lines are none; cells in quotes may hold separators and line breaks, and quotes may come
after spaces.
"""

import csv
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from barriers.tables.first_row import MISSING, number

_MARKS = re.compile(
    r"[+-]?\d*,\d+([eE][+-]?\d+)?|[+-]?\d{1,3}(\.\d{3}){2,}(,\d+)?|[+-]?\d{1,3}(\.\d{3})+,\d+"
)
"""A number whose commas are decimal marks, or whose points cannot be: 1,5 and 1.234.567 and 1.234,5."""
_NO_VALUE = MISSING - {f"{sign}{inf}" for sign in ("", "+", "-") for inf in ("inf", "infinity")}
_ERRORS = re.compile(r"#(div/0!|value!|ref!|num!|name\?)|[+-]?1\.#inf|#null!")


@dataclass(frozen=True)
class Layout:
    """How the lines of one file become cells: the character between two of them (a space: any number of
    spaces and tabs), the decimal mark, and whether that was given or is only usual.
    """

    separator: str = ","
    decimal: str = "."
    decimal_given: bool = False

    @property
    def may_be_in_doubt(self) -> bool:
        """Whether commas within cells may mark decimals, though nobody says so."""
        return self.separator != "," and not self.decimal_given

    def is_blank(self, line: str) -> bool:
        """Whether there is nothing in a line; a tab between two empty cells is something."""
        return not line.strip("\r\n \ufeff" if self.separator == "\t" else None)

    def cells(self, line: str) -> list[str]:
        """The cells of a comment, without its mark."""
        return next(self.parted([self.spaced(line.lstrip().lstrip("#"))]), [])

    def as_row(self, comment: str) -> list[list[str]]:
        """The cells that a comment may have as a row: without its mark, and with it where some are numbers or
        missing.
        """
        marked = next(self.parted([self.spaced(comment)]), [])
        filled = any(self.number(cell) is not None or is_missing(cell) for cell in marked)
        return [self.cells(comment), marked] if filled else [self.cells(comment)]

    def is_comment(self, line: str) -> bool:
        """Whether a line begins with #, and not with what a spreadsheet writes for a missing number; after a
        tab that separates, it does not.
        """
        bare = line.lstrip(" \t" if self.separator == " " else " ")
        if not bare.startswith("#"):
            return False
        first = re.split(r"[,;|\t\r\n]", bare, maxsplit=1)[0].strip().casefold()
        return first not in MISSING and first.split(" ")[0] not in MISSING

    def spaced(self, line: str) -> str:
        """The line, its tabs as spaces where any number of both separates."""
        if self.separator != " ":
            return line
        return line.rstrip().replace("\t", " ") + "\n"

    def parted(self, lines: Iterable[str]) -> Iterator[list[str]]:
        """The cells of lines, as the csv module parts them."""
        return csv.reader(lines, delimiter=self.separator, skipinitialspace=True)

    def number(self, text: str) -> float | None:
        """The number in a cell; None where there is none.

        >>> Layout(";", ",").number("1,5"), Layout(";", ",").number("1.5"), Layout(";").number("1,5")
        (1.5, None, None)
        """
        if self.decimal == ".":
            return number(text)
        return None if "." in text else number(text.replace(",", "."))

    def plain(self, text: str) -> str:
        """A cell whose number, where it holds one, is written with a point."""
        return text.replace(",", ".") if self.decimal == "," and self.number(text) is not None else text


class Record(NamedTuple):
    """One row: its cells, the number of its last line, and its text."""

    cells: list[str]
    line: int
    text: str


class Other(NamedTuple):
    """Text that is no row: a comment, or blank lines; the number of its last line."""

    line: int
    text: str
    comment: bool


def pieces(lines: Iterable[str], layout: Layout, start: int = 0) -> Iterator[Record | Other]:
    """Everything in lines that come after `start` others, in order: the texts together are the lines."""
    text: list[str] = []
    comments: list[Other] = []
    at = start

    def fed() -> Iterator[str]:
        nonlocal at
        for line in lines:
            at += 1
            if not text and layout.is_comment(line):
                comments.append(Other(at, line, True))
                continue
            text.append(line)
            yield layout.spaced(line)

    for cells in layout.parted(fed()):
        raw = "".join(text)
        text.clear()
        yield from comments
        comments.clear()
        yield Other(at, raw, False) if layout.is_blank(raw) else Record(cells, at, raw)
    yield from comments


def records(
    lines: Iterable[str],
    layout: Layout,
    start: int = 0,
    comment: Callable[[int, str], None] = lambda line, text: None,
) -> Iterator[Record]:
    """The rows in lines that come after `start` others; `comment` is told the number and text of every line
    that begins with #.
    """
    for piece in pieces(lines, layout, start):
        if isinstance(piece, Record):
            yield piece
        elif piece.comment:
            comment(piece.line, piece.text)


def is_missing(text: str) -> bool:
    """Whether a cell says that there is no value: it is empty, NA, n/a, null, none, nan, ?, -, and the like;
    not where it holds an infinity or an error of a spreadsheet.

    >>> is_missing(" "), is_missing("NA"), is_missing("#DIV/0!"), is_missing("inf"), is_missing("0")
    (True, True, False, False, False)
    """
    bare = text.strip().casefold()
    return bare in _NO_VALUE and _ERRORS.fullmatch(bare) is None


def marked_otherwise(text: str) -> bool:
    """Whether a cell seems to be a number in which a comma marks the decimals, or points mark thousands."""
    return _MARKS.fullmatch(text.strip()) is not None
