"""Tables and sources: what is read, and the one line that each unreadable thing earns."""

import math
import sys

import numpy as np
import pytest
import torch

from barriers.specification import construct
from barriers.tables import TableFormat
from lem_safe.data import DATA, EightGaussians, FileTable, SklearnTable, Table, read_table
from lem_safe.data.names import identifier
from lem_safe.errors import BadInput


def csv(folder, text: str):
    path = folder / "rows.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_csv_with_and_without_header(tmp_path):
    table = read_table(csv(tmp_path, "speed,load\n1,2.5\n-3e-4,4\n"))
    assert table.columns == ("speed", "load") and table.values.dtype == np.float64
    assert table.values.tolist() == [[1.0, 2.5], [-3e-4, 4.0]]
    bare = read_table(csv(tmp_path, "1,2\n3,4\n"))
    assert bare.columns is None and bare.values.tolist() == [[1, 2], [3, 4]]


def test_csv_as_spreadsheets_write_it(tmp_path):
    """A byte order mark, CRLF, quoted names with commas and spaces, quoted numbers, blank lines."""
    table = read_table(csv(tmp_path, '\ufeff"mean perimeter","area, mm2"\r\n"1.5",2\r\n\r\n3,4\r\n'))
    assert table.columns == ("mean_perimeter", "area_mm2")
    assert table.notes == (
        "column 'mean perimeter' is called mean_perimeter",
        "column 'area, mm2' is called area_mm2",
    )
    assert table.values.tolist() == [[1.5, 2], [3, 4]]


def test_one_column_stays_a_table(tmp_path):
    assert read_table(csv(tmp_path, "a\n1\n2\n")).values.tolist() == [[1.0], [2.0]]
    assert read_table(csv(tmp_path, "a,b\n1,2\n")).values.tolist() == [[1.0, 2.0]]


def test_chosen_columns_leave_the_others_unread(tmp_path):
    path = csv(tmp_path, 'name,speed,note,load\n"Smith, J",1,,2\nJones,3,nan,4\n')
    table = read_table(path, ["load", "speed"])
    assert table.columns == ("load", "speed") and table.values.tolist() == [[2, 1], [4, 3]]
    with pytest.raises(BadInput) as caught:
        read_table(path)
    assert [f.line for f in caught.value.faults] == [2, 2, 3]


@pytest.mark.parametrize("suffix", [".npz", ".npy", ".parquet"])
def test_other_formats(tmp_path, suffix):
    path, rows = tmp_path / f"rows{suffix}", np.array([[1.5, 2.0], [3.0, 4.0]], dtype=np.float32)
    if suffix == ".npz":
        np.savez(path, x=rows, columns=np.array(["a", "b c"]))
    elif suffix == ".npy":
        np.save(path, rows)
    else:
        import pyarrow as pa
        import pyarrow.parquet as pq

        pq.write_table(pa.table({"a": rows[:, 0], "b c": [2, 4], "text": ["x", "y"]}), path)
        with pytest.raises(BadInput, match="column 'text' must hold numbers; got string"):
            read_table(path)
    table = read_table(path, ["a", "b_c"] if suffix == ".parquet" else None)
    assert table.values.tolist() == rows.tolist()
    assert table.columns == (None if suffix == ".npy" else ("a", "b_c"))


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "rows.csv: is empty"),
        ("a,b\n", "has a header but no rows"),
        ("a,b\n1,2\n3,oops\n", "rows.csv:3: column 'b': 'oops' is not a number"),
        ("a,b\n1,2\n\n3,\n", "rows.csv:4: column 'b': the cell is empty"),
        ("a,b\n1,2\n3\n", "rows.csv:3: every row must have 2 cells, like the first; this one has 1"),
        ("a,b\n1,2,3\n4,5,6\n", "rows.csv:2: every row must have 2 cells"),
        ("a,b\n1,nan\n3,nan\n", "column 'b': every value must be finite; row 1 is nan, the first of 2 rows"),
        ("1,2\n3,inf\n", "column 1: every value must be finite; row 2 is inf"),
        ("a,a\n1,2\n", "column names must differ; 'a' appears twice"),
        ("a b,a-b\n1,2\n", "'a b' and 'a-b' are both called a_b"),
        (",b\n1,2\n", "column 1 has no usable name"),
        ("a;b\n1;x\n", "rows.csv:2: column 'b': 'x' is not a number"),
    ],
)
def test_bad_csv(tmp_path, text, fault):
    with pytest.raises(BadInput) as caught:
        read_table(csv(tmp_path, text))
    assert fault in str(caught.value)


