"""A sweep is one job: a run directory for every combination, one table, the worst exit status, resumable."""

import json
import re
from pathlib import Path

import pytest
from scenario_texts import GOOD

import lem_safe
from lem_safe import cli
from lem_safe.errors import BadInput, NumericalFailure
from lem_safe.runs import sweep as sweeping

pytestmark = pytest.mark.simulation


@pytest.fixture(autouse=True)
def _no_pictures(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("lem_safe.runs.runner.render", lambda directory: directory / "report.html")


@pytest.fixture
def scenario(tmp_path: Path) -> Path:
    path = tmp_path / "s.yaml"
    path.write_text(
        GOOD.replace("kind: gate", "kind: none")
        + "sweep: {constraints.0.beta: [0.9, 0], sampler.samples: [20, 30]}\n"
    )
    return path


def test_every_combination_is_a_run_and_the_worst_decides(
    scenario: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    out = tmp_path / "out"
    assert cli.main(["run", str(scenario), "--out", str(out), "--quiet"]) == 1, (
        "beta 0 fails, the others pass"
    )
    shown = capsys.readouterr().out
    content = json.loads((out / "sweep.json").read_text())
    assert content["finished"] and content["status"] == 1
    assert [run["status"] for run in content["runs"]] == [0, 0, 1, 1]
    assert [run["directory"] for run in content["runs"]] == [
        "beta=0.9,samples=20",
        "beta=0.9,samples=30",
        "beta=0,samples=20",
        "beta=0,samples=30",
    ]
    for run in content["runs"]:
        saved = lem_safe.load(out / run["directory"] / "scenario.yaml")
        assert saved.sweep is None and saved.sampler.samples == run["settings"]["sampler.samples"]
        report = json.loads((out / run["directory"] / "audit.json").read_text())
        assert report["constraints"][0]["violations"] == run["constraints"][0]["violations"]
        assert f'href="{run["directory"]}/report.html"' in (out / "report.html").read_text()
    assert "2 of 4 combinations passed" in shown and str(out / "report.html") in shown
    page = (out / "report.html").read_text()
    heads, rows = re.findall(r"<th [^>]*>(.*?)</th>", page), page.split("<tr>")[2:]
    assert 'class="cards"' in page and len(rows) == 4
    assert all(re.findall('data-label="(.*?)"', row) == heads for row in rows), (
        "on a phone a cell stands below its own head"
    )


def test_json_alone_on_stdout(scenario: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    cli.main(["run", str(scenario), "--out", str(tmp_path / "out"), "--json"])
    assert json.loads(capsys.readouterr().out) == json.loads((tmp_path / "out" / "sweep.json").read_text())


def test_an_interrupted_sweep_resumes_to_the_same_bytes(
    scenario: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    lem_safe.sweep(scenario, out=whole)
    real, calls = sweeping.run, []

    def interrupted(*positional, **named):
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return real(*positional, **named)

    monkeypatch.setattr(sweeping, "run", interrupted)
    assert cli.main(["run", str(scenario), "--out", str(cut), "--quiet"]) == 130
    assert not json.loads((cut / "sweep.json").read_text())["finished"]
    monkeypatch.setattr(sweeping, "run", real)
    monkeypatch.chdir(tmp_path)
    assert cli.main(["run", str(scenario), "--out", str(cut), "--quiet"]) == 2, "not empty"
    assert (
        cli.main(["run", str(scenario), "--out", str(cut), "--quiet", "--resume", "--set", "seed=9"]) == 2
    ), "another sweep"
    assert cli.main(["run", str(scenario), "--out", str(cut), "--quiet", "--resume"]) in (0, 1)
    for folder in sweeping.folders(lem_safe.load(scenario)):
        assert (whole / folder / "samples.npz").read_bytes() == (cut / folder / "samples.npz").read_bytes()
    assert (whole / "sweep.json").read_text() == (cut / "sweep.json").read_text()


def test_resume_without_out_finds_the_newest_unfinished_sweep(
    scenario: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    for name, finished in (("two_balls", True), ("two_balls-2", False), ("two_balls_other", False)):
        (tmp_path / "runs" / name).mkdir(parents=True)
        (tmp_path / "runs" / name / "sweep.json").write_text(json.dumps({"finished": finished}))
    assert sweeping.last_unfinished(Path("runs"), "two_balls") == Path("runs/two_balls-2")
    assert sweeping.last_unfinished(Path("runs"), "nothing") is None


def test_a_run_that_fails_numerically_is_told_and_the_others_go_on(
    scenario: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    real = sweeping.run

    def failing(variant, **named):
        if variant.sampler.samples == 30:
            raise NumericalFailure("step 3: particle 1 <left>")
        return real(variant, **named)

    monkeypatch.setattr(sweeping, "run", failing)
    done = lem_safe.sweep(scenario, out=tmp_path / "out")
    assert done.exit_status == 3 and [entry.status for entry in done.entries] == [0, 3, 1, 3]
    assert "particle 1 &lt;left&gt;" in (tmp_path / "out" / "report.html").read_text()
    assert "numerical failure" in str(done) and "<left>" not in done._repr_html_()
    with pytest.raises(NumericalFailure):
        done.run(1)
    monkeypatch.setattr(sweeping, "run", real)
    assert done.run(0).report.passed


def test_one_run_and_one_judgement_are_no_sweep(
    scenario: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    with pytest.raises(BadInput, match="lem_safe.sweep"):
        lem_safe.run(scenario, out=tmp_path / "out")
    (tmp_path / "plain.yaml").write_text(GOOD)
    with pytest.raises(BadInput, match="has no sweep"):
        lem_safe.sweep(tmp_path / "plain.yaml", out=tmp_path / "out")
    (tmp_path / "x.csv").write_text("x0,x1\n0,0\n")
    assert cli.main(["audit", str(tmp_path / "x.csv"), str(scenario)]) == 2
    assert "'constraints.0.beta' is swept" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_directories_differ_and_are_names():
    values = "[{kind: gaussian, mean: [0, 0]}, {kind: gaussian, mean: [1, 0]}, {kind: standard}]"
    s = lem_safe.loads(GOOD + f"sweep: {{sampler.init: {values}}}\n")
    assert sweeping.folders(s) == ["init=gaussian", "init=gaussian--2", "init=standard"]
    pair = lem_safe.loads(GOOD + "sweep: {unsafe.near.center: [[1, 2]]}\n")
    assert sweeping.folders(pair) == ["center=_1,_2"]


def test_validate_and_explain_say_how_many(scenario: Path, capsys: pytest.CaptureFixture[str]):
    assert cli.main(["validate", str(scenario)]) == 0 and cli.main(["explain", str(scenario)]) == 0
    out = capsys.readouterr().out
    assert "a sweep of 4 runs" in out and "4 runs, one for each combination of" in out.replace("\n  ", " ")
