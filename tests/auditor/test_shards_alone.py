"""What shards and merges do to files: they replace no data, are called the same however a path is written,
and say what is expected.
"""

import os
from pathlib import Path

import numpy as np
import pytest

from lem_safe import audit, cli
from lem_safe.auditing import audited, write_audit_files
from lem_safe.auditor.dataset import dataset_of
from lem_safe.report import contents

RULES = """\
version: 1
name: small
unsafe:
  r: {kind: rule, where: a > 2}
constraints: [{set: r, beta: 0.5}]
"""


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("s.yaml").write_text(RULES)
    Path("d/a b").mkdir(parents=True)
    for name in ("d/0.csv", "d/a b/1.csv", "d/a.csv"):
        Path(name).write_text("a,b\n1,2\n3,4\n")
    return tmp_path


def run(*args: object) -> int:
    return cli.main([str(arg) for arg in args])


def test_no_file_of_the_data_is_replaced(data, capsys):
    before = Path("d/0.csv").read_bytes()
    Path("link.csv").symlink_to("d/0.csv")
    for source in ("d", "d/*.csv", f"file://{data}/d"):
        for out in ("d/0.csv", "d/../d/0.csv", "link.csv"):
            asked = [["--shard", "1/2", "--out", out], ["--write", f"json={out}"], ["--failing-rows", out]]
            for each in asked:
                assert run("audit", source, "s.yaml", *each, "--overwrite") == 2
                assert "is read by this command" in capsys.readouterr().err
    assert Path("d/0.csv").read_bytes() == before


def test_a_path_may_be_written_in_any_way(data, capsys):
    for i, source in ((1, "d/"), (2, "./d"), (3, "d")):
        assert run("audit", source, "s.yaml", "--shard", f"{i}/3", "--out", f"p{i}.json") == 0
    for source in ("./d/",):
        assert audit(source, "s.yaml").source == "d"
        assert run("audit", source, "s.yaml", "--write", "json=one.json", "--overwrite") == 0
        assert (
            run("merge", "p1.json", "p2.json", "p3.json", "s.yaml", "--write", "json=two.json", "--overwrite")
            == 0
        )
        assert Path("one.json").read_bytes() == Path("two.json").read_bytes()
    names = [[file.name for file in dataset_of(f"{way}{data}/d/").files] for way in ("", "file://")]
    assert names[0] == names[1] == ["0.csv", "a b/1.csv", "a.csv"]


def test_merge_says_what_is_expected(data, capsys):
    assert run("audit", "d", "s.yaml", "--shard", "1/1", "--out", "p.json") == 0
    capsys.readouterr()
    for args, said in (
        (["p.json", "p.json"], "p.json: is a part, and the scenario is expected last"),
        (["s.yaml", "p.json"], "s.yaml: is a scenario in the place of a part"),
        (["p.json", "s.yaml", "--decimal", ","], "the text of --clouds"),
    ):
        assert run("merge", *args) == 2
        told = capsys.readouterr().err
        assert said in told and len(told.splitlines()) <= 2


@pytest.mark.skipif(os.name != "posix", reason="names are bytes on POSIX systems only")
def test_a_name_that_is_not_utf_8_is_counted(data, capsys):
    try:
        Path(os.fsdecode(b"d/\xff.csv")).write_text("a,b\n0,9\n")
    except OSError:
        pytest.skip("this file system refuses such names")
    for i in (1, 2):
        assert run("audit", "d", "s.yaml", "--shard", f"{i}/2", "--out", f"p{i}.json") == 0
    assert run("merge", "p1.json", "p2.json", "s.yaml", "--write", "json=two.json") == 0
    assert run("audit", "d", "s.yaml", "--write", "json=one.json") == 0
    assert Path("one.json").read_bytes() == Path("two.json").read_bytes()


def test_folders_are_whole_numbers_and_clash_with_no_column(data, capsys):
    Path("s.yaml").write_text(RULES.replace("a > 2", "year == 2020 and a > 2"))
    for year in (2020, 2021):
        Path(f"y/year={year}").mkdir(parents=True)
        Path(f"y/year={year}/0.csv").write_text("a,b\n1,2\n3,4\n")
    write_audit_files(Path("o"), audited("y", "s.yaml", None))
    inside = contents.read(Path("o")).inside("r", np.array([[2020.0, 3.0], [2021.0, 3.0]]))  # for the page
    assert inside.tolist() == [True, False]
    Path("y/year=2020/0.csv").write_text("a,year\n1,2020\n")
    capsys.readouterr()
    assert run("audit", "y", "s.yaml") == 2
    assert "has a column 'year', and its folder year=2020 says that column too" in capsys.readouterr().err
