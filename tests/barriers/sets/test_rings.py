"""Rings of polygons: what is refused and how it is said, what may touch, and the distance against exact and
naive twins.
"""

import math
from fractions import Fraction as Q
from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from barriers.derivatives import autodiff_jet
from barriers.sets import Polygon
from barriers.sets.turning import turn
from lem_safe.cli import app

SQUARE = [[0.0, 0.0], [6.0, 0.0], [6.0, 6.0], [0.0, 6.0]]
Ring = list[list[float]]

REFUSED: list[tuple[str, Ring, list[Ring], str]] = [
    (
        "bow-tie",
        [[-3, -2], [3, 1.5], [3, -1.5], [-3, 2]],
        [],
        r"itself at \(0.42857143, 0\).*edge 0 of vertices, \(-3, -2\) to \(3, 1.5\)",
    ),
    (
        "bow-tie through a corner",
        [[0, 0], [1, 1], [2, 2], [2, 0], [1, 1], [0, 2]],
        [],
        r"crosses itself at \(1, 1\)",
    ),
    (
        "pentagram",
        [[math.cos(4 * math.pi * k / 5), math.sin(4 * math.pi * k / 5)] for k in range(5)],
        [],
        r"\(and 4 more such places\)",
    ),
    (
        "hole leaves",
        SQUARE,
        [[[5, 3], [7, 2], [7, 4]]],
        r"holes\[0\] crosses vertices at \(6, 2.5\).*a hole must lie inside vertices",
    ),
    (
        "hole leaves at a corner",
        SQUARE,
        [[[5, 3], [6, 3], [7, 4], [7, 2], [6, 2.5]]],
        r"holes\[0\] crosses vertices at \(6, 3\)",
    ),
    (
        "hole outside",
        SQUARE,
        [[[7, 3], [8, 2], [8, 4]]],
        r"holes\[0\] must lie inside vertices; its edge 0, \(7, 3\) to \(8, 2\), lies outside",
    ),
    ("hole outside, touching", SQUARE, [[[6, 3], [8, 2], [8, 4]]], r"holes\[0\] must lie inside vertices"),
    ("hole around", SQUARE, [[[-1, -1], [7, -1], [7, 7], [-1, 7]]], r"holes\[0\] must lie inside vertices"),
    (
        "hole equal",
        SQUARE,
        [SQUARE[::-1]],
        r"must not share an edge.*vertices and holes\[0\] share a stretch",
    ),
    (
        "hole along a part of an edge",
        SQUARE,
        [[[0, 2], [2, 2], [2, 4], [0, 4]]],
        r"edge 3 of vertices, \(0, 6\) to \(0, 0\), and edge 3",
    ),
    (
        "holes overlap",
        SQUARE,
        [[[1, 1], [3, 1], [1, 3]], [[2, 1.5], [4, 1.5], [4, 4]]],
        r"holes\[1\] crosses holes\[0\].*merge the two holes",
    ),
    (
        "holes share a side",
        SQUARE,
        [[[1, 1], [3, 1], [3, 3], [1, 3]], [[3, 1], [5, 1], [5, 3], [3, 3]]],
        r"holes\[1\] share a stretch",
    ),
    (
        "spike",
        [[0, 0], [6, 0], [6, 6], [9, 9], [6, 6], [0, 6]],
        [],
        r"vertices runs along itself.*\(6, 6\) to \(9, 9\).*remove the spike",
    ),
    ("fold", [[0, 0], [6, 0], [3, 0], [3, 3]], [], "runs along itself"),
    ("no area", [[0, 0], [1, 1], [2, 2]], [], "runs along itself"),
    ("an ulp across", [[0, 0], [1, 0], [1, 1], [0.5, -5e-324], [0, 1]], [], r"crosses itself at \(0.5, 0\)"),
]


@pytest.mark.parametrize(
    ("shell", "holes", "message"), [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED]
)
def test_what_is_no_boundary_is_refused_with_its_place(shell: Ring, holes: list[Ring], message: str) -> None:
    for rings in ([shell, *holes], [[*ring, ring[0]] for ring in (shell, *holes)]):
        with pytest.raises(ValueError, match=message):
            Polygon(rings[0], rings[1:])
    with pytest.raises(ValueError, match="Polygon: "):
        Polygon(shell[::-1], [hole[::-1] for hole in holes])


ACCEPTED: dict[str, tuple[Ring, list[Ring]]] = {
    "a hole touches an edge": (SQUARE, [[[0, 3], [2, 2], [2, 4]]]),
    "a hole touches a corner": (SQUARE, [[[0, 0], [2, 1], [1, 2]]]),
    "an inscribed diamond": (SQUARE, [[[3, 0], [6, 3], [3, 6], [0, 3]]]),
    "two holes touch": (SQUARE, [[[1, 1], [3, 3], [1, 3]], [[3, 3], [5, 3], [5, 5]]]),
    "an island": (SQUARE, [[[1, 1], [5, 1], [5, 5], [1, 5]], [[2, 2], [4, 2], [4, 4]]]),
    "a ring touches itself": ([[0, 0], [1, 1], [0, 2], [2, 2], [1, 1], [2, 0]], []),
    "a corner on its own edge": ([[0, 0], [4, 0], [4, 4], [2, 0], [0, 4]], []),
    "corners in line": ([[0, 0], [1, 0], [2, 0], [6, 0], [6, 6], [0, 6], [0, 3]], []),
    "a sliver": ([[0, 0], [1, 0], [2, 1e-12], [1, 2e-12]], []),
    "the thinnest": ([[0, 0], [1, 0], [0.5, 5e-324]], []),
}


