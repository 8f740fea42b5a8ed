"""The law that no set may break: the sign of s is membership (s < 0 only inside, s > 0 only outside), for
every kind and for their algebra.

Shapes are adversarial: slivers, touching holes, repeated and collinear corners, needles, tangents, tiny and
large ones. Points are where
sets are decided: corners, centres, middles of edges, one rounding beside them, and far away; in float64 and
in float32. What is allowed is
rounding: |s| up to ROUNDINGS units in the last place of the largest number involved; of polygons and rules,
nothing.
"""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from set_examples import columns, shear
from torch import Tensor

from barriers.coordinates import identity
from barriers.sets import (
    SETS,
    Curvature,
    Polygon,
    Rule,
    SpecificationError,
    Speed,
    Superellipse,
    UnsafeSet,
    build_sets,
    complement,
    pull,
    undefined,
)
from barriers.sets.ball import Ball
from barriers.sets.occupancy import Occupancy
from barriers.sets.polygon import _Nearest
from lem_safe.registry import MAKERS

F64 = torch.float64
ROUNDINGS = 64
Spec = dict[str, Any]


# ------------------------------------------------------------------ shapes

whole = st.integers(-3, 3).map(float)
rough = st.floats(-4, 4, allow_nan=False, width=64)
number = st.one_of(whole, rough)
size = st.sampled_from([1.0, 0.5, 0.1, 1e-3, 1e-9, 3.0, 1e3])
point = st.lists(number, min_size=2, max_size=2)
corner = st.lists(whole, min_size=2, max_size=2)
turn = st.sampled_from([None, [[0.8, 0.6], [-0.6, 0.8]], [[0.0, 1.0], [1.0, 0.0]]])


def sorted_pair(draw: st.DrawFn) -> tuple[list[float], list[float]]:
    low, width = draw(point), [draw(size), draw(size)]
    return low, [a + b for a, b in zip(low, width, strict=True)]


@st.composite
def box(draw: st.DrawFn) -> Spec:
    low, high = sorted_pair(draw)
    rotation = draw(turn)
    return {"kind": "box", "lower": low, "upper": high, **({"rotation": rotation} if rotation else {})}


@st.composite
def polygon(draw: st.DrawFn) -> Spec:
    """Rings that may be anything: most are refused, and what is not must keep the law."""
    sliver = draw(st.sampled_from([0.0, 1e-3, 1e-9, 1e-16]))
    shell = draw(
        st.one_of(
            st.lists(corner, min_size=3, max_size=7),
            st.lists(point, min_size=3, max_size=5),
            st.just([[-2.0, -2.0], [3.0, -2.0], [3.0, 3.0], [-2.0, 3.0]]),
            st.just([[0.0, 0.0], [1.0, 0.0], [2.0, sliver], [1.0, 2 * sliver]]),
            st.just([[0.0, 0.0], [2.0, 0.0], [2.0, 2.0], [1.0, 0.0 + sliver], [0.0, 2.0]]),
        )
    )
    holes = draw(st.lists(st.lists(corner, min_size=3, max_size=4), max_size=2))
    closed = draw(st.booleans())
    rings = [ring[:: draw(st.sampled_from([1, -1]))] for ring in (shell, *holes)]
    rings = [[*ring, ring[0]] if closed else ring for ring in rings]
    return {"kind": "polygon", "vertices": rings[0], **({"holes": rings[1:]} if rings[1:] else {})}


@st.composite
def ellipsoid(draw: st.DrawFn, kind: str = "ellipsoid", radius: st.SearchStrategy[float] = size) -> Spec:
    rotation = draw(turn)
    spec = {"kind": kind, "center": draw(point), "radii": [draw(radius), draw(radius)]}
    return spec | ({"rotation": rotation} if rotation else {})


@st.composite
def occupancy(draw: st.DrawFn) -> Spec:
    rows = draw(
        st.lists(st.text("#.", min_size=3, max_size=3), min_size=1, max_size=4).filter(
            lambda m: any("#" in r for r in m)
        )
    )
    low, high = sorted_pair(draw)
    return {"kind": "occupancy", "map": rows, "lower": low, "upper": high}


