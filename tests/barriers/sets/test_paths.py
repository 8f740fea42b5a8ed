"""Limits on paths (B.13 to B.15) against loops over their definitions, circles, dense sampling and closed
forms; pauses, reversals and several agents; softened forms; what filters do with them; messages.
"""

import math
from itertools import combinations
from typing import Any

import pytest
import torch
from set_examples import shear
from torch import Tensor

import lem_safe
from barriers.coordinates import identity
from barriers.derivatives import autodiff_jet, value_and_gradient
from barriers.noise import Noise
from barriers.predicted import chance
from barriers.sets import (
    Acceleration,
    Anywhere,
    Ball,
    Curvature,
    NotSmooth,
    Separation,
    SpecificationError,
    Speed,
    UnsafeSet,
    build_sets,
    complement,
    pull,
    soften,
)
from lem_safe.sets import HalfSpace

F64 = torch.float64


def names(d: int) -> tuple[str, ...]:
    return tuple(f"x{i}" for i in range(d))


def paths(n: int, d: int, seed: int = 0, std: float = 1.0) -> Tensor:
    return std * torch.randn(n, d, dtype=F64, generator=torch.Generator().manual_seed(seed))


def tracks(row: list[float], agents: int, size: int) -> list[list[list[float]]]:
    """Of each agent its waypoints, by slices of the row."""
    whole = agents * size
    return [
        [row[t + a * size : t + (a + 1) * size] for t in range(0, len(row), whole)] for a in range(agents)
    ]


def fast(row: list[float], agents: int, size: int) -> list[float]:
    """The length of every step."""
    return [math.dist(p, q) for w in tracks(row, agents, size) for p, q in zip(w, w[1:], strict=False)]


def strong(row: list[float], agents: int, size: int) -> list[float]:
    """The length of every second difference."""
    return [
        math.hypot(*[a - 2 * b + c for a, b, c in zip(p, q, r, strict=True)])
        for w in tracks(row, agents, size)
        for p, q, r in zip(w, w[1:], w[2:], strict=False)
    ]


def near(row: list[float], agents: int, size: int, pieces: int) -> float:
    """The smallest distance of two agents at many times between waypoints."""
    least = math.inf
    for u, v in combinations(tracks(row, agents, size), 2):
        for t in range(max(len(u) - 1, 1)):
            for j in range(pieces + 1):
                τ, after = j / pieces, min(t + 1, len(u) - 1)
                at = [[(1 - τ) * p + τ * q for p, q in zip(w[t], w[after], strict=True)] for w in (u, v)]
                least = min(least, math.dist(*at))
    return least


def menger(a: float, b: float, θ: float) -> float:
    """4·area/(product of the sides) by Heron, of steps a and b with a turn θ between them."""
    c = math.sqrt(a * a + b * b + 2 * a * b * math.cos(θ))
    half = (a + b + c) / 2
    area = math.sqrt(max(half * (half - a) * (half - b) * (half - c), 0.0))
    return 4 * area / (a * b * c)


def bend(a: float, b: float, θ: float) -> list[float]:
    return [-a, 0.0, 0.0, 0.0, b * math.cos(θ), b * math.sin(θ)]


# ------------------------------------------------------------------ definitions


@pytest.mark.parametrize(("agents", "size", "times"), [(1, 2, 2), (1, 3, 5), (2, 2, 4), (3, 1, 4)])
def test_speed_is_the_longest_step_per_time(agents: int, size: int, times: int) -> None:
    x = paths(200, agents * size * times, std=0.5)
    unsafe = Speed(names(x.shape[1]), above=2.4, below=0.3, size=size, dt=0.5, agents=agents)
    for row, s in zip(x.tolist(), unsafe(x).tolist(), strict=True):
        steps = fast(row, agents, size)
        assert s == pytest.approx(min(1.2 - max(steps), min(steps) - 0.15) / math.sqrt(2), abs=1e-12)
    assert torch.equal(unsafe.contains(x), unsafe(x) < 0) and 0 < unsafe.contains(x).double().mean() < 1


