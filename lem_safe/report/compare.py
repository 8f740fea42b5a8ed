"""The page of `lem-safe compare`: one table and one picture, filters as rows and as lines."""

from collections.abc import Mapping
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lem_safe.report.curves import stretches
from lem_safe.report.style import DATA, FILTERED, INK, MUTED, UNFILTERED, UNSAFE, Draw, legend, percent_axis, png, svg

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LOOKS = (
    (UNFILTERED, "-"), (FILTERED, "-"), (INK, "-"), (DATA, "-"), (UNFILTERED, "--"), (FILTERED, "--"), (INK, "--"), (DATA, "--"), (MUTED, ":"),
)  # fmt: skip
SIZE = (6.4, 4.4)


def write_page(facts: Mapping[str, Any], fractions: Mapping[str, np.ndarray], figures: Path) -> str:
    """The page as text; its picture goes to `figures` as PNG too. facts: Comparison.to_dict()."""
    from jinja2 import Environment, StrictUndefined, select_autoescape

    draws: list[Draw] = [partial(draw_trade, facts=facts), partial(draw_fractions, fractions=fractions, facts=facts)]
    png(draws, figures / "compare.png", columns=2, width=SIZE[0], height=SIZE[1])
    source = files("lem_safe.report")
    environment = Environment(
        autoescape=select_autoescape(default=True), undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    template = environment.from_string((source / "compare.html.j2").read_text(encoding="utf-8"))
    pictures = [
        svg(draw, *SIZE).replace('id="', f'id="c{i}-').replace('href="#', f'href="#c{i}-').replace("url(#", f"url(#c{i}-")
        for i, draw in enumerate(draws)
    ]
    return template.render(css=(source / "page.css").read_text(encoding="utf-8"), facts=facts, pictures=pictures)


def draw_trade(axes: "Axes", facts: Mapping[str, Any]) -> "Axes":
    """Each filter at (largest fraction over all steps, distance to the projection): down and left is better."""
    rows = [e for e in facts["entries"] if e["distance"] is not None]
    for e in rows:
        x = e["largest"] if e["largest"] is not None else e["final"]
        over = x > e["beta"]
        axes.scatter(x, e["distance"], s=36, c=UNSAFE if over else FILTERED, marker="X" if over else "o", zorder=3)
        axes.annotate(e["filter"], (x, e["distance"]), xytext=(5, 4), textcoords="offset points", fontsize=7.5, color=INK)
    if rows:
        axes.axvline(rows[0]["beta"], color=UNSAFE, linewidth=1, linestyle=(0, (5, 2)), label="tolerated")
    axes.axhline(facts["floor"]["mean"], color=MUTED, linewidth=1, linestyle=":", label="chance alone")
    axes.set(xlabel="largest fraction over all steps", ylabel="W2 to the exact KL projection", ylim=(0, None))
    percent_axis(axes.xaxis)
    axes.margins(x=0.16)
    legend(axes)
    return axes


def draw_fractions(axes: "Axes", fractions: Mapping[str, np.ndarray], facts: Mapping[str, Any]) -> "Axes":
    """The fraction inside at every step, the first seed's, one line a filter."""
    for (name, y), (colour, line) in zip(fractions.items(), LOOKS, strict=False):
        step, _, mean, _ = stretches(np.arange(1, len(y) + 1), y)
        axes.plot(step, mean, line, color=colour, label=name, linewidth=1.1)
    beta = next((e["beta"] for e in facts["entries"] if e["beta"] is not None), None)
    if beta is not None:
        axes.axhline(beta, color=UNSAFE, linewidth=1, linestyle=(0, (5, 2)), label="tolerated")
    axes.set(xlabel="step", ylabel="fraction inside", ylim=(0, None))
    percent_axis(axes.yaxis)
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), fontsize=7.5)
    return axes
