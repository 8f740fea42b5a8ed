"""Steps that were timed once on this machine are not timed again."""

import json
from pathlib import Path
from typing import Any

import pytest

from lem_safe import cli
from lem_safe.authoring import timings
from lem_safe.authoring.cost import cost
from lem_safe.authoring.timings import Timing, Timings, key
from lem_safe.registry import load, loads
from lem_safe.scenario import Scenario

SAME: dict[str, dict[str, Any]] = {
    "more steps": {"sampler.steps": 7},
    "another tolerance": {"constraints.0.beta": 0.2},
    "another seed": {"seed": 5},
    "another rule for passing": {"audit.require": "bound"},
    "another start": {"sampler.init.std": 0.5},
}
OTHERS: dict[str, dict[str, Any]] = {
    "more particles": {"sampler.samples": 6000},
    "another filter": {"filter": {"kind": "step"}},
    "another energy": {"energy.std": 0.4},
    "another region": {"unsafe.pillar.radius": 0.7},
    "more clouds": {"audit.replicas": 3},
    "another precision": {"dtype": "float64"},
}


def scenario(**changes: Any) -> Scenario:
    return load("ring_keep_out", changes)


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Timings:
    monkeypatch.setenv("LEM_SAFE_CACHE", str(tmp_path / "cache"))
    return Timings.here()


@pytest.mark.parametrize("name", SAME)
def test_what_takes_no_time_of_a_step_changes_nothing(name: str) -> None:
    assert key(load("ring_keep_out", SAME[name])) == key(scenario())


@pytest.mark.parametrize("name", OTHERS)
def test_what_does_is_timed_by_itself(name: str) -> None:
    assert key(load("ring_keep_out", OTHERS[name])) != key(scenario())


def test_a_file_counts_by_its_name_size_and_time(tmp_path: Path) -> None:
    (tmp_path / "points.csv").write_text("x0,x1\n1,0\n")
    text = f"""
    version: 1
    name: near
    energy: {{kind: ring}}
    unsafe: {{near: {{kind: near_points, points: {tmp_path / "points.csv"}, radius: 0.2}}}}
    constraints: [{{set: near, beta: 0.05}}]
    sampler: {{kind: langevin, samples: 100, steps: 10, step_size: 0.01}}
    filter: {{kind: gate}}
    """
    before = key(loads(text))
    assert key(loads(text)) == before
    (tmp_path / "points.csv").write_text("x0,x1\n1,0\n1,1\n")
    assert key(loads(text)) != before


def test_what_was_timed_is_said_with_its_date_and_scales_with_the_steps(kept: Timings) -> None:
    kept.keep(scenario(), Timing(0.05, 40))

    def clock() -> float:
        raise AssertionError("nothing is to be timed")

    text = cost(load("ring_keep_out", {"sampler.steps": 2000}), clock, kept)
    found = kept.last(scenario())
    assert found is not None
    assert f"About 100 seconds on this machine, by 40 steps timed on {found.on}." in text


def test_what_was_not_is_timed_and_kept(kept: Timings) -> None:
    ticks = iter(range(10**6))
    text = cost(scenario(), lambda: 0.01 * next(ticks), kept)
    found = kept.last(scenario())
    assert found is not None and f"by {found.steps} timed steps" in text
    assert found.seconds == pytest.approx(0.02)  # of both chains


BROKEN: dict[str, Any] = {
    "not JSON": "{",
    "a list": [],
    "another format": {"format": 2},
    "no number": {"seconds": "fast"},
    "nothing timed": {"steps": 0},
    "negative": {"seconds": -1.0},
    "for ever": {"seconds": float("inf")},
    "endless": {"steps": float("inf")},
    "no date": {"on": "yesterday"},
    "another machine": {"machine": {"name": "elsewhere"}},
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_cannot_be_used_is_not(name: str, kept: Timings) -> None:
    kept.keep(scenario(), Timing(0.05, 40))
    (file,) = kept.directory.iterdir()
    broken = BROKEN[name]
    changed = {**json.loads(file.read_text()), **broken} if isinstance(broken, dict) else broken
    file.write_text(broken if isinstance(broken, str) else json.dumps(changed))
    assert kept.last(scenario()) is None


def test_another_version_of_torch_is_another_machine(kept: Timings, monkeypatch: pytest.MonkeyPatch) -> None:
    kept.keep(scenario(), Timing(0.05, 40))
    found = kept.last(scenario())
    assert found is not None and (found.seconds, found.steps) == (0.05, 40)
    monkeypatch.setattr(timings, "version", lambda package: "9")
    assert kept.last(scenario()) is None


def test_where_nothing_can_be_written_nothing_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "cache").write_text("a file")
    monkeypatch.setenv("LEM_SAFE_CACHE", str(tmp_path / "cache"))
    Timings.here().keep(scenario(), Timing(0.05, 40))
    assert Timings.here().last(scenario()) is None


def test_the_command_times_where_it_is_told_to_and_says_it_again(
    kept: Timings, capsys: pytest.CaptureFixture[str]
) -> None:
    def said(*options: str) -> str:
        assert cli.main(["explain", "ring_keep_out", *options]) == 0
        return " ".join(capsys.readouterr().out.split())

    assert "estimated" in said() and "timed steps." in said("--timing") and "steps timed on" in said()
    assert "timed steps." in said("--timing") and "on this machine" not in said("--no-timing")
    assert "steps timed on" in said("--set", "sampler.steps=50")
    assert "estimated" in said("--set", "sampler.samples=50")


def test_clearing_the_cache_forgets_them(kept: Timings, capsys: pytest.CaptureFixture[str]) -> None:
    kept.keep(scenario(), Timing(0.05, 40))
    assert cli.main(["cache", "--clear"]) == 0
    assert not kept.directory.exists() and kept.last(scenario()) is None


def test_a_place_that_cannot_be_looked_at_has_no_timings(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LEM_SAFE_CACHE", "/" + 300 * "a")
    assert Timings.here().last(scenario()) is None
    Timings.here().keep(scenario(), Timing(0.05, 40))
    monkeypatch.delenv("LEM_SAFE_CACHE")
    monkeypatch.setattr(Path, "home", nobody)
    assert Timings.here().last(scenario()) is None
    Timings.here().keep(scenario(), Timing(0.05, 40))
    Timings.here().forget()
    assert cli.main(["explain", "ring_keep_out"]) == 0 and "estimated" in capsys.readouterr().out
    assert cli.main(["explain", "ring_keep_out", "--timing"]) == 0
    assert "timed steps" in capsys.readouterr().out


def nobody() -> Path:
    raise RuntimeError("Could not determine home directory.")


def test_what_is_swept_takes_no_time_of_a_step() -> None:
    swept = loads(scenario().to_yaml() + "\nsweep: {filter.kind: [gate, step]}\n")
    assert swept.variants and key(swept) == key(scenario())


def test_planted_fault_a_key_that_forgets_the_filter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timings, "BESIDE", (*timings.BESIDE, "filter"))
    assert key(load("ring_keep_out", OTHERS["another filter"])) == key(scenario())
