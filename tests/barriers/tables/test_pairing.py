"""Names decide which column is which, by every way in: up to case and punctuation, never further; position is
for sides without names.
"""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scenario_texts import GOOD

import lem_safe
from barriers.sets import NearPoints
from lem_safe import cli
from lem_safe.auditor.matching import match_columns
from lem_safe.auditor.opening import open_samples
from lem_safe.data import FileTable, read_table
from lem_safe.data.names import identifier
from lem_safe.data.tables import read_fitting
from lem_safe.errors import BadInput
from lem_safe.keys import Key
from lem_safe.ood.evaluate import ood
from lem_safe.progress import Silent
from lem_safe.registry import load, loads
from lem_safe.runs.problem import build
from lem_safe.runs.starting import start

NAMED = GOOD.replace("version: 1\n", "version: 1\ncolumns: [speed, load]\n").replace(
    "  both: {any: [near, wall]}", '  both: {kind: rule, where: "load > 20"}'
)


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


HEADS = st.tuples(
    st.permutations([0, 1, 2]),
    st.sampled_from([str.lower, str.upper, str.title, str.swapcase]),
    st.sampled_from(["_", " ", "-", ".", ""]),
    st.sampled_from(["", " "]),
)
COLUMNS = ["top_speed", "load", "heat"]
ROWS = np.array([[30.0, 5.0, 1.0], [95.0, 6.0, 2.0], [31.0, 25.0, 3.0], [97.0, 26.0, 4.0], [20.0, 1.0, 5.0]])
THREE = """\
version: 1
name: three
columns: [top_speed, load, heat]
energy: {kind: gaussian, mean: [30, 5, 2], std: 1}
unsafe:
  fast: {kind: rule, where: "top_speed > 90"}
  heavy: {kind: rule, where: "load > 20 and top_speed > 90"}
  near: {kind: ball, center: [20, 1, 5], radius: 0.5}
constraints: [{set: fast, beta: 0.5}, {set: heavy, beta: 0.5}, {set: near, beta: 0.5}]
sampler: {kind: langevin, samples: 5, steps: 2, step_size: 1e-3}
filter: {kind: gate}
"""


class Frame:
    """As pandas offers one."""

    def __init__(self, columns, values):
        self.columns, self.values = columns, values

    def __array__(self, dtype=None, copy=None):
        return self.values.astype(dtype or float)


@pytest.fixture(scope="module")
def three():
    return loads(THREE)


@settings(max_examples=20, deadline=None)
@given(head=HEADS)
def test_any_order_case_and_spacing_of_the_names_gives_the_same_counts(head, three, tmp_path_factory):
    order, case, gap, around = head
    names = [around + case(COLUMNS[i].replace("_", gap)) + around for i in order]
    values = ROWS[:, list(order)]
    folder = tmp_path_factory.mktemp("x")
    write(
        folder / "x.csv",
        ",".join(names) + "\n" + "\n".join(",".join(map(repr, row)) for row in values.tolist()),
    )
    np.savez(folder / "x.npz", x=values, columns=np.array(names))
    equal = [identifier(name) for name in names] == [COLUMNS[i] for i in order]
    for source in (folder / "x.csv", folder / "x.npz", Frame(names, values)):
        samples = open_samples(source)
        match = match_columns(samples, COLUMNS, three.unsafe)
        (block,) = match.blocks(samples)
        assert match.how == "name" and block.x.tolist() == ROWS.tolist()
        assert match.detail.startswith("columns matched by name, ignoring case and punctuation: ") != equal
    report = lem_safe.audit(folder / "x.csv", three)
    assert [c.violations for c in report.constraints] == [2, 1, 1] and report.columns_matched == "name"
    for file in ("x.csv", "x.npz"):
        assert NearPoints(folder / file, 0.1, COLUMNS).points.tolist() == ROWS.tolist()
        assert read_fitting(folder / file, COLUMNS).values.tolist() == ROWS.tolist()