@pytest.mark.parametrize(("agents", "size", "times"), [(1, 2, 3), (1, 3, 5), (2, 2, 4)])
def test_acceleration_is_the_longest_second_difference(agents: int, size: int, times: int) -> None:
    x = paths(200, agents * size * times, std=0.5)
    unsafe = Acceleration(names(x.shape[1]), above=8.0, size=size, dt=0.5, agents=agents)
    for row, s in zip(x.tolist(), unsafe(x).tolist(), strict=True):
        assert s == pytest.approx((2.0 - max(strong(row, agents, size))) / math.sqrt(6), abs=1e-12)
    assert torch.equal(unsafe.contains(x), unsafe(x) < 0) and 0 < unsafe.contains(x).double().mean() < 1


@pytest.mark.parametrize(("agents", "size", "times"), [(2, 2, 4), (3, 2, 3), (2, 1, 5), (2, 3, 1)])
@pytest.mark.parametrize("between", ["segments", "points"])
def test_separation_is_the_smallest_distance(agents: int, size: int, times: int, between: Any) -> None:
    x, pieces = paths(60, agents * size * times), 400 if between == "segments" else 1
    unsafe = Separation(names(x.shape[1]), below=0.4, agents=agents, size=size, between=between)
    for row, s in zip(x.tolist(), unsafe(x).tolist(), strict=True):
        assert s == pytest.approx((near(row, agents, size, pieces) - 0.4) / math.sqrt(2), abs=5e-3)
    assert torch.equal(unsafe.contains(x), unsafe(x) < 0) and 0 < unsafe.contains(x).double().mean() < 1


def test_agents_that_swap_places_meet_between_two_waypoints() -> None:
    x = torch.tensor([[0.0, 0.0, 4.0, 0.1, 4.0, 0.1, 0.0, 0.0]], dtype=F64)  # 0 and 4, then 4 and 0
    on_the_way, at_points = (Separation(names(8), 0.5, 2, between=b) for b in ("segments", "points"))
    assert on_the_way.contains(x).all() and not at_points.contains(x).any()
    assert float(on_the_way(x)) == pytest.approx(-0.5 / math.sqrt(2), abs=1e-6)
    in_turn = torch.tensor([[0.0, 0.0, 4.0, 0.0, 0.0, 3.0, 0.0, 0.0]], dtype=F64)
    assert not on_the_way.contains(in_turn).any()  # the same place, at different times


def test_curvature_of_a_circle_is_one_over_its_radius() -> None:
    angles = torch.tensor([0.0, 0.3, 0.5, 1.4, 1.9], dtype=F64)
    ring = 2.5 * torch.stack([angles.cos(), angles.sin()], 1).reshape(1, -1) + 7.0
    for above, inside in ((0.4 - 1e-9, True), (0.4 + 1e-9, False)):
        assert bool(Curvature(names(10), above).contains(ring)) is inside
    helix = torch.stack([angles.cos(), angles.sin(), 0 * angles], 1).reshape(1, -1)
    assert Curvature(names(15), 1 - 1e-9, size=3).contains(helix).all()


@pytest.mark.parametrize(("a", "b"), [(1.0, 1.0), (0.5, 1.0), (1.0, 0.1), (3.0, 2.9)])
def test_curvature_is_that_of_the_tightest_circle_up_to_the_turn(a: float, b: float) -> None:
    """The largest Menger curvature of any smaller turn, up to a reversal: by Heron on a grid of turns."""
    grid = [k * math.pi / 2000 for k in range(2001)]
    most = 0.0
    for k, θ in enumerate(grid[:-1]):
        most = max(most, menger(a, b, θ))
        if k % 50 == 25:
            x = torch.tensor([bend(a, b, θ)], dtype=F64)
            assert Curvature(names(6), most * (1 - 1e-5)).contains(x).all()
            assert not Curvature(names(6), most * (1 + 1e-5)).contains(x).any()
    back = torch.tensor([bend(a, b, math.pi)], dtype=F64)
    assert Curvature(names(6), 2 / max(a, b) - 1e-9).contains(back).all()


