"""Particles where a region gives no direction, under the filters that follow its gradient; the cases once
told a numpy warning.
"""

import warnings

import pytest
import torch

from barriers.filters import Project
from barriers.filters.nudge import nudged
from barriers.sets import Ball, Box, Capsule, Ellipsoid
from lem_safe import run
from lem_safe.registry import loads

pytestmark = pytest.mark.simulation

AT_THE_CENTRE = """\
version: 1
name: centre
energy: {kind: gaussian, mean: [0, 0], std: 1.0}
unsafe: {disc: {kind: ball, center: [0, 0], radius: 1}}
constraints: [{set: disc, beta: 0.05}]
sampler: {kind: flow, samples: 100, steps: 150, step_size: 0.01,
  init: {kind: gaussian, mean: [0, 0], std: 0.0}}
filter: {kind: FILTER}
"""


@pytest.mark.parametrize(
    "region",
    [
        Ball([0.0, 0.0], 1.0),
        Capsule([-1.0, 0.0], [1.0, 0.0], 1.0),
        Box([-1.0, -1.0], [1.0, 1.0]),
        Ellipsoid([0.0, 0.0], [1.0, 2.0]),
    ],
)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_projection_leaves_every_centre_and_axis(region, dtype):
    x = torch.zeros(50, 2, dtype=dtype)
    y, _, info = Project([region]).apply(x, x, 0.01, torch.zeros(50), None)
    assert not bool(region.contains(y).any()) and float(info.shortfall) == 0
    farthest = 2.0 if isinstance(region, Ellipsoid) else 1.0  # the nearest boundary is 1 away
    assert bool((y.norm(dim=1) < farthest + 1e-3).all()) and bool((region(y).abs() < 1e-3).all())


def test_only_the_lost_are_moved_by_a_rounding_and_where_it_helps():
    x = torch.zeros(4, 3).double()
    lost = torch.tensor([True, True, False, False])
    moved = nudged(x, lost, lambda y: y)
    assert bool(
        (moved[lost].norm(dim=1) - torch.finfo(x.dtype).eps ** 0.5).abs().max() < 1e-12
    ) and torch.equal(moved[2:], x[2:])
    assert torch.equal(nudged(x, lost, torch.zeros_like), x)
    assert nudged(x, lost & False, lambda y: y) is x


@pytest.mark.parametrize(
    ("kind", "moved", "inside"), [("step", 0.95, 0.05), ("project", 1.0, 0.0), ("reject", 0.0, 1.0)]
)
def test_a_flow_from_the_centre_moves_or_says_that_nothing_does(tmp_path, kind, moved, inside):
    """`step` leaves those within its tolerance where they are."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        done = run(loads(AT_THE_CENTRE.replace("FILTER", kind)), out=tmp_path / "out", with_report=False)
    assert done.report.movement.moved == moved
    assert done.report.constraints[0].fraction == inside
    assert ("Frozen: no particle has moved" in str(done)) == (moved == 0.0)