def test_starts_and_strange_rows_follow_their_names(tmp_path):
    rows = write(
        tmp_path / "x.csv",
        "HEAT,Top Speed,Load\n" + "\n".join(f"{c!r},{a!r},{b!r}" for a, b, c in ROWS.tolist()),
    )
    text = THREE.replace("step_size: 1e-3", "step_size: 1e-3, init: {kind: file, path: x.csv}")
    problem = build(load(write(tmp_path / "s.yaml", text)), progress=Silent())
    assert sorted(start(problem, Key(1)).tolist()) == sorted(ROWS.tolist())
    np.save(tmp_path / "x.npy", ROWS)
    found = ood(
        problem.scenario, {"named": rows, "placed": tmp_path / "x.npy", "source": FileTable(rows)}, steps=1
    )
    energies = [found.scores[name].energy.tolist() for name in ("named", "placed", "source")]
    assert energies[0] == energies[1] == energies[2]
    wide = FileTable(write(tmp_path / "wide.csv", "HEAT,Top Speed,Load,more\n1,2,3,4\n1,2,3,4\n"))
    with pytest.raises(BadInput, match="has 4 columns"):
        ood(problem.scenario, {"wide": wide}, steps=1)


REFUSED = {
    "units": ("load_kN,speed_kmh\n5,30\n", r"load_kN -> load.*rename"),
    "brackets": ("Load (kN),Speed [km/h]\n5,30\n", r"Load_kN -> load.*rename"),
    "partial": ("speed,weight\n30,5\n", r"nothing is called 'load'"),
    "others": ("u,v\n30,5\n", r"\(u, v\) do not fit the scenario's \(speed, load\): no name is the same"),
    "twice": ("Load,LOAD,speed\n1,2,3\n", "'load' may be 'Load' or 'LOAD'"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_names_that_do_not_say_which_is_which_are_refused(name, tmp_path, capsys):
    content, said = REFUSED[name]
    rows = write(tmp_path / "rows.csv", content)
    with pytest.raises(BadInput, match=said):
        lem_safe.audit(rows, write(tmp_path / "s.yaml", NAMED))
    text = NAMED.replace("step_size: 1e-2", "step_size: 1e-2, init: {kind: file, path: rows.csv}")
    with pytest.raises(BadInput, match=said):
        build(load(write(tmp_path / "i.yaml", text)), progress=Silent())
    with pytest.raises(BadInput, match=said):
        ood(load(tmp_path / "s.yaml"), {"rows": rows})
    with pytest.raises(ValueError, match=said.replace("Load_kN", r"Load \(kN\)")):
        NearPoints(rows, 0.1, ["speed", "load"])


def test_position_is_said_in_every_form(tmp_path, capsys):
    write(tmp_path / "s.yaml", NAMED)
    np.save(tmp_path / "x.npy", np.array([[30.0, 5.0], [31.0, 6.0]]))
    assert (
        cli.main(["audit", str(tmp_path / "x.npy"), str(tmp_path / "s.yaml"), "--out", str(tmp_path / "out")])
        == 0
    )
    said = "columns matched by position: 1 -> speed, 2 -> load"
    report = lem_safe.audit(tmp_path / "x.npy", tmp_path / "s.yaml")
    assert (report.columns_matched, report.columns_detail) == ("position", said)
    shown = [
        capsys.readouterr().out,
        (tmp_path / "out" / "report.html").read_text(),
        report._repr_html_(),
        report.to("github"),
    ]
    for text in shown:
        assert said[1:].replace(">", "&gt;") in text or said[1:] in text
    assert said[1:].replace(">", r"\>") in report.to("markdown")
    assert json.loads((tmp_path / "out" / "audit.json").read_text())["columns_detail"] == said
    own = lem_safe.audit(write(tmp_path / "x.csv", "u,v\n30,5\n"), write(tmp_path / "d.yaml", GOOD))
    assert own.columns_detail == "columns matched by position: 1 (u) -> x0, 2 (v) -> x1"
    assert (
        lem_safe.audit(write(tmp_path / "y.csv", "load,speed\n5,30\n"), tmp_path / "s.yaml").columns_detail
        == ""
    )


def test_labels_that_are_numbers_are_names_unless_they_count_the_columns(tmp_path):
    scenario = loads(NAMED)
    assert lem_safe.audit(Frame([0, 1], ROWS[:, :2]), scenario).columns_matched == "position"
    with pytest.raises(BadInput, match="no name is the same"):
        lem_safe.audit(Frame([2019, 2020], ROWS[:, :2]), scenario)
    swapped = lem_safe.audit(Frame([1, 0], ROWS[:, [1, 0]]), loads(GOOD))
    assert swapped.columns_matched == "name" and swapped.columns == ("x0", "x1")


def test_columns_given_beside_other_names_are_refused(tmp_path):
    rows = write(tmp_path / "rows.csv", "load,speed\n25,30\n")
    assert lem_safe.audit(rows, loads(NAMED), columns=["speed", "load"]).constraints[0].violations == 1
    with pytest.raises(BadInput, match="has column names of its own"):
        lem_safe.audit(rows, loads(NAMED), columns=["a", "b"])


TRAINED = """\
version: 1
name: t
columns: COLUMNS
energy: {kind: trained, data: {kind: file, path: rows.csv}, training: {steps: 2}}
unsafe: {r: {kind: ball, center: [0, 0], radius: 1}}
constraints: [{set: r, beta: 0.1}]
sampler: {kind: langevin, samples: 5, steps: 2, step_size: 1e-3}
"""


def test_a_scenario_may_rename_its_data_and_not_permute_them(tmp_path, capsys):
    x = np.random.default_rng(0).normal(size=(40, 2))
    write(
        tmp_path / "rows.csv", "Load (kN),Speed\n" + "\n".join(f"{a!r},{b!r}" for a, b in x.tolist()) + "\n"
    )
    for columns, status in (("[load, speed]", 0), ("[a, b]", 0), ("[speed, load]", 2), ("[speed, b]", 2)):
        path = write(tmp_path / "s.yaml", TRAINED.replace("COLUMNS", columns))
        assert cli.main(["validate", str(path)]) == status, columns
        said = capsys.readouterr().err
        assert status == 0 or (f"{path}:3:" in said and "'Speed'" in said)


def test_the_data_of_a_penalty_are_the_scenarios(tmp_path, capsys):
    x = np.random.default_rng(0).normal(size=(40, 2))
    for name, heads in (("rows", "load,speed"), ("other", "speed,load")):
        write(
            tmp_path / f"{name}.csv", heads + "\n" + "\n".join(f"{a!r},{b!r}" for a, b in x.tolist()) + "\n"
        )
    penalty = (
        "penalties: [{weight: 0.1, energy: {kind: trained, data: {kind: file, path: PATH.csv}, "
        "training: {steps: 2}}}]\n"
    )
    for name, status in (("rows", 0), ("other", 2)):
        text = TRAINED.replace("columns: COLUMNS\n", "") + penalty.replace("PATH", name)
        assert cli.main(["validate", str(write(tmp_path / "s.yaml", text))]) == status
        assert ("in another" in capsys.readouterr().err) == (status == 2)


def test_a_name_of_a_rule_is_told_with_those_of_the_samples(tmp_path):
    text = GOOD.replace("  both: {any: [near, wall]}", '  both: {kind: rule, where: "loan > 20"}')
    with pytest.raises(
        BadInput, match=r"unknown column 'loan'.*did you mean 'Loan'\? \(columns: Loan, Income\)"
    ):
        lem_safe.audit(write(tmp_path / "x.csv", "Loan,Income\n1,2\n"), write(tmp_path / "s.yaml", text))
    with pytest.raises(BadInput, match="no column 'LOAN'; did you mean 'Loan'"):
        read_table(tmp_path / "x.csv", ["LOAN"])
