"""docs/filters.md: its table is what the code promises. `python tests/docs/test_filters_page.py` writes it
again.
"""

import inspect
import re
from pathlib import Path

from barriers.filters import FILTERS, PROMISES
from lem_safe.authoring.listing import listing
from lem_safe.registry import couples

PAGE = Path(__file__).parents[2] / "docs" / "filters.md"
BETWEEN = re.compile(r"(<!-- promises: .*? -->\n).*?(<!-- end of promises -->)", re.S)


def couples_particles(kind: str) -> bool:
    """Whether the filter that a kind makes couples; `none` makes none."""
    return kind != "chain" and couples({"kind": kind})


def table() -> str:
    rows = [
        "| filter | what it does | promise | because | couples particles |",
        "| --- | --- | --- | --- | --- |",
    ]
    for kind, promise in PROMISES.items():
        what = " ".join((inspect.getdoc(FILTERS[kind]) or "").split("\n\n")[0].split())
        coupled = "if one of them does" if kind == "chain" else "yes" if couples_particles(kind) else "no"
        rows.append(f"| `{kind}` | {what} | {promise.scope} | {promise.because} | {coupled} |")
    return "\n".join(rows) + "\n"


def rewritten(text: str) -> tuple[str, int]:
    """The page with the table as it is now, and in how many places it stands."""
    return BETWEEN.subn(lambda m: m[1] + table() + m[2], text)


def test_the_table_is_current() -> None:
    text = PAGE.read_text(encoding="utf-8")
    current, places = rewritten(text)
    assert places == 1 and text == current, "run: python tests/docs/test_filters_page.py"


def test_every_filter_that_promises_or_fails_is_explained() -> None:
    told = PAGE.read_text(encoding="utf-8").split("in words")[1]
    assert set(PROMISES) == set(FILTERS)
    assert [kind for kind in PROMISES if kind != "none" and f"`{kind}`" not in told] == []


def test_the_section_on_coupling_names_those_that_couple() -> None:
    section = PAGE.read_text(encoding="utf-8").split("## Clouds whose particles are not independent")[1]
    assert set(re.findall(r"`(\w+)`", section)) == {kind for kind in FILTERS if couples_particles(kind)}


def test_the_command_line_says_the_same() -> None:
    _, rows = listing("filters")
    assert {(row[0], row[1], row[3]) for row in rows} == {
        (kind, p.scope, p.because) for kind, p in PROMISES.items()
    }


if __name__ == "__main__":
    PAGE.write_text(rewritten(PAGE.read_text(encoding="utf-8"))[0], encoding="utf-8")
