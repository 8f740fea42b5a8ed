"""Whether points of the plane are inside closed rings by the even–odd rule, on the boundary included, without
rounding (A.8).

A point outside the bounding box of all rings is outside. For others only the edges whose heights span theirs
matter, by the sign of (b − a) × (x − a); Shewchuk's bound decides where its float64 value may have the wrong
sign, and those pairs are compared in whole numbers. An edge is stored by both its ends, since start + (end −
start) is not always the end.
"""

from jaxtyping import Bool, Float

from barriers.arrays import Tensor, torch
from barriers.sets.exact import integers

PAIRS = 1 << 21
"""Row–edge pairs processed together."""
ROUNDING = 2.0**-50
"""The relative error of a difference of two products of differences is below this share of their absolute
sum, apart from under- and overflow.
"""
SMALL = 1e-290
"""Products below this may have lost digits to underflow."""


def inside_rings(
    x: Float[Tensor, "n 2"], start: Float[Tensor, "e 2"], end: Float[Tensor, "e 2"]
) -> Bool[Tensor, "n"]:
    """Which float64 points are inside rings of the edges given, an odd number of times, or on one of them."""
    corners = torch.cat([start, end])
    possible = ((x >= corners.amin(0)) & (x <= corners.amax(0))).all(1)
    inside = torch.zeros_like(possible)
    if bool(possible.any()):
        blocks = x[possible].split(max(PAIRS // len(start), 1))
        inside[possible] = torch.cat([_block(block, start, end) for block in blocks])
    return inside


def _block(x: Tensor, a: Tensor, b: Tensor) -> Tensor:
    y, e, o = x[:, None, 1], b - a, x[:, None] - a
    spans = (y >= a[:, 1]) != (y >= b[:, 1])
    left, right = e[:, 0] * o[..., 1], e[:, 1] * o[..., 0]
    side = left - right
    i, j = (side.abs() <= ROUNDING * (left.abs() + right.abs()) + SMALL).nonzero().T
    beside = ((x[i] >= torch.minimum(a, b)[j]) & (x[i] <= torch.maximum(a, b)[j])).all(1)
    asked = beside | spans[i, j]
    i, j, beside = i[asked], j[asked], beside[asked]
    side[i, j] = exact = turn(x[i], a[j], b[j])
    odd = (spans & ((side > 0) == (e[:, 1] > 0))).sum(1) % 2 == 1
    odd[i[beside & (exact == 0)]] = True
    return odd


def turn(x: Float[Tensor, "p 2"], a: Float[Tensor, "p 2"], b: Float[Tensor, "p 2"]) -> Float[Tensor, "p"]:
    """The sign of (b − a) × (x − a), exactly, of each point and edge."""
    e, o = b - a, x - a
    sign = torch.zeros(len(x), dtype=x.dtype, device=x.device)
    # A factor of 0 is exact, and so is a point level with an edge along an axis, the most common tie.
    open_ = (((e[:, 0] != 0) & (o[:, 1] != 0)) | ((e[:, 1] != 0) & (o[:, 0] != 0))).nonzero()[:, 0]
    if len(open_):
        X, A, B = integers(x[open_], a[open_], b[open_])
        cross = (B[:, 0] - A[:, 0]) * (X[:, 1] - A[:, 1]) - (B[:, 1] - A[:, 1]) * (X[:, 0] - A[:, 0])
        sign[open_] = torch.tensor(
            [(v > 0) - (v < 0) for v in cross.tolist()], dtype=x.dtype, device=x.device
        )
    return sign
