"""The orientation of three points of the plane, without rounding: signs of (b − a) × (c − a), in float64
where its rounding cannot change them and else in rational numbers, as corners are the numbers that were
written.
"""

from collections.abc import Sequence
from fractions import Fraction

import numpy as np
from jaxtyping import Float, Int

ROUNDING = 2.0**-50
"""The relative error of a difference of two products of differences is below this share of their absolute
sum.
"""
Point = tuple[float, float]
Place = Point | Sequence[float] | Float[np.ndarray, "2"]
Exact = tuple[Fraction, Fraction]


def turn(
    a: Float[np.ndarray, "p 2"], b: Float[np.ndarray, "p 2"], c: Float[np.ndarray, "p 2"]
) -> Int[np.ndarray, "p"]:
    """The sign of (b − a) × (c − a), exactly: 1 where c lies to the left of the line from a to b, 0 on it, −1
    to the right.
    """
    u, v = b - a, c - a
    left, right = u[:, 0] * v[:, 1], u[:, 1] * v[:, 0]
    value = left - right
    sign = np.sign(value).astype(np.int64)
    size = np.abs(left) + np.abs(right)
    for k in np.flatnonzero(~((np.abs(value) > ROUNDING * size) & (size > 1e-290) & (size < 1e290))).tolist():
        value_k = cross(difference(b[k], a[k]), difference(c[k], a[k]))
        sign[k] = (value_k > 0) - (value_k < 0)
    return sign


def between(u: Exact, v: Exact, w: Exact) -> bool:
    """Whether v lies strictly between u and w, counterclockwise from u to w."""
    whole = cross(u, w)
    if whole > 0:
        return cross(u, v) > 0 and cross(v, w) > 0
    if whole < 0:
        return not (cross(w, v) >= 0 and cross(v, u) >= 0)
    return cross(u, v) > 0


def exact(p: Place) -> Exact:
    """A place as the rational numbers equal to its floats."""
    return Fraction(float(p[0])), Fraction(float(p[1]))


def difference(p: Place, q: Place) -> Exact:
    """p − q."""
    (a, b), (c, d) = exact(p), exact(q)
    return a - c, b - d


def cross(u: Exact, v: Exact) -> Fraction:
    """u × v: positive where v lies to the left of u."""
    return u[0] * v[1] - u[1] * v[0]
