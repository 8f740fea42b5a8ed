"""Files read a block at a time: the same numbers as read whole, in bounded memory; and every damaged file a
fault in words, never a traceback.
"""

import io
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from audited import cloud, only, scenario, write_csv
from scenario_texts import GOOD

from barriers.tables import TableFormat
from lem_safe import cli
from lem_safe.auditor import AuditReport, audit
from lem_safe.auditor.matching import match_columns
from lem_safe.auditor.opening import open_samples
from lem_safe.auditor.rows import BLOCK
from lem_safe.errors import BadInput

ROWS = BLOCK + 777
X = np.random.default_rng(0).normal([1.0, 0.0], 1.0, (ROWS, 2)).astype(np.float32)
WIDE = scenario([("pillar", 0.5)])


def write(path, x=X):
    kind = path.suffix
    if kind == ".npy":
        np.save(path, x)
    elif kind == ".csv":
        np.savetxt(path, x, delimiter=",", header="x0,x1", comments="", fmt="%.17g")
    elif kind == ".parquet":
        arrow = pytest.importorskip("pyarrow")
        import pyarrow.parquet as parquet

        parquet.write_table(arrow.table({"x0": x[:, 0], "x1": x[:, 1]}), path)
    else:
        (np.savez_compressed if path.stem == "compressed" else np.savez)(path, x=x)
    return path


NAMES = ["a.npy", "a.npz", "compressed.npz", "a.csv", "a.parquet"]


@pytest.mark.parametrize("name", NAMES)
def test_blocks_are_the_rows_in_order(name, tmp_path):
    samples = open_samples(write(tmp_path / name))
    matched = match_columns(samples, ["x1", "x0"] if samples.columns else ["x0", "x1"], {})
    for size in (BLOCK, 1000):
        blocks = [b.x.numpy() for b in matched.blocks(samples, size)]
        assert max(map(len, blocks)) <= size
        assert (np.concatenate(blocks) == (X[:, ::-1] if samples.columns else X).astype(np.float64)).all()


@pytest.mark.parametrize("name", NAMES)
def test_every_file_is_audited_alike(name, tmp_path):
    assert only(audit(write(tmp_path / name), WIDE)) == only(audit(X, WIDE))


def test_other_orders_and_types_of_arrays(tmp_path):
    whole = np.random.default_rng(1).integers(-9, 9, (5000, 2))
    want = only(audit(whole.astype(float), WIDE))
    for i, kept in enumerate(
        (np.asfortranarray(whole), whole.astype(">i8"), whole.astype("f2"), whole.astype("i1"))
    ):
        for path in (write(tmp_path / f"{i}.npy", kept), write(tmp_path / f"{i}.npz", kept)):
            assert only(audit(path, WIDE)) == want


def test_more_columns_than_needed_are_left_out_by_name(tmp_path):
    x = cloud(9, 300)
    text = "\n".join(f'run "{i}",{b!r},{a!r},' for i, (a, b) in enumerate(x.astype(float).tolist()))
    (tmp_path / "x.csv").write_text(
        "name,x1,x0,note\n"
        + text.replace('run "', 'run ""').replace('",', '""",').replace("run", '"run')
        + "\n"
    )
    report = audit(tmp_path / "x.csv", WIDE)
    assert (
        only(report).violations == 9 and report.columns == ("x0", "x1") and report.columns_matched == "name"
    )
    (tmp_path / "q.csv").write_text('"x0","x1"\n"1.5","2"\n\n3,"4"\n')
    assert audit(tmp_path / "q.csv", WIDE).samples == 2
    with pytest.raises(BadInput, match="q.csv:3"):
        (tmp_path / "q.csv").write_text('x0,x1\n1.5,2\n3,"four"\n')
        audit(tmp_path / "q.csv", WIDE)


def test_a_block_far_down_names_its_line(tmp_path):
    path = write(tmp_path / "a.csv")
    lines = path.read_text().splitlines()
    lines[BLOCK + 500] = "1,2,3"
    path.write_text("\n".join(lines))
    with pytest.raises(BadInput, match=f"a.csv:{BLOCK + 501}: every row must have 2 cells"):
        audit(path, WIDE)


