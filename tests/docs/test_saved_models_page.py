"""docs/saved-models.md: its code and its scenario run, as they are written."""

import re
from pathlib import Path

import pytest

PAGE = (Path(__file__).parents[2] / "docs" / "saved-models.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(python|yaml)\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)


@pytest.mark.simulation
def test_the_page_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    namespace: dict[str, object] = {"__name__": "page"}
    for language, block in BLOCKS:
        if language == "yaml":
            Path("my_model.yaml").write_text(block)
        else:
            exec(compile(block, "docs/saved-models.md", "exec"), namespace)
    assert len(BLOCKS) == 3 and Path("run/report.html").is_file()
