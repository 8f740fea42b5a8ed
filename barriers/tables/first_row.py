"""Whether the first line of a CSV is names, a row of numbers, or ambiguous.

| its cells | and | it is |
| --- | --- | --- |
| words, no number | fewer gaps that are written (NA, ?) than words | names |
| words, no number | as many gaps or more | in doubt |
| numbers and anything else (a word, a gap, 1_000) | | in doubt: a damaged row, or names, some numeric |
| gaps alone, or numerals alone that are not read as numbers | | in doubt |
| values alone that are written otherwise: 99%, $99, −99, 0x63, <5, 12 kN, True | | in doubt |
| numbers | two are the same, so that they name nothing | a row |
| numbers in quotes | those below are not in quotes | in doubt |
| 0, 1, ..., d-1 | | in doubt: pandas names columns so |
| 1, 2, ..., d (d ≥ 3), or evenly spaced integers (d ≥ 4) | no row below is evenly spaced | in doubt |
| years (1800 to 2200), months (201901) or days (20190131), two or more, rising or falling | not all cells
below are | in doubt |
| one year, or three or more in any order | no cell below is one | in doubt |
| integers without a sign, or evenly spaced | decimals below, and no row of integers alone | in doubt |
| decimals | integers alone below | in doubt |
| other numbers | | a row |

Below means the first `WINDOW` rows that follow. An ambiguous line is refused, never guessed: a row taken for
names would not be counted, and names taken for a row would be counted as a sample.
"""

import math
import re
from collections.abc import Sequence
from typing import Literal, NamedTuple

WINDOW = 256
"""Rows after the first that are compared with it."""
YEARS = range(1800, 2201)

_NO_NUMBER = re.compile(r"[_\n\r\x0b\x0c\x1c-\x1f\x85\u2028\u2029]")
_INTEGER = re.compile(r"[+-]?\d{1,400}")
_WHOLE = re.compile(r"[+-]?\d{1,8}(\.0)?")
_SIGN, _MONEY = r"[+\-−–﹣－]?\s*", r"[$€£¥₹]?\s*"
_DIGITS = r"(\d[\d.,_'’\s]*|[.,]\d+\s*)"
_NUMERAL = re.compile(
    rf"{_MONEY}{_SIGN}{_MONEY}{_DIGITS}([eEdD][+\-−]?\d+)?\s*{_MONEY}|{_SIGN}0[xX][\da-fA-F]+"
)
_VALUE = re.compile(
    rf"[(<>≤≥=~≈±]*\s*{_SIGN}{_MONEY}{_DIGITS}([eEdD][+\-−]?\d+)?"
    r"\s*([%‰]|(?<=\s)[^\W\d_][\w/²³·^]*|[+\-]\s*[\d.]+j)?\s*\)?|true|false",
    re.IGNORECASE,
)
"""A value that is not read as a number: a percentage, a number with a unit, a limit, a truth value."""
MISSING = (
    {"", "no data", "not available", "not a number", "n/a", "n.a.", "n.a", "#n/a", "na", "<na>", "pd.na"}
    | {"nat", "<nat>", "nan", "<nan>", "+nan", "-nan", "nan(ind)", "-nan(ind)", "nan(snan)", "-nan(snan)"}
    | {f"{sign}1.#{what}" for sign in ("", "-") for what in ("ind", "qnan", "snan", "inf")}
    | {"#null!", "#div/0!", "#value!", "#ref!", "#num!", "#name?", "null", "nil", "none", "missing", "nodata"}
    | {"-", "--", "---", "–", "—", "?", ".", "..", "...", "*"}
    | {sign + what for sign in ("", "+", "-") for what in ("inf", "infinity")}
)
"""Ways in which programs and people write a missing value."""


class Doubt(NamedTuple):
    """Why a first line is ambiguous, in words; `words` are its cells that can only be names."""

    why: str
    words: tuple[str, ...]


Reading = Literal["names", "row"] | Doubt


def number(text: str) -> float | None:
    """The number in a cell, as Python's float reads it, but never 1_000 nor across a line break; None where
    there is none.

    >>> number(" 1e5 "), number("1_000"), number("NA")
    (100000.0, None, None)
    """
    try:
        value = float(text)
    except ValueError:
        return None
    return None if _NO_NUMBER.search(text) else value


