"""Fractions and confidences as text."""

import math
from collections.abc import Sequence


def percent(fraction: float | None) -> str:
    """A fraction as a percentage with three significant digits: 0.98 %, 4.1 %, 0.0599 %; empty for None.

    >>> percent(0.01), percent(0.000599), percent(0.0098), percent(1e-9)
    ('1 %', '0.0599 %', '0.98 %', '1e-07 %')
    """
    return "" if fraction is None else f"{100 * fraction:.3g} %"


def level(confidence: float) -> str:
    """A confidence as a percentage, never rounded up to certainty: its distance from 100 % has two
    significant digits.

    >>> level(0.95), level(1 - 0.05 / 3), level(0.99999)
    ('95 %', '98.3 %', '99.999 %')
    """
    decimals = max(0, 1 - math.floor(math.log10(100 * (1 - confidence))))
    return f"{100 * confidence:.{decimals}f}".rstrip("0").rstrip(".") + " %"


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """The lines of a table of text, each column as wide as its widest cell.

    >>> aligned([("set", "found"), ("pillar", "2 %")])
    ['set     found', 'pillar  2 %']
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip() for row in rows]
