"""docs/your-model.md: its code runs, block after block, as it is written."""

import re
from pathlib import Path

import pytest

PAGE = (Path(__file__).parents[2] / "docs" / "your-model.md").read_text(encoding="utf-8")
CODE = re.findall(r"^```python\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)


@pytest.mark.simulation
@pytest.mark.filterwarnings("error")
def test_the_code_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    monkeypatch.chdir(tmp_path)
    namespace: dict[str, object] = {}
    for block in CODE:
        exec(compile(block, "docs/your-model.md", "exec"), namespace)
    assert len(CODE) >= 8 and "PASSED" in capsys.readouterr().out
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", sorted(set(re.findall(r"lem_safe\.(\w+)", PAGE))))
def test_every_name_exists(name: str) -> None:
    import lem_safe

    assert hasattr(lem_safe, name)
