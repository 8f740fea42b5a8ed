"""The pages of the gallery are what results.json says, and every entry has what a reader is promised."""

import json
import re

import pytest

pytest.importorskip("benchmarks")
from benchmarks.gallery import page
from benchmarks.gallery.data import FILES, FOLDER
from benchmarks.gallery.entries import ENTRIES
from benchmarks.gallery.pictures import MOST
from lem_safe.scenario import bundled_programs, bundled_scenarios, expected_verdict

KNOWN = bundled_scenarios() | bundled_programs()
ROWS = json.loads((page.ROOT / "benchmarks" / "results.json").read_text(encoding="utf-8"))["benchmarks"][
    "gallery"
]["rows"]


def test_every_scenario_of_the_gallery_is_an_entry() -> None:
    bundled = {name for name, path in KNOWN.items() if path.parent.name == "gallery"}
    assert bundled == set(ENTRIES) == {row["part"] for row in ROWS}


def test_the_pages_are_made_of_the_results() -> None:
    for path, text in page.pages(ROWS).items():
        assert path.read_text(encoding="utf-8") == text, f"{path.name}: run python -m benchmarks.gallery"


@pytest.mark.parametrize("name", ENTRIES)
def test_a_page_has_all_its_parts(name: str) -> None:
    text = (page.DOCS / f"{name}.md").read_text(encoding="utf-8")
    assert f"](../pictures/gallery/{name}.png)" in text and f"lem-safe new --from {name}" in text
    assert "## Where it is not the right method" in text and "## Start from it" in text
    assert f"](../../scenarios/gallery/{KNOWN[name].name})" in text
    assert (page.ROOT / "docs" / "pictures" / "gallery" / f"{name}.png").stat().st_size <= MOST


@pytest.mark.parametrize("name", ENTRIES)
def test_rows_name_what_was_run_and_keep_the_promise(name: str) -> None:
    rows = page.of_entry(name, ROWS)
    roles = [row["role"] for row in rows]
    assert roles[:3] == ["without", "ours", "today"] and set(roles[3:]) <= {"beside"}
    assert all(re.fullmatch(r"[\w-]+ \d[\w.]*(, [\w-]+ \d[\w.]*)*", row["by"]) for row in rows)
    ours = rows[1]
    assert ours["verdict"] == expected_verdict(KNOWN[name]) and ours["seconds"] < 300
    assert (ours["inside"] <= ours["tolerated"] * ours["samples"]) == (ours["verdict"] == "passed")
    assert all(row["told"] for row in rows[:3])


def test_a_number_that_changes_changes_the_pages() -> None:
    changed = [row | {"inside": 1234} if row["role"] == "without" else row for row in ROWS]
    before, after = page.pages(ROWS), page.pages(changed)
    assert all(
        before[path] != after[path]
        for path in before
        if path.parent == page.DOCS and "index" not in path.name
    )
    assert all("| 1,234 (" in after[page.DOCS / f"{name}.md"] for name in ENTRIES)
    with pytest.raises(ValueError, match="lacks"):
        page.written("no markers", ["a"])


def test_the_files_of_the_gallery_are_made_by_code(tmp_path) -> None:
    for name, write in FILES.items():
        write(tmp_path / name)
        assert (tmp_path / name).read_bytes() == (FOLDER / name).read_bytes(), name
    assert {path.name for path in FOLDER.iterdir()} == set(FILES)