def test_parquet_columns_that_nobody_chose(tmp_path):
    """They may have one name twice, and a name with a point is one name."""
    pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    arrays = [pa.array([1.0, 2.0]), pa.array([3.0, 4.0]), pa.array([5.0, None]), pa.array(["x", "y"])]
    pq.write_table(pa.Table.from_arrays(arrays, names=["PM2", "a", "PM2.5", "a"]), tmp_path / "t.parquet")
    path = tmp_path / "t.parquet"
    assert read_table(path, ["PM2"]).values.tolist() == [[1], [2]]
    table = read_table(path, ["`PM2.5`"], form=TableFormat(missing="drop"))
    assert (table.columns, table.values.tolist(), table.dropped) == (("PM2_5",), [[5]], 1)
    for columns in (None, ["a"]):
        with pytest.raises(BadInput, match="'a' appears twice"):
            read_table(path, columns)
    with pytest.raises(BadInput, match="row 2 is nan.*missing: drop"):
        read_table(path, ["PM2.5"])


def test_many_faults_are_counted(tmp_path):
    with pytest.raises(BadInput) as caught:
        read_table(csv(tmp_path, "a\n" + "x\n" * 50))
    assert len(caught.value.faults) == 9 and "42 more" in str(caught.value)


def test_bad_arrays(tmp_path):
    def refused(name: str, save, match: str):
        save(tmp_path / name)
        with pytest.raises(BadInput, match=match):
            read_table(tmp_path / name)

    refused(
        "a.npy",
        lambda p: np.save(p, np.zeros(3)),
        r"got an array of shape \(3,\); one column is shape \(n, 1\)",
    )
    refused(
        "b.npy", lambda p: np.save(p, np.array([{}], dtype=object)), "pickled objects, which are never loaded"
    )
    refused("c.npy", lambda p: np.save(p, np.zeros((0, 2))), "has no rows")
    refused(
        "d.npy",
        lambda p: np.save(p, np.zeros((2, 2), dtype=complex)),
        "real numbers; got an array of complex128",
    )
    refused("e.npy", lambda p: p.write_bytes(b"not numpy"), "e.npy: ")
    refused("f.npz", lambda p: np.savez(p, samples=np.zeros((2, 2))), "as the array 'x'; found 'samples'")
    refused(
        "g.npz",
        lambda p: np.savez(p, x=np.zeros((2, 2)), columns=np.array(["a"])),
        "1 column names for 2 columns",
    )
    refused("h.npz", lambda p: np.savez(p, x=np.array([[None]], dtype=object)), "pickled objects")
    refused("i.npz", lambda p: p.write_bytes(b"PK\x03\x04 cut short"), "cannot be read")
    refused(
        "j.npz",
        lambda p: np.savez(p, x=np.zeros((2, 2)), columns=np.array([1, 2])),
        "'columns' must be a list of text",
    )
    refused("k.parquet", lambda p: p.write_bytes(b"nothing"), "cannot be read as parquet")
    refused(
        "l.xlsx",
        lambda p: p.write_bytes(b""),
        "'.xlsx' is not a table this reads; use one of .csv, .tsv, .txt, .dat, .data, .npz, .npy, .parquet",
    )


def test_missing_file(tmp_path):
    with pytest.raises(BadInput, match="no such file"):
        read_table(tmp_path / "absent.csv")
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(BadInput, match="no table is in this directory"):
        read_table(tmp_path / "folder.csv")


def test_parquet_without_pyarrow_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    (tmp_path / "rows.parquet").write_bytes(b"")
    with pytest.raises(BadInput, match=r"pip install 'lem-safe\[data\]'"):
        read_table(tmp_path / "rows.parquet")


def test_select_suggests():
    table = Table(np.zeros((1, 2)), ("mean_perimeter", "mean_area"))
    assert table.select(["mean_area"]).columns == ("mean_area",)
    with pytest.raises(BadInput, match="no column 'mean_perimetre'; did you mean 'mean_perimeter'"):
        table.select(["mean_perimetre"])
    with pytest.raises(BadInput, match="did you mean 'mean_perimeter'"):
        table.select(["mean perimeter"])
    with pytest.raises(BadInput, match="name one column twice"):
        table.select(["mean_area", "mean_area"])


@pytest.mark.parametrize(
    ("raw", "name"),
    [
        ("mean perimeter", "mean_perimeter"),
        ("2nd", "x2nd"),
        ("class", "class_"),
        (" a (cm) ", "a_cm"),
        ("Größe", "Größe"),
    ],
)
def test_identifier(raw, name):
    assert identifier(raw) == name


