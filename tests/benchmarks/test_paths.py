"""What judges the benchmark of paths."""

import numpy as np

from benchmarks.paths import LATER, PILLARS, collides, nearest, outside, sides
from benchmarks.paths_page import section


def straight(x: float) -> np.ndarray:
    """A path upwards at this abscissa, of five waypoints."""
    return np.stack([np.full(5, x), np.linspace(-0.3, 0.45, 5)], 1)[None]


def test_a_path_between_waypoints_is_seen():
    path = np.array([[[0.3, 0.0], [0.7, 0.0]]])
    assert nearest(path, (0.5, 0.1)) == np.array([0.1])
    low = np.array([[[0.0, 0.08], [1.0, 0.08]]])  # through two pillars, far from its waypoints
    assert collides(low).tolist() == [True]
    assert collides(low, points_alone=True).tolist() == [False]


def test_distances_are_those_of_dense_sampling():
    x = np.random.default_rng(0).normal(size=(50, 4, 2))
    t = np.linspace(0, 1, 2001)[:, None, None]
    dense = (x[None, :, :-1] * (1 - t[..., None]) + x[None, :, 1:] * t[..., None]).transpose(1, 0, 2, 3)
    known = np.linalg.norm(dense - [0.1, 0.2], axis=3).reshape(50, -1).min(1)
    assert np.abs(nearest(x, (0.1, 0.2)) - known).max() < 1e-2
    assert (nearest(x, (0.1, 0.2)) <= known + 1e-12).all()


def test_waypoints_are_moved_out_and_no_further():
    x = np.random.default_rng(1).uniform([0.3, -0.2], [0.7, 0.3], size=(200, 6, 2))
    moved = outside(x)
    assert not collides(moved, points_alone=True).any()
    inside = np.any([np.linalg.norm(x - np.array(c), axis=2) <= r for c, r in (*PILLARS, LATER)], axis=0)
    assert (moved[~inside] == x[~inside]).all()


def test_sides_name_the_ways():
    assert sides(straight(0.0)).tolist() == [0]
    assert sides(straight(1.0)).tolist() == [63]
    assert sides(straight(0.54)).tolist() == [0b011011]


def test_the_section_is_made_of_any_rows():
    row = {
        "paths": 10,
        "drawn": 20,
        "colliding": 1,
        "colliding_points": 0,
        "success": 0.9,
        "length": 1.0,
        "roughness": 2.0,
        "ways": 3,
        "distance": 0.1,
        "floor": 0.05,
        "seconds": 12.0,
    }
    names = ("demonstrations", "unfiltered", "waypoints moved", "rejection", "gate")
    text = "\n".join(section([{**row, "name": name} for name in names]))
    assert "| gate | 10 | 1 (10 %) | 0 | 90 % | 1.000 | 2.00 | 3 | 0.10 |" in text
