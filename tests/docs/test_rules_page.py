"""docs/rules.md: every rule has the rows inside that the page says, every refusal and remark its words."""

import re
from pathlib import Path

import pandas as pd
import pytest
from ruamel.yaml import YAML

import lem_safe
from lem_safe import cli
from lem_safe.errors import BadInput

PAGE = (Path(__file__).parents[2] / "docs" / "rules.md").read_text(encoding="utf-8")
FENCE = re.compile(r"^```(\w+) ?([^\n]*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
FENCES = FENCE.findall(PAGE)
ROWS = re.findall(r"^\| `(\{kind: rule.*\})` \| ([\d, ]+) \|$", PAGE, re.MULTILINE)


def region(text: str) -> dict[str, object]:
    return YAML(typ="safe").load(text)


@pytest.fixture(scope="module")
def visits(tmp_path_factory):
    ((_, name, text),) = (fence for fence in FENCES if fence[0] == "csv")
    path = tmp_path_factory.mktemp("rules") / name
    path.write_text(text)
    return path


def inside(report, visits) -> list[int]:
    ids = pd.read_csv(visits)["id"]
    return sorted(int(ids[sample.row]) for c in report.constraints for sample in c.worst if sample.inside)


@pytest.mark.parametrize(("written", "ids"), ROWS)
def test_the_rows_inside(written, ids, visits):
    report = lem_safe.audit(visits, {"r": region(written)}, beta=0.9)
    assert inside(report, visits) == [int(i) for i in ids.split(",")]


@pytest.mark.parametrize(
    ("kind", "written", "words"), [fence for fence in FENCES if fence[0] in ("refused", "remark")]
)
def test_what_is_refused_and_remarked(kind, written, words, visits):
    if kind == "remark":
        assert words.strip() in lem_safe.audit(visits, {"r": region(written)}, beta=0.9).to_text()
        return
    with pytest.raises(BadInput) as caught:
        lem_safe.audit(visits, {"r": region(written)}, beta=0.9)
    assert words.strip() in str(caught.value)


def test_derived_names(visits, tmp_path, capsys):
    (derived,) = (text for kind, _, text in FENCES if kind == "yaml")
    (ids,) = (text for kind, _, text in FENCES if kind == "rows")
    head = "version: 1\nname: t\nconstraints: [{set: long, beta: 0.9}]\n"
    (tmp_path / "s.yaml").write_text(head + derived)
    assert cli.main(["audit", str(visits), str(tmp_path / "s.yaml"), "--json"]) == 0
    assert inside(lem_safe.audit(visits, tmp_path / "s.yaml"), visits) == [int(i) for i in ids.split()]


def fenced(kind: str) -> tuple[str, str]:
    """The word behind a fence's kind, and its text."""
    ((_, word, text),) = (fence for fence in FENCES if fence[0] == kind)
    return word, text


def test_a_file_of_rules(visits, tmp_path, monkeypatch, capsys):
    name, rules = fenced("file")
    monkeypatch.chdir(tmp_path)
    Path(name).write_text(rules)
    Path(visits.name).write_text(visits.read_text())
    program, *arguments = fenced("shell")[1].split()
    assert program == "lem-safe" and cli.main(arguments) == 0
    assert fenced("prints")[1] in capsys.readouterr().out
    out, text = fenced("writes")
    assert Path(out).read_text().endswith(text)
    assert cli.main(["audit", visits.name, out]) == 1
    assert cli.main(["thin", visits.name, out, "--out", "thin.csv"]) == 0
    assert cli.main(["audit", "thin.csv", out]) == 0


def test_a_rule_that_cannot_be_read(visits, tmp_path, monkeypatch, capsys):
    line, words = fenced("unread")
    monkeypatch.chdir(tmp_path)
    Path("limits.txt").write_text(f"ordering y_0\n{line}\n")
    assert cli.main(["rules", "convert", "limits.txt"]) == 2
    assert words.strip() in capsys.readouterr().err


def test_there_is_something_to_run():
    assert len(ROWS) > 10 and len(FENCES) >= 6
