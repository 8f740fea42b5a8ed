"""The part of a segment from a to b inside a set, exactly: the t in [0, 1] with a + t(b − a) inside, as
intervals with open or closed ends.

half-space, face, affine comparison   f(a) + t(f(b) − f(a)) ≤ 0, or < 0: one interval
ball, ellipsoid, capsule              a quadratic: one interval
polygon                               between its crossings with the line, the first and second, third and
                                      fourth, … (even–odd)
any, all, not                         unions, intersections and gaps of these

"Exactly" means up to the rounding of float64; t is a quotient of numbers that `contains` compares too. None
for sets without such a form.
"""

from functools import reduce, singledispatch

from jaxtyping import Float

from barriers.arrays import Tensor, torch
from barriers.sets.algebra import AllOf, AnyOf, Not
from barriers.sets.ball import Ball
from barriers.sets.base import UnsafeSet
from barriers.sets.capsule import Capsule
from barriers.sets.columns import Columns
from barriers.sets.comparison import Comparison
from barriers.sets.crossings import PAIRS
from barriers.sets.ellipsoid import Ellipsoid
from barriers.sets.expression import Column, Expression, Number, Operation, constant
from barriers.sets.faceted import Faceted
from barriers.sets.half_space import HalfSpace
from barriers.sets.intervals import Spans, both, closed, gaps, joined, stacked, trimmed
from barriers.sets.near_points import NearPoints
from barriers.sets.polygon import Polygon
from barriers.sets.polytope import Polytope
from barriers.sets.rule import Rule

POINTS = 256
"""Up to this many protected points are checked one by one."""


@singledispatch
def spans(unsafe: UnsafeSet, a: Float[Tensor, "n d"], b: Float[Tensor, "n d"]) -> Spans | None:
    """The intervals of the segments from a to b (float64) that are inside; None where no exact
    form is known.
    """
    return None


@spans.register
def _spans_of_half_space(unsafe: HalfSpace, a: Tensor, b: Tensor) -> Spans | None:
    n = unsafe.normal.double()
    return _below((unsafe.offset - a @ n)[:, None], (unsafe.offset - b @ n)[:, None])


@spans.register
def _spans_of_faceted(unsafe: Faceted, a: Tensor, b: Tensor) -> Spans | None:
    return _convex(_below(unsafe.faces(a), unsafe.faces(b)))


@spans.register
def _spans_of_polytope(unsafe: Polytope, a: Tensor, b: Tensor) -> Spans | None:
    n, c = unsafe.normals.double(), unsafe.offsets.double()
    return _convex(_below(a @ n.T - c, b @ n.T - c))


@spans.register
def _spans_of_comparison(unsafe: Comparison, a: Tensor, b: Tensor) -> Spans | None:
    if not (_affine(unsafe.left) and _affine(unsafe.right) and all(map(_bounded, unsafe.also))):
        return None
    f, defined = [], []
    for x in (a, b):
        left, right, there = unsafe.sides(x)
        f.append((left.number - right.number).expand(len(x))[:, None])
        defined.append(there[:, None])
    found = _below(f[0], f[1], strict=unsafe.strict)
    known = defined[0] & defined[1]
    return Spans(
        torch.where(known, found.low, 0.0),
        torch.where(known, found.high, 1.0),
        found.low_open & known,
        found.high_open & known,
    )


@spans.register
def _spans_of_ball(unsafe: Ball, a: Tensor, b: Tensor) -> Spans | None:
    c = unsafe.center.double()
    return _within(a - c, b - c, unsafe.radius)


@spans.register
def _spans_of_ellipsoid(unsafe: Ellipsoid, a: Tensor, b: Tensor) -> Spans | None:
    r = unsafe.radii.double()
    return _within(unsafe.local(a) / r, unsafe.local(b) / r, 1.0)


@spans.register
def _spans_of_capsule(unsafe: Capsule, a: Tensor, b: Tensor) -> Spans | None:
    """Two balls and a cylinder between them, whose union is convex."""
    start, along = unsafe.start.double(), unsafe.along.double()
    end, r = start + along, unsafe.radius
    height = [((x - start) @ along / along.square().sum())[:, None] for x in (a, b)]
    across = [x - start - h * along for x, h in zip((a, b), height, strict=True)]
    beside = reduce(
        both,
        [
            _within(across[0], across[1], r),
            _below(-height[0], -height[1]),
            _below(height[0] - 1, height[1] - 1),
        ],
    )
    parts = joined([_within(a - start, b - start, r), _within(a - end, b - end, r), beside])
    held = parts.held()
    low, high = (
        torch.where(held, parts.low, 1.0).amin(1, keepdim=True),
        torch.where(held, parts.high, 0.0).amax(1, keepdim=True),
    )
    return closed(low, high)


@spans.register
def _spans_of_near_points(unsafe: NearPoints, a: Tensor, b: Tensor) -> Spans | None:
    points = unsafe.points.double()
    if len(points) > POINTS:
        return None
    return trimmed(joined([_within(a - p, b - p, unsafe.radius) for p in points]))


