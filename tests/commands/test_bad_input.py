"""Bad input: exit 2, the place, the rule and the way out on stderr, nothing on stdout, nothing
half-written.
"""

import re
from pathlib import Path

import numpy as np
import pytest
from scenario_texts import GOOD, changed

from lem_safe import cli

RULE = '{kind: rule, where: "%s"}'


def rule(where: str) -> str:
    return changed("{kind: half_space, normal: [1, 0], offset: 3}", RULE % where)


SCENARIOS = {
    "unknown key": (changed("radius: 0.8", "radius: 0.8, colour: red"), 5, "unknown key 'colour'"),
    "near neighbour": (changed("filter:", "fliter:"), 11, "did you mean 'filter'?"),
    "duplicate key": (GOOD + "name: again\n", 12, "'name' is given twice; it stands on line 2"),
    "dimension of a centre": (
        changed("center: [2, 0]", "center: [2]"),
        5,
        "has 1 dimension where the energy has 2",
    ),
    "radius -1": (changed("radius: 0.8", "radius: -1"), 5, "must be > 0; got -1"),
    "beta 1": (changed("beta: 0.03", "beta: 1"), 9, "must be < 1; got 1"),
    "beta negative": (changed("beta: 0.03", "beta: -.1"), 9, "must be >= 0; got -0.1"),
    "rule __import__": (rule("__import__('os').system('true') > 0"), 6, "__import__"),
    "rule attribute": (rule("x0.real > 0"), 6, "unsafe.wall.where"),
    "rule unknown column": (rule("x0 > x9"), 6, "x9"),
    "rule unclosed bracket": (rule("sqrt(x0 > 0"), 6, "unsafe.wall.where"),
    "rule infinite constant": (rule("x0 > 1e999"), 6, "unsafe.wall.where"),
}


