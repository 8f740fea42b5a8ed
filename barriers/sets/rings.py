"""The rings of a polygon, checked on construction: no two edges cross or run along each other, and holes lie
inside.

Where rings only touch, the even–odd rule and the boundary are unambiguous, so a touch is accepted: two passes
through one point P cross iff the directions of one separate those of the other around P. Every test is a sign
of (b − a) × (c − a), in float64 where its rounding cannot change it and else in exact rational numbers, as
the corners are the numbers that were written.

Pairs come from a sweep along the axis on which fewer edges overlap: about n log n for rings of short edges,
and every pair, n²/2, where all edges are long. 10,000 corners take at most a few seconds.
"""

from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from barriers.sets.base import matrix
from barriers.sets.turning import Place, Point, between, cross, difference, exact, turn

PAIRS = 1 << 20
"""Pairs of edges processed together."""
ENOUGH = 1000
"""About the largest number of faults searched for."""
VALID = "shapely.make_valid or the `Fix geometries` of a GIS repairs such rings"


class Edges(NamedTuple):
    """The edges of all rings, concatenated: edge i goes from start[i] to end[i]."""

    start: Float[np.ndarray, "e 2"]
    end: Float[np.ndarray, "e 2"]
    ring: Int[np.ndarray, "e"]
    """The ring of each edge: 0 for `vertices`, k + 1 for holes[k]."""
    number: Int[np.ndarray, "e"]
    """The place of each edge in its ring."""

    def after(self) -> Int[np.ndarray, "e"]:
        """The edge that follows each edge in its ring."""
        i, size = np.arange(len(self.ring)), np.bincount(self.ring)[self.ring]
        return np.where(self.number == size - 1, i - size + 1, i + 1)

    def neighbours(self, i: int) -> tuple[int, int]:
        """The edges before and after edge i in its ring."""
        first, size = i - int(self.number[i]), int((self.ring == self.ring[i]).sum())
        return first + (int(self.number[i]) - 1) % size, first + (int(self.number[i]) + 1) % size

    def named(self, i: int) -> str:
        """Edge i in words."""
        return (
            f"edge {self.number[i]} of {_name(int(self.ring[i]))}, {_shown(self.start[i])} to "
            f"{_shown(self.end[i])},"
        )


def ring(name: str, points: object) -> Float[np.ndarray, "k 2"]:
    """The corners of one ring, without the last where it repeats the first; ValueError states what is wrong
    with them.
    """
    rows = matrix("Polygon", name, points).numpy()
    if rows.shape[1] != 2:
        raise ValueError(f"Polygon: {name} must hold pairs [x, y]; got rows of {rows.shape[1]} numbers")
    if len(rows) > 1 and (rows[0] == rows[-1]).all():
        rows = rows[:-1]
    if len(rows) < 3:
        raise ValueError(f"Polygon: {name} must have at least three different corners; got {len(rows)}")
    repeated = (rows == np.roll(rows, -1, 0)).all(1)
    if repeated.any():
        raise ValueError(
            f"Polygon: {name} must not repeat a corner; {rows[repeated][0].tolist()} stands twice in a row"
        )
    return rows


def edges_of(rings: Sequence[Float[np.ndarray, "_ 2"]]) -> Edges:
    """Every edge of every ring; raises ValueError where they are not the boundary of a region."""
    sizes = [len(r) for r in rings]
    edges = Edges(
        np.concatenate(rings),
        np.concatenate([np.roll(r, -1, 0) for r in rings]),
        np.repeat(np.arange(len(rings)), sizes),
        np.concatenate([np.arange(k) for k in sizes]),
    )
    _refuse_meetings(edges)
    for k in range(1, len(rings)):
        if not _within(edges, k):
            raise ValueError(
                f"Polygon: holes[{k - 1}] must lie inside vertices; its edge 0, {_shown(rings[k][0])} to "
                f"{_shown(rings[k][1])}, lies outside; "
                "remove it, or write it as a polygon of its own, joined by `any`"
            )
    return edges


