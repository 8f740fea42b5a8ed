"""The table of docs/quality.md, and what its numbers say in words."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.modes import MODES
from benchmarks.peers import PEERS
from benchmarks.quality_recipes import DEFAULT, FORMER

TARGET = 1.5
PAGE = Path(__file__).resolve().parent.parent / "docs" / "quality.md"
BLOCK = re.compile(r"(<!-- made by: python -m benchmarks\.quality -->\n).*?(<!-- end -->)", re.S)


def table(rows: Sequence[dict[str, Any]]) -> str:
    """The rows of `measure` as a table, and a sentence on every distribution that misses the target."""
    by_name = {row["name"]: row for row in rows}
    names = [row["name"].removesuffix(": lem-safe") for row in rows if row["name"].endswith(": lem-safe")]
    text = [
        "| distribution | lem-safe | shape alone | worst share of a mode off by | begun at noise | "
        "training, CPU s | on a mixture | torchebm "
        "| ebmkit | floor |",
        "| --- | --: | --: | --: | --: | --: | --: | --: | --: | --: |",
    ]
    for name in names:
        own = by_name[f"{name}: lem-safe"]
        peers = [
            _cell(by_name.get(f"{name}: {peer}", {"error": "not run"})) for peer in ("on a mixture", *PEERS)
        ]
        share = f"{100 * own['share_error']:.1f} %" if name in MODES else "one mode"
        numbers = [
            f"{own['ratio']:.2f}",
            f"{own['shape_ratio']:.2f}",
            share,
            f"{own['from_noise']:.2f}",
            f"{own['seconds']:.0f}",
        ]
        text.append("| " + " | ".join([f"`{name}`", *numbers, *peers, f"{own['floor']:.4f}"]) + " |")
    verdicts = _verdicts([by_name[f"{name}: lem-safe"] for name in names])
    told = by_name[f"{names[0]}: lem-safe"][
        "recipe"
    ]  # of the run that was measured, not of the code of today
    default = _by_default(by_name, names)
    return (
        "\n".join(["The recipe as written in a scenario:", "", *told, "", *text, "", *verdicts, *default])
        + "\n"
    )


def _by_default(by_name: dict[str, dict[str, Any]], names: Sequence[str]) -> list[str]:
    """What a scenario without a recipe gets, beside what it got before; nothing where that was not
    measured.
    """
    pairs = {name: [by_name.get(f"{name}: {who}") for who in (DEFAULT, FORMER)] for name in names}
    text = [
        "",
        "Scenarios that name neither network nor loss nor training (the loss is now `calibrated`, before it "
        "was `denoising`), judged by independent "
        "draws from the trained energy itself (by quadrature on a grid), whose mode shares do not depend "
        "on where a chain started:",
        "",
        "| distribution | calibrated | worst share off by | training, CPU s | denoising | worst share off "
        "by | training, CPU s |",
        "| --- | --: | --: | --: | --: | --: | --: |",
    ]
    cells = [(name, [c for r in pair if r for c in _default_cells(r, name)]) for name, pair in pairs.items()]
    rows = ["| " + " | ".join([f"`{name}`", *found]) + " |" for name, found in cells if len(found) == 6]
    return [*text, *rows] if rows else []


def _default_cells(row: dict[str, Any], name: str) -> list[str]:
    share = f"{100 * row['law_share_error']:.1f} %" if name in MODES else "one mode"
    return [f"{row['law_ratio']:.2f}", share, f"{row['seconds']:.0f}"]


def _cell(row: dict[str, Any]) -> str:
    return row["error"] or f"{row['ratio']:.2f} (shape {row['shape_ratio']:.2f})"


def _verdicts(rows: Sequence[dict[str, Any]]) -> list[str]:
    """What the numbers say, in words."""
    met = [r for r in rows if r["ratio"] <= TARGET]
    lines = [f"{len(met)} of {len(rows)} reach {TARGET} times the floor."]
    for row in rows:
        name = row["name"].split(":")[0]
        if row["ratio"] > TARGET:
            why = (
                "the weights of the modes cause the excess"
                if row["shape_ratio"] <= TARGET
                else "the shapes themselves are wrong"
            )
            lines.append(
                f"- `{name}`: {row['ratio']:.2f}, and {row['shape_ratio']:.2f} with every mode at its true "
                f"share: {why}."
            )
        if row["from_noise"] > max(TARGET, 1.2 * row["ratio"]):
            late = (
                f"{100 * row['stranded']:.1f} % of those particles have an energy above that of 99.9 % of "
                "the data"
            )
            lines.append(
                f"- `{name}` begun at noise: {row['from_noise']:.2f}; {late}. Langevin dynamics move slowly "
                "from mode to mode and along a mode, so the start of a particle determines where it ends."
            )
    return lines


def write_page(rows: Sequence[dict[str, Any]], path: Path = PAGE) -> None:
    """The table between the page's markers."""
    path.write_text(
        BLOCK.sub(lambda m: m[1] + table(rows) + m[2], path.read_text(encoding="utf-8")), encoding="utf-8"
    )
