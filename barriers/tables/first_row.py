"""What the first line of a CSV is: names, a row of numbers, or either, which only whoever wrote it knows.

| its cells | and | it is |
| --- | --- | --- |
| words, beside them perhaps gaps, no number | | names |
| numbers and anything else (a word, a gap, 1_000) | | in doubt: a damaged row, or names, some numeric |
| gaps alone, or numerals alone that are not read as numbers | | in doubt |
| numbers | two are the same, so that they name nothing | a row |
| numbers in quotes | those below are not in quotes | in doubt |
| 0, 1, ..., d-1 | | in doubt: pandas names columns so |
| 1, 2, ..., d (d ≥ 3), or evenly spaced integers (d ≥ 4) | no row below is evenly spaced | in doubt |
| two years (1800 to 2200) or more, rising or falling | not all cells below are years | in doubt |
| integers without a sign, or evenly spaced | decimals below, and no row of integers alone | in doubt |
| decimals | integers alone below | in doubt |
| other numbers | | a row |

Below means the first `WINDOW` rows that follow. What is in doubt is refused, never guessed: a row that is
taken for names is not counted, and names that are taken for a row are counted as a sample.
"""

import math
import re
from collections.abc import Sequence
from typing import Literal, NamedTuple

WINDOW = 256
"""Rows below the first that are compared with it."""
YEARS = range(1800, 2201)

_INTEGER = re.compile(r"[+-]?\d+")
_NUMERAL = re.compile(r"[+-]?\d[\d.,_'\s]*")
_MISSING = {
    "",
    "na",
    "n/a",
    "#n/a",
    "<na>",
    "nan",
    "null",
    "nil",
    "none",
    "missing",
    "-",
    "--",
    "?",
    ".",
    "inf",
    "+inf",
    "-inf",
}


class Doubt(NamedTuple):
    """Why a first line may be either, in words; `words` are its cells that can only be names."""

    why: str
    words: tuple[str, ...]


Reading = Literal["names", "row"] | Doubt


def number(text: str) -> float | None:
    """The number that a cell holds, as Python's float reads it, but never 1_000; None where it holds none.

    >>> number(" 1e5 "), number("1_000"), number("NA")
    (100000.0, None, None)
    """
    try:
        value = float(text)
    except ValueError:
        return None
    return None if "_" in text else value


def first_row(first: Sequence[str], below: Sequence[Sequence[str]], quoted: bool = False) -> Reading:
    """What the first line is, by the table above.

    first: its cells. below: those of the rows that follow it. quoted: whether numbers of the first line are
    in quotes where those below are not.
    """
    cells = [cell.strip() for cell in first]
    if all(number(cell) is not None for cell in cells):
        why = _numbers(
            cells, [[cell.strip() for cell in row] for row in below if len(row) == len(first)], quoted
        )
        return "row" if why is None else Doubt(why, ())
    words = tuple(cell for cell in cells if _is_word(cell))
    figures = [cell for cell in cells if _is_figure(cell)]
    if not figures and words:
        return "names"
    if not figures:
        return Doubt("it holds no number and no name", ())
    other = next(cell for cell in cells if number(cell) is None)
    if _is_figure(other):
        return Doubt(f"'{other}' is not read as a number here", words)
    what = f"'{other}' is not a number" if other else "a cell is empty"
    return Doubt(f"{what} and '{figures[0]}' is an unusual name", words)


def _is_word(cell: str) -> bool:
    return cell.casefold() not in _MISSING and not _is_figure(cell)


def _is_figure(cell: str) -> bool:
    """A finite number, or digits with separators that are not read as one: 1_000, 1.000,5."""
    value = number(cell)
    return math.isfinite(value) if value is not None else _NUMERAL.fullmatch(cell) is not None


def _numbers(cells: Sequence[str], below: Sequence[Sequence[str]], quoted: bool) -> str | None:
    """Why a line of numbers may be names; None where it is a row."""
    if len(set(cells)) < len(cells):
        return None
    if quoted:
        return "its numbers are in quotes and those below it are not"
    if not all(map(_integer, cells)):
        decimals = not any(map(_integer, cells)) and all(math.isfinite(float(cell)) for cell in cells)
        return (
            "it holds decimals, and below it are integers alone"
            if decimals and below and _all_integers(below)
            else None
        )
    values, d = [int(cell) for cell in cells], len(cells)
    if values == list(range(d)):
        return "it counts the columns from 0, as pandas names columns that have no names"
    counts = values == list(range(1, d + 1)) and d >= 3
    if below and (counts or (d >= 4 and _even(cells))) and not any(_even(row) for row in below):
        return "it counts the columns" if counts else "its integers are evenly spaced, as no row below is"
    if (
        d >= 2
        and _years(values)
        and not (below and all(_integer(c) and int(c) in YEARS for row in below for c in row))
    ):
        return "its numbers are years, and those below are not"
    named = all(cell.isdigit() for cell in cells) or (d >= 3 and _even(cells))
    if (
        named
        and any(_decimal(c) for row in below for c in row)
        and not any(all(map(_integer, row)) for row in below)
    ):
        return "it holds integers alone, as no row below does"
    return None


def _integer(cell: str) -> bool:
    return _INTEGER.fullmatch(cell) is not None


def _decimal(cell: str) -> bool:
    value = number(cell)
    return value is not None and math.isfinite(value) and not _integer(cell)


def _all_integers(rows: Sequence[Sequence[str]]) -> bool:
    return all(_integer(cell) for row in rows for cell in row)


def _even(row: Sequence[str]) -> bool:
    """Rising integers, all equally far apart."""
    if not all(map(_integer, row)):
        return False
    values = [int(cell) for cell in row]
    steps = {b - a for a, b in zip(values, values[1:], strict=False)}
    return len(steps) == 1 and min(steps) > 0


def _years(values: Sequence[int]) -> bool:
    steps = [b - a for a, b in zip(values, values[1:], strict=False)]
    return all(value in YEARS for value in values) and (
        all(s > 0 for s in steps) or all(s < 0 for s in steps)
    )
