"""Filters held to what they promise by `contains`: a surrogate of another set, a gate that admits, a drift
filter that does nothing.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from barriers.filters import Gate, MirrorStep, PredictiveFilter, Reject
from barriers.sets import Polygon
from lem_safe.errors import NumericalFailure
from lem_safe.progress import Silent
from lem_safe.registry import loads
from lem_safe.runs.promise_check import EveryStep, shortfalls
from lem_safe.runs.result import Run
from lem_safe.runs.runner import run

pytestmark = pytest.mark.simulation

BALL = "{kind: ball, center: [0, 0], radius: 1}"
BOWTIE = "{kind: polygon, vertices: [[-3, -2], [3, 1.5], [3, -1.5], [-3, 2]]}"
TEXT = """\
version: 1
name: kept
energy: {kind: gaussian, mean: [MEAN, 0], std: 0.8}
unsafe: {it: REGION}
constraints: [{set: it, beta: 0.05}]
sampler: {kind: langevin, samples: 200, steps: 80, step_size: 0.01,
  init: {kind: gaussian, mean: [1, 3], std: 0.2}}
filter: FILTER
"""


@pytest.fixture(autouse=True)
def _no_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lem_safe.runs.runner.render", lambda directory: directory / "report.html")


class Heard(Silent):
    """What a progress was told to say."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, text: str) -> None:
        self.lines.append(text)


def ran(tmp_path: Path, chosen: str, region: str = BALL, mean: float = 0, heard: Heard | None = None) -> Run:
    text = TEXT.replace("FILTER", chosen).replace("REGION", region).replace("MEAN", str(mean))
    return run(loads(text), out=tmp_path / "out", progress=heard)


@pytest.mark.parametrize(
    "chosen", ["{kind: step}", "{kind: gate}", "{kind: chain, filters: [{kind: drift}, {kind: step}]}"]
)
def test_an_honest_filter_keeps_every_step(chosen: str, tmp_path: Path) -> None:
    done = ran(tmp_path, chosen)
    assert (done.trace["fraction"] <= 0.05).all() and done.trace["fraction"].max() > 0.02
    told = json.loads((done.directory / "run.json").read_text())["promise"]
    assert told == {"scope": "every step, this cloud", "shortfalls": []}


def test_a_surrogate_of_another_set_ends_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The distance of a bow-tie by its edges' own normals, as it was before rings were refused: `step` sees
    nobody inside.
    """

    def by_normals(self: Polygon, x: torch.Tensor) -> torch.Tensor:
        near = self._nearest(x)
        return (near.offset * self.normal[self._edge_of(x.double())]).sum(-1).to(x.dtype)

    monkeypatch.setattr("barriers.sets.rings._refuse_meetings", lambda edges: None)
    monkeypatch.setattr(Polygon, "forward", by_normals)
    with pytest.raises(
        NumericalFailure,
        match=r"filter: step: step \d+: .*it holds \d+ of 200 particles, 10 allowed.*disagrees",
    ):
        ran(tmp_path, "{kind: step, smoothing: {kind: sigmoid, width: 0.07, margin: 0.14}}", BOWTIE, mean=2)


def test_a_step_that_counts_keeps_its_count_whatever_the_distance_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a smoothing membership decides, and the distance only where a particle is mirrored."""
    monkeypatch.setattr(Polygon, "forward", lambda self, x: x.sum(-1))
    assert (
        0.02
        < ran(tmp_path, "{kind: step}", "{kind: polygon, vertices: [[-1, -1], [1, -1], [0, 1]]}")
        .trace["fraction"]
        .max()
        <= 0.05
    )


