"""Sets and coordinates: distances, membership, the units a count is made in (A.1, B.5)."""

import math

import torch
from problems import beyond

from barriers.coordinates import Coordinates, identity
from barriers.derivatives import autodiff_jet
from barriers.sets import (
    Anywhere,
    Ball,
    Box,
    Capsule,
    HalfSpace,
    Occupancy,
    Polygon,
    Rule,
    UnsafeSet,
    pull,
    segments,
    soften,
)
from lem_safe.training import whitening
from truths.clouds import F64, REGIONS, close, close_jets, cloud


def distances() -> None:
    """|∇s| = 1, x − s∇s on the boundary, and the closed jet is the automatic one."""
    x = 2 * cloud(80)
    for s in (REGIONS["ball"], REGIONS["right"]):
        jet = s.jet(x)
        close_jets(jet, autodiff_jet(s, x))
        close(jet.gradient.norm(dim=1), torch.ones(80, dtype=F64))
        close(s(x - jet.value[:, None] * jet.gradient), torch.zeros(80, dtype=F64))
    close(REGIONS["right"](torch.tensor([[2.0, 1.5]], dtype=F64)), torch.tensor([-1.9], dtype=F64))


def membership() -> None:
    """Sets are closed, their sign is membership, and a union is unsafe where any member is."""
    x = 2 * cloud(200)
    for s in REGIONS.values():
        assert ((s(x) < 0) == s.contains(x)).all()
    edge = {
        "ball": [[1.25, -0.25], [0.5, 0.5]],
        "right": [[0.5, 0.25], [-1.5, 1.75]],
        "box": [[0.5, 0.0], [-1.0, 0.25]],
    }
    for name, points in edge.items():
        assert REGIONS[name].contains(torch.tensor(points, dtype=F64)).all()
        assert not REGIONS[name].contains(torch.tensor([[-5.0, -5.0]], dtype=F64)).any()
    assert (
        REGIONS["either"].contains(x) == (REGIONS["ball"].contains(x) | REGIONS["right"].contains(x))
    ).all()


def soft_union() -> None:
    """The drift filter's union lies below the hard one: softened from the safe side (B.5)."""
    x, soft = 2 * cloud(200), soften(REGIONS["either"], 0.2)
    below = REGIONS["either"](x) - soft(x)
    assert (below >= -1e-12).all() and (below <= 0.2 * math.log(2) + 1e-12).all()
    close_jets(soft.jet(x), autodiff_jet(soft, x))


def between_waypoints() -> None:
    """A path from (−1, 0) to (3, 0) goes through a wall |x| ≤ .1, and passes a ball of radius ½ around (0, 1)
    at ½, a quarter of the way along.

    There ∇ = ¾(0, −1) and ¼(0, −1); the height h = 1 over a line of length L = 4 has Δ = −2h/L² (B.12).
    """
    x = torch.tensor([[-1.0, 0.0, 3.0, 0.0]], dtype=F64)
    wall, ball = (Anywhere(inner, "abcd") for inner in (Box([-0.1, -5.0], [0.1, 5.0]), Ball([0.0, 1.0], 0.5)))
    assert wall.contains(x).all() and not ball.contains(x).any()
    close(wall(x), torch.tensor([-0.1], dtype=F64))
    jet = ball.jet(x)
    close(jet.value, torch.tensor([0.5], dtype=F64))
    close(jet.gradient, torch.tensor([[0.0, -0.75, 0.0, -0.25]], dtype=F64))
    close(jet.laplacian, torch.tensor([-0.125], dtype=F64))


def between_points_of_a_map() -> None:
    """A segment of a map of oblong cells meets it wherever one of 2,000 points of it does, on the map and off
    it; and no point of the plane is steeper than L (B.16).
    """
    whole = Occupancy(["..#...", ".##..#", "......", "#..#.."], [-3.0, -1.0], [3.0, 1.0])
    generator = torch.Generator().manual_seed(0)
    a, b = (3 * torch.randn(2, 2000, 2, generator=generator, dtype=F64) * torch.tensor([1.0, 0.5])).unbind()
    L = segments.steepness(whole)
    assert L is not None
    near = a + 1e-4 * (b - a) / (b - a).norm(dim=1, keepdim=True)
    slopes = (whole(a) - whole(near)).abs() / (a - near).norm(dim=1)
    assert slopes.max() <= L + 1e-9 and slopes.max() > 0.8 * L
    ts = torch.linspace(0, 1, 2001, dtype=F64)
    seen = torch.stack([whole.contains(a + t * (b - a)) for t in ts]).any(0)
    inside, t = segments.meets(whole, a, b)
    assert inside[seen].all() and whole.contains(segments.at(a, b, t))[inside].all() and not seen.all()


def first_order_distance() -> None:
    """A rule's level 3x₀ + 4x₁ − 1 counts as s/‖∇s‖ = s/5 where the sampler moves."""
    z = 2 * cloud(50)
    s = pull(REGIONS["rule"], identity(2, F64))
    close(s(z), (z @ torch.tensor([3.0, 4.0], dtype=F64) - 1) / 5, 1e-4)


