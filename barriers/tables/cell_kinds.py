"""What the cells of a column are, and the number that stands for each: a text is a code, a date its
microseconds since 1970, a truth value 1 or 0. A missing cell is NaN.

A code depends on the text alone, not on the file, the block or the order in which texts are read: 53 bits of
a hash. `coder` makes sure that no two texts of a column share one.
"""

import hashlib
import re
from datetime import UTC, datetime, timedelta
from typing import Literal, NamedTuple

CellKind = Literal["number", "text", "date", "boolean"]
"""How the cells of a column are read."""

DAY = 86_400_000_000
"""Microseconds of a day."""
EPOCH = datetime(1970, 1, 1)
TRUTHS = {"true": 1.0, "false": 0.0, "yes": 1.0, "no": 0.0, "1": 1.0, "0": 0.0, "1.0": 1.0, "0.0": 0.0}

_DATE = re.compile(
    r"(\d{4})-(\d{2})-(\d{2})(?:[T ](\d{2}):(\d{2})(?::(\d{2})(?:[.,](\d{1,9}))?)?\s*(Z|[+-]\d{2}:?\d{2})?)?",
    re.ASCII,
)


class Holding(NamedTuple):
    """What a file says that a column holds, None where all its cells are missing. typed: whether it is the
    column's own type, and not only what its first cells look like.
    """

    kind: CellKind | None = "number"
    typed: bool = False


def code_of(text: str) -> float:
    """The code of a text, a whole number below 2**53; spaces around it do not count.

    >>> code_of("M") == code_of(" M "), code_of("M") == code_of("m")
    (True, False)
    """
    digest = hashlib.blake2b(text.strip().encode("utf-8", "surrogatepass"), digest_size=7).digest()
    return float(int.from_bytes(digest, "big") >> 3)


def ticks_of(text: str) -> float | None:
    """The microseconds since 1970 of an ISO date, with or without a time; None where it is none, or has more
    digits than float64 holds. A time without an offset is taken as UTC.

    >>> ticks_of("1970-01-02") == DAY, ticks_of("1970-01-01 02:00+02:00"), ticks_of("01/02/2020")
    (True, 0.0, None)
    """
    found = _DATE.fullmatch(text.strip())
    if found is None:
        return None
    year, month, day, hour, minute, second = (int(part or 0) for part in found.groups()[:6])
    fraction, offset = (found[7] or "").ljust(9, "0"), found[8]
    try:
        whole = datetime(year, month, day, hour, minute, second) - EPOCH
    except ValueError:
        return None
    ticks = whole // timedelta(microseconds=1) + int(fraction[:6]) - _minutes(offset) * 60_000_000
    return float(ticks) if fraction[6:].strip("0") == "" and int(float(ticks)) == ticks else None


def _minutes(offset: str | None) -> int:
    if offset in (None, "Z"):
        return 0
    sign, digits = (-1 if offset[0] == "-" else 1), offset[1:].replace(":", "")
    return sign * (60 * int(digits[:2]) + int(digits[2:]))


def truth_of(text: str) -> float | None:
    """1 for true, yes and 1, 0 for false, no and 0, in any case; None for anything else."""
    return TRUTHS.get(text.strip().casefold())


def date_text(ticks: float) -> str:
    """A date as ISO writes it, without a time where that is midnight.

    >>> date_text(DAY), date_text(DAY + 1.5e6)
    ('1970-01-02', '1970-01-02T00:00:01.500000')
    """
    try:
        at = EPOCH + timedelta(microseconds=int(ticks))
    except OverflowError:
        return repr(ticks)
    return at.isoformat() if ticks % DAY else at.date().isoformat()


def utc_text(at: datetime) -> str:
    """A moment as ISO text without an offset, in UTC where it has one."""
    return (at if at.tzinfo is None else at.astimezone(UTC).replace(tzinfo=None)).isoformat()
