"""The tables of docs/composition.md: a recipe each, and whether its samples are as claimed."""

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.composition_scenarios import RECIPES, SAMPLES
from lem_safe.training import TrainingSettings
from lem_safe.training.checkpoint import describe

PAGE = Path(__file__).resolve().parent.parent / "docs" / "composition.md"
BLOCK = re.compile(r"(<!-- made by: python -m benchmarks\.composition -->\n).*?(<!-- end -->)", re.S)


def table(rows: Sequence[dict[str, Any]]) -> str:
    """The rows of `measure`, a table a recipe, and what each says in a sentence."""
    return "\n".join(_of_recipe(name, rows) for name in dict.fromkeys(r["recipe"] for r in rows) if name)


def _of_recipe(name: str, rows: Sequence[dict[str, Any]]) -> str:
    mine = [r for r in rows if r["recipe"] in ("", name)]
    seeds = sorted({r["seed"] for r in mine} - {None})
    columns = [(kind, what) for kind, what in dict.fromkeys((r["composition"], r["what"]) for r in mine)]
    value = {(r["composition"], r["what"], r["how"], r["seed"]): r["value"] for r in mine}
    recipe = RECIPES[name]
    defaults = describe(TrainingSettings())
    text = [
        f"### {name[0].upper()}{name[1:]}",
        "",
        "```yaml",
        f"network: {_flow(describe(recipe.network, recipe.network.kind))}",
        f"loss: {_flow(describe(recipe.loss, 'calibrated'))}",
        f"training: {_flow({k: v for k, v in describe(recipe.training).items() if v != defaults[k]})}",
        "```",
        "",
        "| seed | how | " + " | ".join(f"{kind}: {what}" for kind, what in columns) + " |",
        "| --- | --- |" + " --: |" * len(columns),
    ]
    hows = [how for how in ("mixture", "law", "samples") if any(r["how"] == how for r in mine)]
    for seed, how in [(None, "exact"), *((seed, how) for seed in seeds for how in hows)]:
        numbers = [_cell(what, how, value[kind, what, how, seed]) for kind, what in columns]
        label = "trained" if how == "law" else how
        text.append(f"| {'' if seed is None else seed} | {label} | " + " | ".join(numbers) + " |")
    held = [
        seed
        for seed in seeds
        if all(held_by(what, value[kind, what, "samples", seed]) for kind, what in columns)
    ]
    return (
        "\n".join(text) + f"\n\nAll five claims hold for the samples of {len(held)} of {len(seeds)} seeds.\n"
    )


def _flow(fields: dict[str, Any]) -> str:
    return "{" + ", ".join(f"{name}: {value}" for name, value in fields.items()) + "}"


CLAIMS: dict[str, Callable[[float], bool]] = {
    "near B": lambda share: share >= 0.98,
    "near A": lambda share: share == 0,
    "mean radius": lambda radius: abs(radius - 3.814) <= 0.1,
    "least share": lambda share: share >= 0.08,
    "largest share": lambda share: share <= 0.17,
}
"""What is claimed of the samples of each composition."""


def held_by(what: str, value: float) -> bool:
    """Whether a number is what is claimed; of some nothing is."""
    return CLAIMS.get(what, lambda _: True)(value)


def _cell(what: str, how: str, value: float) -> str:
    if what.startswith("near"):
        return (
            f"{round(SAMPLES * value):,}"
            if how == "samples"
            else f"{value:.2g}"
            if value < 0.001
            else f"{value:.5f}"
        )
    return f"{value:.3f}"


def write_page(rows: Sequence[dict[str, Any]], path: Path = PAGE) -> None:
    """The table between the page's markers."""
    path.write_text(
        BLOCK.sub(lambda m: m[1] + table(rows) + m[2], path.read_text(encoding="utf-8")), encoding="utf-8"
    )
