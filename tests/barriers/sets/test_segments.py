"""Paths between their waypoints: against exact rational arithmetic where it is claimed, dense points
elsewhere; s, its derivatives, filters.
"""

import json
from collections.abc import Callable, Sequence
from fractions import Fraction as Q
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from barriers.coordinates import Coordinates, identity
from barriers.derivatives import autodiff_jet, value_and_gradient
from barriers.sets import (
    Anywhere,
    Ball,
    Box,
    Capsule,
    Columns,
    Grow,
    HalfSpace,
    NotSmooth,
    Polygon,
    Predicate,
    UnsafeSet,
    build_sets,
    complement,
    exactly,
    pull,
    soften,
    undefined,
)
from barriers.sets.intervals import Spans, gaps, trimmed
from barriers.sets.segments import lowest, meets
from barriers.sets.spans import spans
from lem_safe import audit
from lem_safe.authoring.explain import in_words
from lem_safe.registry import loads
from lem_safe.runs.runner import run

F64 = torch.float64
Point = Sequence[float]
Rational = tuple[Q, ...]

# ------------------------------------------------------------------ the referee, in rational numbers


def exact(p: Point) -> Rational:
    return tuple(Q(v) for v in p)


def clipped(a: Rational, b: Rational, faces: list[tuple[Rational, Q]]) -> bool:
    """Whether a point of the segment meets every n·x ≤ c: Liang–Barsky in fractions."""
    low, high = Q(0), Q(1)
    for n, c in faces:
        at_a, at_b = (sum(u * v for u, v in zip(n, p, strict=True)) - c for p in (a, b))
        if at_a > 0 and at_b > 0:
            return False
        if at_a > 0 or at_b > 0:
            t = at_a / (at_a - at_b)
            low, high = (max(low, t), high) if at_a > 0 else (low, min(high, t))
    return low <= high


def to_point(a: Rational, b: Rational, c: Rational) -> Q:
    """The squared distance of a point to the segment."""
    e = [v - u for u, v in zip(a, b, strict=True)]
    o = [v - u for u, v in zip(a, c, strict=True)]
    square = sum(v * v for v in e)
    t = min(max(sum(u * v for u, v in zip(o, e, strict=True)) / square, Q(0)), Q(1)) if square else Q(0)
    return sum(((v - t * u) ** 2 for u, v in zip(e, o, strict=True)), Q(0))


def turned(a: Rational, b: Rational, c: Rational) -> Q:
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])


def on(a: Rational, b: Rational, c: Rational) -> bool:
    return turned(a, b, c) == 0 and all(min(u, v) <= w <= max(u, v) for u, v, w in zip(a, b, c, strict=True))


def share_a_point(a: Rational, b: Rational, c: Rational, d: Rational) -> bool:
    if any((on(a, b, c), on(a, b, d), on(c, d, a), on(c, d, b))):
        return True
    return turned(a, b, c) * turned(a, b, d) < 0 and turned(c, d, a) * turned(c, d, b) < 0


def in_ring(ring: list[Rational], p: Rational) -> bool:
    odd = False
    for a, b in zip(ring, ring[1:] + ring[:1], strict=True):
        if on(a, b, p):
            return True
        if (a[1] > p[1]) != (b[1] > p[1]) and (turned(a, b, p) > 0) == (b[1] > a[1]):
            odd = not odd
    return odd


def crosses_ring(ring: list[Rational], a: Rational, b: Rational) -> bool:
    sides = zip(ring, ring[1:] + ring[:1], strict=True)
    return in_ring(ring, a) or any(share_a_point(a, b, c, d) for c, d in sides)


BOX = ([-1.0, -2.0], [2.0, 1.0])
BALL = ([1.0, -1.0], 2.0)
RING = [[-2.0, -2.0], [3.0, -1.0], [1.0, 0.0], [3.0, 3.0], [-1.0, 2.0]]
HALF = ([1.0, 2.0], 2.0)


