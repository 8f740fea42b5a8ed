"""The page of `lem-safe compare`: what the numbers say, one table, one picture; filters as rows and as
lines.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lem_safe.comparison.findings import NOISE, by_chance, findings
from lem_safe.distances.kl_price import Needed
from lem_safe.report.curves import stretches
from lem_safe.report.prices import certainly, least, nats
from lem_safe.report.ranges import widened
from lem_safe.report.style import (
    DATA,
    FILTERED,
    GRID,
    INK,
    MUTED,
    UNFILTERED,
    UNSAFE,
    Draw,
    percent_axis,
    png,
    svg,
)
from lem_safe.report.words import level
from lem_safe.templates import rendered

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LOOKS = (
    (UNFILTERED, "-"),
    (FILTERED, "-"),
    (INK, "-"),
    (DATA, "-"),
    (UNFILTERED, "--"),
    (FILTERED, "--"),
    (INK, "--"),
    (DATA, "--"),
    (MUTED, ":"),
)
SIZE = (4.8, 4.2)
CLOSE = 0.035
"""Points nearer than this, in parts of an axis, share one label."""


def write_page(facts: Mapping[str, Any], fractions: Mapping[str, np.ndarray], figures: Path) -> str:
    """The page as text; its picture goes to `figures` as PNG too. facts: Comparison.to_dict()."""
    draws: list[Draw] = []
    if any(e["distance"] is not None for e in facts["entries"]):
        draws.append(partial(draw_trade, facts=facts))
    if fractions:
        draws.append(partial(draw_fractions, fractions=fractions, facts=facts))
    if draws:
        png(draws, figures / "compare.png", columns=2, width=SIZE[0], height=SIZE[1])
    pictures = [svg(draw, *SIZE, f"c{i}-") for i, draw in enumerate(draws)]
    one = one_tolerance(facts) is not None
    return rendered(
        "compare.html.j2",
        "lem_safe.comparison",
        facts=facts,
        pictures=pictures,
        findings=findings(facts),
        one=one,
        chance=by_chance(facts),
        level=level,
        nats=nats,
        **needed_in_words(facts),
    )


def needed_in_words(facts: Mapping[str, Any]) -> dict[str, str]:
    """The least KL, and what it is at least with confidence; empty where the comparison has no price."""
    if not facts.get("needed"):
        return {}
    found = Needed(**facts["needed"])
    return {"least": least(found), "certainly": certainly(found, facts["confidence"])}


def one_tolerance(facts: Mapping[str, Any]) -> float | None:
    """The tolerance that all rows speak of; None where they speak of different constraints, and pictures show
    multiples of β.
    """
    ran = [e for e in facts["entries"] if e["refused"] is None]
    told = {(r["set"], r["beta"]) for e in ran for r in e.get("regions", ())} or {
        (e["constraint"], e["beta"]) for e in ran
    }
    return next(iter(told))[1] if len(told) == 1 else None


def trade(facts: Mapping[str, Any]) -> list[tuple[str, float, float, bool]]:
    """Name, place on the axis of fractions (or of multiples of β), distance, and whether over, of each filter
    that ran.
    """
    one = one_tolerance(facts)
    rows = [e for e in facts["entries"] if e["refused"] is None and e["distance"] is not None]
    held = [e["largest"] if e["largest"] is not None else e["final"] for e in rows]
    return [
        (e["filter"], _unit(y, e["beta"], one), e["distance"], bool(e["over"]))
        for e, y in zip(rows, held, strict=True)
    ]


def groups(points: Sequence[tuple[float, float]], close: float = CLOSE) -> list[list[int]]:
    """Indices of points on the unit square, those that are close together, and cannot have labels of their
    own; from top to bottom.
    """
    found: list[list[int]] = []
    for i in sorted(range(len(points)), key=lambda i: (-points[i][1], points[i][0])):
        near = [g for g in found if max(abs(points[g[0]][k] - points[i][k]) for k in (0, 1)) <= close]
        if near:
            near[0].append(i)
        else:
            found.append([i])
    return found


def spread(heights: Sequence[float], gaps: Sequence[float]) -> list[float]:
    """Where labels go that should be at the given heights, ordered from the top, with gaps[i] of room each:
    moved no more than needed.
    """
    total = sum(gaps)
    placed, ceiling = [], 1.0
    for i, (y, gap) in enumerate(zip(heights, gaps, strict=True)):
        floor = sum(gaps[i:])  # what is still to come needs room below
        top = min(ceiling, max(y + gap / 2, floor if total <= 1 else ceiling))
        placed.append(top - gap / 2)
        ceiling = top - gap
    return placed


def draw_trade(axes: "Axes", facts: Mapping[str, Any]) -> "Axes":
    """Each filter at (largest fraction over all steps, distance to the projection): down and left is better.
    Labels stand at the side.
    """
    rows, one = trade(facts), one_tolerance(facts)
    limit = 1.0 if one is None else one
    right = 1.12 * max([limit, *(x for _, x, _, _ in rows)]) or 1.0
    mean, std = facts["floor"]["mean"], facts["floor"]["std"]
    most, least = (
        max([mean + std, *(y for _, _, y, _ in rows)]),
        min([0.0, mean - std, *(y for _, _, y, _ in rows)]),
    )
    left, reach = -0.04 * right, most - least
    bottom, top = widened(least - 0.06 * reach * (least < 0), most + 0.12 * reach)
    for _, x, y, over in rows:
        axes.scatter(
            x, y, s=34, c=UNSAFE if over else FILTERED, marker="X" if over else "o", zorder=3, linewidths=0
        )
    axes.axvline(limit, color=UNSAFE, linewidth=1, linestyle=(0, (5, 2)))
    axes.text(
        limit,
        bottom + 0.02 * (top - bottom),
        " tolerated ",
        color=UNSAFE,
        fontsize=7.5,
        ha="right",
        va="bottom",
    )
    axes.axhspan(max(mean - NOISE * std, bottom), mean + NOISE * std, color=GRID, zorder=0, linewidth=0)
    axes.text(left, mean + NOISE * std, " chance alone", color=MUTED, fontsize=7.5, va="bottom")
    axes.set(
        xlabel=f"largest fraction inside, over all {'judged ' * (facts['after_step'] > 1)}steps",
        ylabel=f"{facts['measure']} to the exact KL projection",
        xlim=(left, right),
        ylim=(bottom, top),
    )
    if one is None:
        axes.set_xlabel("largest fraction inside, in multiples of its tolerance")
    else:
        percent_axis(axes.xaxis)
    axes.xaxis.set_major_locator(_few())
    places = [((x - left) / (right - left), (y - bottom) / (top - bottom)) for _, x, y, _ in rows]
    found = groups(places)
    heights = spread([places[g[0]][1] for g in found], [0.055 * len(g) + 0.015 for g in found])
    for group, height in zip(found, heights, strict=True):
        axes.annotate(
            "\n".join(rows[i][0] for i in group),
            places[group[0]],
            xytext=(1.04, height),
            xycoords="axes fraction",
            textcoords="axes fraction",
            fontsize=8,
            color=INK,
            va="center",
            annotation_clip=False,
            arrowprops={
                "arrowstyle": "-",
                "color": MUTED,
                "linewidth": 0.6,
                "shrinkB": 3,
                "relpos": (0, 0.5),
            },
        )
    return axes


def draw_fractions(axes: "Axes", fractions: Mapping[str, np.ndarray], facts: Mapping[str, Any]) -> "Axes":
    """The fraction inside at every step, the first seed's, one line a filter; its highest step of a stretch,
    so that none can hide.
    """
    one = one_tolerance(facts)
    betas = {e["filter"]: e["beta"] for e in facts["entries"]}
    for (name, y), (colour, line) in zip(fractions.items(), LOOKS, strict=False):
        step, _, _, most = stretches(np.arange(1, len(y) + 1), y)
        axes.plot(step, _unit(most, betas[name], one), line, color=colour, label=name, linewidth=1.1)
    axes.axhline(
        1.0 if one is None else one, color=UNSAFE, linewidth=1, linestyle=(0, (5, 2)), label="tolerated"
    )
    if facts["after_step"] > 1:
        axes.axvspan(0, facts["after_step"], color=GRID, zorder=0, linewidth=0, label="not judged")
    axes.set(
        xlabel="step",
        ylabel="fraction inside" if one is not None else "fraction inside, in multiples of its tolerance",
        ylim=(0, None),
    )
    if one is not None:
        percent_axis(axes.yaxis)
    axes.xaxis.set_major_locator(_few())
    axes.legend(
        loc="lower left",
        bbox_to_anchor=(0, 1.0),
        ncols=4,
        fontsize=7.5,
        columnspacing=1.0,
        handlelength=1.5,
        handletextpad=0.4,
    )
    return axes


def _unit(fraction: Any, beta: float, one: float | None) -> Any:
    """A fraction as it is, or in multiples of its β; of β = 0 in samples out of 10⁴, so that none is 0 and
    any is more than it.
    """
    return fraction if one is not None else fraction / max(beta, 1e-4)


def _few() -> Any:
    from matplotlib.ticker import MaxNLocator

    return MaxNLocator(5)
