"""Rules over text, dates, truth values and missing cells, from a file to its count: against plain Python, row
by row, and alike from every kind of file.
"""

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from hypothesis import given, settings
from planted import must_be_found
from ruled_tables import COLUMNS, DAYS, SEXES, Ruled, csv_of, rows, rules

import lem_safe
from barriers.sets import build_sets, complement, flat
from barriers.sets import rule as rule_module
from barriers.tables import TableFormat, coder
from lem_safe import cli
from lem_safe.auditing import grow
from lem_safe.auditor.audit_report import AuditReport
from lem_safe.auditor.matching import match_columns
from lem_safe.auditor.opening import open_samples
from lem_safe.errors import BadInput

KEEP = TableFormat(missing="keep")
TABLE = """\
id,sex,pregnant,age,start,end,price,kind,flag
1,M,no,30,2020-01-01,2020-02-01,12.5,new,True
2,F,yes,25,2020-01-01,2019-12-01,9.5,new,False
3,M,yes,,2020-01-05,2020-01-05,9.5,old,True
4,F,no,61,2020-03-01,2020-05-01,3,old,False
"""


def inside(source, regions, form=KEEP, size=65536) -> dict[str, list[bool]]:
    """Which rows are inside each region."""
    opened = open_samples(source, None, form)
    match = match_columns(opened, None, regions)
    sets = build_sets(regions, match.names, None, match.reading.cells)
    parts = [block.x for block in match.blocks(opened, size)]
    return {name: [bool(v) for x in parts for v in region.contains(x)] for name, region in sets.items()}


def rule(text: str, key: str = "where", **more) -> dict[str, object]:
    return {"r": {"kind": "rule", key: text, **more}}


def count(source, text: str, missing: str = "error", **more) -> int:
    report = lem_safe.audit(source, rule(text, **more), beta=0.5, missing=missing)
    return report.constraints[0].violations


@pytest.fixture
def table(tmp_path):
    (tmp_path / "t.csv").write_text(TABLE)
    return tmp_path / "t.csv"


# ------------------------------------------------------------------ what a rule means


@settings(max_examples=40, deadline=None)
@given(table=rows(), ruled=rules())
def test_a_row_is_inside_unless_plain_python_says_that_it_is_not(tmp_path_factory, table, ruled):
    told = check(tmp_path_factory.mktemp("t"), table, ruled)
    says = [ruled.says(row) for row in table]
    assert told["where"] == [verdict is not False for verdict in says]
    assert told["require"] == [verdict is not True for verdict in says]


def check(folder, table, ruled: Ruled) -> dict[str, list[bool]]:
    path = folder / "t.csv"
    path.write_text(csv_of(table))
    regions = {key: {"kind": "rule", key: ruled.text} for key in ("where", "require")}
    # Texts that no row has would be taken for what all cells look like; the columns say what they are.
    return inside(path, {**regions, **pinned()}, size=3)


def pinned() -> dict[str, dict[str, str]]:
    """Rules that say of which kind the columns are, and that NA is a value."""
    texts = " or ".join(f"{c} == 'NA'" for c in ("sex", "other"))
    return {"pinned": {"kind": "rule", "where": f"{texts} or start > '2000-01-01' or end > '2000-01-01'"}}


EVERY = [
    Ruled("sex == 'M' and end < start", lambda row: None),
    Ruled("if sex in {'F', 'x y'} then n % 3 == 1", lambda row: None),
    Ruled("n is missing or end - start >= 31 or sex == other", lambda row: None),
    Ruled("start + n > end or start == '2020-01-01'", lambda row: None),
]


