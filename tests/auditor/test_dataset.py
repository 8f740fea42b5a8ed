"""Data sets in several files and at addresses: the rows of one table, of which only what is needed is read;
what cannot be reached is said in words.
"""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from barriers.tables import TableFormat
from lem_safe import audit, cli
from lem_safe.auditor.dataset import Shard, dataset_of
from lem_safe.auditor.opening import open_samples
from lem_safe.data.remote import shown
from lem_safe.errors import BadInput

pa = pytest.importorskip("pyarrow")
feather = pytest.importorskip("pyarrow.feather")
fs = pytest.importorskip("pyarrow.fs")
parquet = pytest.importorskip("pyarrow.parquet")

RULES = {
    "late": {"kind": "rule", "where": "year >= 2021 and a > 0"},
    "ball": {
        "kind": "columns",
        "columns": ["a", "b"],
        "set": {"kind": "ball", "center": [1, 0], "radius": 1},
    },
}
ENDINGS = [".parquet", ".arrow", ".feather", ".csv", ".csv.gz"]


def put(path: Path, table: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".parquet":
        parquet.write_table(table, path)
    elif path.suffix in (".arrow", ".feather"):
        feather.write_feather(table, path)
    else:
        table.to_pandas().to_csv(path, index=False)


def partitioned(folder: Path, ending: str, seed: int = 0) -> np.ndarray:
    """Files under year=...; returns a, b and year of all rows in their order."""
    rng, every = np.random.default_rng(seed), []
    for year in (2020, 2021, 2022):
        for k in range(2):
            x = rng.normal(size=(int(rng.integers(1, 50)), 2)).round(3)
            columns = {"b": x[:, 1], "note": ["text"] * len(x), "a": x[:, 0]}
            put(folder / f"year={year}" / f"{k}{ending}", pa.table(columns))
            every.append(np.column_stack([x, np.full(len(x), year)]))
    return np.concatenate(every)


def counts(report) -> list[int]:
    return [c.violations for c in report.constraints]


def truth(x: np.ndarray) -> list[int]:
    late = (x[:, 2] >= 2021) & (x[:, 0] > 0)
    return [int(late.sum()), int((((x[:, :2] - [1, 0]) ** 2).sum(1) <= 1).sum())]


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("pattern", ["", "year=*/*{}", "**/*{}", "year=202[12]/*{}"])
def test_partitions_are_one_table_on_disk_and_at_an_address(ending, pattern, tmp_path):
    x = partitioned(tmp_path, ending)
    x = x[x[:, 2] > 2020] if "[12]" in pattern else x
    place = f"{tmp_path}/{pattern.format(ending)}" if pattern else str(tmp_path)
    found = audit(place, RULES, beta=0.5)
    assert (counts(found), found.samples) == (truth(x), len(x))
    away = audit(f"file://{place}", RULES, beta=0.5)
    assert away.source == f"file://{place}"
    assert away.to_dict() == {**found.to_dict(), "source": away.source}


def test_single_files_of_arrow_and_at_an_address_are_read_too(tmp_path):
    x = np.random.default_rng(0).normal(size=(500, 2))
    table = pa.table({"x0": x[:, 0], "x1": x[:, 1].astype(np.float32)})
    region = {"right": {"kind": "rule", "where": "x0 > 1"}}
    for name in ("t.parquet", "t.arrow", "t.feather", "t.ipc", "t.csv"):
        if name == "t.ipc":
            with pa.ipc.new_file(str(tmp_path / name), table.schema) as file:
                file.write_table(table, max_chunksize=64)
        else:
            put(tmp_path / name, table)
        for place in (tmp_path / name, f"file://{tmp_path}/{name}"):
            assert counts(audit(place, region, beta=0.5)) == [int((x[:, 0] > 1).sum())]


def test_only_the_columns_that_are_needed_are_read(tmp_path, monkeypatch):
    """Lists and texts in other columns are no matter, and are not asked for."""
    asked = []

    class Watched(parquet.ParquetFile):
        def iter_batches(self, *arguments, columns, **named):
            asked.append(columns)
            return super().iter_batches(*arguments, columns=columns, **named)

    for i in range(3):
        columns = {"a": [1.0, -1.0], "lists": [[1], [2, 3]], "text": ["x", "y"]}
        put(tmp_path / f"{i}.parquet", pa.table(columns))
        put(tmp_path / "ipc" / f"{i}.arrow", pa.table(columns))
    monkeypatch.setattr(parquet, "ParquetFile", Watched)
    region = {"up": {"kind": "rule", "where": "a > 0"}}
    assert counts(audit(tmp_path / "*.parquet", region, beta=0.5)) == [3]
    assert asked == [["a"]] * 3
    assert counts(audit(tmp_path / "ipc", region, beta=0.5)) == [3]


def test_folders_say_texts_nothing_and_signs_that_are_written_otherwise(tmp_path):
    for folder, a in (("kind=old%20one", 1.0), ("kind=__HIVE_DEFAULT_PARTITION__", 2.0), ("kind=new", 3.0)):
        put(tmp_path / folder / "0.parquet", pa.table({"a": [a, a]}))
    rules = {
        "old": {"kind": "rule", "where": "kind == 'old one'"},
        "none": {"kind": "rule", "where": "kind is missing"},
        "new": {"kind": "rule", "where": "kind == 'new' and a > 2"},
    }
    found = audit(tmp_path, rules, beta=0.5, missing="keep")
    assert counts(found) == [4, 2, 2] and [c.undefined for c in found.constraints] == [2, 0, 0]


def test_files_without_rows_are_files_too(tmp_path):
    """Also the first one, which then says nothing of what a column of text holds."""
    columns = {"day": [], "a": []}
    kinds = pa.schema([("day", pa.string()), ("a", pa.float64())])
    put(tmp_path / "0.parquet", pa.table(columns, schema=kinds))
    put(
        tmp_path / "1.parquet", pa.table({"day": ["2020-01-31", "2020-03-01"], "a": [1.0, 2.0]}, schema=kinds)
    )
    region = {"early": {"kind": "rule", "where": "day < '2020-02-01'"}}
    assert counts(audit(tmp_path, region, beta=0.5)) == [1]
    (tmp_path / "1.parquet").unlink()
    with pytest.raises(BadInput, match="holds no samples: it has no rows"):
        audit(tmp_path, {"up": {"kind": "rule", "where": "a > 0"}}, beta=0.5)


def test_a_file_that_differs_is_named_with_its_row(tmp_path):
    put(tmp_path / "0.csv", pa.table({"a": [1.0, 2.0]}))
    put(tmp_path / "1.csv", pa.table({"a": [1.0, float("nan")]}))
    region = {"up": {"kind": "rule", "where": "a > 0"}}
    with pytest.raises(BadInput, match=r"1\.csv: ?3?.*empty") as found:
        audit(tmp_path, region, beta=0.5)
    assert str(tmp_path / "1.csv") in str(found.value)
    put(tmp_path / "1.csv", pa.table({"c": [1.0]}))
    with pytest.raises(BadInput, match=r"1.csv: has other columns \(c\) than 0.csv \(a\)"):
        audit(tmp_path, region, beta=0.5)
    put(tmp_path / "1.parquet", pa.table({"a": [1.0]}))
    with pytest.raises(BadInput, match="files of several kinds"):
        audit(tmp_path, region, beta=0.5)
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "0.arrow").write_bytes(b"no table" * 20)
    with pytest.raises(BadInput, match="0.arrow: cannot be read as an Arrow file"):
        audit(tmp_path / "bad", region, beta=0.5)