def test_a_pause_neither_turns_nor_hides_a_turn() -> None:
    corner, line = [0.0, 0.0, 0.1, 0.0, 0.1, 0.1], [0.0, 0.0, 0.1, 0.0, 0.2, 0.0]
    for pauses in (0, 1, 3):
        for path, inside in ((corner, True), (line, False)):
            row = torch.tensor([path[:4] + path[2:4] * pauses + path[4:]], dtype=F64)
            assert bool(Curvature(names(row.shape[1]), 1.0).contains(row)) is inside
    still = torch.zeros(1, 8, dtype=F64)
    assert not Curvature(names(8), 1.0).contains(still).any() and float(Curvature(names(8), 1.0)(still)) == 0


def test_each_agent_turns_by_itself() -> None:
    x = paths(100, 24, 3)
    both = Curvature(names(24), 5.0, agents=2)
    one = Curvature(names(12), 5.0)
    w = x.reshape(-1, 6, 2, 2)
    expected = one.contains(w[:, :, 0].flatten(1)) | one.contains(w[:, :, 1].flatten(1))
    assert torch.equal(both.contains(x), expected)


# ------------------------------------------------------------------ distances


def many() -> dict[str, UnsafeSet]:
    c = names(12)
    return {
        "speed": Speed(c, above=1.5, below=0.2),
        "agents": Speed(c, above=1.5, agents=2),
        "acceleration": Acceleration(c, above=2.0, dt=1.1),
        "points": Separation(c, 0.3, 2, between="points"),
        "separation": Separation(c, 0.3, 3),
        "curvature": Curvature(c, 1.5),
    }


@pytest.mark.parametrize("name", [n for n, s in many().items() if s.clearance])
def test_a_distance_outside_is_reached_along_the_gradient(name: str) -> None:
    unsafe, x = many()[name], paths(400, 12, std=0.35)
    s, g, _ = unsafe.jet(x)
    out = s > 0
    assert int(out.sum()) > 20 and torch.allclose(g[out].norm(dim=1), torch.ones_like(s[out]))
    for beyond in (1.0 - 1e-9, 1.0 + 1e-9):
        there = unsafe.contains(x[out] - beyond * s[out, None] * g[out])
        assert there.all() if beyond > 1 else not there.any()


@pytest.mark.parametrize("name", list(many()))
def test_no_level_exceeds_the_distance(name: str) -> None:
    """Its slope is at most 1, along segments too; and no path within s of a safe one is unsafe."""
    unsafe, g = many()[name], torch.Generator().manual_seed(4)
    x = paths(500, 12, 1, 0.5) * 10 ** (2 * torch.rand(500, 1, generator=g, dtype=F64) - 1.5)
    y = x + paths(500, 12, 2) * 10 ** (4 * torch.rand(500, 1, generator=g, dtype=F64) - 4)
    s = unsafe(x)
    assert ((s - unsafe(y)).abs() <= (x - y).norm(dim=1) * (1 + 1e-9) + 1e-12).all()
    step = y - x
    close = x + step / step.norm(dim=1, keepdim=True) * s.clamp(min=0)[:, None] * (1 - 1e-9)
    assert not unsafe.contains(close)[s > 1e-9].any()


