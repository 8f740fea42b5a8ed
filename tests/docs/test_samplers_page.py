"""docs/samplers.md: its table is what the code says remains. `python tests/docs/test_samplers_page.py` writes
it again.
"""

import re
from collections.abc import Collection
from pathlib import Path

from barriers.filters import FILTERS
from lem_safe.authoring.listing import listing
from lem_safe.samplers import SAMPLERS, promise_under

PAGE = Path(__file__).parents[2] / "docs" / "samplers.md"
BETWEEN = re.compile(r"(<!-- promises: .*? -->\n).*?(<!-- end of promises -->)", re.S)


def table(shown: Collection[str] = SAMPLERS) -> str:
    listed = [row for row in listing("samplers")[1] if row[0] in shown]
    rows = [
        "| sampler | what it is | under `gate`, `step`, `reject` | under `drift` | because |",
        "| --- | --- | --- | --- | --- |",
    ]
    rows += [
        f"| `{kind}` | {what} | {after} | {before} | {because} |"
        for kind, after, before, what, because in listed
    ]
    rows += [
        "",
        "Combinations whose promise differs from that of the filter itself:",
        "",
        "| sampler | filter | promise | because |",
    ]
    rows += ["| --- | --- | --- | --- |"]
    rows += [
        f"| `{kind}` | `{f}` | {p.scope} | {p.because} |"
        for kind, entry in SAMPLERS.items()
        for f, p in entry.leaves.items()
        if f != "drift" and kind in shown
    ]
    return "\n".join(rows) + "\n"


def rewritten(text: str, shown: Collection[str] = SAMPLERS) -> tuple[str, int]:
    """The page with the table as it is now, of the samplers in `shown`, and in how many places it stands."""
    return BETWEEN.subn(lambda m: m[1] + table(shown) + m[2], text)


def on_the_page(text: str) -> set[str]:
    """The samplers in the table of the page: a new one waits there for whoever writes its prose."""
    return set(re.findall(r"^\| `(\w+)` \| [^`]", text, re.M))


def test_the_table_is_current() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert len(on_the_page(text)) > 6
    current, places = rewritten(text, on_the_page(text))
    assert places == 1 and text == current, "run: python tests/docs/test_samplers_page.py"


def test_every_sampler_is_explained_and_every_named_kind_exists() -> None:
    text = PAGE.read_text(encoding="utf-8")
    told = text.split("## Which sampler to choose")[1]
    assert [kind for kind in on_the_page(text) if f"- `{kind}`:" not in told] == []


def test_the_command_line_says_the_same() -> None:
    heads, rows = listing("samplers")
    assert heads[:3] == ["kind", "under gate, step, reject", "under drift"] and [
        row[0] for row in rows
    ] == list(SAMPLERS)
    for kind, after, before, _, because in rows:
        assert {after} == {promise_under(kind, f).scope for f in ("gate", "step", "reject")}
        assert (before, because) == (promise_under(kind, "drift").scope, promise_under(kind, "drift").because)
        assert all(promise_under(kind, f).because for f in FILTERS)


if __name__ == "__main__":
    PAGE.write_text(rewritten(PAGE.read_text(encoding="utf-8"))[0], encoding="utf-8")
