"""The intersection of a set with the straight segment between two points: whether there is one, and where
along the segment the set is deepest, or nearest.

Whether is exact where `spans` knows the set; otherwise by bisection: pieces are halved until they are
1/PIECES of the segment, and where it is known how steep s is (|s(x) − s(y)| ≤ L‖x − y‖) a piece whose middle
has a level above L times half its length is left out (B.16); and, of segments of which a piece remains, by a
search for the smallest s. An intersection shorter than a piece may be missed, a longer one never. Where along
the segment is used for distances and plots: a search in t for the smallest s, exact to 1e-7 of the segment
where s is convex, and for unions and polygons seen from outside; elsewhere the best of a grid, refined.
"""

from functools import singledispatch

from jaxtyping import Bool, Float

from barriers.arrays import Tensor, torch
from barriers.sets.algebra import AnyOf, Not
from barriers.sets.ball import Ball
from barriers.sets.base import NotSmooth, UnsafeSet
from barriers.sets.columns import Columns
from barriers.sets.crossings import PAIRS
from barriers.sets.faceted import Faceted
from barriers.sets.half_space import HalfSpace
from barriers.sets.polygon import Polygon
from barriers.sets.regularity import convex, steepness
from barriers.sets.rule import Rule
from barriers.sets.spans import known, spans
from barriers.squares import squared_norm

PIECES = 256
"""Without an exact form, a segment is checked at this many points."""
ROWS = 4096
"""Segments processed together."""
GRID = 16
FACES = 12
"""Up to this many faces the intersections of all pairs of their lines are computed."""
GOLDEN = 34
"""Steps of a golden-section search from a bracket of 2/GRID: to 1e-8 of the segment."""


def meets(
    unsafe: UnsafeSet, a: Float[Tensor, "n d"], b: Float[Tensor, "n d"]
) -> tuple[Bool[Tensor, "n"], Float[Tensor, "n"]]:
    """Whether any point of the segment from a to b is inside, ends included; and a t at which it is (0 where
    none is). In float64.
    """
    a, b = a.detach().double(), b.detach().double()
    with torch.no_grad():
        at_a, at_b = unsafe.contains(a), unsafe.contains(b)
        inside, t = at_a | at_b, torch.where(at_a, 0.0, 1.0).to(a) * (at_a | at_b)
        for rows in (~inside).nonzero()[:, 0].split(ROWS):
            if len(rows):
                inside[rows], t[rows] = _between(unsafe, a[rows], b[rows])
    return inside, t


def lowest(
    unsafe: UnsafeSet, a: Float[Tensor, "n d"], b: Float[Tensor, "n d"]
) -> tuple[Bool[Tensor, "n"], Float[Tensor, "n"]]:
    """Whether each segment meets the set, and the t of the smallest s along it, as far as a search finds it.

    For a set without a distance, the t is that of `meets`.
    """
    a, b = a.detach().double(), b.detach().double()
    inside, hit = meets(unsafe, a, b)
    try:
        return inside, _searched(unsafe, a, b, inside, hit)
    except NotSmooth:
        return inside, hit


def _searched(unsafe: UnsafeSet, a: Tensor, b: Tensor, inside: Tensor, hit: Tensor) -> Tensor:
    with torch.no_grad():
        t = [_least(unsafe, *part) for part in zip(a.split(ROWS), b.split(ROWS), strict=True)]
        best = torch.cat(t)
        better = unsafe(at(a, b, hit)) < unsafe(at(a, b, best))
    return torch.where(inside & better, hit, best)


def exactly(unsafe: UnsafeSet) -> bool:
    """Whether segments are evaluated exactly rather than by bisection."""
    return known(unsafe)


def at(a: Float[Tensor, "n d"], b: Float[Tensor, "n d"], t: Float[Tensor, "n"]) -> Float[Tensor, "n d"]:
    """The point a + t(b − a) of each segment; its ends are a and b themselves."""
    t = t.to(a.dtype)[:, None]
    return torch.where(t == 1, b, a + t * (b - a))