def test_a_bow_tie_that_got_past_validation_is_still_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its sign is that of its membership, so the filter keeps what `contains` counts."""
    monkeypatch.setattr("barriers.sets.rings._refuse_meetings", lambda edges: None)
    assert ran(tmp_path, "{kind: step}", BOWTIE, mean=2).trace["fraction"].max() <= 0.05


@pytest.mark.parametrize(("kind", "owner"), [("gate", Gate), ("reject", Reject), ("step", MirrorStep)])
def test_a_filter_that_lets_everybody_in_ends_the_run(
    kind: str, owner: type, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest: Callable[..., Any] = owner.apply  # type: ignore[attr-defined]  # a filter

    def careless(self: Any, x: torch.Tensor, proposal: torch.Tensor, *rest: Any) -> Any:
        _, memory, info = honest(self, x, proposal, *rest)
        inside = torch.stack([s.contains(proposal).double().mean() for s in self.sets])
        return proposal, memory, info._replace(mean=info.mean if kind != "step" else inside)

    monkeypatch.setattr(owner, "apply", careless)
    with pytest.raises(NumericalFailure, match=r"step \d+: .*more than before the step"):
        ran(tmp_path, f"{{kind: {kind}}}")


def test_a_start_over_the_budget_may_recover(tmp_path: Path) -> None:
    """Nothing is broken while the surrogate says itself that it is over its limit."""
    done = ran(tmp_path, "{kind: step}", "{kind: ball, center: [1, 3], radius: 1}")
    assert done.trace["fraction"][0] > 0.5 and done.trace["fraction"][-1] < 0.5 * done.trace["fraction"][0]


def test_a_drift_filter_that_does_nothing_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = PredictiveFilter.apply

    def idle(self: PredictiveFilter, x: torch.Tensor, drift: torch.Tensor, memory: Any) -> Any:
        _, after, info = honest(self, x, drift, memory)
        return drift, after, info

    heard = Heard()
    monkeypatch.setattr(PredictiveFilter, "apply", idle)
    done = ran(tmp_path, "{kind: drift}", "{kind: half_space, normal: [0, -1], offset: -2}", heard=heard)
    late = done.trace["fraction"][40:, 0].mean()
    told = json.loads((done.directory / "run.json").read_text())["promise"]
    assert told["scope"] == "in expectation" and [s["set"] for s in told["shortfalls"]] == ["it"]
    assert told["shortfalls"][0]["mean"] == pytest.approx(late) and late > 0.1
    assert any(
        line.startswith(f"shortfall: it held {late:.4f} on average over the last 40 steps")
        for line in heard.lines
    )


def test_a_drift_filter_at_work_is_not_reported(tmp_path: Path) -> None:
    done = ran(tmp_path, "{kind: drift}")
    assert json.loads((done.directory / "run.json").read_text())["promise"]["shortfalls"] == []


# ------------------------------------------------------------------ the rule, by hand

ROW = np.array


def test_what_breaks_a_promise_of_every_step() -> None:
    """κ = ½: 30 of 100 need E φ ≥ .15; by counting, only what is over the budget *and* grew."""
    kept = EveryStep(("a",), (0.2,), (0.1,))
    kept.check("run: step 1", 100, ROW([0.0]), ROW([0.2]), ROW([0.0]))  # within the budget: nothing to say
    kept.check("run: step 1", 100, ROW([0.3]), ROW([0.3]), ROW([0.15]))  # over, and the surrogate says so
    with pytest.raises(
        NumericalFailure,
        match="run: step 1: .*a holds 30 of 100 particles, 20 allowed.*0.149.*limit 0.1.*0.15",
    ):
        kept.check("run: step 1", 100, ROW([0.3]), ROW([0.3]), ROW([0.149]))
    counted = EveryStep(("a",), (0.2,), (float("nan"),))
    counted.check("run: step 1", 100, ROW([0.3]), ROW([0.3]), ROW([float("nan")]))
    with pytest.raises(NumericalFailure, match="21 of 100 particles, 20 allowed, 1 more than before"):
        counted.check("run: step 1", 100, ROW([0.2]), ROW([0.21]), ROW([float("nan")]))
    none = EveryStep(("a",), (0.0,), (0.0,))
    none.check("run: step 1", 100, ROW([0.0]), ROW([0.01]), ROW([0.011]))
    with pytest.raises(NumericalFailure, match="1 of 100 particles, 0 allowed"):
        none.check("run: step 1", 100, ROW([0.0]), ROW([0.01]), ROW([0.0]))


@pytest.mark.parametrize(
    ("late", "reported"),
    [(0.05, False), (0.05 + 3.9 * 0.0217945 / 10, False), (0.05 + 4.1 * 0.0217945 / 10, True)],
)
def test_four_standard_errors_are_a_shortfall(late: float, reported: bool) -> None:
    """√(.05·.95/100) = .0217945 for one particle in a hundred clouds of 100: a tenth of it."""
    fraction = np.full((100, 10, 1), late)
    fraction[:, :5] = 0.9
    found = shortfalls(["a"], [0.05], 100, {"fraction": fraction.max(0), "cloud_fraction": fraction})
    assert [s.steps for s in found] == [5] * reported
    assert len(shortfalls(["a"], [0.05], 100, {"fraction": fraction[0]}, after_step=9)) == 0
