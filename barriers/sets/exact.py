"""Membership without rounding: float64 decides where its error cannot change the answer, whole numbers of any length elsewhere.

Every float64 is a whole number times a power of two, so a comparison of sums and products of them is one of whole numbers after one scale.
A set evaluates its comparison in float64 with a bound of its rounding (A.8); the rows that this leaves open, next to none of them, are compared
again with Python's integers. `contains` of such a set is that of exact arithmetic on the numbers given, at every magnitude.
"""

import math
from collections.abc import Callable

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

ULP = 2.0**-52
TINY = 2.0**-1074
"""What an underflow may lose."""
SPLIT = 2.0**27 + 1
SAFE = (2.0**-900, 2.0**900)
"""Products of this size are split into two floats without over- or underflow."""

Whole = np.ndarray
"""An array of Python's integers."""


def settle(
    x: Float[Tensor, "*n d"], inside: Bool[Tensor, "*n"], sure: Bool[Tensor, "*n"], exactly: Callable[[Tensor], np.ndarray]
) -> Bool[Tensor, "*n"]:
    """`inside` where it is sure; elsewhere what `exactly` makes of the rows [k, d] that are finite."""
    if bool(sure.all()):
        return inside
    rows = x.detach()
    doubtful = ~sure & torch.isfinite(rows).all(-1)
    chosen = rows[doubtful].cpu()
    if not len(chosen):
        return inside
    inside = inside.clone()
    inside[doubtful] = torch.from_numpy(np.asarray(exactly(chosen), dtype=bool)).to(inside.device)
    return inside


def integers(*parts: Tensor | float) -> list[Whole]:
    """Each part times one power of two that makes all of them whole; finite numbers only."""
    values = [np.asarray(p.detach().cpu().double().numpy() if isinstance(p, Tensor) else p, dtype=np.float64) for p in parts]
    split = [np.frexp(v) for v in values]
    places = [53 - int(e[m != 0].min()) for m, e in split if (m != 0).any()]
    scale = max(places, default=0)
    return [
        np.left_shift((m * 2.0**53).astype(np.int64).astype(object), np.where(m == 0, 0, e - 53 + scale).astype(object))
        for m, e in split
    ]


def at_most(x: Float[Tensor, "*n d"], normals: Float[Tensor, "k d"], offsets: Float[Tensor, "k"]) -> Bool[Tensor, "*n k"]:
    """normals · x ≤ offsets, without rounding (A.8).

    The error of a float64 sum of d products is at most d ulps of Σ|nᵢ||xᵢ|: first with the largest |xᵢ| of all rows, one number for
    each plane; then row by row; then by sums whose errors are known and may be 0; then in whole numbers.
    """
    value = x @ normals.T
    inside = value <= offsets
    c = (x.shape[-1] + 4) * ULP
    with torch.no_grad():
        gap = (value - offsets).abs()
        largest = torch.linalg.vector_norm(x, math.inf) if x.numel() else x.new_zeros(())
        sure = gap > c * (normals.abs().sum(1) * largest + offsets.abs()) + TINY * x.shape[-1]
        if bool(sure.all()):
            return inside
        doubtful = (~sure).any(-1) & torch.isfinite(x).all(-1)
        rows = x.detach()[doubtful].cpu()
        n, b = normals.detach().cpu(), offsets.detach().cpu()
        sure = gap.detach()[doubtful].cpu() > c * (rows.abs() @ n.abs().T + b.abs()) + TINY * x.shape[-1]
        answer = inside[doubtful].cpu()
        for k in (~sure).any(0).nonzero()[:, 0].tolist():
            some = ~sure[:, k]
            answer[some, k] = _plane(rows[some], n[k], b[k])
        inside = inside.clone()
        inside[doubtful] = answer.to(inside.device)
    return inside


def _plane(x: Float[Tensor, "m d"], n: Float[Tensor, "d"], b: Float[Tensor, ""]) -> Bool[Tensor, "m"]:
    """n · x ≤ b for rows that float64 leaves open: many are ties of round numbers, of which every rounding error is 0."""
    total, lost = -b.expand(len(x)), torch.zeros(len(x), dtype=torch.float64)
    for i in (n != 0).nonzero()[:, 0].tolist():
        product, error = two_product(x[:, i], n[i].expand(len(x)))
        total, more = two_sum(total, product)
        lost = lost + error.abs() + more.abs()
    return settle(x, total <= 0, lost == 0, lambda rows: _plane_exactly(rows, n, b))


def _plane_exactly(x: Float[Tensor, "m d"], n: Float[Tensor, "d"], b: Float[Tensor, ""]) -> np.ndarray:
    used = n != 0
    X, N, B, one = integers(x[:, used], n[used], b, 1.0)
    return (X * N).sum(1) <= B * one


def two_sum(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """a + b as rounded, and what rounding lost, exactly [Knuth]; NaN where it overflows."""
    s = a + b
    v = s - a
    return s, (a - (s - v)) + (b - v)


def two_product(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """a·b as rounded, and what rounding lost, exactly [Dekker]; infinite where over- or underflow hides it."""
    p = a * b
    a1, a2 = _halves(a)
    b1, b2 = _halves(b)
    error = ((a1 * b1 - p) + a1 * b2 + a2 * b1) + a2 * b2
    low, high = SAFE
    sizes = torch.stack([a.abs(), b.abs(), p.abs()])
    safe = ((sizes >= low) & (sizes <= high)).all(0)
    return p, torch.where((a == 0) | (b == 0), 0.0, torch.where(safe, error, torch.inf))


def _halves(a: Tensor) -> tuple[Tensor, Tensor]:
    c = SPLIT * a
    high = c - (c - a)
    return high, a - high
