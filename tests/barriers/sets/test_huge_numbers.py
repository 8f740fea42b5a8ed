"""Numbers at the end of the scale: each is a fault with its line, a numerical failure, or handled; none is an
internal error.
"""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

import lem_safe
from barriers.coordinates import identity
from barriers.sets import Ball, HalfSpace, NearPoints, Occupancy, Polygon, pull
from lem_safe.errors import BadInput, NumericalFailure
from lem_safe.registry import load, loads
from lem_safe.runs.runner import run

TEXT = """\
version: 1
name: huge
energy: {kind: gaussian, mean: [0, 0], std: 1}
unsafe:
  it: REGION
constraints: [{set: it, beta: 0.5}]
sampler: {kind: langevin, samples: 40, steps: 4, step_size: 0.01,
  init: {kind: gaussian, mean: [-2, 0], std: 0.4}}
filter: {kind: step}
"""
BALL = "{kind: ball, center: [2, 0], radius: 0.5}"


@pytest.fixture(autouse=True)
def _no_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lem_safe.runs.runner.render", lambda directory: directory / "report.html")


@pytest.mark.parametrize(
    ("region", "key"),
    [
        ("{kind: ball, center: [2, 0], radius: 1.0e+300}", "radius"),
        ("{kind: ball, center: [2, 0], radius: 1.0e-300}", "radius"),
        ("{kind: ball, center: [1.0e+308, 0], radius: 1}", "center"),
        ("{kind: half_space, normal: [1, 0], offset: 1.0e+308}", "offset"),
        ("{kind: half_space, normal: [1.0e+308, 0], offset: 1}", "normal"),
        ("{kind: half_space, normal: [1.0e-300, 0], offset: 1}", "normal"),
        ("{kind: slab, normal: [1, 0], lower: -1.0e+308, upper: 1.0e+308}", "lower"),
        ("{kind: box, lower: [-1.0e+308, 0], upper: [1.0e+308, 1]}", "lower"),
        ("{kind: ellipsoid, center: [0, 0], radii: [1.0e-300, 1]}", "radii"),
        ("{kind: superellipse, center: [0, 0], radii: [1.0e+300, 1]}", "radii"),
        ("{kind: capsule, start: [-1.0e+308, 0], end: [1, 0], radius: 1}", "start"),
        ("{kind: polytope, normals: [[1.0e-300, 0]], offsets: [1]}", "normals"),
        ("{kind: polygon, vertices: [[-1.0e+308, 0], [1, 0], [0, 1]]}", "vertices"),
        ("{kind: occupancy, map: ['#.', '..'], lower: [-1.0e+308, 0], upper: [1, 1]}", "lower"),
        ("{kind: near_points, points: [[1.0e+308, 0]], radius: 1}", "points"),
        ("{kind: grow, set: {kind: ball, center: [0, 0], radius: 1}, by: 1.0e+308}", "by"),
        ("{kind: shrink, set: {kind: ball, center: [0, 0], radius: 1.0e+308}, by: 1}", "set.radius"),
        ("{kind: smooth_union, sets: [{kind: ball, center: [0, 0], radius: 1}], width: 1.0e-300}", "width"),
        ("{kind: rule, where: '1e308*x0 > 1e308'}", "where"),
    ],
)
def test_a_shape_beyond_the_scale_is_a_fault_at_its_key(region: str, key: str) -> None:
    with pytest.raises(BadInput) as caught:
        loads(TEXT.replace("REGION", region))
    assert [(f.line, f.key) for f in caught.value.faults] == [(5, f"unsafe.it.{key}")]


@pytest.mark.parametrize("power", [17, -17])
@pytest.mark.parametrize("kind", ["step", "gate", "project"])
def test_a_shape_at_the_end_of_the_scale_runs(power: int, kind: str, tmp_path: Path) -> None:
    it = loads(
        TEXT.replace(
            "REGION", f"{{kind: ball, center: [2, 0], radius: 1.0e+{power}}}".replace("+-", "-")
        ).replace("step}", f"{kind}}}")
    )
    done = run(it, out=tmp_path / "out")
    assert np.isfinite(done.samples).all() and done.report.constraints[0].violations in (0, 40)


@pytest.mark.parametrize(
    "region",
    [
        BALL,
        "{kind: near_points, points: [[2, 0], [3, 0]], radius: 0.5}",
        "{kind: occupancy, map: ['#.', '..'], lower: [0, 0], upper: [1, 1]}",
        "{kind: rule, where: 'x0**1000 > 1'}",
    ],
)
@pytest.mark.parametrize("filter", ["step", "gate", "reject", "project"])
def test_a_chain_that_diverges_says_so_whatever_the_region(region: str, filter: str, tmp_path: Path) -> None:
    text = (
        TEXT.replace("REGION", region)
        .replace("{kind: step}", f"{{kind: {filter}}}")
        .replace("std: 1}", "std: 1.0e-30}")
    )
    with pytest.raises(NumericalFailure, match="is not finite"):
        run(loads(text), out=tmp_path / "out")


