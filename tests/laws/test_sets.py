"""What every unsafe set owes, checked on every member of SETS and on `any`, `all` and `not`, through each
class's own example.

Each law is a function that raises AssertionError; `test_planted_faults` hands the same functions sets that
are wrong on purpose. The membership twins below are typed from the definitions, one point at a time, and
share nothing with the package.
"""

import json
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from set_examples import columns, shear
from torch import Tensor

from barriers.coordinates import identity
from barriers.derivatives import Jet, autodiff_jet
from barriers.sets import (
    SETS,
    AllOf,
    AnyOf,
    Ball,
    Not,
    NotSmooth,
    Rule,
    UnsafeSet,
    build_sets,
    complement,
    pull,
    soften,
    undefined,
)
from barriers.sets.pull import Pulled
from lem_safe.registry import MAKERS

COLUMNS = ["x0", "x1"]
OURS = "barriers."
HARD_ONLY = {"polygon", "occupancy", "near_points", "shrink", "curvature"} | {
    kind
    for kind, entry in SETS.items()
    if not entry.constructor.__module__.startswith(OURS) and not entry.constructor.smooth  # type: ignore[attr-defined]
}
"""Kinds without a twice differentiable form: `step` and `gate` only; of those added from elsewhere, the kinds
that are not smooth.
"""
SHEARED_ONLY_HARD = {"capsule", "grow"}
"""Kinds that lose it in sheared coordinates, where they are no longer of their kind."""
COMPLEMENT_ONLY_HARD = {"grow"}

Twin = Callable[[dict[str, Any], list[float]], bool]


def inside(spec: dict[str, Any], p: list[float]) -> bool:
    """Whether one point is in the set that a specification describes, from first principles."""
    if "any" in spec:
        return any(inside(s, p) for s in spec["any"])
    if "all" in spec:
        return all(inside(s, p) for s in spec["all"])
    if "not" in spec:
        return not inside(spec["not"], p)
    return TWINS[spec["kind"]](spec, p) if spec["kind"] in TWINS else alone(spec, p)


def alone(spec: dict[str, Any], p: list[float]) -> bool:
    """What a set without a twin here says of one row by itself: its laws then hold it against itself only."""
    row = torch.tensor([p], dtype=torch.float64)
    return bool(build_sets({"it": spec}, [f"x{i}" for i in range(len(p))], MAKERS)["it"].contains(row))


def dot(a: list[float], b: list[float]) -> float:
    return math.fsum(u * v for u, v in zip(a, b, strict=True))


def minus(a: list[float], b: list[float]) -> list[float]:
    return [u - v for u, v in zip(a, b, strict=True)]


def own_axes(spec: dict[str, Any], p: list[float], center: list[float]) -> list[float]:
    o = minus(p, center)
    return [dot(row, o) for row in spec["rotation"]] if "rotation" in spec else o


def in_box(spec: dict[str, Any], p: list[float]) -> bool:
    return all(lo <= v <= hi for lo, v, hi in zip(spec["lower"], p, spec["upper"], strict=True))


def in_power(spec: dict[str, Any], p: list[float]) -> bool:
    o = own_axes(spec, p, spec["center"])
    return sum(abs(v / a) ** spec.get("power", 2.0) for v, a in zip(o, spec["radii"], strict=True)) <= 1


def to_segment(a: list[float], b: list[float], p: list[float]) -> float:
    e = minus(b, a)
    t = min(1.0, max(0.0, dot(minus(p, a), e) / dot(e, e)))
    return math.dist(p, [u + t * v for u, v in zip(a, e, strict=True)])


def winding(ring: list[list[float]], p: list[float]) -> int:
    """How often a ring goes round p: the sum of the angles its edges subtend."""
    total = 0.0
    for a, b in zip(ring, ring[1:] + ring[:1], strict=True):
        u, v = minus(a, p), minus(b, p)
        total += math.atan2(u[0] * v[1] - u[1] * v[0], dot(u, v))
    return round(total / (2 * math.pi))


def in_polygon(spec: dict[str, Any], p: list[float]) -> bool:
    return sum(winding(ring, p) % 2 for ring in [spec["vertices"], *spec["holes"]]) % 2 == 1