@pytest.mark.parametrize("name", SCENARIOS)
@pytest.mark.parametrize("command", ["validate", "run"])
def test_a_bad_scenario(name: str, command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    text, line, message = SCENARIOS[name]
    path, out = tmp_path / "s.yaml", tmp_path / "out"
    path.write_text(text)
    assert cli.main([command, str(path), *(["--out", str(out)] if command == "run" else [])]) == 2
    shown = capsys.readouterr()
    assert shown.out == "" and not out.exists()
    first = shown.err.splitlines()[0]
    assert re.match(rf"{re.escape(str(path))}:{line}:\d+: ", first), first
    assert message in first
    assert "Traceback" not in shown.err and "pydantic" not in shown.err


TABLES = {
    "text in a number column": ("a,b\n1,2\n3,four\n", "four"),
    "NaN": ("a,b\n1,2\nnan,3\n", "nan"),
    "a gap": ("a,b\n1,2\n,3\n", "rows.csv:3: "),
    "zero rows": ("a,b\n", "no rows"),
    "empty": ("", ""),
    "ragged": ("a,b\n1,2\n1,2,3\n", "rows.csv:3: "),
}


@pytest.mark.parametrize("name", TABLES)
def test_training_data_that_cannot_be_used(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    content, message = TABLES[name]
    (tmp_path / "rows.csv").write_text(content)
    text = changed(
        "{kind: gaussian, mean: [0, 0], std: 1}", "{kind: trained, data: {kind: file, path: rows.csv}}"
    )
    (tmp_path / "s.yaml").write_text(text)
    assert cli.main(["run", str(tmp_path / "s.yaml"), "--out", str(tmp_path / "out")]) == 2
    shown = capsys.readouterr()
    assert shown.err.startswith(str(tmp_path)) and message.lower() in shown.err.lower(), shown.err
    assert not (tmp_path / "out").exists() and shown.out == ""


@pytest.mark.parametrize("name", TABLES)
def test_samples_that_cannot_be_audited(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    content, message = TABLES[name]
    (tmp_path / "rows.csv").write_text(content)
    (tmp_path / "s.yaml").write_text(GOOD)
    assert (
        cli.main(
            ["audit", str(tmp_path / "rows.csv"), str(tmp_path / "s.yaml"), "--out", str(tmp_path / "out")]
        )
        == 2
    )
    shown = capsys.readouterr()
    assert "rows.csv" in shown.err and message.lower() in shown.err.lower(), shown.err
    assert not (tmp_path / "out").exists() and shown.out == ""


def test_samples_whose_columns_do_not_fit(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    np.save(tmp_path / "x.npy", np.zeros((10, 3)))
    (tmp_path / "s.yaml").write_text(GOOD)
    assert cli.main(["audit", str(tmp_path / "x.npy"), str(tmp_path / "s.yaml")]) == 2
    assert "3 columns" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["run", "audit"])
def test_an_output_directory_that_cannot_be_written(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    (tmp_path / "s.yaml").write_text(GOOD)
    (tmp_path / "file").write_text("")
    np.save(tmp_path / "x.npy", np.zeros((10, 2)))
    scenario = str(tmp_path / "s.yaml")
    arguments = ["run", scenario] if command == "run" else ["audit", str(tmp_path / "x.npy"), scenario]
    for out in (tmp_path / "file", tmp_path / "file" / "below"):
        assert cli.main([*arguments, "--out", str(out)]) == 2
        shown = capsys.readouterr()
        assert str(out) in shown.err and shown.out == ""


def test_a_scenario_that_does_not_exist(capsys: pytest.CaptureFixture[str]):
    assert cli.main(["run", "eight_gausians"]) == 2
    assert "did you mean 'eight_gaussians'?" in capsys.readouterr().err
    assert cli.main(["run", "nowhere/none.yaml"]) == 2
    assert "nowhere/none.yaml: no such file" in capsys.readouterr().err


def test_numbers_on_the_command_line_are_checked_like_those_in_the_file(capsys: pytest.CaptureFixture[str]):
    assert cli.main(["run", "ring_keep_out", "--samples", "0", "--steps", "-3", "--seed", "-1"]) == 2
    err = capsys.readouterr().err
    assert all(f"{option}: " in err for option in ("--samples", "--steps", "--seed"))


UNWHITENABLE = {
    "constant": ("a,b,c\n" + "".join(f"{i},{i * i % 7},5\n" for i in range(9)), "column 'c' is constant"),
    "dependent": (
        "a,b,c\n" + "".join(f"{i},{2 * i},{i * i % 7}\n" for i in range(9)),
        "columns a, b determine each other exactly",
    ),
    "one row": ("a,b\n1,2\n", "1 rows are too few for 2 columns"),
}


@pytest.mark.parametrize("name", UNWHITENABLE)
def test_validate_finds_a_training_table_that_cannot_be_whitened(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    content, message = UNWHITENABLE[name]
    (tmp_path / "rows.csv").write_text(content)
    text = changed(
        "{kind: gaussian, mean: [0, 0], std: 1}", "{kind: trained, data: {kind: file, path: rows.csv}}"
    )
    (tmp_path / "s.yaml").write_text(text)
    assert cli.main(["validate", str(tmp_path / "s.yaml")]) == 2
    first = capsys.readouterr().err.splitlines()[0]
    assert first.startswith(f"{tmp_path}/s.yaml:3:31: energy.data: ") and message in first, first


def test_a_start_file_that_is_too_short_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("lem_safe.runs.runner.render", lambda directory: directory / "report.html")
    (tmp_path / "s.yaml").write_text(
        changed("step_size: 1e-2", "step_size: 1e-2, init: {kind: file, path: rows.csv}")
    )
    for rows, told in ((3, True), (100, False)):
        (tmp_path / "rows.csv").write_text("x0,x1\n" + "".join(f"{i},{-i}\n" for i in range(rows)))
        cli.main(["run", str(tmp_path / "s.yaml"), "--out", str(tmp_path / str(rows))])
        assert ("has 3 different rows for 100 particles" in capsys.readouterr().err) == told


def test_only_a_run_is_told_to_resume(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    (tmp_path / "s.yaml").write_text(GOOD)
    np.save(tmp_path / "x.npy", np.zeros((10, 2)))
    for arguments, resumable in ((["audit", str(tmp_path / "x.npy")], False), (["run"], True)):
        assert cli.main([*arguments, str(tmp_path / "s.yaml"), "--out", str(tmp_path)]) == 2
        err = capsys.readouterr().err
        assert "is not empty" in err and ("--resume" in err) == resumable
