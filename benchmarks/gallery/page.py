"""The gallery's pages: what results.json holds of each entry, between the markers of docs/gallery/NAME.md,
and the table of all entries in docs/gallery/index.md and the README.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.gallery.entries import ENTRIES
from benchmarks.markdown import table
from lem_safe.scenario import bundled_programs

ROOT = Path(__file__).resolve().parents[2]
DOCS, README = ROOT / "docs" / "gallery", ROOT / "README.md"
BLOCK = re.compile(r"(<!-- made by: python -m benchmarks\.gallery -->\n).*?(<!-- end -->)", re.DOTALL)

Rows = Sequence[Mapping[str, Any]]


def of_entry(name: str, rows: Rows) -> list[Mapping[str, Any]]:
    """The rows of one entry: without a constraint, ours, today's, the others."""
    order = ("without", "ours", "today", "beside")
    return sorted((r for r in rows if r["part"] == name), key=lambda r: order.index(r["role"]))


def block(name: str, rows: Rows) -> list[str]:
    """The generated part of an entry's page: the verdict, what it cost, and every method in one table."""
    own = of_entry(name, rows)
    (ours,) = [r for r in own if r["role"] == "ours"]
    entry = ENTRIES[name]
    return [
        f"`{command(name)}` prints",
        "",
        "```text",
        ours["said"],
        "```",
        "",
        f"It took {seconds(ours['seconds'])} of processor time on one thread, from the files to the audit; "
        f"the chain with the filter took {ours['ratio']:g} times that without. Beside it, on the same thing:",
        "",
        *table(
            ["method", "with", "samples", "inside", *entry.HEADS, "seconds"],
            [
                [
                    f"**{r['method']}**" if r["role"] == "ours" else r["method"],
                    r["by"],
                    f"{r['samples']:,}" if r["samples"] else "",
                    counted(r["inside"], r["samples"]) if r["samples"] else "",
                    *(shown(r.get("measures", {}).get(head)) for head in entry.HEADS),
                    seconds(r["seconds"]).removesuffix(" s") if r["seconds"] else "",
                ]
                for r in own
            ],
            words=("method", "with"),
        ),
        "",
        *entry.notes({r["method"]: r for r in own}),
    ]


def command(name: str) -> str:
    """What runs an entry."""
    return f"python {name}.py" if name in bundled_programs() else f"lem-safe run {name}"


def index(rows: Rows, link: str = "") -> list[str]:
    """The table of all entries that have results; link: what goes before the names of their pages."""
    words = ["your problem", "without", "with lem-safe", "verdict", "what is used today"]
    return table(
        [*words[:4], "seconds", "ratio", *words[4:]],
        [_short(name, of_entry(name, rows), link) for name in ENTRIES if of_entry(name, rows)],
        words=words,
    )


def _short(name: str, rows: Rows, link: str) -> list[str]:
    by = {r["role"]: r for r in rows}
    free, ours, today = by["without"], by["ours"], by["today"]
    return [
        f"[{ENTRIES[name].PROBLEM}]({link}{name}.md)",
        free.get("told") or counted(free["inside"], free["samples"]),
        ours.get("told") or counted(ours["inside"], ours["samples"]),
        ours["verdict"],
        seconds(ours["seconds"]).removesuffix(" s"),
        f"{ours['ratio']:g}",
        f"{today['method']} ({today['by']}): {today['told']}",
    ]


def counted(inside: int, of: int) -> str:
    """A count with its share.

    >>> counted(0, 5000), counted(69, 5000), counted(2, 4000)
    ('0', '69 (1.4 %)', '2 (0.05 %)')
    """
    return f"{inside:,} ({100 * inside / of:.2g} %)" if inside else "0"


def seconds(value: float) -> str:
    """Seconds with as many digits as matter.

    >>> seconds(0.234), seconds(7.25), seconds(83.2)
    ('0.23 s', '7.2 s', '83 s')
    """
    return f"{value:.2f} s" if value < 1 else f"{value:.1f} s" if value < 10 else f"{value:,.0f} s"


def shown(value: Any) -> str:
    """A measure in a cell.

    >>> shown(5000), shown(0.12345), shown("4.5 %"), shown(None)
    ('5,000', '0.123', '4.5 %', '')
    """
    if isinstance(value, float):
        return f"{value:.3g}"
    return f"{value:,}" if isinstance(value, int) else "" if value is None else str(value)


def pages(rows: Rows) -> dict[Path, str]:
    """The text of every page that results are part of."""
    made = {DOCS / f"{name}.md": block(name, rows) for name in ENTRIES if of_entry(name, rows)}
    made |= {DOCS / "index.md": index(rows), README: index(rows, "docs/gallery/")}
    return {path: written(path.read_text(encoding="utf-8"), lines) for path, lines in made.items()}


def written(text: str, lines: Sequence[str]) -> str:
    """A page with these lines between its markers; ValueError where it has none."""
    if BLOCK.search(text) is None:
        raise ValueError(
            "the page lacks the markers '<!-- made by: python -m benchmarks.gallery -->' and end"
        )
    body = "\n".join(lines).strip()
    return BLOCK.sub(lambda m: f"{m[1]}{body}\n{m[2]}", text)