class Stand:
    """A file system in the place of a store: a folder of this machine, under an address of the store."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch):
        self.asked: list[str] = []
        system = fs.SubTreeFileSystem(str(folder), fs.LocalFileSystem())

        def from_uri(address: str) -> tuple[object, str]:
            self.asked.append(address)
            return system, address.partition("://")[2].partition("?")[0].rpartition("@")[2].replace(
                "%2A", "*"
            )

        monkeypatch.setattr(fs, "FileSystem", SimpleNamespace(from_uri=from_uri))


@pytest.mark.parametrize("scheme", ["s3", "gs", "abfs"])
@pytest.mark.parametrize("ending", [".parquet", ".csv"])
def test_stores_are_read_by_pyarrows_file_systems(scheme, ending, tmp_path, monkeypatch, capsys):
    x = partitioned(tmp_path / "bucket" / "data", ending)
    (tmp_path / "bucket" / "data" / "_SUCCESS.csv").write_text("not a table")
    stand = Stand(tmp_path, monkeypatch)
    address = f"{scheme}://key:secret@bucket/data/year=*/*{ending}"
    found = audit(address, RULES, beta=0.5)
    assert counts(found) == truth(x) and found.source == f"{scheme}://bucket/data/year=*/*{ending}"
    assert "secret" not in found.to_json() + found.to_text() and "secret" in stand.asked[0]
    assert ("retry_limit_seconds" in stand.asked[0]) == (scheme == "gs")
    (tmp_path / "s.yaml").write_text(
        "version: 1\nname: s\nunsafe: {up: {kind: rule, where: a > 0}}\nconstraints: [{set: up, beta: 0.9}]\n"
    )
    parts = [str(tmp_path / f"{i}.json") for i in (1, 2, 3)]
    for i, part in enumerate(parts, 1):
        arguments = ["audit", address, str(tmp_path / "s.yaml"), "--shard", f"{i}/3", "--out", part]
        assert cli.main(arguments) == 0
    capsys.readouterr()
    cli.main(["audit", address, str(tmp_path / "s.yaml"), "--json"])
    one = capsys.readouterr().out
    cli.main(["merge", *parts, str(tmp_path / "s.yaml"), "--json"])
    assert capsys.readouterr().out == one
    assert not any("secret" in Path(part).read_text() for part in parts)


def said(capsys, *arguments: object) -> str:
    assert cli.main([*map(str, arguments)]) == 2
    out = capsys.readouterr()
    assert not out.out and "Traceback" not in out.err
    return out.err


def test_what_cannot_be_reached_is_said_in_words(tmp_path, monkeypatch, capsys):
    scenario = tmp_path / "s.yaml"
    scenario.write_text(
        "version: 1\nname: s\nunsafe: {up: {kind: rule, where: a > 0}}\nconstraints: [{set: up, beta: 0.9}]\n"
    )
    assert "foo://x/y: cannot be read: Unrecognized filesystem" in said(
        capsys, "audit", "foo://x/y", scenario
    )
    nowhere = f"file://{tmp_path}/none/*.csv"
    assert "no such file or directory; check the address" in said(capsys, "audit", nowhere, scenario)
    (tmp_path / "empty").mkdir()
    assert "no table is there" in said(capsys, "audit", f"file://{tmp_path}/empty", scenario)

    class Refusing:
        """A store that lets nobody in, or whose line is cut."""

        def __init__(self, error: Exception, listing: bool):
            self.error, self.listing = error, listing

        def get_file_info(self, asked):
            if not self.listing:
                raise self.error
            info = SimpleNamespace(type=fs.FileType.File, path="b/0.csv", size=9, base_name="0.csv")
            folder = SimpleNamespace(type=fs.FileType.Directory, path="b", size=0, base_name="b")
            return folder if isinstance(asked, str) else [info]

        def open_input_stream(self, *_, **__):
            raise self.error

    for error, listing in (
        (OSError("AWS Error ACCESS_DENIED during ListObjectsV2"), False),
        (OSError("AWS Error NETWORK_CONNECTION during GetObject: could not resolve hostname\nmore"), True),
        (pa.ArrowException("Unknown error: no token"), True),
    ):
        system = Refusing(error, listing)
        monkeypatch.setattr(fs, "FileSystem", SimpleNamespace(from_uri=lambda _, s=system: (s, "b")))
        text = said(capsys, "audit", "s3://b", scenario)
        assert str(error).splitlines()[0] in text and "more" not in text
        assert "check the address, the network, and the credentials (AWS_ACCESS_KEY_ID" in text


def test_addresses_are_shown_without_secrets():
    assert shown("s3://AKIA:x/y@b/a?scheme=http&endpoint_override=h") == "s3://b/a"
    assert shown("s3://k:s@b/part-?.csv?region=eu") == "s3://b/part-?.csv"
    assert (
        shown("abfs://box@account.dfs.core.windows.net/a?sas_token=s")
        == "abfs://box@account.dfs.core.windows.net/a"
    )


def test_a_data_set_is_known_by_the_names_and_sizes_of_its_files(tmp_path):
    partitioned(tmp_path / "one", ".csv")
    partitioned(tmp_path / "two", ".csv")
    one, two = (dataset_of(str(tmp_path / name)) for name in ("one", "two"))
    assert one.sha256 == two.sha256 == dataset_of(f"file://{tmp_path}/one").sha256
    (tmp_path / "two" / "year=2020" / "9.csv").write_text("b,note,a\n1,x,2\n")
    assert dataset_of(str(tmp_path / "two")).sha256 != one.sha256
    chosen = [list(Shard(i, 4).files(6)) for i in range(1, 5)]
    assert chosen == [[0], [1, 2], [3], [4, 5]]
    with pytest.raises(BadInput, match="separator is for a .csv"):
        open_samples(tmp_path / "one" / "year=2020" / "0.parquet", None, TableFormat(separator=";"))


def test_thin_says_that_it_copies_no_arrow_file(tmp_path, capsys):
    put(tmp_path / "t.arrow", pa.table({"a": [1.0, -1.0]}))
    (tmp_path / "s.yaml").write_text(
        "version: 1\nname: s\nunsafe: {up: {kind: rule, where: a > 0}}\nconstraints: [{set: up, beta: 0.1}]\n"
    )
    out = tmp_path / "o.arrow"
    text = said(capsys, "thin", tmp_path / "t.arrow", tmp_path / "s.yaml", "--out", out)
    assert "thin copies rows as they are, from text, .npy, .npz and .parquet; got '.arrow'" in text
    assert not out.exists()