def _refuse_meetings(edges: Edges) -> None:
    """Raises ValueError for the first pair of edges, in the order written, that cross or run along each
    other.
    """
    crossed: list[tuple[int, int]] = []
    along: list[tuple[int, int]] = []
    touching: dict[Point, set[tuple[int, int]]] = {}
    for i, j in _candidates(edges):
        a, b, c, d = edges.start[i], edges.end[i], edges.start[j], edges.end[j]
        of_c, of_d, of_a, of_b = turn(a, b, c), turn(a, b, d), turn(c, d, a), turn(c, d, b)
        proper = (of_c * of_d < 0) & (of_a * of_b < 0)
        flat = (of_c == 0) & (of_d == 0)
        overlap = np.minimum(np.maximum(a, b), np.maximum(c, d)) - np.maximum(
            np.minimum(a, b), np.minimum(c, d)
        )
        shared = flat & (overlap.max(1) > 0)
        crossed += zip(i[proper].tolist(), j[proper].tolist(), strict=True)
        along += zip(i[shared].tolist(), j[shared].tolist(), strict=True)
        for sign, other, points, lo, hi in (
            (of_c, of_d, c, a, b),
            (of_d, of_c, d, a, b),
            (of_a, of_b, a, c, d),
            (of_b, of_a, b, c, d),
        ):
            on = (sign == 0) & ((other != 0) | flat) & ~shared
            on &= ((np.minimum(lo, hi) <= points) & (points <= np.maximum(lo, hi))).all(1)
            for p, e, f in zip(points[on].tolist(), i[on].tolist(), j[on].tolist(), strict=True):
                touching.setdefault((p[0], p[1]), set()).update(
                    {_passing(edges, e, p), _passing(edges, f, p)}
                )
        if len(crossed) + len(along) > ENOUGH:
            break
    found: list[tuple[int, int, Point | None, bool]] = [
        (*pair, _meeting(edges, *pair), False) for pair in crossed[:ENOUGH]
    ]
    found += [(*pair, None, True) for pair in along[:ENOUGH]]
    if not along:  # the ends of a shared stretch are not touches
        passes = ((at, p, q) for at, through in touching.items() for p, q in combinations(sorted(through), 2))
        found += [(p[1], q[1], at, False) for at, p, q in passes if _separate(edges, at, p, q)]
    if found:
        raise ValueError(_message(edges, sorted(found, key=lambda f: (f[0], f[1]))))


def _message(edges: Edges, found: list[tuple[int, int, Point | None, bool]]) -> str:
    i, j, at, shared = found[0]
    i, j = (i, j) if edges.ring[i] <= edges.ring[j] else (j, i)
    first, second = _name(int(edges.ring[i])), _name(int(edges.ring[j]))
    more = f"{len(found) - 1:,}" if len(found) < ENOUGH else "very many"
    others = f" (and {more} more such places)" if len(found) > 1 else ""
    pair = f"{edges.named(i)} and {edges.named(j)}"
    if shared:
        what = "runs along itself" if first == second else f"and {second} share a stretch of boundary"
        way = (
            "remove the spike or the repeated stretch"
            if first == second
            else "merge the two rings into one, or move one of them"
        )
        return (
            f"Polygon: rings must not share an edge, nor run along one twice: {first} {what}, where "
            f"{pair} overlap{others}; {way}; {VALID}"
        )
    assert at is not None
    place = f"at {_shown(at)}, where {pair} meet{others}"
    if first == second:
        return (
            f"Polygon: {first} crosses itself {place}; what is inside is then ambiguous: put the corners "
            "in the order of the outline, or write "
            f"the parts as polygons of their own, joined by `any`; {VALID}"
        )
    way = (
        "a hole must lie inside vertices: cut it off there"
        if edges.ring[i] == 0
        else "merge the two holes into one ring"
    )
    return f"Polygon: {second} crosses {first} {place}; {way}; {VALID}"