def steepest(unsafe: UnsafeSet) -> float:
    """The largest slope over triples of all sizes and turns, whose longer step is often near 2R."""
    g = torch.Generator().manual_seed(0)
    n = 40_000
    r = [torch.rand(n, generator=g, dtype=F64) for _ in range(4)]
    a = torch.where(r[0] < 0.5, 1.8 + 0.4 * r[1], 10 ** (4 * r[1] - 3))
    b = a * 10 ** (-4 * r[2].square())
    θ = torch.where(r[0] < 0.7, 10 ** (-5 * r[3]), math.pi * r[3])
    zero = torch.zeros_like(a)
    x = torch.stack([-a, zero, zero, zero, b * θ.cos(), b * θ.sin()], 1)
    return float(value_and_gradient(unsafe, x)[1].norm(dim=1).max())


def test_the_slope_of_a_curvature_is_at_most_one_and_nearly_reaches_it() -> None:
    assert 0.98 < steepest(Curvature(names(6), 1.0)) <= 1 + 1e-9


@pytest.mark.parametrize("name", list(many()))
@pytest.mark.parametrize("how", ["plain", "whitened", "not", "not whitened"])
def test_softened_limits_are_bounded_from_the_safe_side(name: str, how: str) -> None:
    unsafe, d = many()[name], 12
    hard = complement(unsafe) if how.startswith("not") else unsafe
    map_ = shear(d) if how.endswith("whitened") else identity(d, F64)
    over = pull(hard, map_)
    if name == "curvature":
        with pytest.raises(NotSmooth, match="step"):
            soften(over, 0.1)
        return
    z = map_.inverse(paths(200, d, 6, 0.6))
    for width in (0.3, 0.01):
        soft = soften(over, width)
        assert soft.smooth and torch.equal(soft.contains(z), over.contains(z))
        assert (soft(z) <= over(z).clamp(min=0) + 1e-9).all()
        assert (soft(z)[over.contains(z)] <= 1e-12).all()
    near_limit = soften(over, 1e-4)
    far = over(z).abs() > 0.3
    if name != "separation":  # pieces of a segment are bounded, not searched
        assert torch.equal((near_limit(z) < 0)[far], over.contains(z)[far])
    s, grad, lap = soft.jet(z[:8])
    other = autodiff_jet(soft, z[:8])
    assert torch.allclose(grad, other.gradient) and torch.allclose(lap, other.laplacian)
    assert torch.allclose(s, soft(z[:8]))


CHANCES: dict[str, tuple[UnsafeSet, float]] = {
    "a step": (Speed(names(4), above=1.5), 0.01),
    "two limits": (Speed(names(4), above=2.0, below=0.8), 0.01),
    "several steps": (Speed(names(8), above=1.6), 0.02),
    "accelerations": (Acceleration(names(8), above=2.5), 0.08),
}


@pytest.mark.parametrize("name", CHANCES)
@pytest.mark.parametrize("whitened", [False, True])
def test_the_chance_of_breaking_a_limit_after_the_noise(name: str, whitened: bool) -> None:
    """Counted over draws of the noise (Q.5): for vectors that share waypoints it is an approximation."""
    unsafe, tolerance = CHANCES[name]
    d = unsafe.dimension or 0
    map_ = shear(d) if whitened else identity(d, F64)
    for hard in (unsafe, complement(unsafe)):
        over, noise = pull(hard, map_), Noise(0.06)
        z = map_.inverse(paths(40, d, 11, 0.5))
        found = chance(over, z, noise)
        moved = z[:, None] + 0.06 * paths(2000 * 40, d, 12).reshape(40, 2000, d)
        counted = over.contains(moved).double().mean(1)
        assert ((found.value - counted).abs() < 4 * 0.5 / 2000**0.5 + tolerance).all()
        assert float(counted.std()) > 0.2
        ε = 1e-5
        for i in range(d):
            e = torch.eye(d, dtype=F64)[i] * ε
            slope = (chance(over, z + e, noise).value - chance(over, z - e, noise).value) / (2 * ε)
            assert torch.allclose(found.gradient[:, i], slope, atol=1e-5, rtol=1e-4)


# ------------------------------------------------------------------ use