MEASURE = """
import sys
import torch; torch.set_num_threads(1)
sys.path.insert(0, "tests")
from audited import scenario
from lem_safe.auditor import audit
import numpy as np
audit(np.zeros((10, 2)), scenario([("pillar", 0.5)]))
def peak():  # KiB of this program; ru_maxrss would start at its parent's
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM"))
before = peak()
if len(sys.argv) > 2:
    held = np.load(sys.argv[1])  # the planted fault: read whole
print(audit(sys.argv[1], scenario([("pillar", 0.5)])).samples, peak() - before)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="peak memory is read from /proc")
@pytest.mark.parametrize("name", ["a.npy", "compressed.npz"])
def test_memory_does_not_grow_with_the_file(name, tmp_path):
    rows = 3_000_000
    path = write(tmp_path / name, np.zeros((rows, 2), dtype=np.float64))  # 48 MB of numbers
    grown = {}
    for how in ([], ["whole"]) if name == "a.npy" else ([],):
        done = subprocess.run(
            [sys.executable, "-c", MEASURE, str(path), *how], capture_output=True, text=True, check=True
        )
        counted, grown[len(how)] = map(int, done.stdout.split())
        assert counted == rows
    assert grown[0] < 24 * 1024 < grown.get(1, 1 << 30), f"{grown} KiB for 48 MB"


def npy(header: str, data: bytes = b"", version: bytes = b"\x01\x00") -> bytes:
    text = header.encode("latin1") + b"\n"
    return b"\x93NUMPY" + version + len(text).to_bytes(2, "little") + text + data


def zipped(**members: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, content in members.items():
            archive.writestr(f"{name}.npy", content)
    return out.getvalue()


def saved(x, **more) -> bytes:
    out = io.BytesIO()
    np.savez(out, x=x, **more)
    return out.getvalue()


def flipped(content: bytes, at: int) -> bytes:
    return content[:at] + bytes([content[at] ^ 0xFF]) + content[at + 1 :]


GOOD_NPZ = saved(np.ones((5000, 2)))
DAMAGED = {
    "empty.npy": b"",
    "text.npy": b"hello",
    "cut.npy": npy("{'descr': '<f8', 'fortran_order': False, 'shape': (10, 2), }", b"\0" * 100),
    "huge.npy": npy("{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000, 2), }", b"\0" * 160),
    "overflow.npy": npy(
        "{'descr': '<f8', 'fortran_order': False, 'shape': (1180591620717411303424, 2), }", b"\0" * 160
    ),
    "negative.npy": npy("{'descr': '<f8', 'fortran_order': False, 'shape': (-5, 2), }", b"\0" * 160),
    "code.npy": npy("{'descr': __import__('os').system('true'), 'fortran_order': False, 'shape': (1, 2), }"),
    "deep.npy": npy("(" * 5000 + ")" * 5000),
    "nokeys.npy": npy("{}"),
    "version.npy": npy("{}", version=b"\x09\x00"),
    "objects.npy": npy("{'descr': '|O', 'fortran_order': False, 'shape': (4, 2), }", b"\0" * 64),
    "structured.npy": npy("{'descr': [('a', '<f8')], 'fortran_order': False, 'shape': (4,), }", b"\0" * 32),
    "complex.npy": npy("{'descr': '<c16', 'fortran_order': False, 'shape': (1, 2), }", b"\0" * 32),
    "flat.npy": npy("{'descr': '<f8', 'fortran_order': False, 'shape': (4,), }", b"\0" * 32),
    "three.npy": npy("{'descr': '<f8', 'fortran_order': False, 'shape': (2, 2, 2), }", b"\0" * 64),
    "zero.npy": npy("{'descr': '<f8', 'fortran_order': False, 'shape': (0, 2), }"),
    "archive.npy": GOOD_NPZ,
    "nan.npy": npy(
        "{'descr': '<f8', 'fortran_order': False, 'shape': (1, 2), }", np.array([np.nan, 0]).tobytes()
    ),
    "inf.npy": npy(
        "{'descr': '<f8', 'fortran_order': False, 'shape': (1, 2), }", np.array([0, -np.inf]).tobytes()
    ),
    "empty.npz": b"",
    "cut.npz": GOOD_NPZ[:2000],
    "flipped.npz": flipped(GOOD_NPZ, 3000),
    "directory.npz": GOOD_NPZ[:-30],
    "other.npz": saved(np.ones((5, 2))).replace(b"x.npy", b"y.npy"),
    "huge.npz": zipped(
        x=npy("{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000, 2), }", b"\0" * 160)
    ),
    "columns.npz": zipped(
        x=npy("{'descr': '<f8', 'fortran_order': False, 'shape': (1, 2), }", b"\0" * 16),
        columns=npy("{'descr': '<U9', 'fortran_order': False, 'shape': (1000000000000,), }", b"\0" * 72),
    ),
    "few.npz": saved(np.ones((5, 2)), columns=np.array(["a"])),
    "numbers.npz": saved(np.ones((5, 2)), columns=np.array([1, 2])),
    "objects.npz": zipped(x=npy("{'descr': '|O', 'fortran_order': False, 'shape': (4, 2), }", b"\0" * 64)),
    "bytes.csv": b"a,b\n\xff\xfe,1\n",
    "late.csv": b"a,b\n" + b"1,2\n" * 70000 + b"\xff,1\n",
    "null.csv": b"a,b\n1,\0\n",
    "wide.csv": b"a,b,c\n1,2,3\n",
    "inf.csv": b"a,b\n1,inf\n",
    "big.csv": b"a,b\n1,1e999\n",
    "twice.csv": b"a,a\n1,2\n",
    "half.csv": b"a,replica,b\n1,0.5,2\n",
    "text.parquet": b"PAR1 no PAR1",
    "empty.parquet": b"",
    "x.pkl": b"",
    "x": b"",
}


@pytest.mark.parametrize("name", DAMAGED)
def test_a_damaged_file_is_a_fault_in_words(name, tmp_path, capsys):
    if name.endswith(".parquet"):
        pytest.importorskip("pyarrow")
    (tmp_path / "s.yaml").write_text(GOOD)
    (tmp_path / name).write_bytes(DAMAGED[name])
    assert (
        cli.main(["audit", str(tmp_path / name), str(tmp_path / "s.yaml"), "--out", str(tmp_path / "out")])
        == 2
    )
    shown = capsys.readouterr()
    assert name in shown.err and shown.out == "" and "Traceback" not in shown.err and len(shown.err) < 1000
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("path", ["missing.npy", "missing.npz", "missing.csv", ".", "missing/x.parquet"])
def test_a_file_that_is_not_there(path, tmp_path, capsys):
    (tmp_path / "s.yaml").write_text(GOOD)
    assert cli.main(["audit", str(tmp_path / path), str(tmp_path / "s.yaml")]) == 2
    assert str(tmp_path) in capsys.readouterr().err


def test_numbers_at_the_end_of_the_range_count_as_inside_or_outside_but_never_fail():
    end = np.finfo(np.float64).max
    x = np.array([[end, 0.0], [-end, end], [0.0, 0.0], [end, end], [-end, -end]])
    slope = {"kind": "half_space", "normal": [1.0, 1.0], "offset": 1.0}
    report = audit(
        x,
        scenario(
            [("pillar", 0.5), ("slope", 0.5)],
            unsafe={"pillar": {"kind": "ball", "center": [2.0, 0.0], "radius": 0.8}, "slope": slope},
        ),
    )
    pillar, sum_ = report.constraints
    assert (
        pillar.violations == 0 and sum_.violations == 2 and AuditReport.from_json(report.to_json()) == report
    )
    assert [sum_.worst[i].row for i in (0, 1)] == [3, 0]


def test_one_sample():
    for x, violations in ((cloud(0, 1), 0), (cloud(1, 1), 1)):
        c = only(audit(x, WIDE, near=5.0))
        assert (c.violations, c.verdict, c.diagnostic_ess) == (violations, "inconclusive", None)
        assert (c.upper_bound, c.lower_bound) == (
            pytest.approx((0.95, 0.0)) if not violations else pytest.approx((1.0, 0.05))
        )


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "3",
        "null",
        '{"schema_version": 1}',
        '{"schema_version": 1, "constraints": [{}], "union": null}',
    ],
)
def test_a_damaged_audit_is_a_fault(text):
    with pytest.raises(BadInput, match="audit.json"):
        AuditReport.from_json(text)


def test_an_audit_of_an_earlier_version_is_read():
    data = audit(cloud(3, 100), WIDE).to_dict()
    for added in ("verdict", "method", "unit", "units", "rows", "seed", "looks"):
        del data[added]
    for added in ("clearances", "inside", "diagnostic_ess", "diagnostic_interval", "decided_at"):
        del data["constraints"][0][added]
    import json

    read = AuditReport.from_json(json.dumps(data))
    assert read.samples == 100 and only(read).clearances is None and "PASSED" in read.to_text()


def test_near_must_be_a_distance(tmp_path):
    for near in (0.0, -1.0, float("nan"), float("inf")):
        with pytest.raises(BadInput, match="must be a distance > 0"):
            audit(cloud(1, 10), WIDE, near=near)
    assert write_csv(tmp_path / "x.csv", ["x0", "x1"], cloud(1, 10)).exists()


@pytest.mark.parametrize("mark", [";", "\t", "|"])
@pytest.mark.parametrize("head", [[], ["x0,x1"]])
def test_a_table_with_other_separators_is_read(mark, head, tmp_path):
    """Decimal commas too, which would make three columns of two, once the key says what they are."""
    path, truth = tmp_path / "x.csv", [[1.5, 2.5], [3.5, 4.25]]
    body = [mark.join(map(str, row)) for row in truth]
    lines = [*(name.replace(",", mark) for name in head), *body]
    path.write_text("\n".join(lines) + "\n")
    assert only_rows(open_samples(path)) == truth
    path.write_text("\n".join(line.replace(".", ",") for line in lines) + "\n")
    with pytest.raises(BadInput, match="decimal: ','"):
        open_samples(path)
    assert only_rows(open_samples(path, None, TableFormat(decimal=","))) == truth


def only_rows(samples):
    return np.concatenate([block.x.numpy() for block in samples.blocks([0, 1], None)]).tolist()


def test_one_column_is_one_column(tmp_path):
    (tmp_path / "x.csv").write_text("x0;a\n1\n2\n")  # a strange name, and one column all the same
    assert open_samples(tmp_path / "x.csv").rows.width == 1
    with pytest.raises(BadInput, match=r"has 1 column \(x0_a\), the scenario has 2"):
        audit(tmp_path / "x.csv", scenario([("pillar", 0.1)]))
