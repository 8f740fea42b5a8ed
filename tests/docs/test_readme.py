"""The README's code runs, its scenarios validate, its error message is the one printed, its commands
exist.
"""

import re
from pathlib import Path

import pytest

from lem_safe.cli import main
from lem_safe.errors import BadInput
from lem_safe.registry import load, loads

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
COMMANDS = (ROOT / "docs" / "commands.md").read_text()
PYTHON = (ROOT / "docs" / "from-python.md").read_text()


def _blocks(language: str, page: str = README) -> list[str]:
    every = re.findall(r"^```(\w*)\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)
    return [text for kind, text in every if kind == language]


def test_the_python_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("lem_safe.runs.runner.render", lambda directory: directory / "report.html")
    for code in (*_blocks("python"), *_blocks("python", PYTHON)):
        exec(compile(code, "README.md", "exec"), {})
    assert (tmp_path / "runs" / "ring_keep_out" / "samples.npz").exists()


def test_the_scenario_validates_and_so_does_the_energy_from_a_file(tmp_path: Path) -> None:
    whole, energy = _blocks("yaml")
    assert loads(whole).name == "ring_keep_out"
    rows = "\n".join(f"{i / 7},{(i * i) % 11}" for i in range(40))
    (tmp_path / "measurements.csv").write_text("speed,load\n" + rows)
    rest = whole[whole.index("unsafe:") :].replace("gaussian, mean: [-1, 0], std: 0.4", "data")
    (tmp_path / "mine.yaml").write_text("version: 1\nname: mine\n" + energy + rest)
    assert load(tmp_path / "mine.yaml").columns == ["speed", "load"]


def test_the_error_is_the_one_printed() -> None:
    (shown,) = [b for b in _blocks("") if b.startswith("scenario.yaml:")]
    broken = _blocks("yaml")[0].replace("radius", "radios")
    with pytest.raises(BadInput) as caught:
        loads(broken)
    assert str(caught.value.faults[0]).strip() == shown.strip()


@pytest.mark.parametrize("command", re.findall(r"\| `lem-safe (\w+)", COMMANDS))
def test_the_commands_exist(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([command, "--help"]) == 0
    assert "Usage" in capsys.readouterr().out


def test_every_file_it_links_to_is_there() -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        assert (ROOT / target).exists() or target.startswith("http"), target
