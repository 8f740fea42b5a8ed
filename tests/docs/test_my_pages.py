"""docs/my-energy.md, my-constraint.md, my-loop.md: the code of each page runs by itself, as it is written."""

import re
from pathlib import Path

import pytest

import lem_safe

PAGES = {
    path.name: path.read_text(encoding="utf-8") for path in (Path(__file__).parents[2] / "docs").glob("my-*")
}
NAMES = sorted({name for page in PAGES.values() for name in re.findall(r"lem_safe\.(\w+)", page)})


def blocks(page: str) -> list[str]:
    return re.findall(r"^```python\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)


def test_there_are_three() -> None:
    assert {"my-energy.md", "my-constraint.md", "my-loop.md"} <= set(PAGES)
    assert sum(len(blocks(page)) for page in PAGES.values()) >= 8


@pytest.mark.simulation
@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("name", sorted(PAGES))
def test_the_code_runs(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    namespace: dict[str, object] = {}
    for block in blocks(PAGES[name]):
        exec(compile(block, f"docs/{name}", "exec"), namespace)
    assert name != "my-energy.md" or "PASSED" in capsys.readouterr().out
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", NAMES)
def test_every_name_exists(name: str) -> None:
    assert hasattr(lem_safe, name)