def in_map(spec: dict[str, Any], p: list[float]) -> bool:
    """Brute force: signed distances between cell centres by a double loop, then bilinear interpolation."""
    rows, (lx, ly), (ux, uy) = spec["map"], spec["lower"], spec["upper"]
    w, h = (ux - lx) / len(rows[0]), (uy - ly) / len(rows)

    def dark(i: int, j: int) -> bool:
        return 0 <= i < len(rows[0]) and 0 <= j < len(rows) and rows[len(rows) - 1 - j][i] == "#"

    ring = [(i, j) for i in range(-1, len(rows[0]) + 1) for j in range(-1, len(rows) + 1)]

    def level(i: int, j: int) -> float:
        d = (
            min(math.hypot((i - k) * w, (j - m) * h) for k, m in ring if dark(k, m) != dark(i, j))
            - min(w, h) / 2
        )
        return -d if dark(i, j) else d

    u = (min(max(p[0], lx - w / 2), ux + w / 2) - lx) / w - 0.5
    v = (min(max(p[1], ly - h / 2), uy + h / 2) - ly) / h - 0.5
    i, j = min(math.floor(u), len(rows[0]) - 1), min(math.floor(v), len(rows) - 1)
    a, b = u - i, v - j
    s = (
        (1 - a) * (1 - b) * level(i, j)
        + a * (1 - b) * level(i + 1, j)
        + (1 - a) * b * level(i, j + 1)
        + a * b * level(i + 1, j + 1)
    )
    off = math.hypot(
        max(lx - w / 2 - p[0], 0, p[0] - ux - w / 2), max(ly - h / 2 - p[1], 0, p[1] - uy - h / 2)
    )
    return s + off <= 0


def in_rule(spec: dict[str, Any], p: list[float]) -> bool:
    x0, x1 = p
    assert spec["where"] == "x0**2 + x1 < 0.5 and not (x0 > 1 or x1 <= -sqrt(2 + x0))", (
        "the twin is written for this example"
    )
    low = x1 <= -math.sqrt(2 + x0) if x0 >= -2 else None
    return x0**2 + x1 < 0.5 and not x0 > 1 and low is not True


def in_well(spec: dict[str, Any], p: list[float]) -> bool:
    m, σ = spec["energy"]["mean"], spec["energy"]["std"]
    return (
        sum((v - c) ** 2 for v, c in zip(p, m, strict=True)) / (2 * σ**2)
        + 2 * math.log(σ * math.sqrt(2 * math.pi))
        <= spec["level"]
    )


def in_class(spec: dict[str, Any], p: list[float]) -> bool:
    """The network, unit by unit; the label scores at least as high as every other class."""
    first, last = spec["layers"]
    hidden = [math.tanh(dot(row[:-1], p) + row[-1]) for row in first]
    scores = [dot(row[:-1], hidden) + row[-1] for row in last]
    return scores[spec["label"]] >= max(scores)


def in_melt(spec: dict[str, Any], p: list[float]) -> bool:
    w = spec["width"]
    return sum(math.exp(-(math.dist(p, s["center"]) - s["radius"]) / w) for s in spec["sets"]) >= 1


def box_distance(spec: dict[str, Any], p: list[float]) -> float:
    q = [max(lo - v, v - hi) for lo, v, hi in zip(spec["lower"], p, spec["upper"], strict=True)]
    return math.hypot(*(max(v, 0.0) for v in q)) + min(max(q), 0.0)


def steps(p: list[list[float]]) -> list[list[float]]:
    return [minus(b, a) for a, b in zip(p, p[1:], strict=False)]


def pairwise(p: list[float], k: int) -> list[list[float]]:
    return [p[i : i + k] for i in range(0, len(p), k)]


def bent(p: list[float], q: list[float], r: list[float], above: float) -> bool:
    """Whether the circle through three points is too small, by Heron's formula; where the triangle is not
    acute at p or at r, the circle on the longer step.
    """
    a, b, c = math.dist(p, q), math.dist(q, r), math.dist(p, r)
    if min(dot(minus(q, p), minus(r, p)), dot(minus(q, r), minus(p, r))) <= 0:
        return 2 / max(a, b) > above
    half = (a + b + c) / 2
    return 4 * math.sqrt(max(half * (half - a) * (half - b) * (half - c), 0.0)) / (a * b * c) > above