def first_row(first: Sequence[str], below: Sequence[Sequence[str]], quoted: bool = False) -> Reading:
    """What the first line is, by the table above.

    first: its cells. below: those of the rows that follow it. quoted: whether numbers of the first line are
    quoted where those below are not.
    """
    cells = [cell.strip() for cell in first]
    if all(number(cell) is not None for cell in cells):
        why = _numbers(
            cells, [[cell.strip() for cell in row] for row in below if len(row) == len(first)], quoted
        )
        return "row" if why is None else Doubt(why, ())
    words = tuple(cell for cell in cells if _is_word(cell))
    figures = [cell for cell in cells if _is_figure(cell)]
    if not figures and any(_VALUE.fullmatch(cell) is None for cell in words):
        gaps = [cell for cell in cells if _is_gap(cell)]
        named = tuple(cell for cell in cells if cell)
        return "names" if len(gaps) < len(words) else Doubt(f"'{gaps[0]}' is an unusual name", named)
    if not figures and words:
        return Doubt(f"'{words[0]}' is an unusual name, and is not read as a number here", ())
    if not figures:
        return Doubt("it holds neither a number nor a name", ())
    other = next(cell for cell in cells if number(cell) is None)
    if _is_figure(other):
        return Doubt(f"'{other}' is not read as a number here", words)
    what = f"'{other}' is not a number" if other else "a cell is empty"
    return Doubt(f"{what} and '{figures[0]}' is an unusual name", words)


def _is_word(cell: str) -> bool:
    return cell.casefold() not in MISSING and not _is_figure(cell)


def _is_gap(cell: str) -> bool:
    """Whether a cell is one of the ways to write a missing value; Na is sodium."""
    return cell != "" and cell != "Na" and cell.casefold() in MISSING and "inf" not in cell.casefold()


def _is_figure(cell: str) -> bool:
    """Whether a cell is a finite number, or a numeral that is not read as one: 1_000, 1.000,5, −1, 0x63,
    9.9D1, $99.
    """
    value = number(cell)
    return math.isfinite(value) if value is not None else _NUMERAL.fullmatch(cell) is not None


def _numbers(cells: Sequence[str], below: Sequence[Sequence[str]], quoted: bool) -> str | None:
    """Why a line of numbers may be names; None where it is a row."""
    if len(set(cells)) < len(cells):
        return None
    if quoted:
        return "its numbers are in quotes and those below it are not"
    if all(_WHOLE.fullmatch(cell) for cell in cells) and _periods(cells, below):
        return "its numbers are years, months or days, and those below are not"
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
    """Whether a row is increasing integers at equal distances."""
    if not all(map(_integer, row)):
        return False
    values = [int(cell) for cell in row]
    steps = {b - a for a, b in zip(values, values[1:], strict=False)}
    return len(steps) == 1 and min(steps) > 0


def _periods(cells: Sequence[str], below: Sequence[Sequence[str]]) -> bool:
    """Whether the cells are years, months or days, in an order or number that no row below explains."""
    values = [int(float(cell)) for cell in cells]
    under = [_whole_value(cell) for row in below for cell in row]
    for dated in (_is_year, _is_month, _is_day):
        if all(map(dated, values)):
            if len(values) > 1 and _years(values):
                return not (under and all(value is not None and dated(value) for value in under))
            return (
                len(values) != 2
                and bool(under)
                and not any(value is not None and dated(value) for value in under)
            )
    return False


def _years(values: Sequence[int]) -> bool:
    """Whether the values only increase, or only decrease."""
    steps = [b - a for a, b in zip(values, values[1:], strict=False)]
    return all(s > 0 for s in steps) or all(s < 0 for s in steps)


def _is_year(value: int) -> bool:
    return value in YEARS


def _is_month(value: int) -> bool:
    return value // 100 in YEARS and 1 <= value % 100 <= 12


def _is_day(value: int) -> bool:
    return _is_month(value // 100) and 1 <= value % 100 <= 31


def _whole_value(cell: str) -> int | None:
    """The whole number in a cell, including 1990.0; None where there is none."""
    return int(float(cell)) if _WHOLE.fullmatch(cell) else None