NETWORK = [
    [[2.0, 0.5, -0.3], [-1.0, 1.5, 0.2], [0.4, -1.2, 0.1]],
    [[1.2, -0.7, 0.4, 0.1], [-0.8, 0.9, 0.6, -0.2]],
]
RULES = [
    "x0 < x1",
    "x0**2 + x1**2 <= 1",
    "x0*x1 > 0 and not x0 >= 1",
    "log(x0) < x1",
    "sqrt(x0 - 1) >= 0",
    "abs(x0) + abs(x1) <= 2 or x0/x1 > 1",
    "0.1*x0 + 0.2*x1 < 0.3",
    "max(x0, x1) < 1 and min(x0, x1) >= -1",
]

balls = st.builds(lambda c, r: {"kind": "ball", "center": c, "radius": r}, point, size)
half_spaces = st.builds(
    lambda n, b: {"kind": "half_space", "normal": n, "offset": b},
    point.filter(lambda n: max(map(abs, n)) > 1e-6),
    number,
)
capsules = st.builds(
    lambda a, b, r: {"kind": "capsule", "start": a, "end": b, "radius": r}, corner, point, size
).filter(lambda s: s["start"] != s["end"])
smooth = st.one_of(balls, half_spaces, ellipsoid())

SHAPES: dict[str, st.SearchStrategy[Spec]] = {
    "ball": balls,
    "half_space": half_spaces,
    "slab": st.builds(
        lambda n, a, w: {"kind": "slab", "normal": n, "lower": a, "upper": a + w},
        point.filter(lambda n: max(map(abs, n)) > 1e-6),
        number,
        size,
    ),
    "box": box(),
    "ellipsoid": ellipsoid(),
    "capsule": capsules,
    "superellipse": st.builds(
        lambda s, p: {**s, "power": p}, ellipsoid("superellipse"), st.sampled_from([1.0, 1.5, 2.0, 4.0, 50.0])
    ),
    "polytope": st.builds(
        lambda n, b: {"kind": "polytope", "normals": n, "offsets": b[: len(n)]},
        st.lists(point.filter(lambda n: max(map(abs, n)) > 1e-6), min_size=1, max_size=4),
        st.lists(number, min_size=4, max_size=4),
    ),
    "polygon": polygon(),
    "occupancy": occupancy(),
    "near_points": st.builds(
        lambda p, r: {"kind": "near_points", "points": p, "radius": r},
        st.lists(point, min_size=1, max_size=5),
        size,
    ),
    "sublevel": st.builds(
        lambda m, v: {"kind": "sublevel", "energy": {"kind": "gaussian", "mean": m, "std": 0.6}, "level": v},
        point,
        st.sampled_from([1.0, 2.0, 9.0]),
    ),
    "classifier": st.builds(
        lambda how: {"kind": "classifier", "label": 1, "layers": NETWORK, **how},
        st.sampled_from([{}, {"probability": 0.7}, {"score": 0.1}]),
    ),
    "rule": st.sampled_from(RULES).map(lambda where: {"kind": "rule", "where": where}),
    "columns": st.one_of(balls, capsules).map(
        lambda s: {"kind": "columns", "columns": ["x1", "x0"], "set": s}
    ),
    "anywhere": st.builds(
        lambda a, w, how: {
            "kind": "anywhere",
            "between": how,
            "set": {"kind": "slab", "normal": [1.0], "lower": a, "upper": a + w},
        },
        number,
        size,
        st.sampled_from(["segments", "points"]),
    ),
    "speed": st.builds(
        lambda v, dt, low: {
            "kind": "speed",
            "size": 1,
            "dt": dt,
            **({"above": v, "below": v / 2} if low else {"above": v}),
        },
        size,
        size,
        st.booleans(),
    ),
    "acceleration": st.builds(
        lambda v, dt: {"kind": "acceleration", "size": 1, "above": v, "dt": dt}, size, size
    ),
    "curvature": st.builds(lambda k: {"kind": "curvature", "above": k}, size),
    "separation": st.builds(lambda b: {"kind": "separation", "size": 1, "agents": 2, "below": b}, size),
    "grow": st.builds(
        lambda s, r: {"kind": "grow", "set": s, "by": r}, st.one_of(box(), balls, capsules), size
    ),
    "shrink": st.builds(lambda s, r: {"kind": "shrink", "set": s, "by": r}, st.one_of(box(), balls), size),
    "smooth_union": st.builds(
        lambda s, w: {"kind": "smooth_union", "sets": s, "width": w},
        st.lists(smooth, min_size=1, max_size=3),
        size,
    ),
}

