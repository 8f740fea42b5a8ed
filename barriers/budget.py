"""Budgets are integers: ⌊βn⌋, computed on the decimal the user wrote, without rounding up (A.1)."""

import math
from fractions import Fraction
from math import floor


def budget(beta: float, n: int) -> int:
    """How many of n particles may be inside a set of tolerance beta: .07 of 100 is 7, though .07 * 100 > 7 in
    floating point.
    """
    return floor(Fraction(repr(float(beta))) * n)


def share(count: int, n: int) -> float:
    """count/n as a tolerance whose budget is `count`: the quotient, or the next number above where its
    decimals fall short.
    """
    β = count / n
    return β if budget(β, n) >= count else math.nextafter(β, 1.0)
