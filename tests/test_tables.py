"""Tables that people write, by every way in: what may be names or a row is refused with both readings, and names decide wherever there are some."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scenario_texts import GOOD, changed
from truths.tables import READINGS

import lem_safe
from barriers.sets import NearPoints
from barriers.tables import TableFault, csv_blocks, csv_head
from lem_safe import cli
from lem_safe.auditor.matching import match_columns
from lem_safe.auditor.samples import open_samples
from lem_safe.build import build, start
from lem_safe.catalogue import load, loads
from lem_safe.data import FileTable, read_table
from lem_safe.data.names import identifier
from lem_safe.data.tables import read_fitting
from lem_safe.faults import BadInput
from lem_safe.keys import Key
from lem_safe.ood import ood
from lem_safe.progress import Silent

NAMED = GOOD.replace("version: 1\n", "version: 1\ncolumns: [speed, load]\n").replace(
    "  both: {any: [near, wall]}", '  both: {kind: rule, where: "load > 20"}'
)
BOTH = r"may be column names or a row.*as names, 4 samples follow; as a row, there are 5 samples.*header: true"


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


# ---- the first line ----


@pytest.mark.parametrize(("first", "below"), READINGS["doubt"])
def test_what_is_in_doubt_is_refused_by_every_reader_and_the_key_decides(first, below, tmp_path):
    path = write(tmp_path / "t.csv", f"{first}\n" + below.replace(";", "\n") + "\n")
    rows = below.count(";") + 1
    for reader in (read_table, open_samples):
        try:
            found = reader(path)
        except BadInput as bad:
            assert bad.faults[0].line == 1 and "header: true" in str(bad) and f"there are {rows + 1} samples" in str(bad)
        else:  # an audit knows which names to expect only later
            assert reader is open_samples
            with pytest.raises(BadInput, match="header: true"):
                found.rows.settle(["x0", "x1"])
    head = csv_head(path, header=True)
    assert head.names == tuple(next(__import__("csv").reader([first]))) and head.doubt is None
    assert csv_head(path, header=False).names is None


CASES = {"a gap": "99,NA\n30,5\n31,6\n29,4\n33,5\n", "pandas": "0,1\n3.1,2.9\n3.2,3.1\n2.8,3.5\n2.9,3.6\n",
         "years": "2019,2020\n1.5,2\n3,4\n5,6\n7,8\n"}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_every_way_in_refuses_with_both_readings(name, tmp_path, capsys):
    rows = write(tmp_path / "rows.csv", CASES[name])
    write(tmp_path / "s.yaml", GOOD)
    write(
        tmp_path / "trained.yaml",
        changed("{kind: gaussian, mean: [0, 0], std: 1}", "{kind: trained, data: {kind: file, path: rows.csv}}"),
    )
    write(
        tmp_path / "near.yaml",
        changed("{kind: ball, center: [2, 0], radius: 0.8}", "{kind: near_points, points: rows.csv, radius: 0.1}"),
    )
    write(tmp_path / "init.yaml", changed("step_size: 1e-2", "step_size: 1e-2, init: {kind: file, path: rows.csv}"))
    commands = {
        "audit": ["audit", str(rows), str(tmp_path / "s.yaml")],
        "data": ["validate", str(tmp_path / "trained.yaml")],
        "near_points": ["validate", str(tmp_path / "near.yaml")],
        "init": ["run", str(tmp_path / "init.yaml"), "--out", str(tmp_path / "run"), "--quiet"],
        "ood": ["ood", "ring_keep_out", "--against", str(rows), "--out", str(tmp_path / "ood"), "--quiet"],
        "new": ["new", str(tmp_path / "new.yaml"), "--data", str(rows)],
    }
    for where, command in commands.items():
        assert cli.main(command) == 2, where
        said = capsys.readouterr()
        assert "as names, 4 samples follow; as a row, there are 5 samples" in said.err and "header: true" in said.err, where
        assert "rows.csv:1: " in said.err or (where == "near_points" and "rows.csv: line 1: " in said.err), (where, said.err)
        assert said.out == "" and "Traceback" not in said.err
    with pytest.raises(BadInput, match=BOTH):
        lem_safe.audit(rows, tmp_path / "s.yaml")


def test_the_key_decides_by_every_way_in(tmp_path, capsys):
    rows = write(tmp_path / "rows.csv", CASES["pandas"])
    write(tmp_path / "s.yaml", GOOD)
    for option, samples in (("--header", 4), ("--no-header", 5)):
        assert cli.main(["audit", str(rows), str(tmp_path / "s.yaml"), option, "--json"]) == 1
        said = json.loads(capsys.readouterr().out)
        assert (said["samples"], said["columns_matched"]) == (samples, "name" if option == "--header" else "position")
        header = option == "--header"
        assert lem_safe.audit(rows, load(tmp_path / "s.yaml"), header=header).samples == samples
        key = f"header: {str(header).lower()}"
        init = write(
            tmp_path / "i.yaml", changed("step_size: 1e-2", f"step_size: 1e-2, init: {{kind: file, path: rows.csv, {key}}}")
        )
        problem = build(load(init), progress=Silent())
        begun = {tuple(row) for row in start(problem, Key(0)).tolist()}
        assert len(begun) == samples and ((0.0, 1.0) in begun) == (not header)
        assert key in load(init).to_yaml() and loads(load(init).to_yaml()).fingerprint() == load(init).fingerprint()
        assert len(NearPoints(rows, 0.1, ["x0", "x1"], header).points) == samples
        assert len(FileTable(rows, header=header).load(0).values) == samples
        assert cli.main(["new", str(tmp_path / f"of_{header}.yaml"), "--data", str(rows), option]) == 0
        assert key in (tmp_path / f"of_{header}.yaml").read_text()
        capsys.readouterr()


def test_header_is_a_key_of_csv_alone(tmp_path, capsys):
    np.save(tmp_path / "x.npy", np.zeros((3, 2)))
    write(tmp_path / "s.yaml", GOOD)
    assert cli.main(["audit", str(tmp_path / "x.npy"), str(tmp_path / "s.yaml"), "--no-header"]) == 2
    assert "header is for a .csv" in capsys.readouterr().err
    for read in (lambda p: read_table(p, header=True), lambda p: open_samples(p, None, False)):
        with pytest.raises(BadInput, match="header is for a .csv"):
            read(tmp_path / "x.npy")
    with pytest.raises(ValueError, match="header is for a .csv"):
        NearPoints(tmp_path / "x.npy", 0.1, ["x0", "x1"], True)


def test_a_scenario_that_writes_no_header_is_the_one_it_was(tmp_path):
    """A key with no value is not written out, so old runs still have their fingerprints."""
    write(tmp_path / "rows.csv", "a,b\n1,2\n")
    text = changed("step_size: 1e-2", "step_size: 1e-2, init: {kind: file, path: rows.csv}")
    assert "header" not in load(write(tmp_path / "s.yaml", text)).to_yaml()


def test_names_that_are_expected_settle_the_doubt(tmp_path):
    rows = write(tmp_path / "rows.csv", "Speed,load,2019\n30,5,1\n31,6,2\n")
    named = write(tmp_path / "s.yaml", NAMED)
    assert lem_safe.audit(rows, named).samples == 2
    assert read_table(rows, ["load"]).values.tolist() == [[5.0], [6.0]]
    for reader in (lambda: read_table(rows), lambda: lem_safe.audit(rows, write(tmp_path / "d.yaml", GOOD))):
        with pytest.raises(BadInput, match="may be column names or a row"):
            reader()


def test_numbers_made_names_settle_nothing(tmp_path):
    """x0_45 is what the tool would call a column 0.45: a scenario that was fitted to a row taken for names is no proof that it is one."""
    rows = write(tmp_path / "rows.csv", "M,0.45,0.3\nF,0.5,0.4\nI,0.3,0.2\n")
    text = NAMED.replace("[speed, load]", "[x0_45, x0_3]").replace("load > 20", "x0_45 > 9")
    with pytest.raises(BadInput, match="as names, 2 samples follow; as a row, there are 3"):
        lem_safe.audit(rows, write(tmp_path / "s.yaml", text))


def test_an_unnamed_index_is_left_out_where_the_others_are_chosen(tmp_path):
    rows = write(tmp_path / "rows.csv", ",speed,load\n0,30,5\n1,31,25\n")
    assert read_table(rows, ["load", "speed"]).values.tolist() == [[5, 30], [25, 31]]
    report = lem_safe.audit(rows, write(tmp_path / "s.yaml", NAMED))
    assert (report.samples, report.constraints[0].violations) == (2, 1)
    for reader in (lambda: read_table(rows), lambda: lem_safe.audit(rows, write(tmp_path / "d.yaml", GOOD))):
        with pytest.raises(BadInput, match="column 1 has no usable name"):
            reader()


# ---- the rows ----

CELLS = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.integers(-(10**20), 10**20).map(str),
    st.floats(-1e6, 1e6).map("{:.3e}".format),
    st.sampled_from(
        ["1.", ".5", "+1", " 2 ", "1E5", "٣", '"4.5"', "-0", "5e-324", "1_0", "0x10", "", "x", "inf", "1 2", '"1,5"']
    ),
)


@settings(max_examples=150, deadline=None)
@given(
    rows=st.lists(st.tuples(CELLS, CELLS), min_size=1, max_size=12),
    ends=st.sampled_from(["\n", "\r\n", "\r"]),
    blank=st.sampled_from(["", "  "]),
    size=st.integers(1, 5),
)
def test_rows_in_are_rows_out(rows, ends, blank, size, tmp_path_factory):
    """Both readers: as many rows as lines, each cell what float makes of it, or a fault that names the first line that is no row."""
    path = tmp_path_factory.mktemp("t") / "t.csv"
    lines = ["a,b", *(f"{a},{b}" for a, b in rows)]
    path.write_bytes(ends.join([lines[0], blank, *lines[1:]]).encode())

    def cell(text: str) -> float | None:
        bare = text[1:-1] if text.startswith('"') else text
        try:
            return None if "_" in bare else float(bare)
        except ValueError:
            return None

    truth = [[cell(a), cell(b)] for a, b in rows]
    bad = [i for i, row in enumerate(truth) if None in row]
    head = csv_head(path)
    for steps in (size, 65536):
        try:
            found = np.concatenate(list(csv_blocks(head, [0, 1], steps)))
        except TableFault as fault:
            assert bad and fault.faults[0][1] == bad[0] + 3  # the names, and the blank line
        else:
            assert not bad and found.tolist() == truth
    if not bad and np.isfinite(truth).all():
        assert read_table(path).values.tolist() == truth
        samples = open_samples(path)
        assert np.concatenate([b.x.numpy() for b in samples.blocks([0, 1], None)]).tolist() == truth


def test_a_quoted_line_break_parts_no_block(tmp_path):
    text = 'speed,"load\n(kN)",note\n' + "".join(f'{i},{i + 1},"a ""b""\n, c"\n' for i in range(50))
    head = csv_head(write(tmp_path / "t.csv", text))
    for size in (1, 2, 3, 7, 65536):
        assert np.concatenate(list(csv_blocks(head, [1, 0], size))).tolist() == [[i + 1, i] for i in range(50)]


def test_parquet_rounds_as_numpy_does(tmp_path):
    pa = pytest.importorskip("pyarrow")
    import pyarrow.parquet as pq

    numbers = [1_700_000_000_000_000_001 + i for i in range(5)]
    pq.write_table(pa.table({"t": numbers, "u": pa.array([2**64 - 1] * 5, pa.uint64())}), tmp_path / "t.parquet")
    truth = np.stack([np.array(numbers).astype(float), np.full(5, 2**64 - 1, np.uint64).astype(float)], 1)
    assert (read_table(tmp_path / "t.parquet").values == truth).all()
    (block,) = open_samples(tmp_path / "t.parquet").blocks([0, 1], None)
    assert (block.x.numpy() == truth).all()


# ---- the names ----

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
    write(folder / "x.csv", ",".join(names) + "\n" + "\n".join(",".join(map(repr, row)) for row in values.tolist()))
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
    rows = write(tmp_path / "x.csv", "HEAT,Top Speed,Load\n" + "\n".join(f"{c!r},{a!r},{b!r}" for a, b, c in ROWS.tolist()))
    text = THREE.replace("step_size: 1e-3", "step_size: 1e-3, init: {kind: file, path: x.csv}")
    problem = build(load(write(tmp_path / "s.yaml", text)), progress=Silent())
    assert sorted(start(problem, Key(1)).tolist()) == sorted(ROWS.tolist())
    np.save(tmp_path / "x.npy", ROWS)
    found = ood(problem.scenario, {"named": rows, "placed": tmp_path / "x.npy", "source": FileTable(rows)}, steps=1)
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
    problem = build(load(write(tmp_path / "i.yaml", text)), progress=Silent())
    with pytest.raises(BadInput, match=said):
        start(problem, Key(0))
    with pytest.raises(BadInput, match=said):
        ood(load(tmp_path / "s.yaml"), {"rows": rows})
    with pytest.raises(ValueError, match=said.replace("Load_kN", r"Load \(kN\)")):
        NearPoints(rows, 0.1, ["speed", "load"])


def test_position_is_said_in_every_form(tmp_path, capsys):
    write(tmp_path / "s.yaml", NAMED)
    np.save(tmp_path / "x.npy", np.array([[30.0, 5.0], [31.0, 6.0]]))
    assert cli.main(["audit", str(tmp_path / "x.npy"), str(tmp_path / "s.yaml"), "--out", str(tmp_path / "out")]) == 0
    said = "columns matched by position: 1 -> speed, 2 -> load"
    report = lem_safe.audit(tmp_path / "x.npy", tmp_path / "s.yaml")
    assert (report.columns_matched, report.columns_detail) == ("position", said)
    shown = [capsys.readouterr().out, (tmp_path / "out" / "report.html").read_text(), report._repr_html_(), report.to("github")]
    for text in shown:
        assert said[1:].replace(">", "&gt;") in text or said[1:] in text
    assert said[1:].replace(">", r"\>") in report.to("markdown")
    assert json.loads((tmp_path / "out" / "audit.json").read_text())["columns_detail"] == said
    own = lem_safe.audit(write(tmp_path / "x.csv", "u,v\n30,5\n"), write(tmp_path / "d.yaml", GOOD))
    assert own.columns_detail == "columns matched by position: 1 (u) -> x0, 2 (v) -> x1"
    assert lem_safe.audit(write(tmp_path / "y.csv", "load,speed\n5,30\n"), tmp_path / "s.yaml").columns_detail == ""


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
    write(tmp_path / "rows.csv", "Load (kN),Speed\n" + "\n".join(f"{a!r},{b!r}" for a, b in x.tolist()) + "\n")
    for columns, status in (("[load, speed]", 0), ("[a, b]", 0), ("[speed, load]", 2), ("[speed, b]", 2)):
        path = write(tmp_path / "s.yaml", TRAINED.replace("COLUMNS", columns))
        assert cli.main(["validate", str(path)]) == status, columns
        said = capsys.readouterr().err
        assert status == 0 or (f"{path}:3:" in said and "'Speed'" in said)


def test_the_data_of_a_penalty_are_the_scenarios(tmp_path, capsys):
    x = np.random.default_rng(0).normal(size=(40, 2))
    for name, heads in (("rows", "load,speed"), ("other", "speed,load")):
        write(tmp_path / f"{name}.csv", heads + "\n" + "\n".join(f"{a!r},{b!r}" for a, b in x.tolist()) + "\n")
    penalty = "penalties: [{weight: 0.1, energy: {kind: trained, data: {kind: file, path: PATH.csv}, training: {steps: 2}}}]\n"
    for name, status in (("rows", 0), ("other", 2)):
        text = TRAINED.replace("columns: COLUMNS\n", "") + penalty.replace("PATH", name)
        assert cli.main(["validate", str(write(tmp_path / "s.yaml", text))]) == status
        assert ("in another" in capsys.readouterr().err) == (status == 2)


def test_a_name_of_a_rule_is_told_with_those_of_the_samples(tmp_path):
    text = GOOD.replace("  both: {any: [near, wall]}", '  both: {kind: rule, where: "loan > 20"}')
    with pytest.raises(BadInput, match=r"unknown column 'loan'.*did you mean 'Loan'\? \(columns: Loan, Income\)"):
        lem_safe.audit(write(tmp_path / "x.csv", "Loan,Income\n1,2\n"), write(tmp_path / "s.yaml", text))
    with pytest.raises(BadInput, match="no column 'LOAN'; did you mean 'Loan'"):
        read_table(tmp_path / "x.csv", ["LOAN"])
