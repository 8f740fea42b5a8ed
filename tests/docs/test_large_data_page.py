"""docs/large-data.md: its commands and its code run, as they are written; the code for engines, where these
are installed.
"""

import re
import shlex
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

import lem_safe
from lem_safe import cli

pytest.importorskip("pyarrow")

PAGE = (Path(__file__).parents[2] / "docs" / "large-data.md").read_text(encoding="utf-8")
PARTS = dict(zip(*[iter(re.split(r"^#+ (.*)$", PAGE, flags=re.MULTILINE)[1:])] * 2, strict=True))
ENGINES = {"DuckDB": "duckdb", "Dask": "dask.dataframe", "Ray": "ray", "Spark": "pyspark"}


def blocks(title: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PARTS[title], re.DOTALL | re.MULTILINE)


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> lem_safe.AuditReport:
    """The page's data set and its rules, in the working directory; the audit of them in one pass."""
    from benchmarks.shards import loans

    monkeypatch.chdir(tmp_path)
    (block,) = blocks("Data larger than a machine", "yaml")
    Path("rules.yaml").write_text(block)
    loans(Path("data"), 3000, np.random.default_rng(0))
    return lem_safe.audit("data", "rules.yaml")


def commands(title: str) -> list[list[str]]:
    (block,) = blocks(title, "sh")
    lines = [shlex.split(line, comments=True)[1:] for line in block.splitlines()]
    return [[part for word in line for part in expanded(word)] for line in lines]


def expanded(word: str) -> list[str]:
    return sorted(map(str, Path().glob(word))) if word == "part-*.json" else [word]


@pytest.mark.simulation
def test_the_commands_of_the_page(data: lem_safe.AuditReport, capsys: pytest.CaptureFixture[str]) -> None:
    for command in commands("One pass"):
        assert cli.main(command) == data.status
    text = data.to_text().split("\n\n")[:-1]
    assert capsys.readouterr().out.count("\n\n".join(text)) == 2
    for command in commands("Shards")[:-1]:
        assert cli.main(command) in (0, data.status)
    assert cli.main(commands("Shards")[-1]) == data.status
    assert capsys.readouterr().out.count("\n\n".join(text)) == 2
    assert Path("audit/report.html").is_file()


def test_the_python_of_the_page(data: lem_safe.AuditReport) -> None:
    (block,) = blocks("Batches in Python", "python")
    found: dict[str, object] = {"__name__": "page"}
    exec(compile(block, "docs/large-data.md", "exec"), found)
    assert found["counts"].inside == {c.set: c.violations for c in data.constraints}
    assert found["report"].verdict == data.verdict and found["report"].samples == data.samples


@pytest.mark.parametrize("title", ENGINES)
def test_the_engines_of_the_page(title: str, data: lem_safe.AuditReport) -> None:
    (block,) = blocks(title, "python")
    code = compile(block, "docs/large-data.md", "exec")
    assert ENGINES[title].partition(".")[0] in block and "lem_safe.count" in block
    if find_spec(ENGINES[title].partition(".")[0]) is None:
        return  # `python -m benchmarks shards:engines` runs it where the engine is installed
    found: dict[str, object] = {"__name__": "page"}
    exec(code, found)
    assert found["counts"].inside == {c.set: c.violations for c in data.constraints}