def test_the_chance_of_a_fast_step_and_what_a_tilt_leaves_of_it() -> None:
    """Of N(0, I) on two waypoints ‖Δ‖²/4 is exponential: P(‖Δ‖ > v) = e^{−v²/4}; tilted to β, below v the
    distribution is as before.
    """
    v, n, β = 2.0, 4000, 0.05
    p = math.exp(-(v**2) / 4)
    x = paths(n, 4, 9)
    unsafe = Speed(names(4), above=v)
    assert abs(float(unsafe.contains(x).double().mean()) - p) < 4 * math.sqrt(p * (1 - p) / n)
    run = lem_safe.sample(
        lem_safe.energy(lambda y: 0.5 * y.square().sum(1)),
        {"fast": {"kind": "speed", "above": v}},
        beta=β,
        filter={"kind": "tilt", "multipliers": [math.log(p * (1 - β) / (β * (1 - p)))]},
        sampler="mala",
        init=x,
        steps=60,
        step_size=0.3,
        columns=names(4),
        dtype="float64",
    )
    moved = torch.as_tensor(run.samples)
    steps = (moved[:, 2:] - moved[:, :2]).norm(dim=1)
    assert abs(float((steps > v).double().mean()) - β) < 4 * math.sqrt(β * (1 - β) / n)
    slow = steps[steps <= v]
    half = (1 - math.exp(-0.25)) / (1 - p)  # of those, the share below 1
    assert abs(float((slow < 1).double().mean()) - half) < 4 * math.sqrt(half * (1 - half) / len(slow))


FILTERS: list[dict[str, Any]] = [
    {"kind": "step"},
    {"kind": "gate"},
    {"kind": "drift"},
    {"kind": "reject"},
]


@pytest.mark.parametrize("filter_", FILTERS, ids=lambda f: f["kind"])
def test_filters_keep_tolerances_on_paths(filter_: dict[str, Any]) -> None:
    """Two agents, four waypoints each, from a start where both stand still and apart."""
    start = torch.tensor([-1.0, 0.0, 1.0, 0.0] * 4, dtype=F64) + paths(400, 16, 3, 0.05)
    unsafe: dict[str, Any] = {
        "fast": {"kind": "speed", "above": 1.4, "agents": 2},
        "near": {"kind": "separation", "below": 0.4, "agents": 2},
    }
    run = lem_safe.sample(
        lem_safe.energy(
            lambda y: 0.5 * (y - torch.tensor([-1.0, 0, 1, 0] * 4, dtype=y.dtype)).square().sum(1)
        ),
        unsafe,
        beta=0.05,
        filter=filter_,
        init=start,
        steps=25,
        step_size=0.03,
        columns=names(16),
        dtype="float64",
    )
    sets = build_sets(unsafe, names(16))
    x = torch.as_tensor(run.samples)
    expected_only = 4 * math.sqrt(0.05 * 0.95 / 400)  # drift bounds the expected fraction
    for region in sets.values():
        share = float(region.contains(x).double().mean())
        assert share <= 0.05 + (expected_only if filter_["kind"] == "drift" else 0)
    assert float((x - start).norm(dim=1).mean()) > 1


def test_a_curvature_bounds_a_filtered_cloud() -> None:
    line = torch.tensor([0.0, 0.0, 1.0, 0.0, 2.0, 0.0, 3.0, 0.0], dtype=F64)
    unsafe = {"tight": {"kind": "curvature", "above": 0.6}}
    run = lem_safe.sample(
        lem_safe.energy(lambda y: 8 * (y - line.to(y.dtype)).square().sum(1)),
        unsafe,
        beta=0.02,
        filter="gate",
        init=line + paths(300, 8, 4, 0.02),
        steps=60,
        step_size=0.005,
        columns=names(8),
        dtype="float64",
    )
    inside = build_sets(unsafe, names(8))["tight"].contains(torch.as_tensor(run.samples))
    assert 3 <= int(inside.sum()) <= 6  # it would be a third, unfiltered


