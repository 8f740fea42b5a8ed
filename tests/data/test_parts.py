"""Several files as one table: directories, patterns, folders that are columns; the same rows for training and
for an audit.
"""

from pathlib import Path

import numpy as np
import pytest
from scenario_texts import GOOD, changed

from barriers.tables import TableFormat
from lem_safe import cli
from lem_safe.auditor.opening import open_samples
from lem_safe.data import FileTable, read_table
from lem_safe.data.parts import parts_of
from lem_safe.errors import BadInput
from lem_safe.registry import load, loads

TRAINED = changed("{kind: gaussian, mean: [0, 0], std: 1}", "{kind: trained, data: {kind: file, path: PATH}}")


def csv(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def parquet(path: Path, **columns: list[float]) -> None:
    pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(columns), path)


def both(path: Path, columns: tuple[str, ...]) -> list[list[float]]:
    table = read_table(path, columns)
    samples = open_samples(path)
    order = [samples.rows.columns.index(name) for name in columns]
    rows = np.concatenate([block.x.numpy() for block in samples.blocks(order, None, 2)]).tolist()
    assert table.values.tolist() == rows and table.columns == columns
    return rows


@pytest.mark.parametrize("kind", ["csv", "parquet"])
@pytest.mark.parametrize("pattern", ["", "*/*/*.{}", "**/*.{}"])
def test_a_partitioned_table(kind, pattern, tmp_path):
    for year, month, rows in (
        (2020, 1, [[1.0, 2.0]]),
        (2020, 2, [[3.0, 4.0]]),
        (2021, 1, [[5.0, 6.0], [7.0, 8.0]]),
    ):
        path = tmp_path / f"year={year}" / f"month={month}" / f"part-0.{kind}"
        names = ["a", "b"] if month == 1 else ["b", "a"]
        columns = {name: [row[0 if name == "a" else 1] for row in rows] for name in names}
        if kind == "parquet":
            parquet(path, **columns)
        else:
            lines = [
                ",".join(names),
                *(",".join(map(str, row)) for row in zip(*columns.values(), strict=True)),
            ]
            csv(path.parent, path.name, "\n".join(lines) + "\n")
    csv(tmp_path, "_SUCCESS", "")
    csv(tmp_path, ".hidden.csv", "x\n")
    where = tmp_path / pattern.format(kind) if pattern else tmp_path
    truth = [[1, 2, 2020, 1], [3, 4, 2020, 2], [5, 6, 2021, 1], [7, 8, 2021, 1]]
    assert both(where, ("a", "b", "year", "month")) == truth
    assert both(where, ("month", "b")) == [[m, b] for _, b, _, m in truth]
    assert both(where, ("year",)) == [[y] for _, _, y, _ in truth]


def test_files_without_names_follow_each_other(tmp_path):
    csv(tmp_path, "b.csv", "3,4\n5,7\n")
    csv(tmp_path, "a.csv", "1,2\n1,9\n")
    assert read_table(tmp_path).values.tolist() == [[1, 2], [1, 9], [3, 4], [5, 7]]
    samples = open_samples(tmp_path)
    assert samples.rows.columns is None
    assert sum(len(block.x) for block in samples.blocks([0, 1], None)) == 4


