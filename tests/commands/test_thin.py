"""`lem-safe thin`: what it prints, writes and refuses."""

import json
import os
from pathlib import Path

import numpy as np
import pytest

from lem_safe import cli

RULES = """\
version: 1
name: limits
seed: 3
unsafe:
  fast: {kind: rule, where: "`Top Speed` > 1"}
  far: {kind: rule, where: abs(load) > 1.5}
constraints: [{set: fast, beta: 0.05}, {set: far, beta: 0.02}]
"""
THIN = ["thin", "s.csv", "rules.yaml", "--out", "o.csv"]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("rules.yaml").write_text(RULES)
    x = np.random.default_rng(0).normal(size=(500, 2))
    rows = "".join(f"{a:.4f},r{i},{b:.4f}\n" for i, (a, b) in enumerate(x.tolist()))
    Path("s.csv").write_text("Top Speed,name,load\n" + rows)


def test_a_thinned_file_passes_its_audit(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["audit", "s.csv", "rules.yaml"]) == 1
    assert cli.main(THIN) == 0
    shown = capsys.readouterr()
    first = next(line for line in shown.out.splitlines() if line.startswith("o.csv: "))
    kept = len(Path("o.csv").read_text().splitlines()) - 1
    assert f"o.csv: {kept} of 500 rows stay, {500 - kept} are removed (seed 3)" == first
    assert "outside every region" in shown.out and "Guaranteed by construction" in shown.out
    assert "Not claimed: that the rows are independent draws" in shown.out
    assert "count: 500 rows" in shown.err and "copy: 500 rows" in shown.err
    assert cli.main(["audit", "o.csv", "rules.yaml"]) == 0
    again = Path("o.csv").read_bytes()
    assert cli.main([*THIN, "--overwrite", "--quiet"]) == 0 and not capsys.readouterr().err
    assert Path("o.csv").read_bytes() == again
    assert cli.main([*THIN, "--overwrite", "--seed", "4"]) == 0 and Path("o.csv").read_bytes() != again


def test_json_and_values_that_are_replaced(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([*THIN, "--json", "--set", "constraints.0.beta=0", "--set", "seed=9"]) == 0
    shown = capsys.readouterr()
    said = json.loads(shown.out)
    assert not shown.err and said["seed"] == 9 and said["passed"] and said["method"] == "counted"
    fast, far = said["regions"]
    assert (fast["beta"], fast["after"], fast["budget"], fast["multiplier"]) == (0, 0, 0, "inf")
    assert far["after"] == far["budget"] == int(0.02 * said["kept"])
    assert said["outside"] == said["outside_kept"] and 0 < said["kl_needed"] <= said["kl"] + 1e-9


def test_independent_rows_say_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([*THIN, "--independent", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["method"] == "independent" and 60 < said["learned_from"] < 140
    assert "If the samples are independent draws, so are the rows that stay" in said["known"][0]


def test_a_tolerance_that_chance_exceeds_writes_nothing(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lem_safe.thinning.decision.independent_aim", lambda *_: 0.4)
    assert cli.main([*THIN, "--independent"]) == 1
    assert "o.csv: not written, as a tolerance is not met" in capsys.readouterr().err
    assert not Path("o.csv").exists()


REFUSED = [
    (["--out", "o.parquet"], "o.parquet: must end in .csv, or in that and .gz"),
    (["--out", "s.csv", "--overwrite"], "s.csv: is read by this command"),
    (["--out", "rules.yaml", "--overwrite"], "rules.yaml: is read by this command"),
    (["--out", "old.csv"], "old.csv: exists already; choose another name, or --overwrite"),
    (["--out", "d.csv", "--overwrite"], "d.csv: is not a file"),
    (["--separator", ";;"], "separator: must be"),
    (["--missing", "fill"], "missing: must be error, drop or keep"),
    (["--set", "constraints.0.set=none"], "none"),
    (
        ["--set", "unsafe.fast={kind: rule, where: load < 99}", "--set", "constraints.0.beta=0"],
        "meets the tolerances of fast, far together",
    ),
]


@pytest.mark.parametrize(("options", "message"), REFUSED)
def test_what_cannot_be_done_is_refused_and_nothing_written(
    options: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("old.csv").write_text("old")
    Path("d.csv").mkdir()
    before = sorted(os.listdir())
    assert (
        cli.main(["thin", "s.csv", "rules.yaml", *(["--out", "o.csv"] * ("--out" not in options)), *options])
        == 2
    )
    shown = capsys.readouterr()
    assert message in shown.err and not shown.out
    assert sorted(os.listdir()) == before and Path("old.csv").read_text() == "old"


@pytest.mark.parametrize("damage", ["missing.csv", "text", "ragged"])
def test_samples_that_cannot_be_read_are_refused(damage: str, capsys: pytest.CaptureFixture[str]) -> None:
    text = Path("s.csv").read_text()
    Path("bad.csv").write_text(text + {"text": "1,a,b\n", "ragged": "1,a\n"}.get(damage, ""))
    path = "missing.csv" if damage == "missing.csv" else "bad.csv"
    assert cli.main(["thin", path, "rules.yaml", "--out", "o.csv"]) == 2
    assert path in capsys.readouterr().err and not Path("o.csv").exists()
