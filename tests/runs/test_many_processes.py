"""A run in several processes is the run in one."""

import os
import signal
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from interrupted import at_moment
from many_processes import in_processes, run_in
from many_scenarios import scenario

from lem_safe.files import read_npz
from lem_safe.keys import BLOCK
from lem_safe.processes.job import Job
from lem_safe.progress import Lines, Silent
from lem_safe.registry import loads
from lem_safe.runs.runner import run
from lem_safe.runs.serving import serve
from lem_safe.training.checkpoint import load_energy

SAME = ("samples", "trace", "reference", "diagnostics")


def arrays(out: Path) -> dict[str, dict[str, np.ndarray]]:
    return {name: read_npz(out / f"{name}.npz") for name in SAME if (out / f"{name}.npz").exists()}


def same_bytes(one: Path, other: Path) -> None:
    assert {p.name for p in one.iterdir()} == {p.name for p in other.iterdir()}
    for name in SAME:
        if (one / f"{name}.npz").exists():
            assert (one / f"{name}.npz").read_bytes() == (other / f"{name}.npz").read_bytes(), name


CASES = {
    "gate": scenario(samples=2 * BLOCK + 5),
    "gate, mala": scenario(sampler="kind: mala, adapt: {steps: 3}"),
    "tilt": scenario("kind: tilt"),
    "reject, tempered": scenario("kind: reject", "kind: parallel_tempering, temperatures: [2.0]"),
    "none, settled": scenario("kind: none", steps=20, more="stop: {kind: settled, records: 1, below: 2}"),
    "gate, metric": scenario(sampler="kind: preconditioned, metric: covariance"),
    "step": scenario("kind: step"),
}


@pytest.mark.parametrize("name", CASES)
def test_the_bytes_are_those_of_one_process(name: str, tmp_path: Path) -> None:
    chosen = CASES[name]
    run_in(1, chosen, tmp_path / "one")
    assert set(run_in(3 if name == "gate" else 2, chosen, tmp_path / "many")) <= {0, 1}
    same_bytes(tmp_path / "one", tmp_path / "many")


AVERAGED = {
    "drift": scenario("kind: drift", more="dtype: float64"),
    "step, smoothed": scenario("kind: step, smoothing: {kind: sigmoid, width: 0.2}", more="dtype: float64"),
    "primal-dual": scenario("kind: primal_dual", more="dtype: float64"),
}


@pytest.mark.parametrize("name", AVERAGED)
def test_what_averages_is_the_same_to_rounding_and_in_a_fixed_order(name: str, tmp_path: Path) -> None:
    chosen = AVERAGED[name]
    run_in(1, chosen, tmp_path / "one")
    assert set(run_in(2, chosen, tmp_path / "many")) <= {0, 1}
    if name == "drift":
        run_in(2, chosen, tmp_path / "again")
        same_bytes(tmp_path / "many", tmp_path / "again")
    one, many = arrays(tmp_path / "one"), arrays(tmp_path / "many")
    for file, found in one.items():
        for key, values in found.items():
            if values.dtype.kind == "f":
                assert np.allclose(values, many[file][key], rtol=1e-9, atol=1e-9, equal_nan=True), (file, key)


class Interrupting(Silent):
    """Asks the process to end when a chain shows its first steps."""

    def __init__(self, title: str):
        self.title, self.now = title, ""

    def start(self, title: str, total: int) -> None:
        self.now = title

    def update(self, done: int, note: str) -> None:
        if self.now.startswith(self.title):
            self.title = "never again"
            os.kill(os.getpid(), signal.SIGTERM)


@pytest.mark.parametrize("first, then", [(2, 1), (3, 2)])
def test_a_run_goes_on_in_another_number_of_processes(first: int, then: int, tmp_path: Path) -> None:
    chosen = scenario(sampler="kind: mala, adapt: {steps: 3}", samples=2 * BLOCK + 5)
    run_in(1, chosen, tmp_path / "one")
    out, asked = tmp_path / "many", Interrupting("filter")
    assert set(run_in(first, chosen, out, progress=asked)) == {143}
    assert int(read_npz(out / "checkpoint.npz")["step"]) == 3
    assert set(run_in(then, chosen, out, resume=True)) <= {0, 1}
    same_bytes(tmp_path / "one", out)


def test_one_process_begins_what_two_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = scenario()
    run_in(1, chosen, tmp_path / "one")
    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        at_moment(60, patched)
        run_in(1, chosen, tmp_path / "many")
    assert (tmp_path / "many" / "checkpoint.npz").exists()
    assert set(run_in(2, chosen, tmp_path / "many", resume=True)) <= {0, 1}
    same_bytes(tmp_path / "one", tmp_path / "many")


