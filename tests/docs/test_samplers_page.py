"""docs/samplers.md: its table is what the code says remains. `python tests/docs/test_samplers_page.py` writes
it again.
"""

import re
from pathlib import Path

from barriers.filters import FILTERS
from lem_safe.authoring.listing import listing
from lem_safe.samplers import REMAINS, SAMPLERS, promise_under

PAGE = Path(__file__).parents[2] / "docs" / "samplers.md"
BETWEEN = re.compile(r"(<!-- promises: .*? -->\n).*?(<!-- end of promises -->)", re.S)


def table() -> str:
    _, listed = listing("samplers")
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
    rows += [f"| `{s}` | `{f}` | {p.scope} | {p.because} |" for (s, f), p in REMAINS.items() if f != "drift"]
    return "\n".join(rows) + "\n"


def rewritten(text: str) -> tuple[str, int]:
    """The page with the table as it is now, and in how many places it stands."""
    return BETWEEN.subn(lambda m: m[1] + table() + m[2], text)


def test_the_table_is_current() -> None:
    text = PAGE.read_text(encoding="utf-8")
    current, places = rewritten(text)
    assert places == 1 and text == current, "run: python tests/docs/test_samplers_page.py"


def test_every_sampler_is_explained_and_every_named_kind_exists() -> None:
    told = PAGE.read_text(encoding="utf-8").split("## Which sampler to choose")[1]
    assert [kind for kind in SAMPLERS if f"- `{kind}`:" not in told] == []


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