TWINS: dict[str, Twin] = {
    "ball": lambda s, p: math.dist(p, s["center"]) <= s["radius"],
    "half_space": lambda s, p: dot(s["normal"], p) >= s["offset"],
    "slab": lambda s, p: s["lower"] <= dot(s["normal"], p) <= s["upper"],
    "box": in_box,
    "ellipsoid": in_power,
    "capsule": lambda s, p: to_segment(s["start"], s["end"], p) <= s["radius"],
    "superellipse": in_power,
    "polytope": lambda s, p: all(dot(n, p) <= b for n, b in zip(s["normals"], s["offsets"], strict=True)),
    "polygon": in_polygon,
    "occupancy": in_map,
    "near_points": lambda s, p: any(math.dist(p, q) <= s["radius"] for q in s["points"]),
    "sublevel": in_well,
    "classifier": in_class,
    "rule": in_rule,
    "columns": lambda s, p: inside(s["set"], [p[1], p[0]]),
    "anywhere": lambda s, p: min(p) <= s["set"]["upper"] and max(p) >= s["set"]["lower"],
    "speed": lambda s, p: any(math.hypot(*v) > s["above"] for v in steps(pairwise(p, s["size"]))),
    "acceleration": lambda s, p: any(
        math.hypot(*v) > s["above"] for v in steps(steps(pairwise(p, s["size"])))
    ),
    "curvature": lambda s, p: any(
        bent(*pairwise(p, 2)[i : i + 3], s["above"]) for i in range(len(p) // 2 - 2)
    ),
    "separation": lambda s, p: abs(p[1] - p[0]) < s["below"],
    "grow": lambda s, p: box_distance(s["set"], p) <= s["by"],
    "shrink": lambda s, p: box_distance(s["set"], p) <= -s["by"],
    "smooth_union": in_melt,
}


@dataclass(frozen=True)
class Case:
    """A set, its independent membership, and where to look at it."""

    name: str
    unsafe: UnsafeSet
    inside: Callable[[list[float]], bool]
    x: Tensor
    special: Tensor

    def truth(self, x: Tensor) -> Tensor:
        return torch.tensor([self.inside(p) for p in x.tolist()])


def case(name: str, spec: dict[str, Any]) -> Case:
    names, g = columns(name), torch.Generator().manual_seed(1)
    x = torch.randn(400, len(names), dtype=torch.float64, generator=g) * 1.2
    numbers = sorted({v for p in pairs(spec) for v in p} | {0.0})
    special = torch.tensor(
        [p for p in pairs(spec)] + [[a, b] for a in numbers for b in numbers], dtype=torch.float64
    )
    if len(names) != 2:
        rows = torch.randint(-1, 2, (60, len(names)), generator=g).double()  # pauses, reversals, lines
        special = torch.cat([torch.zeros_like(rows[:1]), rows])
    return Case(name, build_sets({"it": spec}, names, MAKERS)["it"], lambda p: inside(spec, p), x, special)


def pairs(part: Any) -> Iterator[list[float]]:
    """Every pair of numbers in a specification: centres, corners, vertices."""
    if isinstance(part, dict):
        for value in part.values():
            yield from pairs(value)
    elif isinstance(part, list):
        if len(part) == 2 and all(isinstance(v, int | float) for v in part):
            yield [float(v) for v in part]
        for value in part:
            yield from pairs(value)


MEMBERS: dict[str, Any] = {**SETS, "any": AnyOf, "all": AllOf, "not": Not}


@pytest.fixture(params=list(MEMBERS))
def it(request: pytest.FixtureRequest) -> Case:
    return case(request.param, MEMBERS[request.param].example)


# ------------------------------------------------------------------ the laws


def sign(c: Case) -> None:
    """s < 0 exactly inside."""
    s = c.unsafe(c.x)
    off = s.abs() > 1e-9
    assert torch.equal((s < 0)[off], c.truth(c.x)[off])
    assert 0.02 < (s < 0).double().mean() < 0.98, "an example must be seen from both sides"


def membership(c: Case) -> None:
    """`contains` agrees with the twin, also 1e-8 from the boundary, and float32 rows are read as the numbers
    they are.
    """
    near = boundary(c)
    assert len(near) > 20
    g = c.unsafe.jet(near).gradient
    g = g / g.norm(dim=1, keepdim=True).clamp(min=1e-12)
    for x in (c.x, near + 1e-8 * g, near - 1e-8 * g):
        assert torch.equal(c.unsafe.contains(x), c.truth(x))
    x = near.float()
    assert torch.equal(c.unsafe.contains(x), c.unsafe.contains(x.double()))
    assert torch.equal(c.unsafe.contains(x), c.truth(x.double()))


def boundary(c: Case, halvings: int = 60) -> Tensor:
    """Points of the boundary, by bisection in s between random points of both sides."""
    s = c.unsafe(c.x)
    a, b = c.x[s < 0], c.x[s > 0]
    n = min(len(a), len(b))
    a, b = a[:n].clone(), b[:n].clone()
    for _ in range(halvings):
        m = (a + b) / 2
        low = (c.unsafe(m) < 0)[:, None]
        a, b = torch.where(low, m, a), torch.where(low, b, m)
    return (a + b) / 2


def distance(c: Case) -> None:
    """Where a distance is promised: 1-Lipschitz, so never too long; a step of s along −∇s ends on the
    boundary: never short.
    """
    if not c.unsafe.clearance:
        assert not c.unsafe.exact, "an exact distance is exact outside too"
        return
    s, g, _ = c.unsafe.jet(c.x)
    there = (s > 0) | c.unsafe.exact
    x, s, g = c.x[there], s[there], g[there]
    assert ((s[:, None] - s).abs() <= torch.cdist(x, x) * (1 + 1e-6) + 1e-9).all()
    assert (c.unsafe(x - s[:, None] * g).abs() < 2e-6).all()


def batched(c: Case) -> None:
    """A batch is its rows, whatever its shape."""
    whole, contained, jet = c.unsafe(c.x), c.unsafe.contains(c.x), c.unsafe.jet(c.x)
    for i in range(0, 60, 7):
        row = c.x[i : i + 1]
        assert torch.allclose(c.unsafe(row), whole[i : i + 1], rtol=1e-13, atol=1e-13)
        assert bool(c.unsafe.contains(row)) == bool(contained[i])
        for part, all_rows in zip(c.unsafe.jet(row), jet, strict=True):
            assert torch.allclose(part, all_rows[i : i + 1], rtol=1e-9, atol=1e-9)
    assert torch.equal(c.unsafe(c.x.reshape(20, 20, -1)).flatten(), whole)
    assert torch.equal(c.unsafe.contains(c.x.reshape(20, 20, -1)).flatten(), contained)
    assert torch.equal(c.unsafe.contains(c.x[0]), contained[0])


def derivatives(c: Case) -> None:
    """The jet is the derivative: gradient and Laplacian by differences of s, away from kinks."""
    check_jet(c.unsafe, c.x, share=0.9)


def check_jet(unsafe: UnsafeSet, x: Tensor, share: float) -> None:
    s, g, lap = unsafe.jet(x)
    assert torch.allclose(s, unsafe(x), rtol=1e-9, atol=1e-9)
    h, e = 1e-4, torch.eye(x.shape[1], dtype=x.dtype)
    up, down = (torch.stack([unsafe(x + sign * h * v) for v in e], 1) for sign in (1, -1))
    gradient, second = (up - down) / (2 * h), ((up + down - 2 * s[:, None]) / h**2).sum(1)
    right = ((g - gradient).abs().amax(1) < 1e-5 * (1 + lap.abs())) & (
        (lap - second).abs() < 1e-4 * (1 + lap.abs() ** 2)
    )
    assert right.double().mean() >= share, (
        f"the jet is right at {float(right.double().mean()):.3f} of the points only"
    )


def finite(c: Case) -> None:
    """Centres, corners, edges, axes: nothing but numbers, by the jet and by autodiff, in both precisions,
    softened and pulled.
    """
    d, map_ = c.x.shape[1], shear(c.x.shape[1])
    plain, sheared = [c.unsafe, complement(c.unsafe), pull(c.unsafe, identity(d))], [pull(c.unsafe, map_)]
    if c.name not in HARD_ONLY:
        plain += [soften(s, 0.1) for s in plain if s is not plain[1] or c.name not in COMPLEMENT_ONLY_HARD]
        sheared += [soften(s, 0.1) for s in sheared if c.name not in SHEARED_ONLY_HARD]
    for unsafe in plain + sheared:
        mapped = map_.inverse(c.special) if unsafe in sheared else c.special
        for x in (mapped, mapped.float(), 1e6 * mapped):
            for jet in (unsafe.jet(x), autodiff_jet(unsafe, x)):
                assert all(torch.isfinite(part).all() for part in jet)
                assert jet.value.dtype == x.dtype


def negation(c: Case) -> None:
    """The complement holds what the set does not, its s is −s, twice is once, and de Morgan holds both
    ways.
    """
    out, other = complement(c.unsafe), Ball([0.4] * c.x.shape[1], 0.9)
    gap = undefined(c.unsafe, c.x)
    assert torch.equal(out.contains(c.x) & ~gap, ~c.truth(c.x) & ~gap)
    assert torch.allclose(out(c.x)[~gap], -c.unsafe(c.x)[~gap])
    assert torch.equal(complement(out).contains(c.x), c.unsafe.contains(c.x))
    assert torch.equal((~(c.unsafe | other)).contains(c.x), (~c.unsafe & ~other).contains(c.x))
    assert torch.equal((~(c.unsafe & other)).contains(c.x), (~c.unsafe | ~other).contains(c.x))
    assert torch.equal((c.unsafe - other).contains(c.x), c.unsafe.contains(c.x) & ~other.contains(c.x))
    assert out.exact == c.unsafe.exact or not isinstance(out, Not)


def softened(c: Case) -> None:
    """A softened set never lies above max(s, 0), has two derivatives, and closes in on the set as the width
    shrinks.
    """
    d = c.x.shape[1]
    for hard in (c.unsafe, pull(c.unsafe, identity(d)), pull(c.unsafe, shear(d))):
        sheared = isinstance(hard, Pulled) and not hard.coordinates.identity
        for unsafe in (hard, complement(hard)):
            refused = c.name in HARD_ONLY | (SHEARED_ONLY_HARD if sheared else set())
            if refused or (unsafe is not hard and c.name in COMPLEMENT_ONLY_HARD):
                with pytest.raises(NotSmooth, match="step|gate"):
                    soften(unsafe, 0.1)
                continue
            soft = soften(unsafe, 0.1)
            assert soft.smooth
            check_soft(soft, unsafe, c.x)
            assert torch.equal(soft.contains(c.x), unsafe.contains(c.x))
            check_jet(soft, c.x, share=0.97)
            edge = boundary(Case(c.name, unsafe, c.inside, c.x, c.special), halvings=20)
            # Between the corners of a grown set its soft form keeps to the faces, so it stays wider there.
            assert (soften(unsafe, 1e-4)(edge).abs() < 1e-2).double().mean() >= (
                0.5 if c.name == "grow" else 1
            )


def check_soft(soft: UnsafeSet, hard: UnsafeSet, x: Tensor) -> None:
    assert (soft(x) <= hard(x).clamp(min=0) + 1e-9).all()


def pulled(c: Case) -> None:
    """In sheared coordinates the set is the same set, and near its boundary s has the slope of a distance."""
    map_ = shear(c.x.shape[1])
    unsafe = pull(c.unsafe, map_)
    z = map_.inverse(c.x)
    s, truth = unsafe(z), c.truth(map_(z))
    off = c.unsafe(c.x).abs() > 1e-9
    assert torch.equal((s < 0)[off], truth[off])
    assert torch.equal(unsafe.contains(z), c.unsafe.contains(map_.saved(z)))
    check_jet(unsafe, z, share=0.85)
    edge = map_.inverse(boundary(c))
    slope = unsafe.jet(edge).gradient.norm(dim=1)
    assert ((slope - 1).abs() < 1e-3).double().mean() > 0.9


def round_trip(c: Case) -> None:
    """The example survives JSON, and builds the same set again, also when named and used inside another."""
    example = json.loads(json.dumps(MEMBERS[c.name].example))
    built = build_sets({"a": example, "b": {"any": ["a"]}}, columns(c.name), MAKERS)
    assert torch.equal(built["a"](c.x), c.unsafe(c.x))
    assert torch.equal(built["b"].contains(c.x), c.unsafe.contains(c.x))
    assert built["a"].dimension == c.x.shape[1]


LAWS = [sign, membership, distance, batched, derivatives, finite, negation, softened, pulled, round_trip]


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
def test_law(law: Callable[[Case], None], it: Case) -> None:
    law(it)


# ------------------------------------------------------------------ the laws must notice


class Wrong(UnsafeSet):
    """A set with one part replaced."""

    def __init__(
        self,
        right: UnsafeSet,
        forward: Callable[[Tensor], Tensor] | None = None,
        contains: Callable[[Tensor], Tensor] | None = None,
        jet: Callable[[Tensor], Jet] | None = None,
        **promises: bool,
    ):
        super().__init__()
        self.exact, self.clearance, self.smooth, self.dimension = (
            right.exact,
            right.clearance,
            right.smooth,
            right.dimension,
        )
        for name, value in promises.items():
            setattr(self, name, value)
        self._forward, self._contains = forward or right.forward, contains or right.contains
        self._jet = jet or ((lambda x: autodiff_jet(self, x)) if forward else right.jet)

    def forward(self, x: Tensor) -> Tensor:
        return self._forward(x)

    def contains(self, x: Tensor) -> Tensor:
        return self._contains(x)

    def jet(self, x: Tensor) -> Jet:
        return self._jet(x)


def faults() -> dict[str, tuple[Callable[[Case], None], str, Callable[[UnsafeSet], UnsafeSet]]]:
    centre = torch.tensor([0.5, -0.3], dtype=torch.float64)

    def bare(x: Tensor) -> Tensor:
        return (x - centre.to(x.dtype)).norm(dim=-1) - 0.8

    return {
        "sign turned": (sign, "ball", lambda s: Wrong(s, lambda x: -s(x))),
        "radius forgotten": (sign, "ball", lambda s: Wrong(s, lambda x: s(x) + 0.05)),
        "float32 membership": (membership, "ball", lambda s: Wrong(s, contains=lambda x: s(x.float()) <= 0)),
        "membership by a grown set": (
            membership,
            "box",
            lambda s: Wrong(s, contains=lambda x: s(x.double()) <= 1e-6),
        ),
        "squared distance": (distance, "ball", lambda s: Wrong(s, lambda x: (s(x) + 0.8) ** 2 - 0.64)),
        "half the distance": (distance, "half_space", lambda s: Wrong(s, lambda x: s(x) / 2)),
        "a bound called exact": (distance, "polytope", lambda s: Wrong(s, exact=True, clearance=True)),
        "a level called exact": (distance, "superellipse", lambda s: Wrong(s, exact=True, clearance=True)),
        "rows that talk": (batched, "ball", lambda s: Wrong(s, lambda x: s(x) - 1e-3 * s(x).mean())),
        "Laplacian dropped": (
            derivatives,
            "ball",
            lambda s: Wrong(s, jet=lambda x: s.jet(x)._replace(laplacian=0 * x[:, 0])),
        ),
        "gradient turned": (
            derivatives,
            "box",
            lambda s: Wrong(s, jet=lambda x: s.jet(x)._replace(gradient=-s.jet(x).gradient)),
        ),
        "NaN at the centre": (finite, "ball", lambda s: Wrong(s, bare)),
        "complement of nothing": (
            negation,
            "ball",
            lambda s: Wrong(s, contains=lambda x: torch.ones_like(x[..., 0], dtype=torch.bool)),
        ),
    }


@pytest.mark.parametrize("fault", list(faults()))
def test_planted_faults(fault: str) -> None:
    law, name, spoil = faults()[fault]
    good = case(name, MEMBERS[name].example)
    law(good)
    with pytest.raises(AssertionError):
        law(Case(name, spoil(good.unsafe), good.inside, good.x, good.special))


def test_soft_union_without_its_sign_is_caught() -> None:
    c = case("any", AnyOf.example)
    soft = soften(c.unsafe, 0.1)
    with pytest.raises(AssertionError):
        check_soft(Wrong(soft, lambda x: soft(x) + 0.1 * math.log(2)), c.unsafe, c.x)
    both = case("all", AllOf.example)
    soft = soften(both.unsafe, 0.1)
    with pytest.raises(AssertionError):
        check_soft(Wrong(soft, lambda x: soft(x) + 0.1 * math.log(2)), both.unsafe, both.x)


def test_a_plain_complement_of_a_rule_is_caught() -> None:
    """`not` by flipping the answer lets undefined rows pass; negation pushed to the comparisons does not."""
    rule = Rule("log(x0) < x1", COLUMNS)
    x = torch.tensor([[-1.0, 0.0]], dtype=torch.float64)
    assert undefined(rule, x).all() and complement(rule).contains(x).all()
    assert not Not(rule).contains(x).any()