@pytest.mark.parametrize("ruled", EVERY, ids=[ruled.text for ruled in EVERY])
def test_csv_parquet_arrow_and_frames_agree(ruled, tmp_path):
    draw = np.random.default_rng(0)

    def pick(some):
        return [None if draw.random() < 0.15 else some[draw.integers(len(some))] for _ in range(200)]

    columns = [*map(pick, (SEXES, SEXES, DAYS, DAYS, range(9))), range(200), range(200)]
    table = [dict(zip(COLUMNS, row, strict=True)) for row in zip(*columns, strict=True)]
    (tmp_path / "t.csv").write_text(csv_of(table))
    arrow = pa.table({c: [row[c] for row in table] for c in COLUMNS})
    texts = arrow.set_column(0, "sex", arrow["sex"].dictionary_encode())
    texts = texts.set_column(2, "start", arrow["start"].cast(pa.timestamp("ns")))
    pq.write_table(texts, tmp_path / "t.parquet")
    frame = texts.to_pandas()
    objects = pd.DataFrame({c: [row[c] for row in table] for c in COLUMNS}).astype({"sex": "category"})
    regions = {key: {"kind": "rule", key: ruled.text} for key in ("where", "require")} | pinned()
    expected = inside(tmp_path / "t.csv", regions)
    for source in (tmp_path / "t.parquet", arrow, texts, frame, objects):
        for size in (7, 65536):
            assert inside(source, regions, size=size) == expected
    assert 0 < sum(expected["where"]) < 200


@pytest.mark.parametrize(
    ("text", "more", "expected"),
    [
        ("price == 9.5", {"tolerance": 0.01}, 2),
        ("price != 9.5", {"tolerance": 3.0}, 1),
        ("price in {3, 12}", {"tolerance": 0.5}, 2),
        ("flag == true", {}, 2),
        ("flag != false and sex == 'M'", {}, 2),
        ("flag == 'True'", {}, 2),
        ("id % 2 == 0", {}, 2),
        ("`end` <= `start`", {}, 2),
        ("end > '2020-01-05' and price < 10", {}, 1),
        ("'2020-01-01' <= start <= '2020-01-05'", {}, 3),
        ("max(start, end) >= '2020-02-01T00:00:01'", {}, 1),
        ("end - '2020-01-01' > 30", {}, 2),
        ("sex in {'M'} or price >= 100", {}, 2),
    ],
)
def test_what_people_write(text, more, expected, table):
    assert count(table, text, **more) == expected
    if text != "flag == 'True'":
        assert count(pd.read_csv(table), text, **more) == expected


def test_what_must_hold_is_the_exact_negation_also_of_ties(tmp_path):
    """At the boundary itself, in files and in a sampler's numbers alike."""
    x = np.array([[1.0], [2.0], [3.0]])
    for text, where in (("x0 <= 2", "x0 > 2"), ("x0 < 2", "x0 >= 2"), ("x0 + 0.5 >= 2.5", "x0 + 0.5 < 2.5")):
        built = [
            lem_safe.audit(x, {"r": {"kind": "rule", key: said}}, beta=0.9).constraints[0].violations
            for key, said in (("require", text), ("where", where))
        ]
        assert built[0] == built[1]
        required, refused = rule_module.Rule(None, ["x0"], text), rule_module.Rule(where, ["x0"])
        y = torch.from_numpy(x)
        assert required.contains(y).tolist() == refused.contains(y).tolist()
        assert required(y).tolist() == refused(y).tolist()


# ------------------------------------------------------------------ missing cells


def test_a_missing_cell_is_refused_left_out_or_counted(table):
    with pytest.raises(BadInput, match="t.csv:4: column 'age'"):
        count(table, "age > 40")
    assert count(table, "age > 40", "drop") == 1
    report = lem_safe.audit(table, rule("age > 40"), beta=0.9, missing="keep")
    (c,) = report.constraints
    assert (c.violations, c.undefined, report.samples, report.dropped) == (2, 1, 4, None)
    assert AuditReport.from_json(report.to_json()) == report
    assert count(table, "age is missing") == 1
    assert count(table, "age is missing or age > 40") == 2
    assert count(table, "age is not missing and age > 40", "drop") == 1
    assert lem_safe.audit(table, rule("age is missing"), beta=0.5, missing="drop").samples == 4


def test_a_mark_that_a_rule_names_is_a_value(tmp_path):
    (tmp_path / "t.csv").write_text("country,x\nNA,1\nDE,2\n,3\n")
    assert count(tmp_path / "t.csv", "country == 'NA'", "keep") == 2
    assert count(tmp_path / "t.csv", "country == 'DE'", "keep") == 3
    with pytest.raises(BadInput, match="t.csv:4: column 'country': an empty cell is no value; fill it"):
        count(tmp_path / "t.csv", "country == 'NA'")