@spans.register
def _spans_of_polygon(unsafe: Polygon, a: Tensor, b: Tensor) -> Spans | None:
    rows = max(PAIRS // len(unsafe.start), 1)
    return stacked([_scan(unsafe, *part) for part in zip(a.split(rows), b.split(rows), strict=True)])


@spans.register
def _spans_of_columns(unsafe: Columns, a: Tensor, b: Tensor) -> Spans | None:
    return spans(unsafe.inner, a[:, unsafe.index], b[:, unsafe.index])


@spans.register
def _spans_of_rule(unsafe: Rule, a: Tensor, b: Tensor) -> Spans | None:
    return spans(unsafe.tree, a, b)


@spans.register
def _spans_of_any_of(unsafe: AnyOf, a: Tensor, b: Tensor) -> Spans | None:
    found = [spans(s, a, b) for s in unsafe.members()]
    known = [f for f in found if f is not None]
    return trimmed(joined(known)) if len(known) == len(found) else None


@spans.register
def _spans_of_all_of(unsafe: AllOf, a: Tensor, b: Tensor) -> Spans | None:
    found = [spans(s, a, b) for s in unsafe.members()]
    known = [f for f in found if f is not None]
    return reduce(lambda p, q: trimmed(both(p, q)), known) if len(known) == len(found) else None


@spans.register
def _spans_of_not(unsafe: Not, a: Tensor, b: Tensor) -> Spans | None:
    found = spans(unsafe.inner, a, b)
    return None if found is None else trimmed(gaps(found))


def known(unsafe: UnsafeSet) -> bool:
    """Whether segments through a set are evaluated exactly."""
    if unsafe.dimension is None:
        return False
    nowhere = torch.zeros(1, unsafe.dimension, dtype=torch.float64)
    return spans(unsafe, nowhere, nowhere) is not None


def _affine(expression: Expression) -> bool:
    match expression:
        case Number() | Column():
            return True
        case Operation("+" | "-" | "neg", arguments):
            return all(_affine(e) for e in arguments)
        case Operation("*", (left, right)):
            return (constant(left) and _affine(right)) or (_affine(left) and constant(right))
        case Operation("/", (left, right)):
            return _affine(left) and constant(right)
        case _:
            return constant(expression)


def _bounded(expression: Expression) -> bool:
    """Whether an expression that has values at both ends has one between: |·|, max and min of affine parts,
    which `grammar` splits.
    """
    match expression:
        case Operation("abs" | "max" | "min" | "neg", arguments):
            return all(map(_bounded, arguments))
        case _:
            return _affine(expression)


def _below(at_a: Float[Tensor, "n k"], at_b: Float[Tensor, "n k"], strict: bool = False) -> Spans:
    """Where a linear function is at most 0, or below it if strict."""
    in_a, in_b = (at_a < 0, at_b < 0) if strict else (at_a <= 0, at_b <= 0)
    t = torch.where(in_a != in_b, at_a / torch.where(at_a == at_b, 1.0, at_a - at_b), 0.0).clamp(0, 1)
    low = torch.where(in_a, 0.0, torch.where(in_b, t, 1.0))
    high = torch.where(in_b, 1.0, torch.where(in_a, t, 0.0))
    return Spans(low, high, ~in_a & in_b & strict, in_a & ~in_b & strict)


def _convex(faces: Spans) -> Spans:
    """The intersection of several closed spans."""
    return closed(faces.low.amax(1, keepdim=True), faces.high.amin(1, keepdim=True))


def _within(a: Float[Tensor, "n d"], b: Float[Tensor, "n d"], radius: float) -> Spans:
    """Where a segment is within `radius` of the origin."""
    e = b - a
    square = e.square().sum(1)
    square = torch.where(square > 0, square, 1.0)
    t = -(a * e).sum(1) / square
    room = radius**2 - (a + t[:, None] * e).square().sum(1)
    half = (room.clamp(min=0) / square).sqrt()
    in_a, in_b = a.square().sum(1) <= radius**2, b.square().sum(1) <= radius**2
    passes = (room >= 0) & (t > 0) & (t < 1)
    low = torch.where(in_a, 0.0, torch.where(passes | in_b, (t - half).clamp(0, 1), 1.0))
    high = torch.where(in_b, 1.0, torch.where(passes | in_a, (t + half).clamp(0, 1), 0.0))
    return closed(low[:, None], high[:, None])


def _scan(unsafe: Polygon, a: Tensor, b: Tensor) -> Spans:
    """The line through a and b against every corner: sides by a half-open rule, so that crossings come in
    pairs; corners on the line are boundary.
    """
    e = b - a
    square = e.square().sum(1, keepdim=True)
    moves = square > 0
    corner, after = unsafe.start.double(), unsafe.after
    offset = corner - a[:, None]
    side = e[:, None, 0] * offset[..., 1] - e[:, None, 1] * offset[..., 0]
    place = (offset * e[:, None]).sum(-1) / torch.where(moves, square, 1.0)
    crosses = (side >= 0) != (side[:, after] >= 0)
    λ = side / torch.where(crosses, side - side[:, after], 1.0)
    t = torch.where(crosses & moves, place + λ * (place[:, after] - place), torch.inf).sort(1).values
    t = t[:, : 2 * int(crosses.sum(1).max() // 2)]
    low, high = t[:, 0::2], t[:, 1::2]
    there = torch.isfinite(high)
    found = [closed(torch.where(there, low, 1.0).clamp(min=0), torch.where(there, high, 0.0).clamp(max=1))]
    on = (side == 0) & moves
    if bool(on.any()):
        found.append(
            closed(torch.where(on, place, 2.0).clamp(min=0), torch.where(on, place, -1.0).clamp(max=1))
        )
        whole = on & on[:, after]
        least, most = torch.minimum(place, place[:, after]), torch.maximum(place, place[:, after])
        found.append(
            closed(torch.where(whole, least, 2.0).clamp(min=0), torch.where(whole, most, -1.0).clamp(max=1))
        )
    still = (unsafe.contains(a) & ~moves[:, 0])[:, None].double()
    return trimmed(joined([*found, closed(1 - still, still)]))
