"""`lem-safe list scenarios` and `lem-safe new --from`: a bundled scenario is found, copied with what it
reads, and runs.
"""

from pathlib import Path

import numpy as np
import pytest

from lem_safe import cli
from lem_safe.authoring.copied import copied
from lem_safe.registry import load
from lem_safe.scenario import bundled, bundled_programs, bundled_scenarios, expected_verdict, first_sentence

pytestmark = pytest.mark.simulation

GALLERY = [name for name, path in bundled_scenarios().items() if path.parent.name == "gallery"]
PROGRAM = '"""Does a thing\nin words. More.\n\nExpected verdict: failed.\n"""\nprint("done")\n'


@pytest.fixture
def with_a_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Bundled scenarios among which is a program."""
    (tmp_path / "bundled" / "gallery").mkdir(parents=True)
    (tmp_path / "bundled" / "gallery" / "a_program.py").write_text(PROGRAM)
    monkeypatch.setattr(bundled, "bundled_directory", lambda: tmp_path / "bundled")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_each_scenario_is_listed_on_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["list", "scenarios"]) == 0
    lines = capsys.readouterr().out.splitlines()
    known = bundled_scenarios() | bundled_programs()
    for name, path in known.items():
        (line,) = [line for line in lines if line.split(maxsplit=1)[:1] == [name]]
        assert line.split(maxsplit=2)[1:] == [expected_verdict(path), first_sentence(path)]
    assert len(lines) == len(known) + 2 and GALLERY


@pytest.mark.parametrize("name", bundled_scenarios())
def test_a_copy_is_the_scenario_under_its_own_name(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "mine.yaml"
    assert cli.main(["new", str(path), "--from", name]) == 0
    told = capsys.readouterr().out
    assert path.read_text().startswith("# yaml-language-server: $schema=./scenario.schema.json\n# ")
    assert (tmp_path / "scenario.schema.json").is_file() and f"lem-safe run {path}" in told
    ours, theirs = load(path), load(name)
    assert ours.name == "mine"
    assert ours.model_copy(update={"name": name}).fingerprint() == theirs.fingerprint()
    beside = copied(name, path).beside
    assert all(to.is_relative_to(tmp_path) and to.is_file() and str(to) in told for to in beside)


def test_a_copy_runs_with_the_verdict_that_is_expected(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert cli.main(["new", "--from", "off_the_walls"]) == 0
    small = ["energy.network.components=8", "energy.training.steps=5", "sampler.samples=500"]
    small += ["sampler.steps=20", "monitors.samples=0"]
    options = [part for value in small for part in ("--set", value)]
    run = ["run", "off_the_walls.yaml", "--out", "out", "--no-report", *options]
    assert cli.main(run) == 0 and capsys.readouterr().out.count("PASSED  off_the_walls") == 1
    x = np.load(tmp_path / "out" / "samples.npz")["x"]
    assert len(x) == 500 and (x > 0).all() and (x < [16, 10]).all()


def test_nothing_is_overwritten(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "a.yaml"
    assert cli.main(["new", str(path), "--from", "off_the_walls"]) == 0
    assert cli.main(["new", str(path), "--from", "off_the_walls"]) == 2
    assert "a.yaml: is there already" in capsys.readouterr().err
    assert cli.main(["new", str(tmp_path / "b.yaml"), "--from", "off_the_walls"]) == 0, "the same files"
    (tmp_path / "data" / "visitors.csv").write_text("x,y\n1,2\n")
    assert cli.main(["new", str(tmp_path / "c.yaml"), "--from", "off_the_walls"]) == 2
    assert "visitors.csv: is there already" in capsys.readouterr().err
    assert not (tmp_path / "c.yaml").exists()
    assert (tmp_path / "data" / "visitors.csv").read_text() == "x,y\n1,2\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--from", "off_the_wall"], "did you mean 'off_the_walls'?"),
        (["--from", "off_the_walls", "--beta", "0.1", "--no-header"], "leave out --beta, --header"),
        (["--from", "off_the_walls", "--energy", "gaussian_mixture"], "leave out --energy"),
        (["mine.py", "--from", "off_the_walls"], "off_the_walls is a scenario: choose a name that ends in"),
        (["no/mine.yaml", "--from", "off_the_walls"], "no: no such directory"),
    ],
)
def test_what_cannot_be_copied_is_refused(
    arguments: list[str],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert cli.main(["new", *arguments]) == 2
    assert message in capsys.readouterr().err and list(tmp_path.iterdir()) == []


def test_a_program_is_listed_copied_and_not_run(
    with_a_program: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["list", "scenarios"]) == 0
    last = capsys.readouterr().out.splitlines()[-1]
    assert last.split(maxsplit=2) == ["a_program", "failed", "Does a thing in words."]
    assert cli.main(["run", "a_program"]) == 2
    assert "python a_program.py" in capsys.readouterr().err
    assert cli.main(["new", "--from", "a_program"]) == 0
    assert Path("a_program.py").read_text() == PROGRAM and not Path("scenario.schema.json").exists()
    assert cli.main(["new", "a.yaml", "--from", "a_program"]) == 2
    assert "choose a name that ends in .py" in capsys.readouterr().err


def test_a_scenario_must_say_what_verdict_to_expect(tmp_path: Path) -> None:
    path = tmp_path / "s.yaml"
    path.write_text("# It shows a thing.\nversion: 1\n# Expected verdict: passed.\n")
    with pytest.raises(ValueError, match="s.yaml: its first comment must say"):
        expected_verdict(path)