def inside(rings: list[Ring], p: list[float]) -> bool:
    """Even–odd in rational numbers, the boundary included."""
    x, y, odd = Q(p[0]), Q(p[1]), False
    for ring in rings:
        for a, b in zip(ring, ring[1:] + ring[:1], strict=True):
            ax, ay, bx, by = map(Q, (*a, *b))
            side = (bx - ax) * (y - ay) - (by - ay) * (x - ax)
            if side == 0 and min(ax, bx) <= x <= max(ax, bx) and min(ay, by) <= y <= max(ay, by):
                return True
            odd ^= ((ay > y) != (by > y)) and ((side > 0) == (by > ay))
    return odd


def to_edges(rings: list[Ring], p: list[float]) -> float:
    best = math.inf
    for ring in rings:
        for a, b in zip(ring, ring[1:] + ring[:1], strict=True):
            e = (b[0] - a[0], b[1] - a[1])
            t = max(0.0, min(1.0, ((p[0] - a[0]) * e[0] + (p[1] - a[1]) * e[1]) / (e[0] ** 2 + e[1] ** 2)))
            best = min(best, math.hypot(p[0] - a[0] - t * e[0], p[1] - a[1] - t * e[1]))
    return best


@pytest.mark.parametrize("name", ACCEPTED)
@pytest.mark.parametrize("way", [1, -1])
def test_what_touches_is_measured_and_counted(name: str, way: int) -> None:
    """The sign of s is exact membership, |s| the distance to the nearest edge, its gradient the automatic
    one; in both precisions.
    """
    shell, holes = ACCEPTED[name]
    rings = [[[float(v) for v in p] for p in ring][::way] for ring in (shell, *holes)]
    polygon = Polygon(rings[0], rings[1:])
    g = np.random.default_rng(0)
    middles = [
        [(a[0] + b[0]) / 2, (a[1] + b[1]) / 2]
        for ring in rings
        for a, b in zip(ring, ring[1:] + ring[:1], strict=True)
    ]
    rows = [
        *sum(rings, []),
        *middles,
        *(g.normal(size=(30, 2)) * 3 + 2).tolist(),
        *(g.integers(-2, 16, (30, 2)) / 2).tolist(),
    ]
    for x in (torch.tensor(rows, dtype=torch.float64), torch.tensor(rows, dtype=torch.float32)):
        exact = torch.tensor([inside(rings, p) for p in x.double().tolist()])
        s, far = (
            polygon(x),
            torch.tensor([to_edges(rings, p) for p in x.double().tolist()], dtype=torch.float64),
        )
        assert torch.equal(polygon.contains(x), exact)
        assert not ((s < 0) & ~exact).any() and not ((s > 0) & exact).any()
        assert (
            (s.double().abs() - far).abs() <= 1e-6 * (1 + far) * (1 if x.dtype == torch.float32 else 1e-6)
        ).all()
        assert torch.allclose(polygon.jet(x).gradient, autodiff_jet(polygon, x).gradient)


def test_normals_of_a_sliver_point_out_of_it() -> None:
    """Where a step of 1e-7 of an edge would be beyond the other side."""
    polygon = Polygon([[0.0, 0.0], [1.0, 0.0], [0.5, 1e-9]])
    assert torch.allclose(
        polygon.normal, torch.tensor([[0.0, -1.0], [0.0, 1.0], [0.0, 1.0]], dtype=torch.float64), atol=1e-8
    )
    x = torch.tensor([[0.5, 5e-10], [0.5, -1e-9], [0.5, 2e-9]], dtype=torch.float64)
    assert torch.allclose(polygon(x), torch.tensor([-5e-10, 1e-9, 1e-9], dtype=torch.float64), rtol=1e-6)


def test_ten_thousand_corners_are_checked() -> None:
    """A gear of 10,000 corners is a polygon; the same with two corners exchanged is not, and its crossing is
    named.
    """
    n = 10_000
    gear = [
        [
            (1 + 0.1 * (i % 2)) * math.cos(2 * math.pi * i / n),
            (1 + 0.1 * (i % 2)) * math.sin(2 * math.pi * i / n),
        ]
        for i in range(n)
    ]
    assert len(Polygon(gear).start) == n
    gear[700], gear[702] = gear[702], gear[700]
    with pytest.raises(ValueError, match="vertices crosses itself at .* edge 699 of vertices"):
        Polygon(gear)


def test_turns_are_exact_where_rounding_decides() -> None:
    a, b = np.array([[0.5, 0.5]] * 3), np.array([[12.0, 12.0]] * 3)
    c = np.array([[24.0, 24.0], [24.0, np.nextafter(24.0, 30)], [24.0, np.nextafter(24.0, 0)]])
    assert turn(a, b, c).tolist() == [0, 1, -1]
    tiny = np.array([[0.0, 0.0]]), np.array([[1e-200, 0.0]]), np.array([[1e-200, 1e-200]])
    assert turn(*tiny).tolist() == [1]


def test_a_scenario_with_a_bow_tie_exits_2_at_its_line(tmp_path: Path) -> None:
    text = (
        "version: 1\nname: bowtie\nenergy: {kind: gaussian, mean: [2, 0], std: 0.8}\nunsafe:\n"
        "  bowtie: {kind: polygon, vertices: [[-3, -2], [3, 1.5], [3, -1.5], [-3, 2]]}\nconstraints: "
        "[{set: bowtie, beta: 0.05}]\n"
        "sampler: {kind: langevin, samples: 50, steps: 3, step_size: 0.01}\nfilter: {kind: step}\n"
    )
    (tmp_path / "s.yaml").write_text(text)
    done = CliRunner().invoke(app, ["validate", str(tmp_path / "s.yaml")])
    assert (
        done.exit_code == 2
        and "s.yaml:5:" in done.output
        and "crosses itself at (0.42857143, 0)" in " ".join(done.output.split())
    )