leaf = st.one_of(
    *(
        SHAPES[k]
        for k in ("ball", "box", "capsule", "polygon", "rule", "superellipse", "occupancy", "near_points")
    )
)
algebra: st.SearchStrategy[Spec] = st.recursive(
    leaf,
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=3).map(lambda s: {"any": s}),
        st.lists(inner, min_size=1, max_size=3).map(lambda s: {"all": s}),
        inner.map(lambda s: {"not": s}),
    ),
    max_leaves=4,
)
SHAPES |= {"algebra": algebra}

# ------------------------------------------------------------------ points


def pairs(part: Any) -> Iterator[list[float]]:
    """Every pair of numbers in a specification."""
    if isinstance(part, dict):
        part = list(part.values())
    if isinstance(part, list):
        if len(part) == 2 and all(isinstance(v, int | float) for v in part):
            yield [float(v) for v in part]
        for value in part:
            yield from pairs(value)


def sizes(part: Any) -> Iterator[float]:
    """Every number in a specification."""
    if isinstance(part, dict):
        part = list(part.values())
    if isinstance(part, list):
        for value in part:
            yield from sizes(value)
    elif isinstance(part, int | float):
        yield float(part)


def hard_paths(spec: Spec, seed: int, d: int) -> Tensor:
    """Paths over a grid as wide as a number of the shape (pauses, reversals, lines, ties), one rounding
    beside, random ones, and far ones.
    """
    g = torch.Generator().manual_seed(seed)
    lengths = torch.tensor([1.0, *sizes(spec)], dtype=F64)
    unit = lengths[torch.randint(0, len(lengths), (24, 1), generator=g)]
    x = torch.cat(
        [unit * torch.randint(-2, 3, (24, d), generator=g), torch.randn(24, d, generator=g, dtype=F64)]
    )
    up, down = x.nextafter(torch.full_like(x, 9.0)), x.nextafter(torch.full_like(x, -9.0))
    return torch.cat([x, torch.where(torch.rand(x.shape, generator=g) < 0.5, up, x), down, 1e6 * x[:20]])


def hard_points(spec: Spec, seed: int) -> Tensor:
    """Corners, centres, middles, points of the boundary as far as a shape's own numbers reach them, one
    rounding beside, and far away.
    """
    g = torch.Generator().manual_seed(seed)
    own = torch.tensor([*pairs(spec), [0.0, 0.0]], dtype=F64)
    own = own[torch.randperm(len(own), generator=g)[:12]]
    lengths = torch.tensor([*sizes(spec)][:12], dtype=F64)
    angle = 6.283185307179586 * torch.rand(len(lengths), 1, generator=g, dtype=F64)
    steps = torch.cat(
        [torch.eye(2, dtype=F64), -torch.eye(2, dtype=F64), torch.cat([angle.cos(), angle.sin()], 1)[:2]]
    )
    around = (own[:, None, None] + lengths[:, None, None] * steps).reshape(-1, 2)
    middles = (own[:, None] + own).reshape(-1, 2) / 2
    x = torch.cat([own, around, middles, 2 * torch.randn(60, 2, generator=g, dtype=F64)])
    up, down = x.nextafter(torch.full_like(x, 9.0)), x.nextafter(torch.full_like(x, -9.0))
    return torch.cat([x, up, down, 1e6 * x[:20]])


# ------------------------------------------------------------------ the law