@pytest.mark.parametrize("mean", ["1.0e+30", "-1.0e+30"])
def test_a_start_far_away_runs(mean: str, tmp_path: Path) -> None:
    done = run(
        loads(
            TEXT.replace("REGION", BALL).replace("mean: [-2, 0], std: 0.4", f"mean: [{mean}, 0], std: 0.4")
        ),
        out=tmp_path / "out",
    )
    assert np.isfinite(done.samples).all() and done.report.constraints[0].violations == 0


FAR = np.array([[1e308, -1e308], [2.0, 0.0], [-1e308, 1e308], [1e-308, 5e-324], [0.25, 0.75]])


@pytest.mark.parametrize(
    ("region", "inside"),
    [
        (BALL, 1),
        ("{kind: half_space, normal: [1, 0], offset: 1}", 2),
        ("{kind: box, lower: [1, -1], upper: [3, 1]}", 1),
        ("{kind: near_points, points: [[2, 0], [3, 0]], radius: 0.5}", 1),
        ("{kind: occupancy, map: ['#.', '..'], lower: [0, 0], upper: [1, 1]}", 1),
        ("{kind: rule, where: 'x0 > 1'}", 2),
        ("{kind: sublevel, energy: {kind: gaussian, mean: [2, 0], std: 0.1}, level: 2}", 1),
    ],
)
def test_samples_at_the_end_of_the_scale_are_judged(region: str, inside: int) -> None:
    found = lem_safe.audit(FAR, loads(TEXT.replace("REGION", region))).constraints[0]
    assert found.violations == inside
    if found.clearance_min is not None:
        assert np.isfinite(found.clearance_min) and found.clearance_min <= 0


@pytest.mark.parametrize("where", ["x0**1000 > 1", "exp(700*x0) > 1e300", "1e150*(x0 - 1)**3 > 0"])
@pytest.mark.parametrize("x0", [1.0001, 1.5, 2.0, 5.0])
def test_the_clearance_of_a_steep_rule_is_never_positive_for_a_point_inside(where: str, x0: float) -> None:
    it = loads(TEXT.replace("REGION", f"{{kind: rule, where: '{where}'}}"))
    found = lem_safe.audit(np.array([[x0, 0.0], [0.5, 0.0]]), it).constraints[0]
    assert found.violations == 1
    assert found.clearance_first_order is None or found.clearance_first_order <= 0
    deepest = found.worst[0]
    assert deepest.inside and (deepest.clearance is None or deepest.clearance <= 0)


@pytest.mark.parametrize("radius", [1e-18, 1e-9, 1.0, 1e18])
def test_gradients_at_a_centre_are_finite_at_every_scale(radius: float) -> None:
    for dtype in (torch.float32, torch.float64):
        at = torch.tensor([[2.0, 0.0]], dtype=dtype)
        for unsafe in (Ball([2.0, 0.0], radius), NearPoints([[2.0, 0.0]], radius, ("x0", "x1"))):
            assert all(torch.isfinite(part).all() for part in pull(unsafe, identity(2)).jet(at)[:2])


def test_what_is_no_number_stays_none_and_breaks_nothing() -> None:
    x = torch.tensor([[float("nan"), 0.0], [float("inf"), 0.0], [1e308, 1e308]], dtype=torch.float64)
    for unsafe in (
        NearPoints([[2.0, 0.0], [3.0, 0.0]], 0.5, ("x0", "x1")),
        Occupancy(["#.", ".."], [0.0, 0.0], [1.0, 1.0]),
    ):
        assert not unsafe.contains(x).any() and unsafe(x)[0].isnan()


DATA = """\
version: 1
name: huge
energy: {kind: trained, data: {kind: file, path: rows.csv}, network: {depth: 1, hidden: 4},
  training: {steps: 3, batch_size: 2}}
unsafe: {it: {kind: half_space, normal: [1, 0], offset: 2}}
constraints: [{set: it, beta: 0.9}]
sampler: {kind: langevin, samples: 20, steps: 2, step_size: 0.01}
"""


