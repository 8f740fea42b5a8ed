"""What `lem-safe audit` writes beside what it prints: named files, never over others unless asked."""

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest

from lem_safe import cli

RULES = """\
version: 1
name: limits
unsafe: {fast: {kind: rule, where: speed > 2}}
constraints: [{set: fast, beta: 0.2}]
"""
AUDIT = ["audit", "s.csv", "rules.yaml"]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("rules.yaml").write_text(RULES)
    Path("s.csv").write_text("speed\n1\n3\n2\n")


def test_one_audit_writes_every_format_and_the_rows(capsys: pytest.CaptureFixture[str]) -> None:
    forms = ("junit", "markdown", "json", "github", "text")
    write = [f"--write={form}=ci/{form}.txt" for form in forms]
    assert cli.main([*AUDIT, *write, "--failing-rows", "ci/rows.csv", "--json"]) == 1
    printed = capsys.readouterr().out
    assert json.loads(Path("ci/json.txt").read_text()) == json.loads(printed)
    assert ElementTree.fromstring(Path("ci/junit.txt").read_text()).find(".//failure") is not None
    assert Path("ci/markdown.txt").read_text().startswith("### FAILED")
    assert Path("ci/github.txt").read_text().startswith("::error")
    assert Path("ci/text.txt").read_text().startswith("FAILED")
    assert Path("ci/rows.csv").read_text() == "row,regions,clearance: fast,speed\n1,fast,-1.0,3.0\n"
    assert cli.main([*AUDIT, "--write", "json=a.json"]) == 1
    assert capsys.readouterr().out.endswith("\na.json\n")


REFUSED = [
    (["--write", "junit"], "--write: must be FORMAT=FILE, as in junit=audit.xml; got 'junit'"),
    (["--write", "junit="], "--write: must be FORMAT=FILE"),
    (["--write", "junt=a.xml"], "'junt' is not an audit format - did you mean 'junit'?"),
    (["--write", "junit=a", "--write", "json=./a"], "a: is to be written twice"),
    (["--write", "junit=a\0"], "holds a NUL character"),
    (["--write", "junit=s.csv", "--overwrite"], "s.csv: is read by this command"),
    (["--failing-rows", "rules.yaml", "--overwrite"], "rules.yaml: is read by this command"),
    (["--write", "junit=there", "--overwrite"], "there: is not a file"),
    (["--write", "junit=old.xml"], "old.xml: exists already; choose another name, or --overwrite"),
    (["--failing-rows", "rows.txt", "--out", "new"], "rows.txt: must end in .csv or .parquet"),
    (["--out", "there"], "there: is not empty; choose another --out, or --overwrite"),
    (
        ["--out", "there", "--overwrite"],
        "there: --overwrite replaces an audit, and this holds something else",
    ),
    (["--grow", "--out", "g", "--failing-rows", "rows.csv"], "--failing-rows: is not possible with --grow"),
]


@pytest.mark.parametrize(("options", "message"), REFUSED)
def test_what_cannot_be_written_is_refused_before_anything_is(
    options: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("there").mkdir()
    Path("there/notes.txt").write_text("mine")
    Path("old.xml").write_text("old")
    before = sorted(p.name for p in Path().rglob("*"))
    assert cli.main([*AUDIT, *options]) == 2
    caught = capsys.readouterr()
    assert message in caught.err and not caught.out
    assert sorted(p.name for p in Path().rglob("*")) == before and Path("old.xml").read_text() == "old"


def test_overwrite_replaces_files_and_an_earlier_audit(capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--out", "out", "--write", "junit=j.xml", "--failing-rows", "rows.parquet"]
    assert cli.main([*AUDIT, *options]) == 1
    Path("s.csv").write_text("speed\n1\n1.5\n2\n")
    Path("out/figures/old.png").write_text("of the earlier audit")
    assert cli.main([*AUDIT, *options]) == 2
    assert "3 samples" in Path("out/report.html").read_text()
    assert cli.main([*AUDIT, *options, "--overwrite"]) == 0
    assert (
        json.loads(Path("out/audit.json").read_text())["passed"]
        and "<failure" not in Path("j.xml").read_text()
    )
    assert not Path("out/figures/old.png").exists()
    Path("out/growth.json").write_text("{}")
    assert cli.main([*AUDIT, "--out", "out", "--overwrite"]) == 2
