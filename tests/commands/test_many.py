"""Commands in several processes: one of them speaks."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from many_processes import commands_in, free_port
from many_scenarios import scenario


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "many.yaml"
    path.write_text(scenario(samples=20_000, steps=3).to_yaml())
    return str(path)


def test_a_run_is_told_and_written_once(file: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    status = commands_in(2, "run", file, "--out", str(out), "--json", "--no-report")
    assert status in ([0, 0], [1, 1])
    told = capfd.readouterr()
    assert json.loads(told.out)["samples"] == 20_000 and told.err == ""
    assert (out / "run.json").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("run", "nowhere.yaml"), "nowhere.yaml"),
        (("run", "FILE", "--set", "sampler.steps=-1"), "must be > 0"),
        (("audit", "x.npz", "FILE"), "lem-safe audit: is done by one process, and srun has started 2"),
        (("train", "FILE"), "energy.kind"),
    ],
)
def test_what_is_wrong_is_told_once(
    arguments: tuple[str, ...], words: str, file: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert commands_in(2, *(file if a == "FILE" else a for a in arguments)) == [2, 2]
    told = capfd.readouterr().err
    assert told.count(words) == 1 and "Traceback" not in told


def test_an_unknown_option_is_told_once(capfd: pytest.CaptureFixture[str]) -> None:
    assert commands_in(2, "run", "x.yaml", "--nonsense", launcher="torchrun") == [2, 2]
    assert capfd.readouterr().err.count("--nonsense") == 1


@pytest.mark.long
def test_torchrun_starts_it(file: str, tmp_path: Path) -> None:
    program = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2"]
    program += ["--master-port", str(free_port()), "-m", "lem_safe", "run", file, "--no-report", "--json"]
    done = subprocess.run(
        [*program, "--out", str(tmp_path / "out")], capture_output=True, text=True, env={**os.environ}
    )
    assert done.returncode in (0, 1)
    assert json.loads(done.stdout)["samples"] == 20_000