@pytest.mark.parametrize(
    ("size", "handled"),
    [("1e300", False), ("1e160", False), ("1e40", False), ("1e25", True), ("1e-25", True)],
)
def test_rows_of_any_size_are_learned_from_or_refused_by_column(
    size: str, handled: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEM_SAFE_CACHE", str(tmp_path / "cache"))
    (tmp_path / "rows.csv").write_text(f"a,b\n{size},1\n-{size},2\n0,4\n{size},1.5\n0,7\n0,3\n")
    (tmp_path / "it.yaml").write_text(DATA)
    if handled:
        assert np.isfinite(run(load(tmp_path / "it.yaml"), out=tmp_path / "out").samples).all()
        return
    with pytest.raises(BadInput, match="column 'a' holds numbers of size .*use larger units"):
        run(load(tmp_path / "it.yaml"), out=tmp_path / "out")


AUDIT = """\
version: 1
name: far
energy: {kind: gaussian, mean: [0, 0], std: 1}
unsafe: {it: REGION}
constraints: [{set: it, beta: 0.5}]
sampler: {kind: langevin, samples: 40, steps: 4, step_size: 0.01}
"""


@pytest.mark.parametrize(
    ("region", "row", "inside"),
    [
        ("{not: {kind: polygon, vertices: [[0, 0], [1, 0], [1, 1], [0, 1]]}}", [1e17, 0.5], True),
        ("{kind: capsule, start: [-5.0e+17, 0], end: [5.0e+17, 0], radius: 1.0e-3}", [123456.75, 1e-3], True),
        ("{kind: ball, center: [1.0e+18, 0], radius: 1.0e+18}", [128.0, 1.7e10], False),
        ("{kind: ellipsoid, center: [1.0e+18, 0], radii: [1.0e+18, 1]}", [128.0, 3e-8], False),
        ("{kind: superellipse, center: [1.0e+18, 0], radii: [1.0e+18, 1], power: 2.5}", [0.0, 1e-12], False),
        ("{kind: polytope, normals: [[1.0e+18, 1]], offsets: [1.0e+18]}", [1.0, 1e-300], False),
        ("{kind: near_points, points: [[1.0e+18, 0]], radius: 1.0e+18}", [0.0, 1e-200], False),
        ("{kind: rule, where: x0*x0 + x1*x1 > 1}", [1e200, 0.0], True),
        ("{not: {kind: rule, where: x0*x0 + x1*x1 > 1}}", [1e200, 0.0], False),
        ("{kind: rule, where: x0*x1 > 0}", [1e-200, 1e-200], True),
    ],
)
@pytest.mark.parametrize("kind", ["npy", "csv", "parquet"])
def test_a_file_is_judged_by_exact_arithmetic(
    region: str, row: list[float], inside: bool, kind: str, tmp_path: Path
) -> None:
    path, rows = tmp_path / f"rows.{kind}", np.array([row, row])
    if kind == "npy":
        np.save(path, rows)
    elif kind == "csv":
        path.write_text("x0,x1\n" + "".join(f"{a!r},{b!r}\n" for a, b in rows.tolist()))
    else:
        pq.write_table(pa.table({"x0": rows[:, 0], "x1": rows[:, 1]}), path)
    found = lem_safe.audit(path, loads(AUDIT.replace("REGION", region))).constraints[0]
    assert (found.violations, found.undefined) == (2 * inside, 0)


@pytest.mark.parametrize("dtype", [np.int64, np.uint64, np.float32, np.float16])
def test_rows_of_any_type_are_judged_as_the_float64_next_to_them(dtype: type, tmp_path: Path) -> None:
    big = 2**53 + 1 if np.issubdtype(dtype, np.integer) else np.finfo(dtype).max
    np.save(tmp_path / "rows.npy", np.array([[big, 0], [1, 0]], dtype=dtype))
    edge = float(dtype(big))
    it = loads(AUDIT.replace("REGION", f"{{kind: rule, where: 'x0 >= {edge!r}'}}"))
    assert lem_safe.audit(tmp_path / "rows.npy", it).constraints[0].violations == 1


def test_ties_of_round_numbers_are_decided_without_fractions(monkeypatch: pytest.MonkeyPatch) -> None:
    """A table of which most rows are on the boundary costs next to nothing: no row of it is compared in whole
    numbers.
    """
    asked = []
    monkeypatch.setattr("barriers.sets.exact.integers", lambda *parts: asked.append(parts))
    monkeypatch.setattr("barriers.sets.crossings.integers", lambda *parts: asked.append(parts))
    x = torch.zeros(100_000, 2, dtype=torch.float64)
    x[::3, 1] = 0.25
    assert HalfSpace([-1.0, 0.5], 0.0).contains(x).all() and HalfSpace([1.0, 4.0], 1.0).contains(x)[::3].all()
    assert Polygon([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]]).contains(x).all()
    assert asked == []
