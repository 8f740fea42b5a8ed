"""A path that leads to no regular file is refused at once, by name, wherever one is taken; so is a lock that
is none.
"""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from scenario_texts import GOOD, changed

from lem_safe import cli

ENERGY, BALL = "{kind: gaussian, mean: [0, 0], std: 1}", "{kind: ball, center: [2, 0], radius: 0.8}"
INIT = "step_size: 1e-2"
TEXTS = {
    "data": changed(ENERGY, "{kind: trained, data: {kind: file, path: pipe.csv}}"),
    "checkpoint": changed(ENERGY, "{kind: checkpoint, path: pipe.pt}"),
    "points": changed(BALL, "{kind: near_points, points: pipe.npy, radius: 1}"),
    "map": changed(BALL, "{kind: occupancy, map: pipe.yaml}"),
    "picture": changed(BALL, "{kind: occupancy, map: pipe.png, lower: [0, 0], upper: [1, 1]}"),
    "classifier": changed(BALL, "{kind: classifier, path: pipe.safetensors, label: 1}"),
    "start": changed(INIT, f"{INIT}, init: {{kind: file, path: pipe.npz}}"),
}


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder with a pipe under every suffix; waiting for one ends the test."""

    def late(*_: object) -> None:
        raise TimeoutError("a pipe was opened")

    for suffix in ("csv", "pt", "npy", "yaml", "png", "safetensors", "npz", "parquet"):
        os.mkfifo(tmp_path / f"pipe.{suffix}")
    np.save(tmp_path / "x.npy", np.zeros((10, 2)))
    (tmp_path / "s.yaml").write_text(GOOD)
    monkeypatch.chdir(tmp_path)
    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(20)
    yield tmp_path
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.mark.parametrize("part", TEXTS)
def test_a_pipe_in_a_scenario(part: str, place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (place / "odd.yaml").write_text(TEXTS[part])
    assert cli.main(["validate", "odd.yaml"]) == 2
    assert "is a pipe" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [
        "validate pipe.yaml",
        "audit pipe.csv s.yaml",
        "audit pipe.npz s.yaml",
        "audit pipe.npy s.yaml",
        "audit pipe.parquet s.yaml",
        "audit x.npy s.yaml --clouds pipe.npz",
        "thin pipe.csv s.yaml --out new.csv",
        "thin pipe.npz s.yaml --out new.npz",
        "audit x.npy s.yaml --trace pipe.npz",
        "ood s.yaml --against pipe.csv",
        "new new.yaml --data pipe.csv",
    ],
)
def test_a_pipe_on_the_command_line(arguments: str, place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(arguments.split()) == 2
    assert "is a pipe" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["audit x.npy s.yaml", "compare s.yaml", "ood s.yaml --against noise"])
def test_a_directory_that_is_none_is_refused_before_any_work(
    command: str, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for out in ("pipe.csv", "x.npy/below"):
        assert cli.main([*command.split(), "--out", out]) == 2
        assert out in capsys.readouterr().err
