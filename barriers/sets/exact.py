"""Membership without rounding: float64 decides where its error cannot change the answer, integers of any
length elsewhere.

Every float64 is an integer times a power of two, so a comparison of sums and products of them becomes one of
integers after scaling. A set evaluates its comparison in float64 with a bound of its rounding (A.8); the few
rows that remain undecided are compared again with Python's integers. `contains` of such a set is exact
arithmetic on the given numbers, at every magnitude.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from barriers.arrays import Tensor, nn, torch
from barriers.derivatives import array_of

ULP = 2.0**-52
TINY = 2.0**-1074
"""The largest loss by an underflow."""
FAR = 1e250
"""Up to this size no sum of products with a shape's numbers overflows."""
SPLIT = 2.0**27 + 1
SAFE = (2.0**-900, 2.0**900)
"""Products of this size are split into two floats without over- or underflow."""


def settle(
    x: Float[Tensor, "*n d"],
    surely: Bool[Tensor, "*n"],
    possibly: Bool[Tensor, "*n"],
    exactly: Callable[[Tensor], np.ndarray],
) -> Bool[Tensor, "*n"]:
    """Which rows are inside: decided where `surely` and `possibly` agree; elsewhere by `exactly`, for the
    finite rows [k, d].
    """
    if torch.equal(surely, possibly):
        return surely
    rows = x.detach()
    doubtful = (surely != possibly) & torch.isfinite(rows).all(-1)
    chosen = rows[doubtful].cpu()
    inside = surely.clone()
    if len(chosen):
        inside[doubtful] = torch.from_numpy(np.asarray(exactly(chosen), dtype=bool)).to(inside.device)
    return inside


def integers(*parts: Tensor | float) -> list[Any]:
    """The parts multiplied by one power of two that makes all of them integers: an array of integers, or one;
    finite numbers only.
    """
    values = [
        np.asarray(array_of(p.double()) if isinstance(p, Tensor) else p, dtype=np.float64) for p in parts
    ]
    split = [np.frexp(v) for v in values]
    places = [53 - int(e[m != 0].min()) for m, e in split if (m != 0).any()]
    scale = max(places, default=0)
    return [
        np.left_shift(
            (m * 2.0**53).astype(np.int64).astype(object), np.where(m == 0, 0, e - 53 + scale).astype(object)
        )
        for m, e in split
    ]


class Planes(nn.Module):
    """{normals · x ≤ offsets}, one plane per row, without rounding (A.8).

    The error of a float64 sum of d products is at most about d ulps of Σ|nᵢ||xᵢ|: first with the largest |xᵢ|
    of all rows, one number per plane; then row by row; then by sums with known errors, which may be 0; then
    in integers.
    """

    normals: Tensor
    offsets: Tensor
    slope: Tensor
    floor: Tensor

    def __init__(self, normals: Float[Tensor, "k d"], offsets: Float[Tensor, "k"]):
        super().__init__()
        d = normals.shape[1]
        self.register_buffer("normals", normals)
        self.register_buffer("offsets", offsets)
        self.register_buffer("slope", (d + 4) * ULP * normals.abs().sum(1))
        self.register_buffer("floor", (d + 4) * ULP * offsets.abs() + d * TINY)
        # For one plane, numbers rather than tensors: half the time of a small batch is in calls.
        self.one = (
            tuple(float(v[0]) for v in (self.offsets, self.slope, self.floor)) if len(offsets) == 1 else None
        )

    def forward(self, x: Float[Tensor, "*n d"]) -> Bool[Tensor, "*n k"]:
        """Whether each float64 row is on the near side of each plane, the plane included."""
        x = x.detach()
        low, high = map(float, x.aminmax()) if x.numel() else (0.0, 0.0)
        n, b, largest = self.normals.double(), self.offsets.double(), max(-low, high)
        value = (x @ n[0])[..., None] if self.one else x @ n.T
        if not largest < FAR:
            return self._by_row(x, value, n, b)
        if self.one:
            at, slope, floor = self.one
            error: Tensor | float = slope * largest + floor
            surely, possibly = value <= at - error, value <= at + error
        else:
            error = self.slope.double() * largest + self.floor.double()
            surely, possibly = value <= b - error, value <= b + error
        return surely if torch.equal(surely, possibly) else self._by_row(x, value, n, b)

    def _by_row(self, x: Tensor, value: Tensor, n: Tensor, b: Tensor) -> Tensor:
        slope, floor = (x.shape[-1] + 4) * ULP * n.abs().T, self.floor.double()
        error = x.abs() @ slope + floor
        sure = torch.isfinite(value) & ((value - b).abs() > error)  # of sums that overflow only integers know
        inside = value <= b
        finite = torch.isfinite(x).all(-1)
        for k in range(len(b)):
            some = ~sure[..., k] & finite
            if bool(some.any()):
                answer = _plane(x[some].cpu(), n[k].cpu(), b[k].cpu())
                inside[..., k] = inside[..., k].masked_scatter(some, answer.to(inside.device))
        return inside


def _plane(x: Float[Tensor, "m d"], n: Float[Tensor, "d"], b: Float[Tensor, ""]) -> Bool[Tensor, "m"]:
    """n · x ≤ b for rows that float64 does not decide: many are ties of round numbers, where every rounding
    error is 0.
    """
    total, lost = -b.expand(len(x)), torch.zeros(len(x), dtype=torch.float64)
    for i in (n != 0).nonzero()[:, 0].tolist():
        product, error = two_product(x[:, i], n[i].expand(len(x)))
        total, more = two_sum(total, product)
        lost = lost + error.abs() + more.abs()
    inside, known = total <= 0, lost == 0
    return settle(x, inside & known, inside | ~known, lambda rows: _plane_exactly(rows, n, b))


def _plane_exactly(x: Float[Tensor, "m d"], n: Float[Tensor, "d"], b: Float[Tensor, ""]) -> np.ndarray:
    used = n != 0
    X, N, B, one = integers(x[:, used], n[used], b, 1.0)
    return (X * N).sum(1) <= B * one


def scaled(
    normals: Float[Tensor, "k d"], offsets: Float[Tensor, "k"]
) -> tuple[Float[Tensor, "k d"], Float[Tensor, "k"]]:
    """Planes multiplied by a power of two each, so that Σ|nᵢ| is in (½, 1]: then n · x overflows for no
    finite row.
    """
    factor = torch.ldexp(torch.ones_like(offsets), -torch.frexp(normals.abs().sum(1)).exponent)
    return normals * factor[:, None], offsets * factor


def two_sum(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """a + b as rounded, and its rounding error, exactly [Knuth]; NaN where it overflows."""
    s = a + b
    v = s - a
    return s, (a - (s - v)) + (b - v)


def two_product(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """a·b as rounded, and its rounding error, exactly [Dekker]; infinite where it over- or underflows."""
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
