"""The pilot of a tilt: independent of the run, learned once, aimed so that runs pass and are certified."""

import json
from pathlib import Path

import numpy as np
import pytest
from scenario_texts import AWAY, CORNER

from lem_safe.errors import BadInput
from lem_safe.files import read_npz
from lem_safe.registry import loads
from lem_safe.runs import pilot
from lem_safe.runs.more_samples import draw
from lem_safe.runs.runner import run

pytestmark = pytest.mark.simulation


def scenario(
    filter_: str = "{kind: tilt}", *, seed: int = 0, beta: float = 0.2, steps: int = 40, init: str = AWAY
):
    return loads(
        CORNER.format(filter=filter_, seed=seed, beta=beta, samples=1000, steps=steps, init=init, audit="{}")
    )


def test_runs_pass_and_are_certified_with_the_power_asked_for(tmp_path: Path):
    """20 runs at power .95: 16 or more pass and are certified (fewer has probability .003), none by a count
    over its tolerance at the end.
    """
    reports = [run(scenario(seed=s), out=tmp_path / str(s), with_report=False).report for s in range(20)]
    assert sum(r.passed and r.verdict == "certified" for r in reports) >= 16
    assert all(r.assumes == "independent samples" for r in reports)
    learned = json.loads((tmp_path / "0" / "pilot.json").read_text())
    assert json.loads((tmp_path / "0" / "run.json").read_text())["pilot"] == learned
    p = 0.308538  # P(x >= .5)
    for μ, aim, free in zip(learned["multipliers"], learned["aims"], learned["unfiltered"], strict=True):
        assert aim < 0.25 and abs(free - p) < 4 * np.sqrt(p * (1 - p) / 1000)
        assert abs(μ - np.log(free * (1 - aim) / (aim * (1 - free)))) < 0.25  # nearly: the sets overlap
    trace = read_npz(tmp_path / "0" / "trace.npz")
    assert (trace["multiplier"] == learned["multipliers"]).all()


def test_the_pilot_has_a_seed_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A pilot from the run's own noise would have the unfiltered run's fractions; the planted fault has."""

    def fractions(out: Path) -> tuple[list[float], list[float]]:
        run(scenario(), out=out, with_report=False)
        return json.loads((out / "pilot.json").read_text())["unfiltered"], read_npz(out / "reference.npz")[
            "fraction"
        ][-1].tolist()

    own, reference = fractions(tmp_path / "honest")
    assert not np.allclose(own, reference, atol=1e-12)
    honest = pilot._round
    monkeypatch.setattr(pilot, "_round", lambda problem, key, *rest: honest(problem, pilot.Key(0), *rest))
    own, reference = fractions(tmp_path / "faulty")
    assert np.allclose(own, reference, atol=1e-12)


def test_a_resumed_run_and_further_samples_keep_the_multipliers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    done = run(scenario(), out=tmp_path / "out", with_report=False)
    for name in ("run.json", "samples.npz", "trace.npz", "audit.json"):
        (done.directory / name).unlink()
    (done.directory / "begun.json").write_text(json.dumps(_identity(done.scenario)))
    monkeypatch.setattr(pilot, "_pilot", lambda *a: pytest.fail("the pilot ran again"))
    again = run(scenario(), out=tmp_path / "out", resume=True, with_report=False)
    assert (again.samples == done.samples).all()
    assert len(draw(tmp_path / "out", 50, seed=3).x) == 50
    (tmp_path / "out" / "pilot.json").write_text("{")
    with pytest.raises(BadInput, match="pilot.json: is damaged"):
        draw(tmp_path / "out", 50, seed=3)


def _identity(of) -> dict[str, str]:
    from lem_safe.runs.resume import identity

    return identity(of, "cpu")


def test_multipliers_that_are_given_need_no_pilot(tmp_path: Path):
    done = run(scenario("{kind: tilt, multipliers: [1.0, 2.0]}"), out=tmp_path / "out", with_report=False)
    assert not (tmp_path / "out" / "pilot.json").exists()
    assert (done.trace["multiplier"] == [1.0, 2.0]).all()
    with pytest.raises(BadInput, match="one number for each of 2 constraints; got 1"):
        scenario("{kind: tilt, multipliers: [1.0]}")
    chained = run(
        scenario("{kind: chain, filters: [{kind: tilt}, {kind: gate}]}"),
        out=tmp_path / "chain",
        with_report=False,
    )
    assert chained.report.passed and (tmp_path / "chain" / "pilot.json").exists()


def test_a_set_that_holds_almost_everything(tmp_path: Path):
    """x < 2.5 holds 99.4 %: rounds are tilted until it holds half, and the multiplier is near its truth."""
    text = CORNER.replace("normal: [1, 0], offset: 0.5", "normal: [-1, 0], offset: -2.5")
    assert text != CORNER
    asked = text.format(
        filter="{kind: tilt}", seed=0, beta=0.2, samples=1000, steps=1500, init="{kind: standard}", audit="{}"
    )
    found, _ = pilot.piloted(*_built(loads(asked)))
    μ, aim = found.filter.multipliers[0], found.scenario.aimed()[0]
    p = 0.99379
    assert abs(μ - np.log(p * (1 - aim) / (aim * (1 - p)))) < 0.5


def _built(of):
    from lem_safe.progress import Silent
    from lem_safe.runs.problem import build

    return build(of, progress=Silent()), Silent()
