"""`lem-safe quality`: what it prints, writes and refuses."""

import json
import os
from pathlib import Path

import numpy as np
import pytest

from lem_safe import cli
from lem_safe.judging import judge
from lem_safe.judging.effort import Effort

QUICK = Effort(3, 500, 2, 100, 10, 100, 200, ("boosting",))
ASKED = ["quality", "samples.csv", "--real", "real.csv"]


def written(name: str, n: int, seed: int, shift: float = 0.0) -> None:
    rng = np.random.default_rng(seed)
    x, kind = rng.normal(shift, 1, n), rng.integers(0, 2, n)
    rows = [
        f"{a:.2f},{'ab'[k]},2020-01-{1 + i % 28:02}" for i, (a, k) in enumerate(zip(x, kind, strict=True))
    ]
    Path(name).write_text("\n".join(["größe,kind,day", *rows]) + "\n")


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(judge, "FULL", QUICK)
    written("real.csv", 120, 0)
    written("samples.csv", 80, 1)


def test_it_prints_a_verdict_and_writes_a_page(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([*ASKED, "--out", "q", "--target", "kind"]) == 0
    shown = capsys.readouterr()
    first, *_, last = shown.out.splitlines()
    assert first.startswith("80 samples, 120 real rows, 3 columns: ") and last == "q/quality.html"
    assert "judging: 80 samples against 120 real rows" in shown.err
    assert sorted(os.listdir("q")) == ["figures", "quality.html", "quality.json"]
    assert sorted(os.listdir("q/figures")) == ["associations.png", "columns.png"]
    said = json.loads(Path("q/quality.json").read_text())
    assert said["schema_version"] == 1 and said["target"]["column"] == "kind"
    page = Path("q/quality.html").read_text()
    assert "größe" in page and "http" not in page.replace("http://www.w3.org", "")


def test_json_alone_is_on_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([*ASKED, "--json", "--holdout", "samples.csv"]) == 0
    shown = capsys.readouterr()
    said = json.loads(shown.out)
    assert not shown.err and said["holdout"] == "samples.csv" and said["copies"]["of_holdout"] == 80
    assert {m["name"] for m in said["measures"]} >= {"columns_mean", "nearer", "auc_boosting"}


def test_what_is_different_is_no_failure(capsys: pytest.CaptureFixture[str]) -> None:
    written("samples.csv", 80, 1, shift=4.0)
    assert cli.main([*ASKED, "--quiet", "--columns", "größe, kind"]) == 0
    shown = capsys.readouterr()
    assert "are beyond the noise" in shown.out and not shown.err and "not asked for: day" in shown.out


REFUSED = [
    (["--real", "none.csv"], "none.csv: no such file"),
    (["--target", "size"], "--target: no column 'size'; the columns are größe, kind, day"),
    (["--columns", "kindd"], "no column 'kindd'; did you mean 'kind'?"),
    (["--columns", ","], "--columns: names no column"),
    (["--category", "x"], "--category: no column 'x' is judged"),
    (["--out", "full"], "full: is not empty"),
    (["--out", "real.csv"], "real.csv: is a file"),
    (["--holdout", "real.csv", "--holdout-share", "0.2"], "--holdout-share: is given beside --holdout"),
    (["--holdout-share", "0"], "holdout_share: must be > 0 and < 1; got 0"),
    (["--separator", ";;"], "separator: must be"),
    (["--holdout", "bad.csv"], "bad.csv:2: column 'größe': 'x' is not a number"),
    (["--seed", "-1"], "--seed"),
]


@pytest.mark.parametrize(("options", "message"), REFUSED)
def test_what_cannot_be_judged_is_refused(
    options: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("full").mkdir()
    Path("full/x").touch()
    Path("bad.csv").write_text("größe,kind,day\nx,a,2020-01-01\n")
    before = sorted(os.listdir())
    assert cli.main([*ASKED, *options]) == 2
    shown = capsys.readouterr()
    assert message in shown.err and not shown.out and "Traceback" not in shown.err
    assert sorted(os.listdir()) == before


def test_arrays_of_a_run_are_judged_by_position(capsys: pytest.CaptureFixture[str]) -> None:
    x = np.random.default_rng(0).normal(size=(100, 2))
    np.savez("samples.npz", x=x[:50].astype(np.float32), columns=np.array(["a", "b"]))
    np.savetxt("real.csv", x, delimiter=",", header="b,a", comments="")
    assert cli.main(["quality", "samples.npz", "--real", "real.csv", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert [c["name"] for c in said["columns"]] == ["b", "a"] and said["copies"]["of_real"] == 0