def box_faces() -> list[tuple[Rational, Q]]:
    (lx, ly), (ux, uy) = (exact(v) for v in BOX)
    return [((Q(-1), Q(0)), -lx), ((Q(0), Q(-1)), -ly), ((Q(1), Q(0)), ux), ((Q(0), Q(1)), uy)]


def outside(inside: Callable[[Rational], bool]) -> Callable[[Rational, Rational], bool]:
    """A segment leaves a convex set iff an end does."""
    return lambda a, b: not (inside(a) and inside(b))


REFEREES: dict[str, tuple[dict[str, Any], Callable[[Rational, Rational], bool]]] = {
    "box": ({"kind": "box", "lower": BOX[0], "upper": BOX[1]}, lambda a, b: clipped(a, b, box_faces())),
    "not box": (
        {"not": {"kind": "box", "lower": BOX[0], "upper": BOX[1]}},
        outside(lambda p: clipped(p, p, box_faces())),
    ),
    "ball": (
        {"kind": "ball", "center": BALL[0], "radius": BALL[1]},
        lambda a, b: to_point(a, b, exact(BALL[0])) <= Q(BALL[1]) ** 2,
    ),
    "half_space": (
        {"kind": "half_space", "normal": HALF[0], "offset": HALF[1]},
        lambda a, b: clipped(a, b, [((Q(-1), Q(-2)), Q(-2))]),
    ),
    "slab": (
        {"kind": "slab", "normal": [1.0, -1.0], "lower": 0.0, "upper": 1.0},
        lambda a, b: clipped(a, b, [((Q(1), Q(-1)), Q(1)), ((Q(-1), Q(1)), Q(0))]),
    ),
    "polygon": (
        {"kind": "polygon", "vertices": RING},
        lambda a, b: crosses_ring([exact(p) for p in RING], a, b),
    ),
    "polytope": (
        {"kind": "polytope", "normals": [[1.0, 1.0], [-1.0, 0.0], [0.0, -1.0]], "offsets": [2.0, 1.0, 1.0]},
        lambda a, b: clipped(a, b, [((Q(1), Q(1)), Q(2)), ((Q(-1), Q(0)), Q(1)), ((Q(0), Q(-1)), Q(1))]),
    ),
    "capsule": (
        {"kind": "capsule", "start": [-2.0, 0.0], "end": [2.0, 0.0], "radius": 1.0},
        lambda a, b: (
            clipped(
                a,
                b,
                [((Q(1), Q(0)), Q(2)), ((Q(-1), Q(0)), Q(2)), ((Q(0), Q(1)), Q(1)), ((Q(0), Q(-1)), Q(1))],
            )
            or to_point(a, b, exact([-2, 0])) <= 1
            or to_point(a, b, exact([2, 0])) <= 1
        ),
    ),
    "any": (
        {
            "any": [
                {"kind": "ball", "center": BALL[0], "radius": BALL[1]},
                {"kind": "polygon", "vertices": RING},
            ]
        },
        lambda a, b: to_point(a, b, exact(BALL[0])) <= 4 or crosses_ring([exact(p) for p in RING], a, b),
    ),
    "all": (
        {
            "all": [
                {"kind": "box", "lower": BOX[0], "upper": BOX[1]},
                {"kind": "half_space", "normal": HALF[0], "offset": HALF[1]},
            ]
        },
        lambda a, b: clipped(a, b, [*box_faces(), ((Q(-1), Q(-2)), Q(-2))]),
    ),
    "near_points": (
        {"kind": "near_points", "points": [[-2.0, 1.0], [2.0, 2.0]], "radius": 1.0},
        lambda a, b: min(to_point(a, b, exact(p)) for p in ([-2, 1], [2, 2])) <= 1,
    ),
    "rule": (
        {"kind": "rule", "where": "x > -1 and 2*x - y <= 1 and not y < -x/2"},
        lambda a, b: open_strip(a, b),
    ),
}


