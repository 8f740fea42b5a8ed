"""Runs: what lies in the directory, the same bytes twice, the same bytes after any interruption, and what is
refused.
"""

import json
import os
import pickle
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from functools import cache
from multiprocessing import get_context
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from scenario_texts import THREE_MODES

import lem_safe
from barriers.budget import budget
from barriers.sets import build_sets
from lem_safe.errors import BadInput, NumericalFailure
from lem_safe.progress import Silent
from lem_safe.registry import loads
from lem_safe.runs.problem import build
from lem_safe.runs.result import Run
from lem_safe.runs.runner import run
from lem_safe.runs.warnings import warn_of_start
from lem_safe.scenario import Scenario

pytestmark = pytest.mark.simulation

TEXT = THREE_MODES.replace("FILTER", "{kind: FILTER}")


def _scenario(kind: str = "step", **replaced: str) -> Scenario:
    text = TEXT.replace("FILTER", kind)
    for old, new in replaced.items():
        text = text.replace(
            {"steps": "steps: 120", "start": "mean: [-1, 0]", "energy": "std: 0.5}", "h": "step_size: 0.01"}[
                old
            ],
            new,
        )
    return loads(text)


def _arrays(done: Run, name: str) -> dict[str, np.ndarray]:
    with np.load(done.directory / name) as archive:
        return dict(archive)


@pytest.fixture(autouse=True)
def _no_pictures(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """The report has tests of its own, and takes longer than these runs; one test here makes it."""
    if "contract" not in request.node.name:
        monkeypatch.setattr("lem_safe.runs.runner.render", lambda directory: directory / "report.html")


def test_the_directory_is_the_contract(tmp_path: Path) -> None:
    done = run(_scenario(), out=tmp_path / "out")
    names = {p.name for p in (tmp_path / "out").iterdir()}
    assert {
        "scenario.yaml",
        "samples.npz",
        "trace.npz",
        "audit.json",
        "report.html",
        "figures",
        "run.json",
    } <= names
    assert not {n for n in names if n.startswith(".") or n in ("checkpoint.npz", "begun.json")}
    x = _arrays(done, "samples.npz")["x"]
    assert x.dtype == np.float32 and x.shape == (400, 2)
    trace = _arrays(done, "trace.npz")
    assert {k: v.shape for k, v in trace.items() if not k.startswith("monitor_")} == {
        "step": (120,),
        "fraction": (120, 2),
        "surrogate": (120, 2),
        "limit": (2,),
        "multiplier": (120, 2),
        "shortfall": (120, 2),
        "moves": (120,),
        "start": (2,),
    }
    assert all(v.dtype == np.float64 for v in trace.values())
    assert (trace["step"] == np.arange(1, 121)).all()
    assert (trace["surrogate"] <= trace["limit"] + 1e-15).all()
    audit = json.loads((tmp_path / "out" / "audit.json").read_text())
    assert {
        "schema_version",
        "passed",
        "samples",
        "confidence",
        "assumes",
        "constraints",
        "scenario",
        "fingerprint",
    } <= set(audit)
    wanted = {
        "set",
        "beta",
        "violations",
        "fraction",
        "upper_bound",
        "max_fraction_over_steps",
        "clearance_min",
        "verdict",
        "passed",
    }
    assert wanted <= set(audit["constraints"][0])
    facts = json.loads((tmp_path / "out" / "run.json").read_text())
    assert {
        "versions",
        "commit",
        "device",
        "seed",
        "wall_seconds",
        "peak_memory_mib",
        "resumed_from_step",
    } <= set(facts)


def test_the_last_row_of_the_trace_is_the_final_cloud_and_no_row_exceeds_the_budget(tmp_path: Path) -> None:
    scenario = _scenario("gate")
    done = run(scenario, out=tmp_path / "out")
    sets = build_sets(scenario.unsafe, ("x0", "x1"))
    x = torch.from_numpy(done.samples).double()
    fraction = done.trace["fraction"]
    assert [float(sets[n].contains(x).double().mean()) for n in ("disc", "right")] == fraction[-1].tolist()
    limits = [budget(0.05, 400), budget(0.07, 400)]
    assert (np.round(fraction * 400) <= limits).all()
    assert np.round(fraction.max(0) * 400).tolist() == limits  # the gate fills what it may


@pytest.mark.parametrize("kind", ["step", "gate", "drift"])
def test_same_scenario_and_seed_same_bytes_another_seed_others(kind: str, tmp_path: Path) -> None:
    outs = [tmp_path / name for name in ("a", "b", "c")]
    for out, seed in zip(outs, (0, 0, 1), strict=True):
        run(_scenario(kind), out=out, seed=seed)
    a, b, c = ((out / "samples.npz").read_bytes() for out in outs)
    assert a == b and a != c
    again = run(outs[0] / "scenario.yaml", out=tmp_path / "again")
    assert (again.directory / "samples.npz").read_bytes() == a


class _StopAt:
    """A progress that interrupts the run at the k-th step of one chain."""

    def __init__(self, title: str, k: int):
        self.title, self.k, self.now = title, k, ""

    def start(self, title: str, total: int) -> None:
        self.now = title

    def update(self, done: int, note: str) -> None:
        if self.now.startswith(self.title) and done >= self.k:
            raise KeyboardInterrupt

    def finish(self, note: str) -> None: ...

    def say(self, text: str) -> None: ...


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Run]:
    """The run of a filter that nothing interrupts."""

    @cache
    def done(kind: str) -> Run:
        return run(_scenario(kind), out=tmp_path_factory.mktemp(kind) / "whole", with_report=False)

    return done