def test_more_processes_than_blocks(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    chosen = scenario(samples=BLOCK + 1)
    run_in(1, chosen, tmp_path / "one")
    assert set(run_in(3, chosen, tmp_path / "many", progress=Lines())) <= {0, 1}
    same_bytes(tmp_path / "one", tmp_path / "many")
    assert "2 of 3 processes have work" in capfd.readouterr().err
    small = scenario(samples=100)
    run_in(1, small, tmp_path / "small")
    assert set(run_in(2, small, tmp_path / "alone", progress=Lines())) <= {0, 1}
    same_bytes(tmp_path / "small", tmp_path / "alone")
    assert "1 of 2 processes has work" in capfd.readouterr().err


REFUSED = {
    "birth_death": scenario(sampler="kind: birth_death, every: 2"),
    "structured": scenario("kind: drift, smoothing: {kind: sigmoid, width: 0.2}, backend: cvxpy"),
    "not finite": scenario(step_size=1e38),
}


@pytest.mark.parametrize("why", REFUSED)
def test_a_fault_is_told_once(why: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    status = 3 if why == "not finite" else 2
    assert set(run_in(2, REFUSED[why], tmp_path / "many")) == {status}
    told = capfd.readouterr().err.splitlines()
    assert len(told) == 1 and why in told[0]


def test_a_lost_process_ends_the_job(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """While the others compute without asking it for anything."""

    def lead(job: Job) -> int:
        if job.rank == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        if job.rank:
            return serve(job)
        return run(scenario(samples=2 * BLOCK + 5, steps=10**6), out=tmp_path / "many", group=job).exit_status

    began = time.monotonic()
    assert in_processes(3, lead) == [3, -signal.SIGKILL, 3]
    assert time.monotonic() - began < 40
    told = capfd.readouterr().err.splitlines()
    assert len(told) == 1 and "process 1 of 3" in told[0] and "--resume" in told[0]


TRAINED = """
version: 1
name: trained
energy:
  kind: trained
  data: {kind: eight_gaussians, samples: 300}
  network: {kind: mlp, hidden: 16, depth: 2}
  loss: {kind: calibrated, draws: 32}
  training: {steps: 15, batch_size: 32}
unsafe: {ball: {kind: ball, center: [2, 0], radius: 0.5}}
constraints: [{set: ball, beta: 0.05}]
sampler: {kind: langevin, samples: 100, steps: 2, step_size: 0.01}
filter: {kind: gate}
"""


def test_training_in_three_processes_is_that_in_one_to_rounding(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights = {}
    for size in (1, 3):
        monkeypatch.setenv("LEM_SAFE_CACHE", str(tmp_path / f"cache{size}"))
        assert set(run_in(size, loads(TRAINED), tmp_path / str(size))) <= {0, 1}
        weights[size] = load_energy(tmp_path / str(size) / "energy.safetensors")
    one, three = (saved.energy.state_dict() for saved in weights.values())
    assert all(torch.allclose(one[name], three[name], rtol=1e-3, atol=1e-5) for name in one)
    assert weights[1].metadata["held_out"] == pytest.approx(weights[3].metadata["held_out"], rel=1e-4)
    assert run_in(2, loads(TRAINED), tmp_path / "cached") == [0, 0]  # from the cache


CLOUDS = {
    "batches": scenario(samples=6000, more="audit: {replicas: 5}"),
    "settled": scenario(
        "kind: tilt, multipliers: [1.0, 0.5]",
        samples=3000,
        steps=20,
        more="audit: {replicas: 12}\nstop: {kind: settled, records: 1, below: 2}",
    ),
    "adapted": scenario(sampler="kind: mala, adapt: {steps: 3}", samples=500, more="audit: {replicas: 3}"),
    "born": scenario(sampler="kind: birth_death, every: 2", samples=64, more="audit: {replicas: 4}"),
    "few large ones": scenario(samples=2 * BLOCK + 5, steps=4, more="audit: {replicas: 2}"),
}


@pytest.mark.parametrize("name", CLOUDS)
def test_clouds_in_several_processes_are_those_of_one(name: str, tmp_path: Path) -> None:
    chosen = CLOUDS[name]
    run_in(1, chosen, tmp_path / "one")
    assert set(run_in(3 if name == "few large ones" else 2, chosen, tmp_path / "many")) <= {0, 1}
    same_bytes(tmp_path / "one", tmp_path / "many")


@pytest.mark.parametrize(
    "name, first, then", [("batches", 2, 1), ("adapted", 2, 3), ("few large ones", 3, 2)]
)
def test_clouds_go_on_in_another_number_of_processes(
    name: str, first: int, then: int, tmp_path: Path
) -> None:
    chosen = CLOUDS[name]
    run_in(1, chosen, tmp_path / "one")
    assert set(run_in(first, chosen, tmp_path / "many", progress=Interrupting("filter"))) == {143}
    assert (tmp_path / "many" / "checkpoint.npz").exists()
    assert set(run_in(then, chosen, tmp_path / "many", resume=True)) <= {0, 1}
    same_bytes(tmp_path / "one", tmp_path / "many")
