"""`lem-safe rules convert`: from a file of rules to a scenario, an audit and a thinned file."""

import json
from pathlib import Path

import pytest

from lem_safe import cli

RULES = """\
ordering y_0 y_1 y_2
y_0 - y_1 >= 0
neg y_2 > 1 or y_0 > 0.5
"""
DATA = "Length,host length,n,label\n3,2,0,a\n1,1.005,0,b\n0.5,0.2,2,c\n0.4,0.5,5,d\n2,1,,e\n"


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("rules.txt").write_text(RULES)
    Path("data.csv").write_text(DATA)


def convert(*options: str) -> int:
    return cli.main(["rules", "convert", *options])


def shown(capsys: pytest.CaptureFixture[str]) -> str:
    return " ".join(capsys.readouterr().out.split())


def test_from_rules_to_a_thinned_file(capsys):
    assert convert("rules.txt", "--data", "data.csv", "--missing", "drop", "--out", "rules.yaml") == 0
    text = shown(capsys)
    assert "rules.txt: 2 rules (PiShield); data.csv: 4 rows, 1 more left out as they miss a value" in text
    assert "line_2 2 (50 %) 1 (25 %) Length - host_length >= 0" in text
    assert "line_3 2 (50 %) 1 (25 %) if n > 1 then Length > 0.5" in text
    assert "any_rule 3 (75 %) 1 (25 %) all of these" in text
    assert "as PiShield checks" in text and "lem-safe new scenario.yaml --data data.csv" in text
    assert cli.main(["audit", "data.csv", "rules.yaml", "--missing", "drop"]) == 1
    assert cli.main(["thin", "data.csv", "rules.yaml", "--missing", "drop", "--out", "thin.csv"]) == 0
    assert cli.main(["audit", "thin.csv", "rules.yaml"]) == 0
    assert Path("thin.csv").read_text() == "Length,host length,n,label\n3,2,0,a\n"