def test_regions_that_are_no_rules_have_no_value_at_a_missing_cell(table):
    ball = {"kind": "ball", "center": [0, 0], "radius": 1}
    ball = {"kind": "columns", "columns": ["age", "price"], "set": ball}
    with pytest.raises(BadInput, match="missing: keep is for rules, and there is a region of kind 'columns'"):
        lem_safe.audit(table, {"a": ball}, beta=0.5, missing="keep")
    with pytest.raises(BadInput, match="column 'age' may be missing, and a region that is no rule"):
        lem_safe.audit(table, {"a": ball, **rule("age is missing")}, beta=0.5)


# ------------------------------------------------------------------ what is refused, and what is remarked


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("sex > 1", "t.csv:2: column 'sex': 'M' is not a number"),
        ("start > 1", "t.csv:2: column 'start': '2020-01-01' is not a number"),
        ("sex >= '2020-01-01'", "t.csv:2: column 'sex': 'M' is not a date as 2020-12-31"),
        ("kind == true", "t.csv:2: column 'kind': 'new' is not true or false"),
        ("price == 12", "row 1, column price: 12.5 is not a whole number up to 2**53, and the rule 'r'"),
        ("sex == 'M' and sex > 1", "'>' at character 20 compares text with the number 1"),
        ("end - start == sex", "compares a number with text"),
        ("sex == ''", "an empty text, which is a missing cell: write 'is missing'"),
        ("sex < 'M'", "is for numbers and dates, and these are text: write == or in"),
        ("price == 2.5", "a side of it is not made of these alone; give the rule a tolerance"),
    ],
)
def test_refusals_say_where(text, words, table):
    with pytest.raises(BadInput) as caught:
        count(table, text)
    assert words in str(caught.value)


def test_typed_columns_are_refused_by_row_and_by_type(table):
    frame = pd.read_csv(table, parse_dates=["start", "end"])
    with pytest.raises(BadInput, match="compares a date with a number: write a date as '2020-12-31'"):
        count(frame, "end > 30")
    with pytest.raises(BadInput, match="row 1, column 'sex': 'M' is not a date"):
        count(frame, "sex > '2020-01-01'")
    with pytest.raises(BadInput, match="holds only numbers, and a rule is about text cells"):
        lem_safe.audit(np.ones((3, 2)), rule("x0 == 'a'"), beta=0.5)
    fine = frame.assign(end=pd.to_datetime(["2020-01-01T00:00:00.000000001"] * 4))
    with pytest.raises(BadInput, match="row 1, column 'end': .* is not a date .* to the microsecond"):
        count(fine, "end < start")


def test_a_value_that_never_occurs_is_remarked(table, capsys):
    report = lem_safe.audit(table, rule("sex == 'm' or kind in {'new', 'nwe'}"), beta=0.9)
    said = report.to_dict()
    found = {each["column"]: (each["value"], each["close"]) for each in said["unseen"]}
    assert found == {"kind": ("nwe", "new"), "sex": ("m", "M")}
    remark = "Column 'sex' never holds 'm', which a rule names; is 'M' meant? It holds 'F', 'M'."
    assert remark in report.to_text()
    assert said["kinds"] == {"sex": "text", "kind": "text"}
    assert AuditReport.from_json(report.to_json()) == report
    assert lem_safe.audit(table, rule("sex == 'M'"), beta=0.9).unseen == ()


def test_a_sampler_has_no_such_columns(tmp_path, capsys):
    (tmp_path / "s.yaml").write_text(
        "version: 1\nname: s\nenergy: {kind: gaussian, mean: [0, 0], std: 1}\nunsafe:\n"
        "  a: {kind: rule, where: x0 > 1 and x1 == 'yes'}\n  b: {kind: rule, require: x0 is missing}\n"
        "constraints: [{set: a, beta: .1}]\n"
        "sampler: {kind: langevin, samples: 10, steps: 10, step_size: 1e-2}\n"
    )
    assert cli.main(["validate", str(tmp_path / "s.yaml")]) == 2
    said = capsys.readouterr().err
    assert "s.yaml:5" in said and "'yes' is not a number" not in said.split("s.yaml:6")[1]
    assert "the columns of a sampler are numbers" in said


