"""`lem_safe.sample`: a run without a file, in memory or in a directory, and its refusals."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from truths.loops import normal

import lem_safe
from barriers.filters import Gate
from lem_safe.sets import Ball

pytestmark = pytest.mark.simulation

WALL = Ball([1.0, 0.0], 0.8)
FEW: dict[str, Any] = {"beta": 0.05, "samples": 60, "steps": 8, "step_size": 0.05}


def test_regions_of_every_sort(tmp_path: Path) -> None:
    regions = {
        "wall": WALL,
        "rule": {"kind": "rule", "where": "speed > 2"},
        "soft": lambda x: x[:, 0] + 2,
        "never": lambda x: x[:, 1] > 3,
        "all": {"any": ["wall", "soft", "never"]},
    }
    init = {"kind": "gaussian", "mean": [-1.0, 0.0], "std": 0.3}
    run = lem_safe.sample(
        normal, regions, **FEW | {"beta": {"all": 0.05, "rule": 0.1}}, columns=["speed", "y"], init=init
    )
    assert run.scenario is None and run.samples.shape == (60, 2) and run.report.passed
    assert run.audit is run.report and set(run.multipliers) == {"all", "rule"}
    assert run.trace["fraction"].shape == (8, 2) and "report.html" not in str(run)
    again = lem_safe.audit(run.samples, regions, beta={"all": 0.05, "rule": 0.1}, columns=["speed", "y"])
    assert [c.violations for c in again.constraints] == [c.violations for c in run.report.constraints]


def test_a_specification_under_regions_that_are_objects() -> None:
    spec = {"kind": "gaussian", "mean": [0.0, 0.0], "std": 1.0}
    said = lem_safe.sample(spec, {"soft": lambda x: 2 - x[:, 0]}, **FEW)
    assert said.scenario is None
    assert np.array_equal(
        said.samples,
        lem_safe.sample(normal, {"soft": lambda x: 2 - x[:, 0]}, **FEW | {"columns": ["a", "b"]}).samples,
    )


def test_a_directory_is_kept_and_a_temporary_one_goes(tmp_path: Path) -> None:
    out = tmp_path / "kept"
    score = lem_safe.score(lambda x: -x)
    run = lem_safe.sample(score, {"wall": WALL}, **FEW, out=out)
    assert (out / "report.html").is_file() and run.directory == out
    assert "kind: python" in (out / "scenario.yaml").read_text()
    with pytest.raises(lem_safe.BadInput, match="is not empty"):
        lem_safe.sample(score, {"wall": WALL}, **FEW, out=out)
    run = lem_safe.sample(score, {"wall": WALL}, **FEW)
    place = run.directory
    assert place.is_dir()
    del run
    assert not place.exists()


def test_rows_start_in_their_order_and_precision() -> None:
    rows = torch.linspace(-3, -2, 8, dtype=torch.float64).reshape(4, 2)
    still = {"wall": lambda x: x[:, 0] > -5}  # everything is inside, and reject lets nothing move in
    seen: list[torch.Tensor] = []

    def energy(x: torch.Tensor) -> torch.Tensor:
        seen.append(x.detach().clone())
        return (x.double() * torch.ones(2, dtype=torch.float64)).square().sum(-1)

    run = lem_safe.sample(energy, still, beta=0.1, steps=1, step_size=1e-12, init=rows, filter="none")
    assert run.samples.dtype == np.float64 and np.allclose(run.samples, rows, atol=1e-5)
    twice = lem_safe.sample(
        energy, still, beta=0.1, samples=6, steps=1, step_size=1e-12, init=rows.numpy(), filter="none"
    )
    assert np.allclose(twice.samples[4:], rows[:2], atol=1e-5)


@pytest.mark.parametrize("kind", ["none", "gate", "step", "tilt", "drift", "penalty", "reject"])
def test_every_filter(kind: str) -> None:
    chosen: Any = {"kind": "penalty", "weight": 1.0} if kind == "penalty" else kind
    run = lem_safe.sample(normal, {"soft": lambda x: 2.5 - x[:, 0]}, **FEW, filter=chosen, columns=["a", "b"])
    assert run.samples.shape == (60, 2)


def test_a_filter_that_was_made_is_over_the_same_regions() -> None:
    run = lem_safe.sample(normal, {"wall": WALL}, **FEW, filter=Gate([WALL], [0.05]))
    same = lem_safe.sample(normal, {"wall": WALL}, **FEW)
    assert np.array_equal(run.samples, same.samples)
    with pytest.raises(lem_safe.BadInput, match="filter: is over other sets"):
        lem_safe.sample(normal, {"wall": WALL}, **FEW, filter=Gate([Ball([1.0, 0.0], 0.8)], [0.05]))
    with pytest.raises(lem_safe.BadInput, match="filter: was made for beta"):
        lem_safe.sample(normal, {"wall": WALL}, **FEW, filter=Gate([WALL], [0.06]))


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"step_size": -1.0}, "lem_safe.sample: sampler.step_size: must be > 0"),
    ({"sampler": "malaa"}, "did you mean 'mala'"),
    ({"filter": "gte"}, "did you mean 'gate'"),
    ({"filter": 3}, "filter: must be the name of a kind.*got one of type int"),
    ({"beta": 1.5}, "must be < 1"),
    ({"beta": {"wal": 0.1}}, "did you mean 'wall'"),
    ({"unsafe": {}}, "holds no region"),
    ({"unsafe": {"wall": 3}, "init": [[0.0, 0.0]]}, "unsafe.wall: must be a region"),
    (
        {"unsafe": {"wall": Ball([0.0, 0.0, 0.0], 1.0)}, "init": [[0.0, 0.0]]},
        "unsafe.wall: has 3 dimensions, the particles have 2",
    ),
    ({"energy": lem_safe.energy(normal, dimension=3), "init": [[0.0, 0.0]]}, "init: has 2 columns"),
    (
        {"unsafe": {"s": lambda x: x}, "init": [[0.0, 0.0]]},
        "unsafe.s: cannot be decided.*one number or truth",
    ),
    ({"unsafe": {"s": lambda x: x[:, 0] > 1}, "filter": "step", "init": [[0.0, 0.0]]}, "answers yes or no"),
    ({"unsafe": {"s": lambda x: x[:, 0]}}, "dimension: is not known"),
    ({"init": "here"}, "init: must be rows"),
    ({"init": [[0.0, float("nan")]]}, "init: must be finite; row 0"),
    ({"samples": None}, "samples: is missing"),
    ({"energy": lem_safe.score(lambda x: -x), "sampler": "mala"}, "a Metropolis test compares U"),
    ({"energy": "net"}, "needs a module"),
]


@pytest.mark.parametrize(("change", "said"), REFUSED)
def test_what_is_wrong_is_refused_before_anything_is_written(
    change: dict[str, Any], said: str, tmp_path: Path
) -> None:
    given = {"energy": normal, "unsafe": {"wall": WALL}, **FEW, "out": tmp_path / "run"} | change
    with pytest.raises(lem_safe.BadInput, match=said):
        lem_safe.sample(given.pop("energy"), given.pop("unsafe"), **given)
    assert not (tmp_path / "run").exists() or "mala" in change.values()
