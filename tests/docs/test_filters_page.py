"""docs/filters.md: its tables are what the code promises and what was measured of the hard limit. `python
tests/docs/test_filters_page.py` writes them again.
"""

import json
import re
import sys
from collections.abc import Collection
from pathlib import Path

from barriers.filters import FILTERS
from lem_safe.authoring.listing import listing

PAGE = Path(__file__).parents[2] / "docs" / "filters.md"
RESULTS = Path(__file__).parents[2] / "benchmarks" / "results.json"
MEASURED = re.compile(r"(<!-- hard limit: .*? -->\n).*?(<!-- end of hard limit -->)", re.S)
BETWEEN = re.compile(r"(<!-- promises: .*? -->\n).*?(<!-- end of promises -->)", re.S)


def table(shown: Collection[str] = FILTERS) -> str:
    rows = [
        "| filter | what it does | promise | because | couples particles |",
        "| --- | --- | --- | --- | --- |",
    ]
    for kind in (kind for kind in FILTERS if kind in shown):
        entry = FILTERS[kind]
        coupled = "if one of them does" if entry.members else "yes" if entry.couples else "no"
        promise = entry.promise
        rows.append(f"| `{kind}` | {entry.summary} | {promise.scope} | {promise.because} | {coupled} |")
    return "\n".join(rows) + "\n"


def rewritten(text: str, shown: Collection[str] = FILTERS) -> tuple[str, int]:
    """The page with the table as it is now, of the filters in `shown`, and in how many places it stands."""
    return BETWEEN.subn(lambda m: m[1] + table(shown) + m[2], text)


def measured(text: str) -> tuple[str, int]:
    """The page with the table of the hard limit as results.json has it, and in how many places it stands."""
    from benchmarks import hard_limit  # found beside tests/, on the path only where the page is written

    rows = json.loads(RESULTS.read_text(encoding="utf-8"))["benchmarks"]["hard_limit"]["rows"]
    return MEASURED.subn(lambda m: m[1] + "\n".join(hard_limit.table(rows)) + "\n" + m[2], text)


def on_the_page(text: str) -> set[str]:
    """The filters that the page's table has a row for: a new one waits there for whoever writes its prose."""
    return set(re.findall(r"^\| `(\w+)` \|", text, re.M))


def test_the_table_is_current() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert len(on_the_page(text)) > 9
    current, places = rewritten(text, on_the_page(text))
    assert places == 1 and text == current, "run: python tests/docs/test_filters_page.py"


def test_the_measured_table_is_current() -> None:
    text = PAGE.read_text(encoding="utf-8")
    current, places = measured(text)
    assert places == 1 and text == current, "run: python tests/docs/test_filters_page.py"


def test_every_filter_that_promises_or_fails_is_explained() -> None:
    text = PAGE.read_text(encoding="utf-8")
    told = text.split("in words")[1]
    assert [kind for kind in on_the_page(text) if kind != "none" and f"`{kind}`" not in told] == []


def test_the_section_on_coupling_names_those_that_couple() -> None:
    text = PAGE.read_text(encoding="utf-8")
    section = text.split("## Clouds whose particles are not independent")[1]
    coupled = {kind for kind in on_the_page(text) if FILTERS[kind].couples}
    assert set(re.findall(r"`(\w+)`", section)) == coupled


def test_the_command_line_says_the_same() -> None:
    _, rows = listing("filters")
    assert {(row[0], row[1], row[3]) for row in rows} == {
        (kind, entry.promise.scope, entry.promise.because) for kind, entry in FILTERS.items()
    }


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[2]))
    PAGE.write_text(measured(rewritten(PAGE.read_text(encoding="utf-8"))[0])[0], encoding="utf-8")