@pytest.mark.parametrize("kind", [kind for kind, source in DATA.items() if "path" not in source.example])
def test_every_source_is_what_it_says(kind):
    """From its example: columns match the rows, one seed gives one table, and the fingerprint does not change
    by loading.
    """
    made = [construct(DATA[kind].constructor, DATA[kind].example, nested={}, context={}) for _ in range(2)]
    before = made[0].fingerprint()
    first, again = made[0].load(0), made[1].load(0)
    assert torch.equal(first.values, again.values) and first.values.dtype == torch.float64
    assert first.columns == made[0].columns and first.values.shape[1] == made[0].dimension
    assert made[0].fingerprint() == before == made[1].fingerprint()
    assert torch.equal(made[0].load(1).values, first.values) == (kind in ("sklearn", "mnist", "digits"))


def test_eight_gaussians_law():
    """Every centre holds 1/8 within 4 standard errors; the radius has E r² = R² + 2std²."""
    x = EightGaussians(radius=3.0, std=0.2).draw(torch.Generator().manual_seed(0), 40_000)
    sector = (torch.atan2(x[:, 1], x[:, 0]) / (math.pi / 4)).round().long() % 8
    counts = torch.bincount(sector, minlength=8)
    assert ((counts / 40_000 - 0.125).abs() < 4 * (0.125 * 0.875 / 40_000) ** 0.5).all()
    r2 = x.square().sum(1)
    assert abs(float(r2.mean()) - 9.08) < 4 * float(r2.std()) / 200


def test_planar_laws():
    """A number of each that only the right formula has."""
    draw = lambda kind, **fields: DATA[kind](**fields).draw(torch.Generator().manual_seed(0), 20_000)  # noqa: E731
    board = draw("checkerboard")
    assert board.abs().max() < 2 and bool((board.floor().sum(1) % 2 == 0).all())
    rings = draw("rings", std=1e-6).norm(dim=1)
    assert torch.allclose(rings, rings.round(), atol=1e-4) and set(rings.round().tolist()) == {1.0, 2.0, 3.0}
    roll = draw("swiss_roll", std=1e-9) / 0.2
    t = roll.norm(dim=1)
    assert torch.allclose(roll, torch.stack([t * t.cos(), t * t.sin()], 1), atol=1e-6)
    moons = draw("two_moons", std=1e-9)
    up = torch.isclose((moons + torch.tensor([0.5, 0.25])).norm(dim=1), torch.tensor(1.0).double())
    down = torch.isclose((moons - torch.tensor([0.5, 0.25])).norm(dim=1), torch.tensor(1.0).double())
    assert bool((up | down).all()) and 0.45 < float(up.double().mean()) < 0.55
    wheel = draw("pinwheel", tangential_std=1e-9, radial_std=0.1)
    angle = torch.atan2(wheel[:, 1], wheel[:, 0]) - 0.25 * (wheel.norm(dim=1) / 2).exp()
    assert torch.allclose((5 * angle).cos(), torch.ones(20_000).double(), atol=1e-6)


def test_real_tables_keep_their_truths():
    """No measured tumour has a perimeter below that of the circle of its area; unscaled diabetes has LDL +
    HDL ≤ cholesterol.
    """
    tumours = SklearnTable("breast_cancer", ["mean_perimeter", "mean_area"]).load(0).values
    assert tumours.shape == (569, 2)
    assert int((tumours[:, 0] < 2 * (math.pi * tumours[:, 1]).sqrt()).sum()) == 0
    diabetes = SklearnTable("diabetes", ["s1", "s2", "s3"]).load(0).values
    assert int((diabetes[:, 1] + diabetes[:, 2] > diabetes[:, 0]).sum()) == 0 and diabetes[:, 0].mean() > 100


def test_file_source(tmp_path):
    path = csv(tmp_path, "name,a,b\nx,1,2\ny,3,5\n")
    source = FileTable(path, ["b", "a"])
    assert source.columns == ("b", "a") and source.load(0).values.tolist() == [[2, 1], [5, 3]]
    before = source.fingerprint()
    csv(tmp_path, "name,a,b\nz,1,2\nw,3,5\n")
    assert FileTable(path, ["b", "a"]).fingerprint() == before  # a column nobody uses
    csv(tmp_path, "name,a,b\nx,1,2\ny,3,5.0000001\n")
    assert FileTable(path, ["b", "a"]).fingerprint() != before
    with pytest.raises(BadInput, match="no column 'c'"):
        _ = FileTable(path, ["c"]).columns


def test_a_byte_that_is_no_text_is_a_fault_wherever_it_stands(tmp_path):
    """Late in the file too, where the header has been read and the fast reader is under way."""
    for text in (b"\xff,b\n1,2\n", b"a,b\n" + b"1,2\n" * 50_000 + b"1,\xff\n"):
        (tmp_path / "t.csv").write_bytes(text)
        with pytest.raises(BadInput, match="UTF-8"):
            read_table(tmp_path / "t.csv")