def test_limits_and_shapes_are_combined() -> None:
    """A fast path, unless it stays left of a wall; and never through a ball."""
    specs = {
        "fast": {"kind": "speed", "above": 1.0},
        "right": {"kind": "anywhere", "set": {"kind": "half_space", "normal": [1, 0], "offset": 2.0}},
        "ball": {"kind": "anywhere", "set": {"kind": "ball", "center": [0, 0], "radius": 0.2}},
        "it": {"any": [{"all": ["fast", "right"]}, "ball"]},
    }
    x = paths(300, 6, 8) + 1
    sets = build_sets(specs, names(6))
    fast_ = torch.tensor([max(fast(row, 1, 2)) > 1 for row in x.tolist()])
    right = (x[:, ::2] >= 2).any(1)
    expected = (fast_ & right) | Anywhere(Ball([0.0, 0.0], 0.2), names(6)).contains(x)
    assert torch.equal(sets["it"].contains(x), expected) and 0 < expected.double().mean() < 1
    assert torch.equal((sets["it"](x) < 0), expected)
    assert HalfSpace([1.0], 0.0).dimension == 1


# ------------------------------------------------------------------ messages

FAULTS = [
    ({"kind": "speed", "above": 1.0}, 5, "5 columns are not whole waypoints of 2 coordinates; size must"),
    ({"kind": "speed", "above": 1.0, "agents": 2}, 6, "2 agents with 2 coordinates each; size times agents"),
    ({"kind": "speed", "above": 1.0}, 2, "a speed needs at least 2 waypoints; 2 columns are 1 of 2"),
    ({"kind": "speed"}, 4, "needs a limit; give above, below, or both"),
    ({"kind": "speed", "above": 1.0, "below": 1.0}, 4, "below must be less than above"),
    ({"kind": "speed", "above": -1.0}, 4, "above must be > 0; got -1"),
    ({"kind": "speed", "above": math.nan}, 4, "above must be > 0"),
    ({"kind": "speed", "above": 1.0, "dt": 0.0}, 4, "dt must be > 0; got 0"),
    ({"kind": "speed", "above": 1e17, "dt": 1e17}, 4, "above times dt must be between"),
    (
        {"kind": "acceleration", "above": 1.0},
        4,
        "an acceleration needs at least 3 waypoints; 4 columns are 2",
    ),
    ({"kind": "curvature", "above": 1.0}, 4, "a curvature needs at least 3 waypoints"),
    (
        {"kind": "curvature", "above": 1.0, "size": 1},
        4,
        "size must be at least 2, as on a line nothing turns",
    ),
    (
        {"kind": "separation", "below": 1.0, "agents": 1},
        4,
        "agents must be at least 2, as one has no distance",
    ),
    ({"kind": "separation", "below": 1.0, "agents": 3}, 8, "8 columns are not whole waypoints of 3 agents"),
    ({"kind": "separation", "below": 0.0, "agents": 2}, 8, "below must be > 0; got 0"),
]


@pytest.mark.parametrize(("spec", "d", "message"), FAULTS, ids=[str(i) for i in range(len(FAULTS))])
def test_what_is_no_path_is_said_by_name(spec: dict[str, Any], d: int, message: str) -> None:
    with pytest.raises(SpecificationError) as raised:
        build_sets({"it": spec}, names(d))
    assert str(raised.value).lower().startswith(spec["kind"]) and message in str(raised.value)


# ------------------------------------------------------------------ planted faults


def test_planted_fault_a_step_divided_by_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = Speed.levels
    monkeypatch.setattr(Speed, "levels", lambda self, x: honest(self, x) * self.norm)
    with pytest.raises(AssertionError):
        test_speed_is_the_longest_step_per_time(1, 2, 2)
    with pytest.raises(AssertionError):
        test_no_level_exceeds_the_distance("agents")