def agrees(unsafe: UnsafeSet, x: Tensor, scale: float, roundings: float = ROUNDINGS) -> None:
    """s < 0 only inside, s > 0 only outside, up to rounding; by the jet too."""
    inside, gap = unsafe.contains(x), undefined(unsafe, x)
    allowed = roundings * torch.finfo(x.dtype).eps * x.double().abs().amax(1).clamp(min=scale)
    for s in (unsafe(x).double(), unsafe.jet(x).value.double()):
        wrong = torch.where(inside, s > allowed, s < -allowed) & ~gap
        assert not wrong.any(), (
            f"s = {s[wrong][0]:g} at {x[wrong][0].tolist()}, which is "
            f"{'inside' if inside[wrong][0] else 'outside'}"
        )


def built(spec: Spec) -> UnsafeSet | None:
    """The set, or None where its constructor refuses it."""
    try:
        return build_sets({"it": spec}, columns(spec.get("kind", "")), MAKERS)["it"]
    except SpecificationError:
        return None


def around(d: int) -> Tensor:
    return torch.cat([torch.zeros(1, d, dtype=F64), torch.eye(d, dtype=F64), -torch.eye(d, dtype=F64)])


STRICT = ("polygon", "rule", "anywhere", "superellipse", "ellipsoid")
PATHS = ("speed", "acceleration", "curvature", "separation")


def strict(spec: Any) -> bool:
    """Whether no rounding is allowed: s is the very number that membership compares, or takes its sign."""
    if "kind" in spec:
        return spec["kind"] in STRICT + PATHS
    return all(strict(s) for part in spec.values() for s in (part if isinstance(part, list) else [part]))


def everywhere(spec: Spec, seed: int) -> None:
    """The law on the set, its complement, and both as sets over the sampler's coordinates, plain and sheared;
    in both precisions.
    """
    unsafe = built(spec)
    if unsafe is None:
        return
    d = len(columns(spec.get("kind", "")))
    x = hard_paths(spec, seed, d) if spec.get("kind") in PATHS else hard_points(spec, seed)
    scale, sheared = max([1.0, *map(abs, sizes(spec))]), shear(d)
    roundings = 0 if strict(spec) else ROUNDINGS
    for one in (unsafe, complement(unsafe)):
        for rows in (x, x.float()):
            agrees(one, rows, scale, roundings)
        agrees(pull(one, identity(d, F64)), x, scale)
        pulled = pull(one, sheared)
        z = sheared.inverse(x)
        # z is mapped there and back, and membership is that of the value as saved; beside the edge of where a
        # rule has a value, s is 0
        clear = torch.stack(
            [one(sheared(z) + e).abs() > 1e-9 * scale for e in 1e-12 * scale * around(d)]
        ).all(0)
        agrees(pulled, z[clear & (x.abs().amax(1) < 1e4)], scale, 1e4)


SHAPES |= {
    kind: st.just({**entry.example}) for kind, entry in SETS.items() if kind not in SHAPES
}  # as far as an example goes


@pytest.mark.parametrize("kind", SHAPES)
def test_the_sign_of_s_is_membership(kind: str) -> None:
    @settings(max_examples=6 if kind in PATHS else 12, deadline=None, suppress_health_check=list(HealthCheck))
    @given(spec=SHAPES[kind], seed=st.integers(0, 99))
    def law(spec: Spec, seed: int) -> None:
        everywhere(spec, seed)

    law()


def test_adversarial_shapes_are_of_kinds_that_there_are() -> None:
    assert set(SHAPES) == {*SETS, "algebra"}


# ------------------------------------------------------------------ the law must notice

BOWTIE = {"kind": "polygon", "vertices": [[-3.0, -2.0], [3.0, 1.5], [3.0, -1.5], [-3.0, 2.0]]}
SLIVER = {"kind": "polygon", "vertices": [[0.0, 0.0], [1.0, 0.0], [2.0, 1e-9], [1.0, 2e-9]]}
OVERLAP = {
    "kind": "polygon",
    "vertices": [[0.0, 0.0], [4.0, 0.0], [4.0, 4.0], [0.0, 4.0]],
    "holes": [[[1.0, 1.0], [3.0, 1.0], [2.0, 3.0]], [[2.0, 1.5], [3.5, 1.5], [3.0, 3.0]]],
}


