"""Shapes against closed forms and brute force, and what their constructors refuse."""

import math
from pathlib import Path
from typing import Any

import pytest
import torch

from barriers.derivatives import autodiff_jet
from barriers.sets import (
    Ball,
    Box,
    Capsule,
    Ellipsoid,
    HalfSpace,
    NearPoints,
    Occupancy,
    Polygon,
    Polytope,
    Slab,
    SpecificationError,
    Superellipse,
    build_sets,
    soften,
)
from barriers.sets.near_points import TREE


def points(n: int, d: int, scale: float = 2.0, seed: int = 0) -> torch.Tensor:
    return scale * torch.randn(n, d, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def turn(d: int, seed: int = 3) -> torch.Tensor:
    return torch.linalg.qr(points(d, d, 1.0, seed))[0]


# ------------------------------------------------------------------ boxes


def test_distances_to_a_box_by_hand() -> None:
    box = Box([0.0, 0.0], [2.0, 1.0])
    x = torch.tensor([[1, 0.5], [1, 0.9], [1, 3], [5, 5], [-3, -4], [2, 1], [0.1, 0.5]], dtype=torch.float64)
    assert torch.allclose(box(x), torch.tensor([-0.5, -0.1, 2.0, 5.0, 5.0, 0.0, -0.1], dtype=torch.float64))
    assert box.contains(x).tolist() == [True, True, False, False, False, True, True]


def test_a_turned_box_is_a_box_in_turned_coordinates() -> None:
    r, x = turn(3), points(500, 3)
    low, high = [-1.0, 0.0, -0.5], [0.5, 2.0, 1.5]
    center = (torch.tensor(low) + torch.tensor(high)).double() / 2
    straight, turned = Box(low, high), Box(low, high, r.tolist())
    y = center + (x - center) @ r.T
    assert torch.allclose(turned(x), straight(y)) and torch.equal(turned.contains(x), straight.contains(y))
    g = straight.jet(y).gradient @ r
    assert torch.allclose(turned.jet(x).gradient, g) and torch.allclose(
        soften(turned, 0.1)(x), soften(straight, 0.1)(y)
    )
    n, b = turned.planes()
    assert torch.allclose(x @ n.T - b, turned.faces(x))


def test_the_soft_box_is_the_log_sum_exp_of_its_faces() -> None:
    """Typed from the formula, against the vectorised form."""
    low, high, w, x = [-1.0, 0.0], [0.5, 2.0], 0.2, points(50, 2)
    for row, s in zip(x.tolist(), soften(Box(low, high), w)(x).tolist(), strict=True):
        faces = [a - v for a, v in zip(low, row, strict=True)] + [
            v - b for b, v in zip(high, row, strict=True)
        ]
        assert s == pytest.approx(w * math.log(sum(math.exp(f / w) for f in faces)) - w * math.log(4))
    for row, s in zip(x.tolist(), soften(~Box(low, high), w)(x).tolist(), strict=True):
        faces = [a - v for a, v in zip(low, row, strict=True)] + [
            v - b for b, v in zip(high, row, strict=True)
        ]
        assert s == pytest.approx(-w * math.log(sum(math.exp(f / w) for f in faces)))


def test_soft_boxes_work_in_many_dimensions() -> None:
    d = 3072
    soft = soften(Box([-1.0] * d, [1.0] * d), 0.1)
    x = 0.3 * points(20, d, 1.0).float()
    s, g, lap = soft.jet(x)
    assert (
        g.shape == (20, d)
        and torch.isfinite(lap).all()
        and (s <= Box([-1.0] * d, [1.0] * d)(x).clamp(min=0) + 1e-5).all()
    )


# ------------------------------------------------------------------ ellipsoids


@pytest.mark.parametrize(
    "radii", [[1.2, 0.5], [1.0, 1.0], [5.0, 0.01], [0.3, 2.0, 1.0], [1e3, 1.0, 1e-2], [1.0, 1.0, 2.0, 3.0]]
)
def test_the_distance_to_an_ellipsoid_is_the_true_one(radii: list[float]) -> None:
    """x − s∇s is on the surface and ∇s is its normal there: the conditions that define a nearest point (and s
    is 1-Lipschitz).
    """
    d, a = len(radii), torch.tensor(radii, dtype=torch.float64)
    r, x = turn(d), points(2000, d, 1.5) * a
    ellipsoid = Ellipsoid([0.0] * d, radii, r.tolist())
    x = x @ r
    s, g, _ = ellipsoid.jet(x)
    foot = x - s[:, None] * g
    u = foot @ r.T
    assert ((u / a).square().sum(1) - 1).abs().max() < 1e-4 * float(a.max() / a.min()) ** 0.5
    normal = (u / a**2) @ r
    assert ((normal / normal.norm(dim=1, keepdim=True) - g).norm(dim=1)).quantile(0.99) < 1e-5
    assert torch.allclose(g.norm(dim=1), torch.ones_like(s), atol=1e-6) and torch.equal(
        s < 0, ellipsoid.contains(x)
    )
    assert ((s[:500, None] - s[:500]).abs() <= torch.cdist(x[:500], x[:500]) * (1 + 1e-6) + 1e-8).all()


def test_the_distance_to_an_ellipse_by_brute_force() -> None:
    angle = torch.linspace(0, 2 * math.pi, 100_001, dtype=torch.float64)
    edge = torch.stack([1.2 * angle.cos(), 0.5 * angle.sin()], 1)
    x = torch.cat(
        [
            points(60, 2),
            torch.tensor([[0.0, 0.0], [0.5, 0.0], [1.1, 0.0], [0.0, 0.2], [3.0, 0.0]], dtype=torch.float64),
        ]
    )
    nearest = torch.stack([(edge - row).norm(dim=1).min() for row in x])
    assert torch.allclose(Ellipsoid([0.0, 0.0], [1.2, 0.5])(x).abs(), nearest, atol=1e-6)


def test_a_round_ellipsoid_is_a_ball() -> None:
    x = points(300, 4)
    for a, b in zip(Ellipsoid([0.1] * 4, [1.3] * 4).jet(x), Ball([0.1] * 4, 1.3).jet(x), strict=True):
        assert torch.allclose(a, b, atol=1e-9)


def test_ellipsoid_jets_agree_with_automatic_differentiation() -> None:
    ellipsoid, x = Ellipsoid([0.2, -0.1, 0.4], [1.0, 0.4, 2.0], turn(3).tolist()), points(400, 3)
    for a, b in zip(ellipsoid.jet(x), autodiff_jet(ellipsoid, x), strict=True):
        assert torch.allclose(a, b, rtol=1e-7, atol=1e-7)


# ------------------------------------------------------------------ the others


def test_a_superellipse_of_power_two_is_an_ellipsoid_and_of_a_large_one_a_box() -> None:
    x = points(500, 3, 1.0)
    assert torch.equal(
        Superellipse([0.1] * 3, [1, 0.5, 2], 2.0).contains(x), Ellipsoid([0.1] * 3, [1, 0.5, 2]).contains(x)
    )
    box = Box([-1, -0.5, -2], [1, 0.5, 2])
    clear = box(x).abs() > 0.02
    assert torch.equal(Superellipse([0.0] * 3, [1, 0.5, 2], 400.0).contains(x)[clear], box.contains(x)[clear])
    assert torch.isfinite(Superellipse([0.0] * 3, [1, 0.5, 2], 400.0)(1e6 * x)).all()


@pytest.mark.parametrize("power", [1.0, 1.5, 2.0, 3.0, 10.0])
def test_the_level_of_a_superellipse_bounds_its_distance(power: float) -> None:
    x = points(400, 5)
    unsafe = Superellipse([0.0] * 5, [1.0, 0.5, 2.0, 1.0, 0.7], power)
    assert ((unsafe(x)[:, None] - unsafe(x)).abs() <= torch.cdist(x, x) + 1e-9).all()
    assert unsafe.smooth == (power >= 2)


def test_a_box_as_a_polytope_and_a_slab_as_two_half_spaces() -> None:
    x, eye = points(300, 2), torch.eye(2).tolist()
    box, polytope = Box([-1, -1], [1, 2]), Polytope([*eye, [-3.0, 0.0], [0.0, -0.5]], [1.0, 2.0, 3.0, 0.5])
    assert torch.equal(box.contains(x), polytope.contains(x))
    inside = box(x) < 0
    assert (
        torch.allclose(box(x)[inside], polytope(x)[inside])
        and (polytope(x) <= box(x) + 1e-12).all()
        and not polytope.exact
    )
    both = HalfSpace([1.0, 2.0], -1.0) & HalfSpace([-1.0, -2.0], -0.5)
    slab = Slab([1.0, 2.0], -1.0, 0.5)
    assert torch.allclose(slab(x), both(x)) and torch.equal(slab.contains(x), both.contains(x))
    assert Polytope([[2.0, 0.0]], [1.0]).exact and torch.allclose(
        Polytope([[2.0, 0.0]], [1.0])(x), HalfSpace([-1.0, 0.0], -0.5)(x)
    )


def test_distances_to_a_capsule_by_hand() -> None:
    capsule = Capsule([0.0, 0.0, 0.0], [2.0, 0.0, 0.0], 0.5)
    x = torch.tensor([[1, 1, 0], [-3, 4, 0], [2, 0, 1], [1, 0, 0.2]], dtype=torch.float64)
    assert torch.allclose(capsule(x), torch.tensor([0.5, 4.5, 0.5, -0.3], dtype=torch.float64))
    assert torch.allclose(
        capsule.jet(x).laplacian, torch.tensor([1.0, 0.4, 2.0, 5.0], dtype=torch.float64), rtol=1e-6
    )


def test_a_polygon_with_a_hole_and_an_island() -> None:
    square = [[0.0, 0.0], [6.0, 0.0], [6.0, 6.0], [0.0, 6.0]]
    hole, island = (
        [[1.0, 1.0], [1.0, 5.0], [5.0, 5.0], [5.0, 1.0]],
        [[2.0, 2.0], [4.0, 2.0], [4.0, 4.0], [2.0, 4.0], [2.0, 2.0]],
    )
    polygon = Polygon(square, [hole, island])
    x = torch.tensor(
        [[0.5, 3], [1.5, 3], [3, 3], [7, 3], [9, 10], [2, 3], [0, 0], [1.2, 1.1], [3, 5.9]],
        dtype=torch.float64,
    )
    assert torch.allclose(
        polygon(x), torch.tensor([-0.5, 0.5, -1, 1, 5, 0, 0, 0.1, -0.1], dtype=torch.float64), atol=1e-9
    )
    assert polygon.contains(x).tolist() == [True, False, True, False, False, True, True, False, True]
    backwards = Polygon(square[::-1], [hole[::-1], island[::-1]])
    y = points(500, 2, 4.0) + 3
    assert torch.equal(polygon.contains(y), backwards.contains(y)) and torch.allclose(
        polygon.jet(y).gradient, backwards.jet(y).gradient
    )


def test_a_polygon_in_blocks_is_the_polygon(monkeypatch: pytest.MonkeyPatch) -> None:
    star = [
        [(1 + i % 2) * math.cos(i * math.pi / 20), (1 + i % 2) * math.sin(i * math.pi / 20)]
        for i in range(40)
    ]
    x = points(300, 2)
    whole = Polygon(star).jet(x)
    monkeypatch.setattr("barriers.sets.polygon.PAIRS", 1000)
    assert all(torch.equal(a, b) for a, b in zip(whole, Polygon(star).jet(x), strict=True))


def test_a_straight_wall_on_a_map_stands_between_its_cells() -> None:
    unsafe = Occupancy(["..##", "..##", "..##"], [0.0, 0.0], [4.0, 3.0])
    x = torch.tensor(
        [[1.9, 1.5], [2.1, 1.5], [0.5, 1.5], [3.0, 1.5], [-3.5, 1.5], [0.5, 7.5]], dtype=torch.float64
    )
    assert torch.allclose(unsafe(x)[:5], torch.tensor([0.1, -0.1, 1.5, -0.5, 5.5], dtype=torch.float64))
    assert unsafe.contains(x).tolist() == [False, True, False, True, False, False]


def test_every_cell_centre_is_counted_as_drawn() -> None:
    draw = torch.rand(9, 13, generator=torch.Generator().manual_seed(2)) < 0.4
    unsafe = Occupancy(
        ["".join("#" if c else "." for c in row) for row in draw.tolist()], [-1.0, 2.0], [5.5, 3.8]
    )
    i, j = torch.meshgrid(torch.arange(13), torch.arange(9), indexing="xy")
    x = torch.stack([-1 + (i + 0.5) * 0.5, 3.8 - (j + 0.5) * 0.2], -1).double()
    assert torch.equal(unsafe.contains(x), draw)


def test_a_png_is_read_with_dark_as_unsafe(tmp_path: Path) -> None:
    from matplotlib.image import imsave

    rows = ["....", ".##.", "...."]
    gray = [[0.1 if c == "#" else 0.9 for c in row] for row in rows]
    imsave(tmp_path / "map.png", gray, cmap="gray", vmin=0, vmax=1)
    drawn, read = (
        Occupancy(rows, [0.0, 0.0], [4.0, 3.0]),
        Occupancy(tmp_path / "map.png", [0.0, 0.0], [4.0, 3.0]),
    )
    assert torch.equal(drawn.distance, read.distance)
    (tmp_path / "bad.png").write_bytes(b"not a picture")
    for name in ("bad.png", "missing.png"):
        with pytest.raises(ValueError, match="Occupancy: map must be a (readable picture|PNG, PGM)"):
            Occupancy(tmp_path / name, [0.0, 0.0], [4.0, 3.0])


@pytest.mark.parametrize("d", [2, 12])
def test_the_nearest_of_a_hundred_thousand_rows_is_exact(d: int) -> None:
    """By tree and by blocks, against brute force; far from the origin, with the rows themselves and near
    twins among the queries.
    """
    rows = points(100_000, d) + 1000
    rows[-50:] = rows[:50] + 1e-9
    x = torch.cat([points(60, d, seed=1) + 1000, rows[:30], rows[30:50] + 4e-10, rows[-20:]])
    unsafe = NearPoints(rows.tolist(), 0.05, [f"x{i}" for i in range(d)])
    assert (unsafe.tree is None) == (d > TREE)
    truth = torch.stack([(rows - row).norm(dim=1).min() for row in x])
    assert torch.equal(unsafe.offset(x).norm(dim=1), truth)
    assert unsafe.contains(x)[60:].all()
    unsafe.tree = None
    assert torch.equal(unsafe.offset(x).norm(dim=1), truth)


def test_near_points_reads_tables_by_column_name(tmp_path: Path) -> None:
    import numpy as np

    rows = points(20, 2).numpy()
    (tmp_path / "a.csv").write_text("y,z,x\n" + "\n".join(f"{b!r},0,{a!r}" for a, b in rows.tolist()))
    np.save(tmp_path / "a.npy", rows)
    np.savez(tmp_path / "a.npz", x=rows)
    for name in ("a.csv", "a.npy", "a.npz"):
        assert torch.equal(NearPoints(tmp_path / name, 0.1, ["x", "y"]).points, torch.as_tensor(rows))
    (tmp_path / "bad.csv").write_text("x,y\n1,two\n")
    for bad in ("bad.csv", "none.npy", "a.txt"):
        with pytest.raises(ValueError, match="NearPoints: points must be a readable table of numbers"):
            NearPoints(tmp_path / bad, 0.1, ["x", "y"])


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"kind": "ball", "center": [0, 0], "radius": -1}, "Ball: radius must be > 0; got -1"),
    ({"kind": "ball", "center": [0, float("nan")], "radius": 1}, "Ball: center must be finite"),
    ({"kind": "half_space", "normal": [0, 0], "offset": 1}, "normal must not be zero"),
    ({"kind": "slab", "normal": [1, 0], "lower": 1, "upper": 1}, "lower must be less than upper"),
    ({"kind": "box", "lower": [0, 1], "upper": [1, 1]}, "lower must be less than upper; entry 1 has 1 and 1"),
    ({"kind": "box", "lower": [0], "upper": [1, 1]}, "must be equally long; got 1 and 2 numbers"),
    (
        {"kind": "box", "lower": [0, 0], "upper": [1, 1], "rotation": [[1, 0], [0.1, 1]]},
        "orthonormal rows (within 1e-8); they are off",
    ),
    ({"kind": "box", "lower": [0, 0], "upper": [1, 1], "rotation": [[1, 0]]}, "rotation must be 2 x 2"),
    (
        {"kind": "box", "lower": [0, 0], "upper": [1, 1], "rotation": [[1, 0], [1]]},
        "rotation must be a list of equally long rows",
    ),
    ({"kind": "ellipsoid", "center": [0, 0], "radii": [1, 0]}, "radii must be > 0; got 0"),
    (
        {"kind": "ellipsoid", "center": [0, 0], "radii": [1]},
        "radii must have one number per column (2); got 1",
    ),
    ({"kind": "capsule", "start": [0, 0], "end": [0, 0], "radius": 1}, "start and end must differ"),
    (
        {"kind": "superellipse", "center": [0, 0], "radii": [1, 1], "power": 0.5},
        "power must be at least 1 and finite; got 0.5",
    ),
    (
        {"kind": "polytope", "normals": [[1, 0]], "offsets": [1, 2]},
        "offsets must have one number per row of normals (1); got 2",
    ),
    ({"kind": "polytope", "normals": [[1, 0], [0, 0]], "offsets": [1, 2]}, "zero row; row 1 is zero"),
    ({"kind": "polygon", "vertices": [[0, 0], [1, 1], [0, 0]]}, "at least three different corners; got 2"),
    (
        {"kind": "polygon", "vertices": [[0, 0], [1, 1], [1, 1], [0, 1]]},
        "must not repeat a corner; [1.0, 1.0] stands twice in a row",
    ),
    ({"kind": "polygon", "vertices": [[0, 0, 0], [1, 1, 1], [1, 0, 1]]}, "must hold pairs [x, y]"),
    (
        {"kind": "polygon", "vertices": [[0, 0], [1, 0], [0, 1]], "holes": [[[0, 0], [1, 0], [0.2, 0.2]]]},
        "must not share an edge",
    ),
    ({"kind": "occupancy", "map": ["..", "."], "lower": [0, 0], "upper": [1, 1]}, "all equally long"),
    (
        {"kind": "occupancy", "map": ["..", ".x"], "lower": [0, 0], "upper": [1, 1]},
        "may only hold '#' (unsafe) and '.' (free); got 'x'",
    ),
    ({"kind": "occupancy", "map": [".."], "lower": [0, 0], "upper": [1, 1]}, "must have an unsafe cell"),
    (
        {"kind": "occupancy", "map": [".#"], "lower": [0, 0], "upper": [1, 0]},
        "lower and upper must be points [x, y], lower first",
    ),
    (
        {"kind": "near_points", "points": [[0, 0], [1]], "radius": 1},
        "points must be a list of equally long rows of numbers",
    ),
    (
        {"kind": "columns", "columns": ["x0", "y"], "set": {"kind": "ball", "center": [0, 0], "radius": 1}},
        "unknown column 'y'",
    ),
    (
        {"kind": "columns", "columns": [2], "set": {"kind": "ball", "center": [0], "radius": 1}},
        "position must be from 0 to 1; got 2",
    ),
    (
        {"kind": "columns", "columns": [0, "x0"], "set": {"kind": "ball", "center": [0, 0], "radius": 1}},
        "named once each; got 0 twice",
    ),
    (
        {"kind": "columns", "columns": [0], "set": {"kind": "ball", "center": [0, 0], "radius": 1}},
        "set has 2 dimensions, columns names 1",
    ),
    (
        {"kind": "anywhere", "set": {"kind": "ball", "center": [0, 0, 0], "radius": 1}},
        "a dimension that divides 2 columns; it has 3",
    ),
    (
        {"kind": "grow", "by": 1, "set": {"kind": "rule", "where": "x0 < 1"}},
        "Grow: set must have an exact distance outside, which Rule",
    ),
    (
        {"kind": "shrink", "by": 1, "set": {"kind": "near_points", "points": [[0, 0], [1, 1]], "radius": 1}},
        "exact distance inside",
    ),
    (
        {"kind": "smooth_union", "width": 1, "sets": [{"kind": "box", "lower": [0, 0], "upper": [1, 1]}]},
        "which Box is not; use `any`",
    ),
    ({"kind": "bal", "center": [0, 0], "radius": 1}, "kind 'bal' is not known"),
    ({"any": []}, "needs at least one set; got an empty list"),
    (
        {
            "any": [
                {"kind": "ball", "center": [0], "radius": 1},
                {"kind": "ball", "center": [0, 0], "radius": 1},
            ]
        },
        "share one dimension",
    ),
    ({"kind": "ball", "center": [0, 0, 0], "radius": 1}, "has 3 dimensions where the energy has 2"),
]


@pytest.mark.parametrize(("spec", "message"), REFUSED, ids=[message[:40] for _, message in REFUSED])
def test_constructors_refuse_and_say_why(spec: dict[str, Any], message: str) -> None:
    with pytest.raises(SpecificationError) as caught:
        build_sets({"it": spec}, ["x0", "x1"])
    assert message in str(caught.value) and caught.value.path[0] == "it"