def _between(unsafe: UnsafeSet, a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    found = spans(unsafe, a, b)
    if found is not None:
        return found.held().any(1), found.middle()
    match unsafe:
        case Rule():
            return _between(unsafe.tree, a, b)
        case Columns():
            return _between(unsafe.inner, a[:, unsafe.index], b[:, unsafe.index])
        case AnyOf():
            return _any_between(unsafe, a, b)
    L = steepness(unsafe)
    if L is None:
        inside, t = _sampled(unsafe, a, b)
        return _at_least(unsafe, a, b, inside, t, ~inside)
    inside, t, undecided = _pruned(unsafe, a, b, L)
    return _at_least(unsafe, a, b, inside, t, undecided)


def _any_between(unsafe: AnyOf, a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """Member by member, so that exact members stay exact next to others."""
    inside, t = torch.zeros(len(a), dtype=torch.bool, device=a.device), torch.zeros_like(a[:, 0])
    for s in unsafe.members():
        rows = (~inside).nonzero()[:, 0]
        if len(rows):
            inside[rows], t[rows] = _between(s, a[rows], b[rows])
    return inside, t


def _at_least(
    unsafe: UnsafeSet, a: Tensor, b: Tensor, inside: Tensor, t: Tensor, undecided: Tensor
) -> tuple[Tensor, Tensor]:
    """The same, with undecided segments where a search finds an s inside: a wall thinner than the pieces."""
    rows = undecided.nonzero()[:, 0]
    if not len(rows):
        return inside, t
    try:
        least = _least(unsafe, a[rows], b[rows])
    except NotSmooth:
        return inside, t
    there = unsafe.contains(at(a[rows], b[rows], least))
    inside[rows], t[rows] = there, torch.where(there, least, t[rows])
    return inside, t


def _sampled(unsafe: UnsafeSet, a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """Membership at every 1/PIECES of the segment."""
    inside, hit = torch.zeros(len(a), dtype=torch.bool, device=a.device), torch.zeros_like(a[:, 0])
    for t in torch.arange(1, PIECES, dtype=a.dtype, device=a.device) / PIECES:
        there = unsafe.contains(a + t * (b - a)) & ~inside
        hit = torch.where(there, t, hit)
        inside = inside | there
    return inside, hit


def _pruned(unsafe: UnsafeSet, a: Tensor, b: Tensor, L: float) -> tuple[Tensor, Tensor, Tensor]:
    """The same points by halving, without the pieces that the level at their middle rules out; and which
    segments have smallest pieces that are not ruled out, and no point inside.
    """
    inside, hit = torch.zeros(len(a), dtype=torch.bool, device=a.device), torch.zeros_like(a[:, 0])
    length = (b - a).norm(dim=1)
    rows, t, half = torch.arange(len(a), device=a.device), torch.full_like(a[:, 0], 0.5), 0.5
    while half >= 0.5 / PIECES and len(rows):
        x = at(a[rows], b[rows], t)
        there = unsafe.contains(x)
        inside[rows[there]], hit[rows[there]] = True, t[there]
        reach = L * half * length[rows] * (1 + 1e-9) + 1e-12 * x.abs().amax(1)
        near = ~inside[rows] & (unsafe(x) <= reach)
        half /= 2
        rows, t = torch.cat([rows[near], rows[near]]), torch.cat([t[near] - half, t[near] + half])
    undecided = torch.zeros_like(inside)
    undecided[rows] = True
    return inside, hit, undecided & ~inside


@singledispatch
def _least(unsafe: UnsafeSet, a: Tensor, b: Tensor) -> Tensor:
    """The t of the smallest s along each segment: a grid, then a golden-section search around
    its best point.
    """
    grid = GRID if convex(unsafe) else 4 * GRID
    ts = torch.linspace(0, 1, grid + 1, dtype=a.dtype, device=a.device)
    s = torch.stack([unsafe(at(a, b, t.expand(len(a)))) for t in ts], 1)
    at_grid, k = s.min(1)
    low, high = ts[(k - 1).clamp(min=0)], ts[(k + 1).clamp(max=grid)]
    return _golden(unsafe, a, b, low, high, ts[k], at_grid)


def _golden(
    unsafe: UnsafeSet, a: Tensor, b: Tensor, low: Tensor, high: Tensor, best: Tensor, least: Tensor
) -> Tensor:
    ratio = (5**0.5 - 1) / 2
    p, q = high - ratio * (high - low), low + ratio * (high - low)
    at_p, at_q = unsafe(at(a, b, p)), unsafe(at(a, b, q))
    for _ in range(GOLDEN):
        left = at_p <= at_q
        low, high = torch.where(left, low, p), torch.where(left, q, high)
        p, q = high - ratio * (high - low), low + ratio * (high - low)
        new = unsafe(at(a, b, torch.where(left, p, q)))
        at_p, at_q = torch.where(left, new, at_q), torch.where(left, at_p, new)
    middle = (low + high) / 2
    return torch.where(unsafe(at(a, b, middle)) < least, middle, best)


@_least.register
def _least_half_space(unsafe: HalfSpace, a: Tensor, b: Tensor) -> Tensor:
    return (unsafe(b) < unsafe(a)).to(a)


@_least.register
def _least_ball(unsafe: Ball, a: Tensor, b: Tensor) -> Tensor:
    return _nearest(unsafe.center.double(), a, b)


@_least.register
def _least_faceted(unsafe: Faceted, a: Tensor, b: Tensor) -> Tensor:
    """Inside, the maximum over faces of functions linear in t: smallest at an end or where two of them meet.
    Outside as for other sets.
    """
    found = _least.dispatch(UnsafeSet)(unsafe, a, b)
    at_a, at_b = unsafe.faces(a), unsafe.faces(b)
    if at_a.shape[1] > FACES:
        return found
    i, j = torch.triu_indices(at_a.shape[1], at_a.shape[1], 1, device=a.device)
    apart, closing = at_a[:, i] - at_a[:, j], (at_a - at_b)[:, i] - (at_a - at_b)[:, j]
    ts = torch.cat([found[:, None], (apart / torch.where(closing == 0, 1.0, closing)).clamp(0, 1)], 1)
    deepest = (at_a[:, None] + ts[..., None] * (at_b - at_a)[:, None]).amax(-1)
    best = deepest.argmin(1, keepdim=True)
    return torch.where(deepest.gather(1, best)[:, 0] < 0, ts.gather(1, best)[:, 0], found)


@_least.register
def _least_not(unsafe: Not, a: Tensor, b: Tensor) -> Tensor:
    if convex(unsafe.inner):  # −s is concave: smallest at an end
        return (unsafe(b) < unsafe(a)).to(a)
    return _least.dispatch(UnsafeSet)(unsafe, a, b)


@_least.register
def _least_any(unsafe: AnyOf, a: Tensor, b: Tensor) -> Tensor:
    ts = torch.stack([_least(s, a, b) for s in unsafe.members()])
    values = torch.stack([unsafe(at(a, b, t)) for t in ts])
    return ts.gather(0, values.argmin(0, keepdim=True))[0]


@_least.register
def _least_columns(unsafe: Columns, a: Tensor, b: Tensor) -> Tensor:
    return _least(unsafe.inner, a[:, unsafe.index], b[:, unsafe.index])


@_least.register
def _least_rule(unsafe: Rule, a: Tensor, b: Tensor) -> Tensor:
    return _least(unsafe.tree, a, b)


@_least.register
def _least_polygon(unsafe: Polygon, a: Tensor, b: Tensor) -> Tensor:
    """From outside, the distance of two segments that do not cross is at an end of one of them; inside, the
    best of a grid.
    """
    corner, e = unsafe.start.double(), b - a
    ts = []
    for p, d in zip(*(x.split(max(PAIRS // len(corner), 1)) for x in (a, e)), strict=True):
        o = corner - p[:, None]
        t = ((o * d[:, None]).sum(-1) / squared_norm(d).clamp(min=1e-300)[:, None]).clamp(0, 1)
        nearest = squared_norm(o - t[..., None] * d[:, None]).argmin(1, keepdim=True)
        ts.append(t.gather(1, nearest)[:, 0])
    candidates = torch.stack([torch.cat(ts), torch.zeros_like(a[:, 0]), torch.ones_like(a[:, 0])])
    values = torch.stack([unsafe(at(a, b, t)) for t in candidates])
    best, found = candidates.gather(0, values.argmin(0, keepdim=True))[0], spans(unsafe, a, b)
    assert found is not None, "a polygon is followed exactly"
    through = found.held().any(1).nonzero()[:, 0]
    if len(through):
        grid = torch.linspace(0, 1, GRID + 1, dtype=a.dtype, device=a.device)
        depths = torch.stack([unsafe(at(a[through], b[through], t.expand(len(through)))) for t in grid], 1)
        best[through] = grid[depths.argmin(1)]
    return best


def _nearest(point: Tensor, a: Tensor, b: Tensor) -> Tensor:
    e = b - a
    square = squared_norm(e)
    return (((point - a) * e).sum(1) / torch.where(square > 0, square, 1.0)).clamp(0, 1)
