"""Budgets are integers: ⌊βn⌋, computed on the decimal the user wrote, without rounding up (A.1)."""

import math
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache


def budget(beta: float | str | Decimal | Fraction, n: int) -> int:
    """How many of n particles may be inside a set of tolerance beta, which is read as the decimal that was
    written: .07 of 100 is 7, although .07 * 100 > 7 and .29 * 100 < 29 in floating point. Raises
    ValueError unless 0 <= beta < 1.

    >>> budget(0.07, 100), budget(0.29, 100), budget(0, 10)
    (7, 29, 0)
    """
    written = beta if isinstance(beta, str | Decimal | Fraction) else repr(float(beta))
    return _budget(written, n)


@lru_cache(maxsize=1024)
def _budget(written: str | Decimal | Fraction, n: int) -> int:
    tolerance = Fraction(written)
    if not 0 <= tolerance < 1:
        raise ValueError(f"beta must satisfy 0 <= beta < 1; got {written}")
    if n < 0:
        raise ValueError(f"the number of samples must be >= 0; got {n}")
    return math.floor(tolerance * n)


def share(count: int, n: int) -> float:
    """count/n as a tolerance whose budget is `count`: the quotient, or the next larger float where its
    decimals are too small.
    """
    β = count / n
    return β if count == n or budget(β, n) >= count else math.nextafter(β, 1.0)