@pytest.mark.parametrize(
    ("title", "k"), [("unfiltered", 1), ("unfiltered", 50), ("filter", 7), ("filter", 119)]
)
@pytest.mark.parametrize("kind", ["step", "drift"])
def test_an_interrupted_run_resumes_bit_for_bit(
    title: str,
    k: int,
    kind: str,
    whole: Callable[[str], Run],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    expected = whole(kind).directory
    monkeypatch.setattr("lem_safe.runs.chain.REFRESH_SECONDS", -1.0)
    with pytest.raises(KeyboardInterrupt):
        run(_scenario(kind), out=tmp_path / "cut", progress=_StopAt(title, k))
    assert (tmp_path / "cut" / "checkpoint.npz").exists()
    done = run(_scenario(kind), out=tmp_path / "cut", resume=True)
    for name in ("samples.npz", "trace.npz", "reference.npz"):
        assert (done.directory / name).read_bytes() == (expected / name).read_bytes()
    facts = json.loads((done.directory / "run.json").read_text())
    assert facts["resumed_from_step"] == k
    assert not (done.directory / "checkpoint.npz").exists()


def _runs_to_its_end(scenario: Path, out: Path) -> None:
    """What a killed process does."""
    run(scenario, out=out, resume=True, checkpoint_seconds=0.02)


def _changed(path: Path) -> int:
    return path.stat().st_mtime_ns if path.exists() else 0


def test_killed_without_warning_it_resumes_to_the_same_bytes(tmp_path: Path) -> None:
    """Four processes, each killed shortly after a checkpoint of its own."""
    scenario = tmp_path / "s.yaml"
    scenario.write_text(TEXT.replace("FILTER", "gate").replace("steps: 120", "steps: 1000"))
    whole = run(scenario, out=tmp_path / "whole")
    cut = tmp_path / "cut"
    checkpoint = cut / "checkpoint.npz"
    rng = np.random.default_rng(0)
    for _ in range(4):
        process = get_context("fork").Process(target=_runs_to_its_end, args=(scenario, cut))
        before, deadline = _changed(checkpoint), time.monotonic() + 120
        process.start()
        while _changed(checkpoint) == before and process.is_alive() and time.monotonic() < deadline:
            time.sleep(0.002)
        time.sleep(float(rng.uniform(0, 0.05)))
        process.kill()
        process.join()
        assert process.exitcode == -signal.SIGKILL and not (cut / "run.json").exists()
    done = run(scenario, out=cut, resume=True)
    assert json.loads((cut / "run.json").read_text())["resumed_from_step"]
    for name in ("samples.npz", "trace.npz"):
        assert (done.directory / name).read_bytes() == (whole.directory / name).read_bytes()
    leftovers = [p.name for p in cut.iterdir() if p.name.startswith(".") and "npz" not in p.name]
    assert leftovers == []


def test_a_directory_in_use_is_refused_while_its_owner_lives(tmp_path: Path) -> None:
    from lem_safe.run_directory import RunDirectory

    with (
        RunDirectory(tmp_path / "out"),
        pytest.raises(BadInput, match=f"process {os.getpid()} is writing here"),
    ):
        run(_scenario(), out=tmp_path / "out", resume=True)
    assert not (tmp_path / "out").exists()  # nothing was written, nothing is left
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / ".lock").write_text("1")  # left by a dead process: nothing holds it
    assert run(_scenario(), out=tmp_path / "out", resume=True).report.samples == 400