def coordinates_round_trip() -> None:
    """x = m + Mz, row by row, and back."""
    m, M = torch.tensor([0.3, -0.2], dtype=F64), torch.tensor([[1.5, 0.4], [-0.3, 0.6]], dtype=F64)
    map_, z = Coordinates(m, M, F64), cloud(20)
    x = torch.stack([m + M @ row for row in z])
    close(map_(z), x)
    close(map_.inverse(x), z)
    close(map_.saved(z), x)


def counted_as_saved() -> None:
    """1 − 1e-9 is saved as float32 1, which is inside {x ≥ 1} (A.1)."""
    z = torch.tensor([[1 - 1e-9], [1 - 1e-6]], dtype=F64)
    assert pull(beyond(1.0), identity(1)).contains(z).tolist() == [True, False]


def balls_under_scaling() -> None:
    """x = 2z: the ball of radius 1 at (2, 0) is the ball of radius ½ at (1, 0)."""
    s = pull(Ball([2.0, 0.0], 1.0), Coordinates(torch.zeros(2), 2 * torch.eye(2), F64))
    close(s(torch.tensor([[3.0, 0.0], [1.0, 0.0]], dtype=F64)), torch.tensor([1.5, -0.5], dtype=F64), 1e-6)


def whitened() -> None:
    """Whitened rows have covariance I."""
    rows = (
        cloud(500, d=3) @ torch.tensor([[10.0, 9.0, 0.0], [0.0, 1.0, 0.2], [0.0, 0.0, 0.01]], dtype=F64) + 3
    )
    z = whitening.whiten(rows, ("a", "b", "c")).inverse(rows)
    close(torch.cov(z.T), torch.eye(3, dtype=F64), 1e-6)


def exact_membership() -> None:
    """Membership is that of exact arithmetic on the numbers given, whatever float64 makes of them (A.8)."""

    def held(unsafe: UnsafeSet, *points: list[float]) -> list[bool]:
        return unsafe.contains(torch.tensor(points, dtype=F64)).tolist()

    # .6² + .8² and .3 + .7, as float64 holds these numbers, are 1 + 4.4e-17 and 1 − 5.6e-17; rounded, both
    # are 1.
    assert held(Ball([0.0, 0.0], 1.0), [0.6, 0.8], [0.6, math.nextafter(0.8, 0)], [1.0, 1e-200]) == [
        False,
        True,
        False,
    ]
    assert held(HalfSpace([1.0, 1.0], 1.0), [0.3, 0.7], [0.5, 0.5]) == [False, True]
    assert held(HalfSpace([1e18, 1e18], 0.0), [1e308, -1e308], [1e308, -1.1e308]) == [True, False]
    along = Capsule([0.0, 0.0], [3e17, 4e17], 0.01)
    assert held(along, [3.0 * 2**40, 4.0 * 2**40], [3.0, 4.0], [3.0 * 2**40 + 1, 4.0 * 2**40]) == [
        True,
        True,
        False,
    ]
    square = Polygon([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]])
    assert held(square, [1e17, 0.5], [1e300, 0.5], [1.0, 0.5], [math.nextafter(1, 2), 0.5]) == [
        False,
        False,
        True,
        False,
    ]
    # The slanted edge passes below (.1, .3), as .3 is less than 3 times .1 in float64.
    assert held(Polygon([[0.0, 0.0], [1.0, 3.0], [1.0, 0.0]]), [0.1, 0.3], [0.1, math.nextafter(0.3, 1)]) == [
        True,
        False,
    ]
    # From −7.3 to 1.1, start + (end − start) is not the end: a point level with the end must cross one of the
    # two edges that meet there.
    a, b = -7.3, 1.1
    assert a + (b - a) != b
    assert held(Polygon([[0.0, a], [4.0, b], [0.0, 9.0], [-4.0, b]]), [0.0, b], [0.0, a + (b - a)]) == [
        True,
        True,
    ]


def exact_rules() -> None:
    """A product that over- or underflows is compared as the number that it is; elsewhere a rule is what
    float64 makes of it.
    """
    x = torch.tensor(
        [[1e200, 1e200], [1e200, -1e200], [1e-200, 1e-200], [1e-200, -1e-200], [0.0, 1.0]], dtype=F64
    )
    positive, negative = Rule("x0*x1 > 0", ("x0", "x1")), Rule("x0*x1 < 0", ("x0", "x1"))
    assert positive.contains(x).tolist() == [True, False, True, False, False]
    assert negative.contains(x).tolist() == [False, True, False, True, False]
    assert (positive(x[:2]) < 0).tolist() == [True, False]
    assert (
        Rule("x0 + x1 >= 1", ("x0", "x1")).contains(torch.tensor([[0.3, 0.7]], dtype=F64)).all()
    )  # 1.0 >= 1, as any program says
