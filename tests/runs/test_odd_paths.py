"""What is unusual about paths and given values: starts, dtypes, names, regions that read them otherwise."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

import lem_safe
from lem_safe import cli
from lem_safe.data.paths import PathFile
from lem_safe.errors import BadInput
from tests.runs.test_pinned_values import GAUSSIAN, WALKS, walks


def run_of(tmp_path: Path, text: str) -> lem_safe.Run:
    path = walks(tmp_path)
    path.write_text(text, encoding="utf-8")
    return lem_safe.run(str(path), out=tmp_path / "run", with_report=False)


@pytest.mark.parametrize("given", ["", "given: {start: [0.02, 0]}\n"])
def test_a_normal_start_is_moved_onto_the_paths(tmp_path, given):
    init = "init: {kind: gaussian, mean: [0.9, 0, 0.9, 0.2, 0.9, 0.4, 0.9, 0.6, 0.9, 0.8, 0.9, 1], std: 0.02}"
    text = WALKS.replace("kind: mixed", "kind: langevin").replace("0.05}", f"0.0001, {init}}}")
    run = run_of(tmp_path, text + given)
    assert run.paths[:, 2, 0].mean() > 0.3  # where it was told, as far as paths go there
    assert not given or (run.paths[:, 0, 0] == np.float32(0.02)).all()


def test_a_normal_start_of_numbers_has_the_given_values(tmp_path):
    text = GAUSSIAN.replace(
        "step_size: 0.4", "step_size: 0.0001, init: {kind: gaussian, mean: [3, 4, 5], std: 0.1}"
    )
    x = np.asarray(lem_safe.run(lem_safe.loads(text), out=tmp_path / "run", with_report=False).samples)
    assert (x[:, 1] == np.float32(0.3)).all()
    assert np.abs(x.mean(0) - [3, 0.3, 5]).max() < 0.1


def test_float64_samples_have_the_value_in_float64(tmp_path):
    run = run_of(tmp_path, "dtype: float64\n" + WALKS.lstrip() + "given: {start: [0.1, 0]}\n")
    assert run.paths.dtype == np.float64
    assert (run.paths[:, 0, 0] == 0.1).all()


def test_a_metric_has_the_size_of_what_moves(tmp_path):
    text = GAUSSIAN.replace("step_size: 0.4", "step_size: 0.4, metric: [[1, 0], [0, 2]]").replace(
        "4000", "50"
    )
    lem_safe.run(lem_safe.loads(text), out=tmp_path / "run", with_report=False)
    with pytest.raises(BadInput, match="must be 2 x 2"):
        lem_safe.loads(text.replace("[[1, 0], [0, 2]]", "[[1, 0, 0], [0, 2, 0], [0, 0, 1]]"))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("unsafe:", "shape: [3, 2, 2]\nunsafe:"), r"is \[3, 2, 2\], and the paths .* are \[6, 2\]"),
        (("center: [0, 0.4]", "center: [0, 0.4, 0]"), "its set has 3 dimensions, and shape says 2"),
        (("unsafe:", "given: {start: [0, 0.1]}\nunsafe:"), "column 2 is 0 in every row"),
        (("unsafe:", "given: {start: [0, 0], x3: 0, x4: 0, x5: 0, x6: 0}\nunsafe:"), "cannot be given"),
        (("unsafe:", "given: {x3: 0, y3: 0.4}\nunsafe:"), r"has the waypoint \(0, 0.4\)"),
        (("unsafe:", "given: {start: [1.0e+39, 0]}\nunsafe:"), "must be a finite number"),
    ],
)
def test_what_cannot_be_is_told_before_anything_is_trained(tmp_path, change, message):
    path = walks(tmp_path)
    path.write_text(WALKS.replace(*change), encoding="utf-8")
    with pytest.raises(BadInput, match=message):
        lem_safe.load(str(path))


def test_names_of_episodes_may_be_text_and_numbers_may_not_be_huge(tmp_path):
    x = np.load(walks(tmp_path).with_name("walks.npy"))
    rows = [(i, p) for i, path in enumerate(x.tolist()) for p in path]
    numbers, words, huge = (
        [f"{name(i)},{p[0]!r},{p[1]!r}" for i, p in rows]
        for name in (str, lambda i: f"ep {i}", lambda i: str(1700000000000000000 + i))
    )
    made = {}
    for kind, lines in (("numbers", numbers), ("words", words), ("huge", huge)):
        (tmp_path / f"{kind}.csv").write_text("\n".join(["episode,x,y", *lines]) + "\n")
        made[kind] = PathFile(tmp_path / f"{kind}.csv", ["x", "y"], waypoints=6)
    assert torch.equal(made["numbers"].load(0).values, made["words"].load(0).values)
    with pytest.raises(BadInput, match="the same in float64"):
        made["huge"].load(0)
    (tmp_path / "one.csv").write_text("\n".join(["episode,x,y", *words, "ep alone,1,2"]) + "\n")
    with pytest.raises(BadInput, match="ep alone has one point"):
        PathFile(tmp_path / "one.csv", ["x", "y"]).load(0)


def test_an_array_has_no_columns(tmp_path):
    walks(tmp_path)
    with pytest.raises(BadInput, match="is for tables"):
        PathFile(tmp_path / "walks.npy", order="t").load(0)


def test_values_may_be_arrays_tuples_and_of_each_agent():
    def energy(path: torch.Tensor) -> torch.Tensor:
        return path.square().sum((1, 2, 3))

    near = lem_safe.Constraint(lambda path: (path[:, :, 0] - path[:, :, 1]).norm(dim=2).amin(1) - 0.01)
    run = lem_safe.sample(
        energy,
        {"near": near},
        beta=0.5,
        shape=(np.int64(3), 2, 2),
        given={"start": ((-1.0, np.float32(0)), (1.0, 0.0)), "goal": np.zeros((2, 2)) + [[1, 0], [-1, 0]]},
        samples=40,
        steps=3,
        step_size=0.01,
    )
    assert (run.paths[:, 0] == [[-1, 0], [1, 0]]).all()
    assert (run.paths[:, -1] == [[1, 0], [-1, 0]]).all()
    again = lem_safe.sample(
        energy,
        {"near": near},
        beta=0.5,
        shape=(3, 2, 2),
        given={"start": run.paths[0, 0]},
        samples=40,
        steps=1,
        step_size=0.01,
    )
    assert (again.paths[:, 0] == run.paths[0, 0]).all()


def test_explain_and_validate_read_odd_paths(tmp_path, capsys):
    path = walks(tmp_path)
    path.write_text(WALKS + "given: {goal: [0.1, 1]}\n", encoding="utf-8")
    assert cli.main(["validate", str(path)]) == 0
    assert cli.main(["explain", str(path)]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "Rows are paths of 6 waypoints with 2 coordinates each." in said
    assert "All samples have goal [0.1, 1]" in said


def test_paths_that_begin_at_one_place_are_compared_with_the_data(tmp_path):
    path = walks(tmp_path)
    x = np.load(tmp_path / "walks.npy")
    x[:, 0] = [0.524928, -0.279737]  # in float32 they are other numbers
    np.save(tmp_path / "walks.npy", x)
    path.write_text(WALKS, encoding="utf-8")
    run = lem_safe.run(str(path), out=tmp_path / "run", with_report=False)
    found = json.loads((run.directory / "run.json").read_text(encoding="utf-8"))["fidelity"]
    assert "x1" not in json.dumps(found) and "x2" in json.dumps(found)
    assert (run.paths[:, 0] == np.float32([0.524928, -0.279737])).all()


def test_values_far_from_the_paths_are_told_and_so_are_few_paths(tmp_path, capsys):
    path = walks(tmp_path)
    path.write_text(WALKS.replace("waypoints: 6}", "waypoints: 6, components: 5}"), encoding="utf-8")
    assert cli.main(["run", str(path), "--out", str(tmp_path / "near"), "--no-report"]) == 0
    said = " ".join(capsys.readouterr().err.split())
    assert "40 rows are few for 5 components, 8 rows per component" in said
    assert "more rows or fewer components" in said
    assert "far outside the data" not in said
    path.write_text(WALKS + "given: {start: [40, 0]}\n", encoding="utf-8")
    assert cli.main(["run", str(path), "--out", str(tmp_path / "far"), "--no-report"]) in (0, 1)
    assert "given: x1 = 40 is far outside the data" in " ".join(capsys.readouterr().err.split())