# ------------------------------------------------------------------ derived names, and the whole way


DERIVED = """\
version: 1
name: t
derived: {span: end - start, half: span / 2}
unsafe:
  long: {kind: rule, where: "half > 20"}
  odd: {kind: rule, require: "if kind == 'new' then price >= 10"}
constraints: [{set: long, beta: .5}, {set: odd, beta: .5}]
"""


def test_derived_names_from_the_file_to_the_failing_rows(table, tmp_path, capsys):
    (tmp_path / "s.yaml").write_text(DERIVED)
    out = tmp_path / "out"
    command = ["audit", str(table), str(tmp_path / "s.yaml"), "--out", str(out), "--failing-rows"]
    assert cli.main([*command, str(tmp_path / "f.csv")]) == 0
    failing = pd.read_csv(tmp_path / "f.csv")
    assert failing["regions"].tolist() == ["odd", "long"]
    assert failing["end"].tolist() == ["2019-12-01", "2020-05-01"]
    assert failing["kind"].tolist() == ["new", "old"]
    kept, none = tmp_path / "k.csv", ["--set", "constraints.0.beta=0"]
    assert cli.main(["thin", str(table), str(tmp_path / "s.yaml"), *none, "--out", str(kept)]) == 0
    assert kept.read_text() == "".join(TABLE.splitlines(keepends=True)[:4])


@pytest.mark.parametrize(
    ("derived", "words"),
    [
        ("{a: b + 1, b: c, c: 2 * a}", "is derived from itself: a -> b -> c -> a"),
        ("{a: a + 1}", "is derived from itself: a -> a"),
        ("{a: start +}", "invalid syntax"),
        ("{sqrt: start}", "'sqrt' at character 1 is no name that a rule can use"),
        ("{a: x > 1}", "is a condition, not a number"),
    ],
)
def test_derived_names_that_are_none(derived, words, table, tmp_path, capsys):
    text = DERIVED.replace("{span: end - start, half: span / 2}", derived).replace("half > 20", "a > price")
    (tmp_path / "s.yaml").write_text(text)
    for command in (["validate"], ["audit", str(table)]):
        assert cli.main([*command, str(tmp_path / "s.yaml")]) == 2
        said = capsys.readouterr().err
        assert "s.yaml:3" in said and words in said


def test_doubling_names_end_in_words(table, tmp_path, capsys):
    names = "{a0: price, " + ", ".join(f"a{i}: a{i - 1} + a{i - 1}" for i in range(1, 60)) + "}"
    text = DERIVED.replace("{span: end - start, half: span / 2}", names).replace("half > 20", "a59 > 1")
    (tmp_path / "s.yaml").write_text(text)
    assert cli.main(["validate", str(tmp_path / "s.yaml")]) == 2
    assert "parts to compare" in capsys.readouterr().err


# ------------------------------------------------------------------ planted faults


def missing_is_inside():
    assert inside(frame_with_a_gap(), rule("sex == 'M'"))["r"] == [True, False, True]


def boundary_of_what_must_hold():
    assert inside(np.array([[1.0], [2.0], [3.0]]), rule("x0 <= 2", "require"))["r"] == [False, False, True]


def codes_are_the_same_in_every_block():
    frame = pd.DataFrame({"sex": ["F", "M", "M", "x", "M", "F"]})
    assert inside(frame, rule("sex == 'M'"), size=1)["r"] == [False, True, True, False, True, False]


def frame_with_a_gap():
    return pd.DataFrame({"sex": ["M", "F", None]})