def test_out_must_be_fresh_and_a_finished_run_answers_again(tmp_path: Path) -> None:
    done = run(_scenario(), out=tmp_path / "out")
    with pytest.raises(BadInput, match="not empty"):
        run(_scenario(), out=tmp_path / "out")
    again = run(_scenario(), out=tmp_path / "out", resume=True)
    assert again.report == done.report and again.exit_status == done.exit_status
    with pytest.raises(BadInput, match="another scenario"):
        run(_scenario(), out=tmp_path / "out", seed=5, resume=True)


def test_a_changed_scenario_is_not_continued(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lem_safe.runs.chain.REFRESH_SECONDS", -1.0)
    with pytest.raises(KeyboardInterrupt):
        run(_scenario(), out=tmp_path / "out", progress=_StopAt("filter", 5))
    with pytest.raises(BadInput, match="begun with another scenario: seed was 0 and is 3; resume with"):
        run(_scenario(), out=tmp_path / "out", seed=3, resume=True)


def test_chains_that_are_done_are_not_continued_by_another_scenario(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = run(_scenario("gate"), out=tmp_path / "out")
    for name in ("run.json", "audit.json", "report.html"):
        (done.directory / name).unlink(missing_ok=True)
    with pytest.raises(BadInput, match="not what they were begun with"):
        run(_scenario("gate", start="mean: [-1, 0.1]"), out=tmp_path / "out", resume=True)


def test_strict_is_asked_of_a_finished_run_too(tmp_path: Path) -> None:
    assert run(_scenario("gate"), out=tmp_path / "out").exit_status == 0
    assert run(_scenario("gate"), out=tmp_path / "out", resume=True, strict=True).exit_status == 1


def test_a_run_s_own_samples_stay_a_coupled_cloud(tmp_path: Path) -> None:
    done = run(_scenario("gate"), out=tmp_path / "out")
    assert (
        lem_safe.audit(done.directory / "samples.npz", done.scenario).assumes
        == "coupled cloud: bound not claimed"
    )
    x = done.samples
    kept = pickle.loads(pickle.dumps(x))
    for rows in (
        x,
        x[:50],
        1.0 * x,
        x[::-1],
        x.copy(),
        kept,
        np.concatenate([x, x]),
        np.vstack([np.zeros((3, 2)), x]),
        np.where(x > 0, x, x),
    ):
        assert lem_safe.audit(rows, done.scenario).assumes == "coupled cloud: bound not claimed"
    assert isinstance(float(x.mean()), float) and not hasattr(x.mean(), "coupled")


def test_clouds_in_memory_are_the_clouds_of_their_file(tmp_path: Path) -> None:
    """The README's own lines, with replicas: the same bound as from the file, and none from a part of
    them.
    """
    done = run(loads(TEXT.replace("FILTER", "gate") + "audit: {replicas: 5}\n"), out=tmp_path / "out")
    of_file, of_array = (
        lem_safe.audit(source, done.scenario) for source in (done.directory / "samples.npz", done.samples)
    )
    assert (of_array.unit, of_array.units, of_array.assumes) == ("cloud", 5, "independent clouds")
    assert [c.upper_bound for c in of_array.constraints] == [c.upper_bound for c in of_file.constraints]
    assert lem_safe.audit(done.samples[10:], done.scenario).assumes == "coupled cloud: bound not claimed"
    free = run(_scenario("none"), out=tmp_path / "free")
    assert lem_safe.audit(free.samples, free.scenario).assumes == "independent samples"


def test_names_are_looked_up_in_the_samples_header_first(tmp_path: Path) -> None:
    rule = TEXT.replace("FILTER", "gate").replace(
        "{kind: ball, center: [1, 0], radius: 0.6}", '{kind: rule, where: "speed > 1"}'
    )
    (tmp_path / "rule.yaml").write_text(rule)
    (tmp_path / "named.csv").write_text("speed,load\n0.5,1\n2,1\n")
    report = lem_safe.audit(tmp_path / "named.csv", tmp_path / "rule.yaml")
    assert report.constraints[0].violations == 1
    (tmp_path / "other.csv").write_text("pace,load\n0.5,1\n2,1\n")
    with pytest.raises(BadInput, match="unknown column 'speed'"):
        lem_safe.audit(tmp_path / "other.csv", tmp_path / "rule.yaml")


@pytest.mark.parametrize(("arguments", "status"), [(["run", "nosuch"], 2), (["--help"], 0)])
def test_a_reader_of_stderr_that_has_gone_changes_no_status(arguments: list[str], status: int) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    process = subprocess.run(
        [sys.executable, "-m", "lem_safe.cli", *arguments],
        stderr=writer,
        stdout=subprocess.DEVNULL,
        check=False,
    )
    os.close(writer)
    assert process.returncode == status


def test_a_diverging_chain_names_step_and_number(tmp_path: Path) -> None:
    scenario = _scenario("none", h="step_size: 40.0", energy="std: 0.05}")
    with pytest.raises(
        NumericalFailure, match=r"unfiltered: step \d+: particle \d+ is not finite .*step_size 40"
    ):
        run(scenario, out=tmp_path / "out")
    assert not (tmp_path / "out" / "samples.npz").exists()


def test_what_cannot_be_built_writes_nothing(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="cuda"):
        run(_scenario(), out=tmp_path / "out", device="cuda") if not torch.cuda.is_available() else _refuse()
    with pytest.raises(BadInput, match=r"beta \(or the aim below it\) must be > 0"):
        loads(TEXT.replace("FILTER", "drift").replace("beta: 0.05", "beta: 0"))
    (tmp_path / "file").write_text("x")
    with pytest.raises(BadInput):
        run(_scenario(), out=tmp_path / "file" / "below")


def _refuse() -> None:
    raise BadInput("cuda is here")


def test_unfiltered_samples_claim_a_bound_and_a_filtered_cloud_does_not(tmp_path: Path) -> None:
    free = run(_scenario("none"), out=tmp_path / "none")
    assert free.report.assumes == "independent samples" and free.exit_status == 1
    assert np.isnan(free.trace["multiplier"]).all() and not (free.directory / "reference.npz").exists()
    assert run(_scenario("gate"), out=tmp_path / "gate").report.assumes == "coupled cloud: bound not claimed"
    assert run(_scenario("reject"), out=tmp_path / "reject").report.assumes == "independent samples"


def test_a_start_over_the_tolerance_is_said_and_fails(tmp_path: Path) -> None:
    said: list[str] = []
    listener = _StopAt("never", 0)
    listener.say = said.append  # type: ignore[method-assign]
    done = run(_scenario("gate", start="mean: [1, 0]"), out=tmp_path / "out", progress=listener)
    assert len(said) == 2 and said[0].startswith("the start is over: disc holds ")
    assert done.exit_status == 1


def test_the_start_of_every_cloud_is_looked_at() -> None:
    """The first cloud is within its tolerance, the second and the third are not: both are told, with the
    fullest.
    """
    problem, said = build(_scenario("gate"), progress=Silent()), []
    listener = SimpleNamespace(say=said.append)
    allowed = budget(problem.betas[0], n := problem.scenario.sampler.samples)
    far, near = (
        torch.full((n, 2), -50.0),
        torch.tensor(problem.scenario.unsafe["disc"]["center"], dtype=torch.float32),
    )
    starts = [far.clone() for _ in range(4)]
    for r, inside in ((0, allowed), (1, allowed + 1), (2, allowed + 7)):
        starts[r][:inside] = near
    warn_of_start(problem, starts, listener)
    assert len(said) == 1 and said[0].startswith("the start is over in 2 of 4 clouds: disc holds up to ")
    assert f"up to {allowed + 7} of {n:,} particles, tolerated {allowed}" in said[0]
    warn_of_start(problem, starts[:1], listener)
    assert len(said) == 1


def test_float64_is_kept_to_the_file(tmp_path: Path) -> None:
    scenario = loads(
        TEXT.replace("FILTER", "gate").replace("name: three_modes", "name: three_modes\ndtype: float64")
    )
    assert run(scenario, out=tmp_path / "out").samples.dtype == np.float64


@pytest.mark.parametrize("kind", ["gate", "step"])
def test_a_hundred_thousand_particles(kind: str, tmp_path: Path) -> None:
    done = run(_scenario(kind), out=tmp_path / "out", samples=100_000, steps=15)
    assert done.report.passed and done.samples.shape == (100_000, 2)
