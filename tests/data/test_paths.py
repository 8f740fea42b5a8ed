"""Recorded paths as rows of waypoints."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lem_safe.data.episodes import Recorded, resampled
from lem_safe.data.path_names import names_of_shape
from lem_safe.data.paths import PathFile
from lem_safe.errors import BadInput
from lem_safe.training.principal import principal


def episodes(path: Path, lines: list[str], header: str = "run,t,x,y") -> Path:
    path.write_text("\n".join([header, *lines]) + "\n", encoding="utf-8")
    return path


def walks(n: int = 8, k: int = 12) -> np.ndarray:
    steps = np.random.default_rng(0).normal(size=(n, k, 2))
    return steps.cumsum(1)


def test_a_table_and_an_array_of_the_same_paths_are_the_same_rows(tmp_path):
    x = walks()
    lines = [f"{i},{t},{p[0]!r},{p[1]!r}" for i, path in enumerate(x.tolist()) for t, p in enumerate(path)]
    table = PathFile(episodes(tmp_path / "e.csv", lines), ["x", "y"], episode="run", order="t", waypoints=5)
    np.save(tmp_path / "e.npy", x)
    array = PathFile(tmp_path / "e.npy", waypoints=5)
    assert table.columns == array.columns == ("x1", "y1", "x2", "y2", "x3", "y3", "x4", "y4", "x5", "y5")
    assert np.array_equal(table.load(0).values.numpy(), array.load(0).values.numpy())
    assert table.fingerprint() == array.fingerprint()
    assert table.path_shape == (5, 2)


def test_points_in_any_order_are_sorted_and_shorter_episodes_end_where_they_end(tmp_path):
    lines = ["1,2,20,0", "0,0,0,0", "1,0,0,0", "0,4,8,4", "1,1,10,0", "0,1,2,1", "2,0,5,5", "2,9,6,6"]
    source = PathFile(episodes(tmp_path / "e.csv", lines), ["x", "y"], episode="run", order="t", waypoints=3)
    rows = source.load(0).values.numpy()
    assert rows.tolist() == [[0, 0, 10, 0, 20, 0], [0, 0, 4, 2, 8, 4], [5, 5, 5.5, 5.5, 6, 6]]


def test_an_array_may_end_its_shorter_paths_with_nan(tmp_path):
    x = np.zeros((3, 4, 2))
    x[:, :, 0] = np.arange(4)
    x[1, 2:] = np.nan
    np.savez(tmp_path / "e.npz", x=x)
    rows = PathFile(tmp_path / "e.npz", waypoints=3).load(0).values.numpy()
    assert rows[1].tolist() == [0, 0, 0.5, 0, 1, 0]
    assert rows[0].tolist() == [0, 0, 1.5, 0, 3, 0]


def test_agents_move_together(tmp_path):
    x = np.random.default_rng(1).normal(size=(6, 7, 3, 2))
    np.save(tmp_path / "e.npy", x)
    source = PathFile(tmp_path / "e.npy", waypoints=7, agents=3)
    assert source.path_shape == (7, 3, 2)
    assert np.allclose(source.load(0).values.numpy().reshape(6, 7, 3, 2), x)
    assert source.columns[:7] == ("x1_1", "y1_1", "x1_2", "y1_2", "x1_3", "y1_3", "x2_1")


@settings(max_examples=30)
@given(st.integers(2, 40), st.integers(2, 30), st.sampled_from(["time", "length"]), st.integers(1, 4))
def test_resampling_keeps_the_ends_and_stays_on_the_path(k, waypoints, along, size):
    points = np.random.default_rng(k).normal(size=(k, size)).cumsum(0)
    found = resampled(Recorded("it", np.arange(k, dtype=float), points), waypoints, along)
    assert found.shape == (waypoints, size)
    assert np.array_equal(found[0], points[0])
    assert np.array_equal(found[-1], points[-1])
    a, b = points[:-1], points[1:]
    for p in found:
        t = np.clip(((p - a) * (b - a)).sum(1) / ((b - a) ** 2).sum(1), 0, 1)
        assert np.linalg.norm(a + t[:, None] * (b - a) - p, axis=1).min() < 1e-9


def test_equal_lengths_are_equal_on_a_straight_path():
    points = np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 0.0], [4.0, 0.0]])
    found = resampled(Recorded("it", np.arange(4.0), points), 5, "length")
    assert np.allclose(found[:, 0], [0, 1, 2, 3, 4])


def test_names_of_other_shapes():
    assert names_of_shape((2, 1)) == ("x1", "x2")
    assert names_of_shape((1, 4)) == ("c1_1", "c2_1", "c3_1", "c4_1")
    for shape in ((12, 2), (3, 11, 3), (11, 5), (2, 12, 4), (111, 1)):
        names = names_of_shape(shape)
        assert len(set(names)) == len(names) == np.prod(shape)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["0,0,0,0", "1,0,0,0", "1,1,0,1", "2,0,1,1", "2,1,0,0"], "run 0 has one point"),
        (["0,0,0,0", "0,0,0,1", "1,0,0,0", "1,1,0,1"], "run 0 has two points with t 0"),
        (["0,0,0,0", "0,1,1,1", "1,0,0,0", "1,1,0,1"], "has 2 paths; 3 or more"),
        (["0,0,a,0", "0,1,1,1"], "column 'x'"),
        (["0,0,1,1", "0,1,2,2", "1,0,1,1", "1,1,2,2", "2,0,1,1", "2,1,2,2"], "every path is the same"),
    ],
)
def test_what_is_no_set_of_paths_is_named(tmp_path, lines, message):
    source = PathFile(episodes(tmp_path / "e.csv", lines), ["x", "y"], episode="run", order="t")
    with pytest.raises(BadInput, match=message):
        source.load(0)


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros((4, 3)), "must hold paths as an array"),
        (np.zeros((4, 3, 0)), "must hold paths as an array"),
        (np.full((4, 3, 2), np.inf), "path 1: point 1 is not finite"),
        (np.array([["a"]]), "must hold paths as an array"),
    ],
)
def test_arrays_that_hold_none(tmp_path, array, message):
    np.save(tmp_path / "e.npy", array)
    with pytest.raises(BadInput, match=message):
        PathFile(tmp_path / "e.npy").load(0)


def test_what_it_has_to_be_told(tmp_path):
    with pytest.raises(BadInput, match="columns hold the coordinates"):
        PathFile(episodes(tmp_path / "e.csv", ["0,0,0,0"])).load(0)
    np.save(tmp_path / "e.npy", walks())
    with pytest.raises(BadInput, match="is 9, and 8 paths have 6"):
        PathFile(tmp_path / "e.npy", components=9).load(0)
    with pytest.raises(BadInput, match="not the same number for each of 3 agents"):
        PathFile(tmp_path / "e.npy", agents=3).load(0)


def test_components_hold_the_variance(tmp_path):
    x = walks(40, 12)
    np.save(tmp_path / "e.npy", x)
    data = PathFile(tmp_path / "e.npy", waypoints=12).load(0)
    assert data.components is not None
    assert data.components < 24
    rows = data.values
    z = principal(rows, data.components)
    y = z.inverse(rows)
    assert np.allclose(np.cov(y.T), np.eye(data.components), atol=1e-9)
    lost = (rows - z(y)).square().sum() / (rows - rows.mean(0)).square().sum()
    assert 0 < float(lost) <= 0.001