@pytest.mark.parametrize(
    ("files", "fault"),
    [
        ({"a.csv": "x,y\n1,2\n", "b.csv": "x,z\n1,2\n"}, "b.csv: has other columns (x, z) than a.csv (x, y)"),
        ({"a.csv": "x,y\n1,2\n", "b.csv": "1.5,2\n3,4\n"}, "b.csv: has other columns (2 without names)"),
        ({"a.csv": "x\n1\n", "b.tsv": "x\n1\n"}, "files of several kinds (.csv, .tsv)"),
        ({"a.csv": "x\n1\n", "d=1/b.csv": "x\n1\n"}, "folders of the same names=values"),
        ({"a.json": "x\n1\n"}, "no table is in this directory"),
        ({"samples.npz": "", "trace.npz": ""}, "directory of a run; its samples are in samples.npz"),
        ({"a.csv": "x\n1\n", "b.csv": "x\n\n"}, "b.csv: has a header but no rows"),
        ({"a.csv": "x,y\n1,2\n", "b.csv": "0,1\n3.5,2.5\n"}, "b.csv:1: the first line"),
    ],
)
def test_what_is_no_one_table_is_refused(files, fault, tmp_path):
    for name, text in files.items():
        csv(tmp_path, name, text)
    for read in (read_table, lambda path: list(open_samples(path).blocks([0], None))):
        with pytest.raises(BadInput) as caught:
            read(tmp_path)
        assert fault in str(caught.value)


def test_a_folder_that_is_no_number_may_be_left_out(tmp_path):
    csv(tmp_path, "town=Ulm/a.csv", "x\n1\n")
    assert both(tmp_path, ("x",)) == [[1]]
    for read in (read_table, lambda path: list(open_samples(path).blocks([0, 1], None))):
        with pytest.raises(BadInput, match="column 'town' must hold numbers; its folder says 'Ulm'"):
            read(tmp_path)


def test_a_file_whose_name_looks_like_a_pattern_is_that_file(tmp_path):
    path = csv(tmp_path, "a[1].csv", "x\n1\n")
    csv(tmp_path, "a1.csv", "x\n2\n")
    assert read_table(path).values.tolist() == [[1]]
    with pytest.raises(BadInput, match="no table is in this pattern"):
        read_table(tmp_path / "b*.csv")


def test_too_many_files_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("lem_safe.data.parts.MOST", 2)
    for i in range(3):
        csv(tmp_path, f"{i}.csv", "x\n1\n")
    with pytest.raises(BadInput, match="at most 2 files"):
        parts_of(tmp_path)


def test_a_scenario_names_a_directory_and_its_fingerprint_counts_the_files(tmp_path, capsys):
    text = TRAINED.replace("PATH", "parts")
    (tmp_path / "s.yaml").write_text(text)
    assert cli.main(["validate", str(tmp_path / "s.yaml")]) == 2
    assert "no such file" in capsys.readouterr().err
    for i in range(3):
        csv(tmp_path, f"parts/{i}.csv", "x0,x1\n" + "".join(f"{i + k},{k * k}\n" for k in range(9)))
    first = load(tmp_path / "s.yaml")
    before = first.fingerprint()
    assert first.columns == ["x0", "x1"] and loads(first.to_yaml()).fingerprint() == before
    (tmp_path / "p.yaml").write_text(text.replace("path: parts", "path: parts/*.csv"))
    assert load(tmp_path / "p.yaml").fingerprint() == before
    csv(tmp_path, "parts/2.csv", "x0,x1\n1,2\n3,4\n")
    assert load(tmp_path / "s.yaml").fingerprint() != before
    (tmp_path / "n.yaml").write_text(
        changed(
            "{kind: ball, center: [2, 0], radius: 0.8}", "{kind: near_points, points: parts, radius: 1}", GOOD
        )
    )
    assert cli.main(["validate", str(tmp_path / "n.yaml")]) == 2
    assert "is a directory; only regular files are read" in capsys.readouterr().err


def test_keys_reach_every_part(tmp_path):
    for i in range(2):
        csv(tmp_path, f"{i}.csv", f"a;b\n{i},5;\n2,5;1\n")
    form = TableFormat(decimal=",", missing="drop")
    assert read_table(tmp_path, form=form).values.tolist() == [[2.5, 1]] * 2
    source = FileTable(tmp_path, decimal=",", missing="drop")
    assert source.load(0).dropped == 2
    (one, two) = open_samples(tmp_path, None, form).blocks([0, 1], None)
    assert [one.x.tolist(), two.x.tolist()] == [[[2.5, 1]]] * 2 and one.dropped + two.dropped == 2