def test_the_tolerance_is_written_and_counted(capsys):
    assert convert("rules.txt", "--data", "data.csv", "--missing", "drop", "--tolerance", ".2", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert [rule["require"] for rule in found["rules"]] == [
        "Length - host_length >= -0.2",
        "if n > 1.2 then Length > 0.3",
    ]
    assert [(r["broken"], r["broken_beyond_tolerance"]) for r in found["rules"]] == [(2, 0), (2, 0)]
    assert found["any_rule"] == {"broken": 3, "broken_beyond_tolerance": 0, "without_value": 0}
    assert (found["rows"], found["dropped"], found["counted_tolerance"]) == (4, 1, 0.2)
    assert list(found["scenario"]["unsafe"]) == ["line_2", "line_3", "any_rule"]


def test_rows_that_miss_a_value_are_refused_or_kept(capsys):
    assert convert("rules.txt", "--data", "data.csv") == 2
    assert "data.csv:6: column 'n': the cell is empty" in capsys.readouterr().err
    assert convert("rules.txt", "--data", "data.csv", "--missing", "keep", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["rows"] == 5 and [r["without_value"] for r in found["rules"]] == [0, 0]


def test_without_data_the_scenario_is_printed(capsys):
    assert convert("rules.txt", "--columns", "a, b c,min") == 0
    text = capsys.readouterr().out
    assert 'line_2: {kind: rule, require: "a - `b c` >= 0"}' in text
    assert 'line_3: {kind: rule, require: "if `min` > 1 then a > 0.5"}' in text
    Path("printed.yaml").write_text(text)
    Path("t.csv").write_text("min,b c,a\n0,1,2\n")
    assert cli.main(["audit", "t.csv", "printed.yaml"]) == 0
    assert convert("rules.txt") == 0
    assert '"y_0 - y_1 >= 0"' in capsys.readouterr().out


def test_columns_may_be_numbered_otherwise_than_in_the_data(capsys):
    options = ["--columns", "n,Length"]
    Path("rules.txt").write_text("y_1 - y_0 > 0\n")
    assert convert("rules.txt", "--data", "data.csv", "--missing", "drop", "--json", *options) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["rules"][0]["require"] == "Length - n > 0" and found["rules"][0]["broken"] == 2


def test_data_without_names_are_numbered(capsys):
    Path("bare.csv").write_text("3,2,0\n1,2,0\n")
    assert convert("rules.txt", "--data", "bare.csv", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert [(r["require"], r["broken"]) for r in found["rules"]] == [
        ("x0 - x1 >= 0", 1),
        ("if x2 > 1 then x0 > 0.5", 0),
    ]


def test_schemas_are_known_by_their_content(capsys):
    schema = {"properties": {"n": {"type": "integer", "minimum": 1}}}
    Path("s.json").write_text(json.dumps(schema))
    Path("p.yaml").write_text("schema_type: dataframe\ncolumns: {n: {checks: {ge: 1}, nullable: true}}\n")
    for file, form in (("s.json", "JSON Schema"), ("p.yaml", "pandera")):
        assert convert(file, "--data", "data.csv", "--json") == 0
        found = json.loads(capsys.readouterr().out)
        assert found["format"] == form
        assert {r["name"]: r["broken"] for r in found["rules"]}.popitem() == (found["rules"][-1]["name"], 2)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["none.txt"], "none.txt"),
        (["."], "directory"),
        (["rules.txt", "--tolerance", "x"], "--tolerance: must be a number >= 0; got 'x'"),
        (["rules.txt", "--tolerance", "-1"], "--tolerance: must be a number >= 0; got -1"),
        (["rules.txt", "--tolerance", "nan"], "--tolerance: must be a number >= 0"),
        (["rules.txt", "--beta", "1"], "--beta: must satisfy 0 <= beta < 1; got 1"),
        (["rules.txt", "--columns", "a,,a"], "--columns: column 1 ('') has no name"),
        (
            ["rules.txt", "--columns", "a,b"],
            "rules.txt:3:5: y_2 is none of the 2 columns y_0 to y_1 of --columns",
        ),
        (
            ["rules.txt", "--data", "data.csv", "--missing", "drop", "--columns", "Length,x,n"],
            "rules.txt: line_2: rule: unknown",
        ),
        (["rules.txt", "--out", "rules.txt"], "is read by this command"),
        (["rules.txt", "--out", "data.csv"], "exists already"),
        (["rules.txt", "--out", "no/such.yaml"], "no such directory"),
        (["rules.txt", "--data", "none.csv"], "none.csv"),
        (["rules.txt", "--data", "data.csv", "--missing", "x"], "missing"),
        (["empty.txt"], "empty.txt: is empty; it must hold rules"),
        (["bytes.txt"], "must be UTF-8 text"),
        (["bad.txt"], "bad.txt:2:7: 'x' has no place in a rule"),
        (["scenario.yaml"], "is none of the files of rules that are known"),
        (["twice.json"], "given twice"),
        (["mixed.json"], "mixed.json: a_anyOf: rule: '>='"),
    ],
)
def test_what_cannot_be_used_is_refused(arguments, words, capsys):
    Path("empty.txt").write_text("\n \n")
    Path("bytes.txt").write_bytes(b"y_0 >= \xff\n")
    Path("bad.txt").write_text("y_0 > 0\ny_0 > x\n?\n")
    Path("scenario.yaml").write_text("version: 1\nname: x\n")
    Path("mixed.json").write_text('{"properties": {"a": {"anyOf": [{"const": "x"}, {"minimum": 1}]}}}')
    Path("twice.json").write_text('{"properties": {}, "properties": {}}')
    assert convert(*arguments) == 2
    assert words in capsys.readouterr().err


def test_an_output_is_replaced_when_asked(capsys):
    for extra, status in (([], 0), ([], 2), (["--overwrite"], 0)):
        assert convert("rules.txt", "--out", "o.yaml", "--beta", "0.1", *extra) == status
    assert "{set: any_rule, beta: 0.1}" in Path("o.yaml").read_text()