def unlifted(s: Tensor, inside: Tensor) -> Tensor:
    return s


def turned_normals(self: Polygon, x: Tensor) -> _Nearest:
    near = HONEST_NEAREST(self, x)
    return near._replace(normal=self.normal[self._edge_of(x.double())])


def menger_alone(self: Curvature, x: Tensor) -> Tensor:
    """Of a path that turns back on itself the circle is large again."""
    u, v, chord = self._triples(x.double())
    area = ((u * u).sum(-1) * (v * v).sum(-1) - (u * v).sum(-1) ** 2).clamp(min=0).sqrt()
    sides = u.norm(dim=-1) * v.norm(dim=-1) * chord.norm(dim=-1)
    return (2 * area > self.above * sides).flatten(-2).any(-1)


HONEST_NEAREST = Polygon._nearest

FAULTS: dict[str, tuple[Spec, Callable[[pytest.MonkeyPatch], Any]]] = {
    "a bow-tie by its edges' own sides": (BOWTIE, lambda m: m.setattr(Polygon, "_nearest", turned_normals)),
    "a ball's sign turned": (
        {"kind": "ball", "center": [0.0, 0.0], "radius": 1.0},
        lambda m: m.setattr(Ball, "forward", lambda self, x: self.radius - x.norm(dim=-1)),
    ),
    "a lifted ellipsoid": (
        {"kind": "ellipsoid", "center": [0.0, 0.0], "radii": [1.0, 1.0]},
        lambda m: m.setattr("barriers.sets.ellipsoid.of_sign", unlifted),
    ),
    "a lifted superellipse": (
        {"kind": "superellipse", "center": [0.0, 0.0], "radii": [1.0, 1.0], "power": 1.0},
        lambda m: m.setattr("barriers.sets.superellipse.of_sign", unlifted),
    ),
    "a speed without its time": (
        {"kind": "speed", "size": 1, "above": 1.0, "dt": 0.5},
        lambda m: (
            m.setattr("barriers.sets.lengths.of_sign", unlifted),
            m.setattr(Speed, "contains", lambda self, x: (x[..., 1] - x[..., 0]).abs() > self.above),
        ),
    ),
    "a curvature that ignores turning back": (
        {"kind": "curvature", "above": 1.0},
        lambda m: (
            m.setattr("barriers.sets.curvature.of_sign", unlifted),
            m.setattr(Curvature, "contains", menger_alone),
        ),
    ),
    "a map half a cell off": (
        {"kind": "occupancy", "map": ["#.", ".."], "lower": [0.0, 0.0], "upper": [2.0, 2.0]},
        lambda m: m.setattr(Occupancy, "contains", lambda self, x: self(x.double() + 0.5) <= 0),
    ),
    "a rule moved by a half": (
        {"kind": "rule", "where": "0.1*x0 + 0.2*x1 < 0.3"},
        lambda m: m.setattr(Rule, "contains", lambda self, x: self.tree.contains(x.double() + 0.5)),
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_planted_fault_is_found(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    spec, plant = FAULTS[name]
    monkeypatch.setattr("barriers.sets.rings._refuse_meetings", lambda edges: None)
    everywhere(spec, 0)
    plant(monkeypatch)
    with pytest.raises(AssertionError):
        everywhere(spec, 0)


@pytest.mark.parametrize("spec", [BOWTIE, SLIVER, OVERLAP], ids=["bow-tie", "sliver", "overlapping holes"])
def test_rings_that_got_past_validation_keep_the_law(spec: Spec, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("barriers.sets.rings._refuse_meetings", lambda edges: None)
    everywhere(spec, 1)


def test_a_superellipse_keeps_its_derivatives_where_the_lift_is_taken_back() -> None:
    unsafe = Superellipse([0.0, 0.0], [1.0, 1.0], 1.0)
    jet = unsafe.jet(torch.tensor([[1.0, 0.0]], dtype=F64))
    assert jet.value.item() == 0 and jet.gradient[0, 0] == pytest.approx(1 / 2**0.5)
