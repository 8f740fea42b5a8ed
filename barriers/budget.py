"""Budgets are integers: ⌊βn⌋, computed on the decimal the user wrote, without rounding up (A.1); and the budget that leaves room for a
certificate: the largest k of n whose Clopper–Pearson upper bound is still at most β (A.2), I_β(k+1, n−k) ≥ 1 − α."""

import math
from fractions import Fraction
from math import floor


def budget(beta: float, n: int) -> int:
    """How many of n particles may be inside a set of tolerance beta: .07 of 100 is 7, though .07 * 100 > 7 in floating point."""
    return floor(Fraction(repr(float(beta))) * n)


def certifiable(beta: float, n: int, alpha: float) -> int | None:
    """The largest count of n independent samples that still certifies beta with error alpha; None where not even 0 does.

    >>> certifiable(0.01, 1000, 0.05), certifiable(0.01, 298, 0.05), certifiable(0.01, 299, 0.05)
    (4, None, 0)
    """
    from scipy.special import betaincc

    def certifies(k: int) -> bool:
        return k < n and float(betaincc(k + 1, n - k, beta)) <= alpha  # P(Bin(n, β) ≤ k)

    if beta <= 0 or not certifies(0):
        return None
    low, high = 0, budget(beta, n) + 1  # a count over the budget is evidence of the contrary
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if certifies(middle) else (low, middle)
    return low


def fewest_samples(beta: float, alpha: float) -> int:
    """How many independent samples, none of them inside, certify beta > 0 with error alpha: log α / log(1 − β) (A.3)."""
    return math.ceil(math.log(alpha) / math.log1p(-beta))


def share(count: int, n: int) -> float:
    """count/n as a tolerance whose budget is `count`: the quotient, or the next number above where its decimals fall short."""
    β = count / n
    return β if budget(β, n) >= count else math.nextafter(β, 1.0)
