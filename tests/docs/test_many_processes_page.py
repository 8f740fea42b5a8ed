"""docs/many-processes.md: what was measured is what results.json has. `python -m benchmarks.processes_page`
writes it again.
"""

from pathlib import Path

from benchmarks import processes_page

PAGE = Path(__file__).parents[2] / "docs" / "many-processes.md"


def test_the_measured_section_is_current() -> None:
    text = PAGE.read_text(encoding="utf-8")
    current, places = processes_page.rewritten(text)
    assert places == 1 and text == current, "run: python -m benchmarks.processes_page"
