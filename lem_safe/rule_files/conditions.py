"""What schemas ask of one column, as the text of rules.

Bounds and values of numbers are accepted up to the tolerance: p >= 2 becomes p >= 2 - T. Texts and truth
values have none.
"""

import math
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from lem_safe.rule_files.rule_file import numeral

FLIPPED = {">=": -1, ">": -1, "<=": 1, "<": 1}


class Unmapped(Exception):
    """Something that no rule says, and why."""


def decimal(value: Any) -> Decimal:
    """A number of a file; Unmapped where it is none, or not finite."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise Unmapped(f"needs a finite number; got {value!r}")
    return Decimal(repr(value))


def bound(column: str, sign: str, value: Any, slack: Decimal) -> str:
    """column > value, accepted up to the slack."""
    return f"{column} {sign} {numeral(decimal(value) + FLIPPED[sign] * slack)}"


def among(column: str, values: Sequence[Any], slack: Decimal) -> str:
    """The column has one of these values, all of them of one type; None is a missing cell, and so is ''."""
    if not all(v is None or isinstance(v, str | bool | int | float) for v in values):
        raise Unmapped("holds a value that is no text, number or truth value")
    gaps = [v for v in values if v is None or (isinstance(v, str) and not v.strip())]
    words = [v for v in values if isinstance(v, str) and v.strip()]
    truths = [v for v in values if isinstance(v, bool)]
    numbers = [v for v in values if isinstance(v, int | float) and not isinstance(v, bool)]
    if sum(map(bool, (words, truths, numbers))) > 1:
        raise Unmapped("holds values of several types, and a column has one")
    parts = [f"{column} is missing"] if gaps else []
    if len(set(words)) == 1:
        parts.append(f"{column} == {quoted(words[0])}")
    elif words:
        parts.append(f"{column} in {{{', '.join(map(quoted, dict.fromkeys(words)))}}}")
    parts += [f"{column} == {str(v).lower()}" for v in dict.fromkeys(truths)]
    parts += [_near(column, decimal(v), slack) for v in dict.fromkeys(numbers)]
    if not parts:
        raise Unmapped("holds no value")
    return either(parts)


def none_of(column: str, values: Sequence[Any]) -> str:
    """The column has none of these values, exactly."""
    if any(v is None or (isinstance(v, str) and not v.strip()) for v in values):
        raise Unmapped("holds a missing value; say so by nullable")
    return f"not ({among(column, values, Decimal(0))})"


def whole(column: str, slack: Decimal) -> str:
    """The column holds a whole number."""
    return multiple(column, 1, slack)


def multiple(column: str, step: Any, slack: Decimal) -> str:
    """The column holds a multiple of a number > 0; of one that float64 does not hold exactly, such as 0.1,
    only up to a slack.
    """
    size = decimal(step)
    if size <= 0:
        raise Unmapped(f"needs a number > 0; got {step!r}")
    if slack > 0:
        rest = f"{column} % {numeral(size)}"
        return f"min({rest}, {numeral(size)} - {rest}) <= {numeral(slack)}"
    if Decimal(float(size)) != size:
        raise Unmapped(f"{step!r} is no exact number in float64, so its multiples need --tolerance")
    return f"{column} % {numeral(size)} <= 0"


def missing(column: str) -> str:
    """The column's cell is missing."""
    return f"{column} is missing"


def present(column: str) -> str:
    """The column's cell is not missing."""
    return f"{column} is not missing"


def either(parts: Sequence[str]) -> str:
    """a or b or …"""
    return parts[0] if len(parts) == 1 else " or ".join(map(enclosed, parts))


def every(parts: Sequence[str]) -> str:
    """a and b and …"""
    return parts[0] if len(parts) == 1 else " and ".join(map(enclosed, parts))


def enclosed(text: str) -> str:
    """A condition as part of another one."""
    joined = any(word in f" {text} " for word in (" and ", " or ", " then ", " not ("))
    return f"({text})" if joined else text


def quoted(value: str) -> str:
    """A text in a rule."""
    plain = value.isprintable() and "\\" not in value
    if plain and "'" not in value:
        return f"'{value}'"
    return f'"{value}"' if plain and '"' not in value else repr(value)


def _near(column: str, value: Decimal, slack: Decimal) -> str:
    return f"{numeral(value - slack)} <= {column} <= {numeral(value + slack)}"