def open_strip(a: Rational, b: Rational) -> bool:
    """x > −1, 2x − y ≤ 1, y ≥ −x/2: the closed part clipped, then whether more than its edge x = −1 is
    left.
    """
    low, high = Q(0), Q(1)
    for n, c in (((Q(-1), Q(0)), Q(1)), ((Q(2), Q(-1)), Q(1)), ((Q(-1, 2), Q(-1)), Q(0))):
        at_a, at_b = (n[0] * p[0] + n[1] * p[1] - c for p in (a, b))
        if at_a > 0 and at_b > 0:
            return False
        if at_a > 0 or at_b > 0:
            t = at_a / (at_a - at_b)
            low, high = (max(low, t), high) if at_a > 0 else (low, min(high, t))
    return low <= high and max(a[0] + t * (b[0] - a[0]) for t in (low, high)) > -1


def region(name: str) -> UnsafeSet:
    return build_sets({"it": REFEREES[name][0]}, ["x", "y"])["it"]


GRID = torch.tensor([[float(x), float(y)] for x in range(-4, 5, 2) for y in range(-3, 5)], dtype=F64)


@pytest.mark.parametrize("name", REFEREES)
def test_segments_between_whole_numbers_against_rational_arithmetic(name: str) -> None:
    """Every segment of a grid, and on it every way to touch: ends, corners, edges, tangents, one point."""
    unsafe = region(name)
    pick = torch.randperm(len(GRID) ** 2, generator=torch.Generator().manual_seed(3))[:700]
    a, b = GRID[pick // len(GRID)], GRID[pick % len(GRID)]
    truth = [REFEREES[name][1](exact(p), exact(q)) for p, q in zip(a.tolist(), b.tolist(), strict=True)]
    found, t = meets(unsafe, a, b)
    assert exactly(unsafe) and found.tolist() == truth and 50 < sum(truth) < 699
    deep = unsafe(a + t[:, None] * (b - a))[found]
    assert (deep <= 1e-12).all()
    inside, t = lowest(unsafe, a, b)
    s = unsafe(a + t[:, None] * (b - a))
    assert torch.equal(inside, found) and (s[found] <= 1e-9).all() and (s[~found] >= -1e-9).all()


numbers = st.integers(-40, 40).map(lambda k: k / 8)
paths = st.lists(st.tuples(numbers, numbers), min_size=1, max_size=5)


@settings(max_examples=25, deadline=None)
@given(path=paths, name=st.sampled_from(sorted(REFEREES)))
def test_segments_hold_points_and_a_midpoint_changes_nothing(
    path: list[tuple[float, float]], name: str
) -> None:
    """On eighths, so that midpoints are exact: ⊇ the waypoints alone, refinement leaves the answer, and s has
    its sign.
    """
    unsafe = region(name)
    fine = [p for a, b in pairwise(path) for p in (a, ((a[0] + b[0]) / 2, (a[1] + b[1]) / 2))] + [path[-1]]
    answers = []
    for points, between in (
        (path, "points"),
        (path, "segments"),
        (fine, "segments"),
        (path[::-1], "segments"),
    ):
        x = torch.tensor(points, dtype=F64).flatten()
        whole = Anywhere(unsafe, [str(i) for i in range(len(x))], between)  # type: ignore[arg-type]  # one of the two
        answers.append(bool(whole.contains(x)))
        s = float(whole(x[None])[0])
        assert (s <= 0 or not answers[-1]) and (s >= 0 or answers[-1])
        assert bool(complement(whole).contains(x)) != answers[-1]
    assert answers[1] >= answers[0] and answers[1] == answers[2] == answers[3]
    truth = [REFEREES[name][1](exact(a), exact(b)) for a, b in pairwise(path)] or [
        REFEREES[name][1](exact(path[0]), exact(path[0]))
    ]
    assert answers[1] == any(truth)


BENT: dict[str, dict[str, Any]] = {
    "superellipse": {"kind": "superellipse", "center": [0.0, 0.0], "radii": [1.0, 2.0], "power": 4.0},
    "rule": {"kind": "rule", "where": "x**2 + y**2 < 1"},
    "occupancy": {
        "kind": "occupancy",
        "map": ["..#.", ".##.", "...."],
        "lower": [-2.0, -1.5],
        "upper": [2.0, 1.5],
    },
    "grow": {"kind": "grow", "set": {"kind": "box", "lower": [-1.0, -1.0], "upper": [1.0, 0.0]}, "by": 0.5},
    "smooth_union": {
        "kind": "smooth_union",
        "width": 0.2,
        "sets": [{"kind": "ball", "center": [0, 0], "radius": 1}],
    },
    "not rule": {"not": {"kind": "rule", "where": "x**2 + y**2 < 4"}},
}


@pytest.mark.parametrize("name", BENT)
def test_elsewhere_an_excursion_of_a_256th_is_found(name: str) -> None:
    """Against 8192 points a segment: whoever is inside for longer than 1/256 of it is found, and nobody who
    is not inside.
    """
    unsafe = build_sets({"it": BENT[name]}, ["x", "y"])["it"]
    g = torch.Generator().manual_seed(1)
    a, b = 2 * torch.randn(150, 2, dtype=F64, generator=g), 2 * torch.randn(150, 2, dtype=F64, generator=g)
    t = torch.linspace(0, 1, 8193, dtype=F64)[:, None]
    dense = unsafe.contains(a[:, None] + t * (b - a)[:, None])
    run = torch.stack([dense[:, i : i + 40].all(1) for i in range(0, 8193 - 40, 8)], 1).any(1)
    found, hit = meets(unsafe, a, b)
    assert not exactly(unsafe) and 20 < int(found.sum()) < 145
    assert found[run].all() and unsafe.contains(a + hit[:, None] * (b - a))[found].all()


def test_gaps_keep_their_ends() -> None:
    """[0, 1] without [.2, .5], (.5, .6] and [1, 1]: [0, .2), (.6, 1); and nothing is left of all of it."""
    low, high = torch.tensor([[0.5, 0.2, 1.0]], dtype=F64), torch.tensor([[0.6, 0.5, 1.0]], dtype=F64)
    opened = torch.tensor([[True, False, False]])
    inside = Spans(low, high, opened, torch.zeros_like(opened))
    left = trimmed(gaps(inside))
    assert left.low.tolist() == [[0.0, 0.6]] and left.high.tolist() == [[0.2, 1.0]]
    assert left.low_open.tolist() == [[False, True]] and left.high_open.tolist() == [[True, True]]
    whole = Spans(low.new_zeros(1, 1), low.new_ones(1, 1), opened[:, 1:2], opened[:, 1:2])
    assert not gaps(whole).held().any()


# ------------------------------------------------------------------ the distance and its derivatives

NAMES = [f"{axis}{t}" for t in range(4) for axis in "xy"]
SHAPES: dict[str, UnsafeSet] = {
    "ball": Ball([0.3, -0.2], 0.7),
    "box": Box([-0.5, -1.0], [1.0, 0.5]),
    "polygon": Polygon([[-1.0, -1.0], [1.2, -0.8], [0.4, 0.1], [1.0, 1.1], [-0.9, 0.9]]),
    "capsule": Capsule([-0.6, 0.2], [0.9, -0.4], 0.5),
    "union": Ball([1.0, 1.0], 0.4) | HalfSpace([-1.0, 0.0], 1.5),
}


def trajectories(n: int = 200, seed: int = 0) -> torch.Tensor:
    return 1.5 * torch.randn(n, 8, dtype=F64, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("name", SHAPES)
def test_s_is_the_least_along_the_path(name: str) -> None:
    unsafe, x = Anywhere(SHAPES[name], NAMES), trajectories()
    w = x.reshape(-1, 4, 2)
    t = torch.linspace(0, 1, 2001, dtype=F64)[:, None]
    dense = SHAPES[name](w[:, :-1, None] + t * (w[:, 1:] - w[:, :-1])[:, :, None]).flatten(1).amin(1)
    s, out = unsafe(x), ~unsafe.contains(x)
    assert (s[out] <= dense[out] + 1e-7).all() and (dense[out] - s[out] < 4e-3).all()
    assert (s[~out] <= 0).all() and (name in ("polygon", "union") or (s - dense).abs().max() < 4e-3)
    assert ((s[:, None] - s).abs()[out][:, out] <= torch.cdist(x, x)[out][:, out] + 1e-6).all()


@pytest.mark.parametrize("name", ["ball", "capsule", "box"])
def test_the_jet_of_a_path_by_differences(name: str) -> None:
    """Also where the nearest point lies within a segment and moves along it, which takes ‖∂ₓ∂_τ s‖²/∂²_τ s
    off the Laplacian.
    """
    unsafe, x = Anywhere(SHAPES[name], NAMES), trajectories(120)
    x = x[unsafe(x) > 0.05]
    value, gradient, laplacian = unsafe.jet(x)
    h, e = 1e-3, torch.eye(8, dtype=F64)
    up, down = (torch.stack([unsafe(x + sign * h * v) for v in e], 1) for sign in (1, -1))
    assert torch.allclose(value, unsafe(x)) and torch.allclose(
        autodiff_jet(unsafe, x).gradient, gradient, atol=1e-6
    )
    assert ((up - down) / (2 * h) - gradient).abs().amax(1).quantile(0.95) < 1e-3
    second = ((up + down - 2 * value[:, None]) / h**2).sum(1)
    assert ((second - laplacian).abs() < 2e-2 * (1 + laplacian.abs())).double().mean() > 0.9
    within = (gradient.reshape(-1, 4, 2).norm(dim=2) > 1e-6).sum(1) == 2
    assert within.sum() > 5, "some paths are nearest within a segment"


@pytest.mark.parametrize(
    "make",
    [identity(8, F64), Coordinates(torch.zeros(8), torch.eye(8) + 0.1 * trajectories(8, 3).float(), F64)],
)
def test_softened_paths_stay_on_the_safe_side(make: Coordinates) -> None:
    x = trajectories(300)
    for name, inner in SHAPES.items():
        for whole in (Anywhere(inner, NAMES), complement(Anywhere(inner, NAMES))):
            hard = pull(whole, make)
            if name == "polygon":
                with pytest.raises(NotSmooth):
                    soften(hard, 0.1)
                continue
            soft = soften(hard, 0.1)
            assert soft.smooth and (soft(x) <= hard(x).clamp(min=0) + 1e-7).all()
            assert torch.equal(soft.contains(x), whole.contains(make.saved(x)))
            assert (soft(x) > 0).any(), "it must not be negative everywhere"


def test_a_drift_filter_needs_a_distance_along_segments() -> None:
    where = build_sets({"it": {"kind": "rule", "where": "x**2 + y**2 < 1"}}, ["x", "y"])["it"]
    with pytest.raises(NotSmooth, match="between: points"):
        soften(Anywhere(where, NAMES), 0.1)
    assert soften(Anywhere(where, NAMES, "points"), 0.1).smooth
    grown = Grow(Anywhere(Ball([0.0, 0.0], 1.0), NAMES, "points"), 0.1)
    assert grown.clearance and not Anywhere(Ball([0.0, 0.0], 1.0), NAMES).clearance


def test_one_waypoint_and_a_path_that_stands_still() -> None:
    one = Anywhere(Ball([0.0, 0.0], 1.0), ["x", "y"])
    x = torch.tensor([[0.5, 0.5], [2.0, 0.0]], dtype=F64)
    assert (
        one.exact
        and one.contains(x).tolist() == [True, False]
        and torch.equal(one(x), Ball([0.0, 0.0], 1.0)(x))
    )
    for name in REFEREES:
        unsafe = region(name)
        still = Anywhere(unsafe, ["a", "b", "c", "d"])
        both = GRID.repeat(1, 2)
        assert torch.equal(still.contains(both), unsafe.contains(GRID)), name
        jet = still.jet(both)
        assert all(torch.isfinite(part).all() for part in jet)


def test_undefined_points_are_inside_a_path_and_its_complement() -> None:
    rule = build_sets({"it": {"kind": "rule", "where": "log(x) < 1 and y < 1"}}, ["x", "y"])["it"]
    whole = Anywhere(rule, NAMES[:4])
    x = torch.tensor([[-1.0, 0.0, -2.0, 0.0], [9.0, 0.0, 8.0, 0.0], [1.0, 0.0, 9.0, 0.0]], dtype=F64)
    assert whole.contains(x).tolist() == [True, False, True] and complement(whole).contains(x).tolist() == [
        True,
        True,
        False,
    ]
    assert undefined(whole, x).tolist() == [True, False, False]


def test_a_predicate_is_asked_along_the_way() -> None:
    unsafe = Anywhere(Predicate(lambda x: x[..., 0].abs() < 0.1, 2), NAMES[:4])
    x = torch.tensor([[-1.0, 0.0, 1.0, 0.0], [1.0, 0.0, 2.0, 0.0]], dtype=F64)
    assert unsafe.contains(x).tolist() == [True, False] and "every 1/256" in unsafe.looked


# ------------------------------------------------------------------ audits, runs, words

TUNNEL = """\
version: 1
name: tunnel
columns: [COLUMNS]
energy: {kind: gaussian, mean: [MEAN], std: 1}
unsafe:
  wall: {kind: box, lower: [-0.1, -5], upper: [0.1, 5]}
  through: REGION
constraints: [{set: through, beta: 0.2}]
sampler: {kind: langevin, samples: 60, steps: 40, step_size: 0.01,
  init: {kind: gaussian, mean: [MEAN], std: .1}}
filter: FILTER
"""


def tunnel(columns: str, mean: str, inside: str, chosen: str = "{kind: none}") -> Any:
    return loads(
        TUNNEL.replace("COLUMNS", columns)
        .replace("MEAN", mean)
        .replace("REGION", inside)
        .replace("FILTER", chosen)
    )


def test_twenty_paths_through_a_wall(tmp_path: Path) -> None:
    """Recorded at (−1, 0) and (1, 0), a wall |x| ≤ .1 between: as whole paths, in blocks of rows, and as
    trajectories.
    """
    path = np.tile(np.array([[-1.0, 0.0], [1.0, 0.0]]), (20, 1, 1))
    np.savez(tmp_path / "whole.npz", path=path)
    np.savez(tmp_path / "turns.npz", x=path.transpose(1, 0, 2).reshape(-1, 2), path=np.tile(np.arange(20), 2))
    one = tunnel("x, y", "-3, 0", "{any: [wall]}")
    for name in ("whole", "turns"):
        report = audit(tmp_path / f"{name}.npz", one)
        c = report.constraints[0]
        assert (c.violations, c.verdict, c.between, report.passed) == (
            20,
            "violated",
            "segments, exactly",
            False,
        )
        assert (
            c.clearance_min == pytest.approx(-0.1) and "between them (segments, exactly)" in report.to_text()
        )
        assert c.worst[0].values[0] == pytest.approx(0, abs=1e-9), "the worst is where the path is deepest"
    points = loads(one.to_yaml(), {"audit.between": "points"})
    report = audit(tmp_path / "whole.npz", points)
    assert (report.constraints[0].violations, report.constraints[0].between) == (0, "points")
    assert (
        "recorded points only" in report.to_text()
        and json.loads(report.to_json())["constraints"][0]["between"] == "points"
    )
    rows = path.reshape(20, 4)
    box = "{kind: box, lower: [-0.1, -5], upper: [0.1, 5]}"
    for between, count in (("", 20), (", between: segments", 20), (", between: points", 0)):
        text = TUNNEL.replace("  wall: {kind: box, lower: [-0.1, -5], upper: [0.1, 5]}\n", "").replace(
            "COLUMNS", "x0, y0, x1, y1"
        )
        text = text.replace("MEAN", "-3, 0, -3, 1").replace(
            "REGION", f"{{kind: anywhere, set: {box}{between}}}"
        )
        report = audit(rows, loads(text.replace("FILTER", "{kind: none}")))
        assert report.constraints[0].violations == count
        assert report.constraints[0].between == ("points" if count == 0 else "segments, exactly")


@pytest.mark.parametrize("kind", ["step", "gate", "drift"])
def test_filters_keep_paths_out_of_a_wall(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lem_safe.runs.runner.render", lambda directory: directory / "report.html")
    text = TUNNEL.replace("  wall: {kind: box, lower: [-0.1, -5], upper: [0.1, 5]}\n", "").replace(
        "COLUMNS", "x0, y0, x1, y1"
    )
    inside = "{kind: anywhere, set: {kind: ball, center: [0, 0], radius: 0.5}}"
    text = (
        text.replace("MEAN", "-1, 1, 1, 1").replace("REGION", inside).replace("FILTER", f"{{kind: {kind}}}")
    )
    done = run(loads(text), out=tmp_path / "out")
    assert (
        done.trace["fraction"].max() <= (0.2 if kind != "drift" else 0.3)
        and done.report.constraints[0].between == "segments, exactly"
    )


def test_a_path_in_words() -> None:
    spec: dict[str, Any] = {"kind": "anywhere", "set": {"kind": "ball", "center": [0, 0], "radius": 1}}
    assert (
        in_words(spec)
        == "every path that is inside the ball of radius 1 around (0, 0) at a waypoint or on the way "
        "between two"
    )
    assert in_words({**spec, "between": "points"}).endswith(
        "at a waypoint; what happens between two waypoints is not checked"
    )


def test_columns_of_a_path() -> None:
    """A region over some columns of each waypoint: the others move freely."""
    inner = Columns(["x"], Box([-0.1], [0.1]), ["x", "y"])
    x = torch.tensor([[-1.0, 5.0, 1.0, -5.0], [-1.0, 5.0, -0.2, 5.0]], dtype=F64)
    assert spans(inner, x[:, :2], x[:, 2:]) is not None and Anywhere(inner, NAMES[:4]).contains(
        x
    ).tolist() == [True, False]


def test_a_slope_follows_where_a_segment_is_deepest() -> None:
    """In a graph the gradient of s, and its Laplacian's value, change as τ moves: derivatives of derivatives,
    by differences.
    """
    unsafe = Anywhere(Ball([0.2, 0.1], 0.5), ("a", "b", "c", "d"))
    x = torch.tensor(
        [[-1.0, 0.3, 1.2, 0.2], [-0.7, -0.9, 0.8, 1.1], [0.4, -1.0, 0.1, 1.0]], dtype=torch.float64
    )
    c = torch.tensor([0.7, -0.4, 0.3, 0.9], dtype=torch.float64)
    for gradient in (lambda y: unsafe.jet(y).gradient, lambda y: value_and_gradient(unsafe, y)[1]):
        y = x.clone().requires_grad_()
        (found,) = torch.autograd.grad((gradient(y) @ c).sum(), y)
        ε, steps = 1e-5, torch.eye(4, dtype=torch.float64) * 1e-5
        expected = torch.stack([((gradient(x + e) - gradient(x - e)) @ c) / (2 * ε) for e in steps], 1)
        assert float(expected.abs().max()) > 0.1 and float((found - expected).abs().max()) < 1e-5