def _candidates(edges: Edges) -> Iterator[tuple[Int[np.ndarray, "p"], Int[np.ndarray, "p"]]]:
    """Pairs i < j of edges whose bounding boxes meet, without the corners that neighbours share by
    construction.
    """
    low, high = np.minimum(edges.start, edges.end), np.maximum(edges.start, edges.end)
    orders = [low[:, axis].argsort(kind="stable") for axis in (0, 1)]
    until = [
        np.searchsorted(low[order, axis], high[order, axis], side="right")
        for axis, order in enumerate(orders)
    ]
    order, last = min(zip(orders, until, strict=True), key=lambda pair: int(pair[1].sum()))
    rows = np.arange(len(order))
    count = last - rows - 1
    begin = 0
    while begin < len(order):
        upto = max(int(np.searchsorted(count[begin:].cumsum(), PAIRS, side="right")) + begin, begin + 1)
        many = count[begin:upto]
        left = np.repeat(rows[begin:upto], many)
        right = left + 1 + np.arange(len(left)) - np.repeat(many.cumsum() - many, many)
        i, j = order[left], order[right]
        near = ((low[i] <= high[j]) & (low[j] <= high[i])).all(1)
        i, j = np.minimum(i[near], j[near]), np.maximum(i[near], j[near])
        apart = ~_neighbours_that_turn(edges, i, j)
        yield i[apart], j[apart]
        begin = upto


def _neighbours_that_turn(
    edges: Edges, i: Int[np.ndarray, "p"], j: Int[np.ndarray, "p"]
) -> Bool[np.ndarray, "p"]:
    """Consecutive edges of a ring that do not fold back: they share their corner and nothing else."""
    same, last = edges.ring[i] == edges.ring[j], np.bincount(edges.ring)[edges.ring] - 1
    follows = same & (edges.number[j] == edges.number[i] + 1)
    closes = same & (edges.number[i] == 0) & (edges.number[j] == last[j])
    neighbours = np.flatnonzero(follows | closes)
    first = np.where(closes, j, i)[neighbours]
    second = np.where(closes, i, j)[neighbours]
    a, corner, b = edges.start[first], edges.end[first], edges.end[second]
    onwards = ((corner - a) * (b - corner)).sum(1) > 0
    turning = np.zeros(len(i), dtype=bool)
    turning[neighbours] = (turn(a, corner, b) != 0) | onwards
    return turning


def _passing(edges: Edges, i: int, point: Place) -> tuple[int, int]:
    """The pass of edge i's ring through a point of that edge: the edges by which it arrives and leaves."""
    before, after = edges.neighbours(i)
    if tuple(edges.start[i]) == tuple(point):
        return before, i
    return (i, after) if tuple(edges.end[i]) == tuple(point) else (i, i)


def _separate(edges: Edges, at: Point, one: tuple[int, int], other: tuple[int, int]) -> bool:
    """Whether two passes through one point cross there: around it, exactly one direction of the other lies
    between those of the first.
    """
    back, on = (difference(edges.start[one[0]], at), difference(edges.end[one[1]], at))
    inside = [
        between(back, d, on)
        for d in (difference(edges.start[other[0]], at), difference(edges.end[other[1]], at))
    ]
    return inside[0] != inside[1]


def _within(edges: Edges, k: int) -> bool:
    """Whether ring k, which crosses no other, lies inside ring 0, from one point of it that is
    not on ring 0.
    """
    own, shell = edges.ring == k, edges.ring == 0
    a, b = edges.start[shell], edges.end[shell]
    corners = edges.start[own]
    middles = corners + (edges.end[own] - corners) / 2
    for p in (*corners, *middles):
        q = np.broadcast_to(p, a.shape)
        side = turn(a, b, q)
        if not ((side == 0) & (np.minimum(a, b) <= q).all(1) & (q <= np.maximum(a, b)).all(1)).any():
            spans = (a[:, 1] > p[1]) != (b[:, 1] > p[1])
            return bool((spans & ((side > 0) == (b[:, 1] > a[:, 1]))).sum() % 2)
    return True


def _meeting(edges: Edges, i: int, j: int) -> Point:
    """The intersection of two edges that cross, rounded once."""
    a, u = exact(edges.start[i]), difference(edges.end[i], edges.start[i])
    v = difference(edges.end[j], edges.start[j])
    t = cross(difference(edges.start[j], edges.start[i]), v) / cross(u, v)
    return float(a[0] + t * u[0]), float(a[1] + t * u[1])


def _name(ring_number: int) -> str:
    return "vertices" if ring_number == 0 else f"holes[{ring_number - 1}]"


def _shown(p: Place) -> str:
    return f"({float(p[0]):.8g}, {float(p[1]):.8g})"