def test_planted_fault_agents_read_as_times(monkeypatch: pytest.MonkeyPatch) -> None:
    def placed(x: Any, agents: int, size: int) -> Any:
        return x.reshape(*x.shape[:-1], agents, -1, size).swapaxes(-2, -3)

    monkeypatch.setattr("barriers.sets.motion.placed", placed)
    monkeypatch.setattr("barriers.sets.separation.placed", placed)
    for check in (
        test_speed_is_the_longest_step_per_time,
        test_acceleration_is_the_longest_second_difference,
    ):
        with pytest.raises(AssertionError):
            check(2, 2, 4)
    with pytest.raises(AssertionError):
        test_separation_is_the_smallest_distance(2, 2, 4, "points")


def test_planted_fault_only_the_ends_of_segments(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = Separation._nearest

    def ends(self: Separation, r: Tensor, scale: Any = 1.0) -> tuple[Tensor, Tensor]:
        at, size = honest(self, r, scale)
        a = r[..., :-1, :, :] / scale
        return (a, size) if self.joined else (at, size)

    monkeypatch.setattr(Separation, "_nearest", ends)
    with pytest.raises(AssertionError):
        test_agents_that_swap_places_meet_between_two_waypoints()


def test_planted_fault_a_turn_that_a_pause_hides(monkeypatch: pytest.MonkeyPatch) -> None:
    def plain(self: Curvature, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        w = x.reshape(*x.shape[:-1], -1, self.agents, self.size)
        e = w[..., 1:, :, :] - w[..., :-1, :, :]
        return e[..., :-1, :, :], e[..., 1:, :, :], w[..., 2:, :, :] - w[..., :-2, :, :]

    monkeypatch.setattr(Curvature, "_triples", plain)
    with pytest.raises(AssertionError):
        test_a_pause_neither_turns_nor_hides_a_turn()


def test_planted_fault_a_curvature_that_is_steeper(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = Curvature.levels
    monkeypatch.setattr(Curvature, "levels", lambda self, x: 1.02 * honest(self, x))
    with pytest.raises(AssertionError):
        test_the_slope_of_a_curvature_is_at_most_one_and_nearly_reaches_it()


def test_planted_fault_a_softened_limit_in_the_units_of_the_data(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Speed, "stretch", lambda self, coordinates: 0.5 * torch.ones(1, dtype=F64))
    with pytest.raises(AssertionError):
        test_softened_limits_are_bounded_from_the_safe_side("agents", "whitened")


def test_every_agent_has_segments_of_its_own():
    names = [f"x{i}" for i in range(12)]  # 3 waypoints, 2 agents, 2 coordinates
    inner = Ball([0.0, 0.0], 0.3)
    both = Anywhere(inner, names, agents=2)
    x = torch.randn(400, 3, 2, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    rows = x.reshape(400, 12)
    one = [f"x{i}" for i in range(6)]
    each = [Anywhere(inner, one) for _ in range(2)]
    known = each[0].contains(x[:, :, 0].reshape(400, 6)) | each[1].contains(x[:, :, 1].reshape(400, 6))
    assert torch.equal(both.contains(rows), known)
    least = torch.minimum(*(e(x[:, :, a].reshape(400, 6)) for a, e in enumerate(each)))
    assert torch.allclose(both(rows), least, atol=1e-9)
    value, gradient = value_and_gradient(both, rows)
    jet = both.jet(rows)
    assert torch.allclose(jet.gradient, gradient, atol=1e-6)
    assert torch.allclose(jet.value, value, atol=1e-9)
    crossed = Anywhere(inner, names)  # one agent: other segments
    assert not torch.equal(crossed.contains(rows), known)
    smooth = soften(both, 0.05)
    assert bool((smooth(rows) <= both(rows) + 1e-9).all())
    with pytest.raises(ValueError, match="times 5 agents"):
        Anywhere(inner, names, agents=5)
