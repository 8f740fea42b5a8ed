"""The tails of the binomial distribution, as integrals of a Beta density: exact for n past 2³¹ too."""


def at_most(count: int, n: int, p: float) -> float:
    """P(Bin(n, p) ≤ count).

    >>> at_most(0, 10, 0.5) == 0.5**10, at_most(10, 10, 0.5), at_most(3, 10, 0.0)
    (True, 1.0, 1.0)
    """
    from scipy.special import betaincc

    return 1.0 if count >= n else float(betaincc(count + 1, n - count, p))


def at_least(count: int, n: int, p: float) -> float:
    """P(Bin(n, p) ≥ count).

    >>> at_least(0, 10, 0.5), round(at_least(9, 10, 0.5) * 2**10, 9)
    (1.0, 11.0)
    """
    from scipy.special import betainc

    return 1.0 if count == 0 else float(betainc(count, n - count + 1, p))
