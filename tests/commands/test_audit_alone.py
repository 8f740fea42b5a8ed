"""A file of regions and tolerances alone: audited with, and refused by what samples."""

import json
from pathlib import Path

import numpy as np
import pytest

import lem_safe
from lem_safe import cli

RULES = """\
version: 1
name: limits
unsafe:
  fast: {kind: rule, where: speed > 2}
  heavy: {any: [fast, {kind: rule, where: "load > 3 * limit"}]}
constraints:
  - {set: heavy, beta: 0.5}
"""
ROWS = "note,Speed,load,limit,when\na,1,2,3,2020-01-01\nb,3,2,3,\nc,1,12,3,soon\nd,1,2,3,x\n"


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("rules.yaml").write_text(RULES)
    Path("s.csv").write_text(ROWS)


def test_it_audits_and_reads_only_the_columns_that_it_names(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["audit", "s.csv", "rules.yaml", "--out", "out", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["columns"] == ["speed", "load", "limit"] and "Speed -> speed" in found["columns_detail"]
    assert found["constraints"][0]["violations"] == 2 and found["samples"] == 4
    text = Path("out/scenario.yaml").read_text()
    assert not any(key in text for key in ("energy", "sampler", "filter", "monitors"))
    assert cli.main(["report", "out"]) == 0
    assert cli.main(["audit", "s.csv", "out/scenario.yaml", "--json"]) == 0
    capsys.readouterr()
    assert lem_safe.audit("s.csv", "out/scenario.yaml").fingerprint == found["fingerprint"]


@pytest.mark.parametrize(
    "command", ["run rules.yaml", "compare rules.yaml", "train rules.yaml", "ood rules.yaml --against s.csv"]
)
def test_what_samples_names_what_is_missing(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(command.split()) == 2
    said = capsys.readouterr().err
    assert "missing key 'energy'" in said and "missing key 'sampler'" in said and not Path("runs").exists()
    Path("rules.yaml").write_text(RULES + "energy: {kind: gaussian, mean: [0, 0], std: 1}\n")
    assert cli.main(command.split()) == 2
    said = capsys.readouterr().err
    assert "missing key 'energy'" not in said and "missing key 'sampler'" in said


def test_a_misspelt_energy_is_told_once(capsys: pytest.CaptureFixture[str]) -> None:
    Path("rules.yaml").write_text(RULES + "enrgy: {kind: gaussian, mean: [0, 0], std: 1}\n")
    for command in ("run", "validate"):
        assert cli.main([command, "rules.yaml"]) == 2
        said = capsys.readouterr().err
        assert "did you mean 'energy'" in said and "missing key 'energy'" not in said


def test_validate_and_explain_say_what_it_is_for(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["validate", "rules.yaml"]) == 0
    assert "a file to audit with (no energy and no sampler)" in capsys.readouterr().out
    assert cli.main(["explain", "rules.yaml"]) == 0
    said = capsys.readouterr().out
    assert "nothing can be sampled with it" in said and "load > 3 * limit" in said


@pytest.mark.parametrize("disc", ["", "  disc: {kind: ball, center: [0, 0], radius: 1}\n"])
def test_rules_are_read_before_any_samples_are_there(disc: str, capsys: pytest.CaptureFixture[str]) -> None:
    text = RULES.replace("speed > 2", "speed >> 2").replace("unsafe:\n", f"unsafe:\n{disc}")
    Path("rules.yaml").write_text(text)
    assert cli.main(["validate", "rules.yaml"]) == 2
    line = 4 + bool(disc)
    assert f"rules.yaml:{line}:35: unsafe.fast.where: rule: '>>' at character 7" in capsys.readouterr().err


def test_names_that_no_column_has_are_refused_with_their_line(capsys: pytest.CaptureFixture[str]) -> None:
    Path("rules.yaml").write_text(RULES.replace("speed > 2", "velocity > 2"))
    assert cli.main(["audit", "s.csv", "rules.yaml"]) == 2
    assert "rules.yaml:4:29: unsafe.fast.where: rule: unknown column 'velocity'" in capsys.readouterr().err
    np.save("x.npy", np.zeros((5, 3)))
    assert cli.main(["audit", "x.npy", "rules.yaml"]) == 2
    assert "rules.yaml:4:29" in capsys.readouterr().err


def test_a_shape_is_over_all_columns_or_says_over_which(capsys: pytest.CaptureFixture[str]) -> None:
    disc = RULES.replace("{kind: rule, where: speed > 2}", "{kind: ball, center: [0, 0], radius: 1}")
    Path("rules.yaml").write_text(disc)
    assert cli.main(["audit", "s.csv", "rules.yaml"]) == 2
    assert "has 2 dimensions where the samples have 5 columns; say which" in capsys.readouterr().err
    inner = "{kind: columns, columns: [Speed, load], set: {kind: ball, center: [0, 0], radius: 1}}"
    Path("rules.yaml").write_text(disc.replace("{kind: ball, center: [0, 0], radius: 1}", inner))
    assert cli.main(["audit", "s.csv", "rules.yaml"]) == 0
    Path("rules.yaml").write_text(disc.replace("any: [fast, {kind: rule", "any: [fast, {kind: rule"))
    np.save("x.npy", np.zeros((5, 2)))
    assert cli.main(["audit", "x.npy", "rules.yaml"]) == 2  # over names that the array has not
    Path("rules.yaml").write_text(disc.replace("load > 3 * limit", "x1 > 3"))
    capsys.readouterr()
    assert cli.main(["audit", "x.npy", "rules.yaml"]) == 1
    assert "heavy" in capsys.readouterr().out


def test_a_scenario_to_audit_with_is_not_run_from_python_either() -> None:
    scenario = lem_safe.load("rules.yaml", to_audit=True)
    assert scenario.lacking == ("energy", "sampler") and "to audit with" in repr(scenario)
    for use in (lem_safe.run, lem_safe.sweep):
        with pytest.raises(lem_safe.BadInput, match="missing key 'energy'"):
            use(scenario)
    assert lem_safe.audit("s.csv", scenario).constraints[0].violations == 2
    with pytest.raises(lem_safe.BadInput, match="missing key 'sampler'"):
        lem_safe.load("rules.yaml")


def test_names_in_backticks_incomplete_rows_and_a_directory(capsys: pytest.CaptureFixture[str]) -> None:
    rules = RULES.replace("speed > 2", "'`top speed` > `2nd`'").replace("load > 3 * limit", "`PM2.5` > 9")
    Path("rules.yaml").write_text(rules)
    Path("parts").mkdir()
    head = "note;PM2.5;top speed;2nd;note\n"
    Path("parts/a.txt").write_text(head + "x;1,5;3,5;2;\ny;NA;3;2;\n")
    Path("parts/b.txt").write_text(head + ";9,5;1;2;z\n;1;1;2,5;\n")
    assert cli.main(["audit", "parts", "rules.yaml", "--decimal", ","]) == 2
    assert "a.txt:3: column 'PM2.5': 'NA' is not a number" in capsys.readouterr().err
    options = ["--decimal", ",", "--missing", "drop", "--json", "--failing-rows", "rows.csv"]
    assert cli.main(["audit", "parts", "rules.yaml", *options]) == 1
    found = json.loads(capsys.readouterr().out)
    assert (found["samples"], found["dropped"], found["constraints"][0]["violations"]) == (3, 1, 2)
    assert found["columns"] == ["top_speed", "x2nd", "PM2_5"]
    rows = np.loadtxt("rows.csv", delimiter=",", skiprows=1, usecols=0).tolist()
    assert rows == [0, 1]  # numbered without the row that is dropped


MORE = {
    "nothing": "",
    "energy": "energy: {kind: gaussian, mean: [0, 0, 0], std: 1}\n",
    "sampler": "sampler: {kind: langevin, samples: 4, steps: 2, step_size: 0.1}\n",
    "filter": "filter: {kind: gate}\n",
    "seed": "seed: 3\n",
    "dtype": "dtype: float32\n",
    "penalties": "penalties: [{energy: {kind: gaussian, mean: [0, 0, 0], std: 1}, weight: 0.1}]\n",
    "audit": "audit: {confidence: 0.9}\n",
    "stop": "stop: {kind: steps}\n",
    "monitors": "monitors: {every: 20}\n",
}
"""What a file to audit with may say beside its regions."""


@pytest.mark.parametrize("key", MORE)
def test_it_audits_whatever_else_its_file_says(key: str) -> None:
    Path("rules.yaml").write_text(f"{RULES}columns: [speed, load, limit]\n{MORE[key]}")
    found = lem_safe.audit("s.csv", "rules.yaml")
    assert (found.constraints[0].violations, found.samples) == (2, 4)
    assert found.confidence == (0.9 if key == "audit" else 0.95)