def numbered(honest):
    """Codes in the order in which texts occur, begun again whenever they are asked for one by one."""
    known = {}
    return lambda text: float(known.setdefault((len(known) // 3, text), len(known)))


TEETH = {
    "missing treated as outside": (
        missing_is_inside,
        flat.Among,
        "undefined",
        lambda honest: lambda self, x: honest(self, x) & False,
    ),
    "require boundary flipped": (
        boundary_of_what_must_hold,
        rule_module,
        "understood",
        lambda honest: lambda text, *a, **k: honest(text.replace("<=", "<"), *a, **k),
    ),
    "codes mixed up between blocks": (codes_are_the_same_in_every_block, coder, "code_of", numbered),
}


@pytest.mark.parametrize("tooth", TEETH.values(), ids=TEETH)
def test_planted_faults_are_found(tooth, monkeypatch):
    tooth[0]()
    must_be_found(tooth, monkeypatch)


def test_negations_of_flat_sets_are_flat():
    for made in (flat.Among([1.0]), flat.Absent()):
        again = complement(complement(made))
        assert type(again) is type(made) and again.inside == made.inside


# ------------------------------------------------------------------ other sources, and samplers


def test_folders_and_structured_arrays_hold_text_too(tmp_path):
    for region in ("north", "south"):
        (tmp_path / "p" / f"region={region}").mkdir(parents=True)
        (tmp_path / "p" / f"region={region}" / "a.csv").write_text("sex,x\nM,1\nF,2\n")
    text = "region == 'north' and sex == 'M'"
    assert count(tmp_path / "p", text) == 1
    array = np.array(
        [("north", "M", "2020-01-02"), ("south", "M", "2020-01-03")],
        dtype=[("region", "U5"), ("sex", "U1"), ("on", "M8[D]")],
    )
    assert count(array, text) == 1 and count(array, "on >= '2020-01-03'") == 1
    with pytest.raises(BadInput, match="column 'region' must hold numbers; its folder says 'north'"):
        count(tmp_path / "p", "region > 1")


def test_paths_have_no_text_between_two_points(tmp_path):
    (tmp_path / "t.csv").write_text("path,x,state\n0,1,a\n0,2,b\n1,1,b\n1,2,b\n")
    (tmp_path / "s.yaml").write_text(
        "version: 1\nname: t\nunsafe: {a: {kind: rule, where: \"state == 'a' and x < 2\"}}\n"
        "constraints: [{set: a, beta: .6}]\naudit: {between: points}\n"
    )
    assert lem_safe.audit(tmp_path / "t.csv", tmp_path / "s.yaml").constraints[0].violations == 1
    with pytest.raises(BadInput, match="'r' compares what has no value between two points"):
        lem_safe.audit(tmp_path / "t.csv", rule("state == 'a'"), beta=0.6)


def test_an_audit_that_grows_knows_its_rows_again(tmp_path):
    rows = ["sex,city\n", *(f"{'MF'[i % 2]},c{i}\n" for i in range(40))]
    for many in (11, 41):
        (tmp_path / "t.csv").write_text("".join(rows[:many]))
        asked = rule("sex == 'M' and city != 'c0'")
        report = grow(tmp_path / "t.csv", asked, tmp_path / "out", beta=0.9)
    assert report.looks == 2 and report.constraints[0].violations == 19


@pytest.mark.parametrize("kind", ["gate", "step", "tilt", "reject"])
def test_a_filter_keeps_what_is_required(kind, tmp_path):
    text = """\
version: 1
name: r
derived: {both: x0 + x1}
energy: {kind: gaussian, mean: [0, 0], std: 1}
unsafe:
  a: {kind: rule, require: if x0 > 0 then both <= 1}
  b: {kind: rule, where: both > 1 and x0 > 0}
constraints: [{set: a, beta: .1}, {set: b, beta: .1}]
filter: {kind: KIND}
sampler:
  {kind: langevin, samples: 40, steps: 20, step_size: 1e-2, init: {kind: gaussian, mean: [-2, 0], std: 0.2}}
""".replace("KIND", kind)
    (tmp_path / "s.yaml").write_text(text)
    run = lem_safe.run(tmp_path / "s.yaml", out=tmp_path / "out", with_report=False)
    a, b = run.report.constraints
    assert a.violations == b.violations <= 4
