"""Starts and precision: rows keep their own values (A.11), and a format that cannot hold a run is not used
(A.12).
"""

import math

import torch
from torch import Tensor

from barriers.coordinates import Coordinates
from barriers.sets import build_sets, pull
from lem_safe.keys import Key
from lem_safe.precision import resolution
from lem_safe.progress import Silent
from lem_safe.registry import loads
from lem_safe.runs.chain import Course, follow
from lem_safe.runs.problem import build
from lem_safe.runs.starting import start
from truths.clouds import F64

RULES = {
    "low": "a < 0",
    "over": "a > 0.1",
    "sum": "a + b >= 1",
    "off": "b > 1700000000",
    "is": "a >= 0.3 and a <= 0.3",
}
ROWS = torch.tensor(
    [[0.0, 1.7e9], [0.1, 1700000000.25], [0.3, -1e-3], [1.0, 0.0], [0.7, 0.3], [0.1, 0.9], [3.0, 1.7e9]],
    dtype=F64,
)
FAR = """\
version: 1
name: far
energy: {kind: ENERGY, MEAN, std: 1}
unsafe: {right: {kind: rule, where: "x0 > 1000000.8"}}
constraints: [{set: right, beta: 0.5}]
sampler: {kind: langevin, samples: 4000, steps: 60, step_size: 0.2,
  init: {kind: gaussian, mean: [1000000], std: 0}}
"""


def _anchored(dtype: torch.dtype) -> tuple[Coordinates, Tensor]:
    matrix = torch.tensor([[0.9, 0.2], [1e8, 8e8]], dtype=F64)
    plain = Coordinates(ROWS.mean(0), matrix, dtype).anchored(ROWS, dtype)
    assert plain.anchors is not None
    return plain, plain.anchors.points


def rows_keep_their_values() -> None:
    """What is saved at the point of a row is the row, cast once; so membership there is the row's, whatever
    the set.
    """
    for dtype in (torch.float32, F64):
        coordinates, z = _anchored(dtype)
        assert torch.equal(coordinates.saved(z), ROWS.to(dtype))
        for name, region in build_sets(
            {k: {"kind": "rule", "where": w} for k, w in RULES.items()}, ("a", "b")
        ).items():
            inside = region.contains(ROWS.to(dtype).double())
            assert torch.equal(pull(region, coordinates).contains(z), inside), name
            assert torch.equal(pull(region, coordinates).contains(z.double()), inside), name


def rows_that_share_a_point_are_told_apart() -> None:
    """0, 1e-18 and −1e-18 are one number beside a mean of 1; a row that is there twice stays one point."""
    rows = torch.tensor([[0.0], [1e-18], [3.0], [-1e-18], [0.0]], dtype=F64)
    for dtype in (torch.float32, F64):
        coordinates = Coordinates(torch.ones(1, dtype=F64), torch.tensor([[2.0]], dtype=F64), F64).anchored(
            rows, dtype
        )
        assert coordinates.anchors is not None
        z = coordinates.anchors.points
        assert torch.equal(coordinates.saved(z), rows) and float(z[0]) == float(z[4]) and len(z.unique()) == 4
        assert torch.allclose(z.double(), (rows - 1) / 2, atol=1e-6)


def a_column_without_spread_keeps_its_value() -> None:
    """Around 1.7e9 and around 0, for float32 points too; a thousandth of the spread further it is the map
    again.
    """
    for dtype in (torch.float32, F64):
        plain = Coordinates(
            torch.tensor([0.5, 1.7e9 + 50], dtype=F64),
            torch.tensor([[0.9, 0.2], [80.0, 600.0]], dtype=F64),
            F64,
        )
        x = torch.stack([torch.linspace(-2, 3, 50, dtype=F64), torch.full((50,), 1700000000.1, dtype=F64)], 1)
        for j, value in ((1, 1700000000.1), (0, 0.0)):
            start = torch.where(torch.arange(2) == j, value, x)
            z = plain.inverse(start).to(dtype)
            pinned = plain.pinned({j: value}, dtype)
            assert (pinned.saved(z)[:, j] == value).all() and torch.equal(
                pinned.saved(z)[:, 1 - j], plain.saved(z)[:, 1 - j]
            )
            spread = plain.matrix[j].norm()
            moved = plain.inverse(start + 1e-3 * spread * (torch.arange(2) == j))
            assert torch.equal(pinned.saved(moved), plain.saved(moved))


def a_particle_that_has_moved_is_where_the_map_says() -> None:
    """One coordinate in common with a row is no row; neither is a point next to one."""
    coordinates, z = _anchored(F64)
    first, second = z.unbind(1)
    others = [(first, second + 1e-3), (first, second.roll(1)), (first.nextafter(first + 1), second)]
    for other in (torch.stack(pair, 1) for pair in others):
        assert torch.equal(coordinates.saved(other), coordinates.offset + other @ coordinates.matrix.T)


def differences_of_columns_are_resolved() -> None:
    """Two columns near 1e8, spread by 2e5, and by less given each other: float32, whose numbers are 8 apart
    there, holds the columns and not their difference, unless that is wide.
    """
    z = Key(3).normal(torch.empty(4000, 2, dtype=F64))
    for width, held in ((100.0, False), (1.8e5, True)):
        rows = torch.stack([1e8 + 2e5 * z[:, 0], 1e8 + 2e5 * z[:, 0] + width * z[:, 1]], 1)
        alone, joint = resolution.of_rows(rows, "rows"), resolution.of_joint(rows, "rows")
        assert resolution.unfit("float32", alone, ("a", "b")) is None
        assert (resolution.unfit("float32", joint, ("a", "b")) is None) == held
        assert resolution.unfit("float64", joint, ("a", "b")) is None
        true = [2e5 * width / math.hypot(2e5, width), width]
        assert all(abs(e.spread / s - 1) < 0.05 for e, s in zip(joint.local, true, strict=True))
    assert resolution.of_joint(torch.cat([z, z.sum(1, keepdim=True)], 1), "rows") == resolution.Extents()


def far_from_the_origin_the_variance_is_right() -> None:
    """Langevin on N(1e6, 1) has variance 1/(1 − h/2), and so has the half of a mixture; nothing in the file
    says float64.
    """
    for energy, mean in (("gaussian", "mean: [1000000]"), ("gaussian_mixture", "means: [[1000000], [0]]")):
        problem = build(loads(FAR.replace("ENERGY", energy).replace("MEAN", mean)), progress=Silent())
        s = problem.scenario.sampler
        course = Course(
            "", problem.sampler(filtered=False), problem.sets, problem.names, problem.betas, s.steps
        )
        x = problem.coordinates.saved(follow(course, Key(1), start(problem, Key(0)), progress=Silent()).x)
        expected = 1 / (1 - s.step_size / 2)
        error = expected * math.sqrt(2 / s.samples)
        assert abs(float(x.double().var()) - expected) < 4 * error
        assert len(x.unique()) > 0.99 * s.samples
