"""What judges the routes through the hall, and the projection of waypoints beside them."""

import numpy as np
import pytest
import torch

pytest.importorskip("qpth")
pytest.importorskip("benchmarks")
from benchmarks.gallery import around_what_came_later as bench
from benchmarks.gallery import hall, waypoints
from lem_safe.registry import load, regions

pytestmark = pytest.mark.simulation
F64 = torch.float64


def recorded() -> np.ndarray:
    return np.stack([hall.resampled(line, bench.WAYPOINTS) for line in hall.recorded()])


def test_more_than_two_in_five_of_the_recorded_routes_lead_through_what_was_closed() -> None:
    routes = recorded()
    assert 0.4 < hall.collides(routes).mean() < 0.5 and not hall.collides(routes, closed=False).any()
    assert len(np.unique(hall.ways(routes))) == 6


def test_a_route_that_the_scenario_lets_through_touches_nothing() -> None:
    scenario = load(bench.NAME)
    columns = [f"{axis}{i + 1}" for i in range(bench.WAYPOINTS) for axis in "xy"]
    blocked = regions(scenario.unsafe, columns)["blocked"]
    x = recorded() + 0.15 * np.random.default_rng(0).normal(size=(hall.ROUTES, 1, 2))
    inside = blocked.contains(torch.from_numpy(x).flatten(1)).numpy()
    touches = hall.collides(x)
    assert inside[touches].all() and not inside[~touches].all() and touches.any()


def test_distances_and_their_gradients_are_those_of_plain_geometry() -> None:
    x = np.random.default_rng(1).uniform([0, 0], [hall.WIDTH, hall.HEIGHT], size=(4000, 2))
    b, g = bench.obstacles()(torch.from_numpy(x))
    assert np.allclose(b.amin(1).numpy() + hall.INFLATED, hall.distance(x), atol=1e-9)
    eps = 1e-6 * torch.tensor([[1.0, 0.0], [0.0, 1.0]], dtype=F64)
    change = torch.stack([(bench.obstacles()(torch.from_numpy(x) + e)[0] - b) / 1e-6 for e in eps], 2)
    off = (change - g).abs().amax((1, 2))
    assert (off < 1e-4).double().mean() > 0.999  # not across a ridge of a distance


def test_a_move_becomes_the_nearest_that_the_barriers_admit() -> None:
    disc = waypoints.discs(torch.zeros(1, 2, dtype=F64), torch.ones(1, dtype=F64))
    x = torch.tensor([[1.5, 0.0], [1.5, 0.0], [0.5, 0.0]], dtype=F64)
    v = torch.tensor([[-2.0, 0.3], [0.1, 0.1], [0.0, 0.2]], dtype=F64)
    u = waypoints.projected(x, v, disc)
    expected = torch.tensor([[-0.5, 0.3], [0.1, 0.1], [0.5, 0.2]], dtype=F64)  # u_x >= −b
    assert (u - expected).abs().max() < 1e-5


def test_points_along_a_route_see_what_waypoints_do_not() -> None:
    across = np.array([[[2.0, 4.0], [5.0, 4.0]]])
    assert hall.collides(across).all() and not hall.collides(across, at_waypoints=True).any()
    assert hall.distance(np.array([[3.6, 4.0]])) == pytest.approx(-0.6)
    assert bench.apart(across, across) == 0
