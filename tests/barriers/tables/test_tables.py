"""First lines and rows of tables, by every way in: what may be names or a row is refused with both readings,
and a row in is a row out.
"""

import csv
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
from lem_safe.auditor.opening import open_samples
from lem_safe.data import FileTable, read_table
from lem_safe.errors import BadInput
from lem_safe.keys import Key
from lem_safe.progress import Silent
from lem_safe.registry import load, loads
from lem_safe.runs.problem import build
from lem_safe.runs.starting import start

NAMED = GOOD.replace("version: 1\n", "version: 1\ncolumns: [speed, load]\n").replace(
    "  both: {any: [near, wall]}", '  both: {kind: rule, where: "load > 20"}'
)
BOTH = (
    r"may be column names or a row.*as names, 4 samples follow; as a row, there are 5 samples.*header: true"
)


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(("first", "below"), READINGS["doubt"])
def test_what_is_in_doubt_is_refused_by_every_reader_and_the_key_decides(first, below, tmp_path):
    path = write(tmp_path / "t.csv", f"{first}\n" + below.replace(";", "\n") + "\n")
    rows = below.count(";") + 1
    for reader in (read_table, open_samples):
        try:
            found = reader(path)
        except BadInput as bad:
            assert (
                bad.faults[0].line == 1
                and "header: true" in str(bad)
                and f"there are {rows + 1} samples" in str(bad)
            )
        else:  # an audit knows which names to expect only later
            assert reader is open_samples
            with pytest.raises(BadInput, match="header: true"):
                found.rows.settle(["x0", "x1"])
    head = csv_head(path, True)
    assert head.names == tuple(next(csv.reader([first]))) and head.doubt is None
    assert csv_head(path, False).names is None


CASES = {
    "a gap": "99,NA\n30,5\n31,6\n29,4\n33,5\n",
    "pandas": "0,1\n3.1,2.9\n3.2,3.1\n2.8,3.5\n2.9,3.6\n",
    "years": "2019,2020\n1.5,2\n3,4\n5,6\n7,8\n",
}


@pytest.mark.parametrize("name", CASES)
def test_every_way_in_refuses_with_both_readings(name, tmp_path, capsys):
    rows = write(tmp_path / "rows.csv", CASES[name])
    write(tmp_path / "s.yaml", GOOD)
    write(
        tmp_path / "trained.yaml",
        changed(
            "{kind: gaussian, mean: [0, 0], std: 1}", "{kind: trained, data: {kind: file, path: rows.csv}}"
        ),
    )
    write(
        tmp_path / "near.yaml",
        changed(
            "{kind: ball, center: [2, 0], radius: 0.8}", "{kind: near_points, points: rows.csv, radius: 0.1}"
        ),
    )
    write(
        tmp_path / "init.yaml",
        changed("step_size: 1e-2", "step_size: 1e-2, init: {kind: file, path: rows.csv}"),
    )
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
        assert (
            "as names, 4 samples follow; as a row, there are 5 samples" in said.err
            and "header: true" in said.err
        ), where
        assert "rows.csv:1: " in said.err or (where == "near_points" and "rows.csv: line 1: " in said.err), (
            where,
            said.err,
        )
        assert said.out == "" and "Traceback" not in said.err
    with pytest.raises(BadInput, match=BOTH):
        lem_safe.audit(rows, tmp_path / "s.yaml")


def test_the_key_decides_by_every_way_in(tmp_path, capsys):
    rows = write(tmp_path / "rows.csv", CASES["pandas"])
    write(tmp_path / "s.yaml", GOOD)
    for option, samples in (("--header", 4), ("--no-header", 5)):
        assert cli.main(["audit", str(rows), str(tmp_path / "s.yaml"), option, "--json"]) == 1
        said = json.loads(capsys.readouterr().out)
        assert (said["samples"], said["columns_matched"]) == (
            samples,
            "name" if option == "--header" else "position",
        )
        header = option == "--header"
        assert lem_safe.audit(rows, load(tmp_path / "s.yaml"), header=header).samples == samples
        key = f"header: {str(header).lower()}"
        init = write(
            tmp_path / "i.yaml",
            changed("step_size: 1e-2", f"step_size: 1e-2, init: {{kind: file, path: rows.csv, {key}}}"),
        )
        problem = build(load(init), progress=Silent())
        begun = {tuple(row) for row in start(problem, Key(0)).tolist()}
        assert len(begun) == samples and ((0.0, 1.0) in begun) == (not header)
        assert (
            key in load(init).to_yaml()
            and loads(load(init).to_yaml()).fingerprint() == load(init).fingerprint()
        )
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
    """x0_45 is what the tool would call a column 0.45: a scenario that was fitted to a row taken for names is
    no proof that it is one.
    """
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


CELLS = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.integers(-(10**20), 10**20).map(str),
    st.floats(-1e6, 1e6).map("{:.3e}".format),
    st.sampled_from(
        [
            "1.",
            ".5",
            "+1",
            " 2 ",
            "1E5",
            "٣",
            '"4.5"',
            "-0",
            "5e-324",
            "1_0",
            "0x10",
            "",
            "x",
            "inf",
            "1 2",
            '"1,5"',
        ]
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
    """Both readers: as many rows as lines, each cell what float makes of it, or a fault that names the first
    line that is no row.
    """
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
        assert np.concatenate(list(csv_blocks(head, [1, 0], size))).tolist() == [
            [i + 1, i] for i in range(50)
        ]


def test_parquet_rounds_as_numpy_does(tmp_path):
    pa = pytest.importorskip("pyarrow")
    import pyarrow.parquet as pq

    numbers = [1_700_000_000_000_000_001 + i for i in range(5)]
    pq.write_table(
        pa.table({"t": numbers, "u": pa.array([2**64 - 1] * 5, pa.uint64())}), tmp_path / "t.parquet"
    )
    truth = np.stack([np.array(numbers).astype(float), np.full(5, 2**64 - 1, np.uint64).astype(float)], 1)
    assert (read_table(tmp_path / "t.parquet").values == truth).all()
    (block,) = open_samples(tmp_path / "t.parquet").blocks([0, 1], None)
    assert (block.x.numpy() == truth).all()
