"""The pictures of `lem-safe compare`: what each filter let through against how far it is from the projection,
and the fraction inside at every step.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from lem_safe.comparison.findings import NOISE
from lem_safe.comparison.labels import draw_names
from lem_safe.report.curves import stretches
from lem_safe.report.ranges import widened
from lem_safe.report.style import (
    DATA,
    FILTERED,
    GRID,
    INK,
    MUTED,
    UNFILTERED,
    UNSAFE,
    percent_axis,
)

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

Traded = tuple[str, float, float, bool]
"""A filter's name, its place on the axis of fractions, its distance, and whether it was over."""


def one_tolerance(facts: Mapping[str, Any]) -> float | None:
    """The tolerance that all rows speak of; None where they speak of different constraints, and pictures show
    multiples of β.
    """
    ran = [e for e in facts["entries"] if e["refused"] is None]
    told = {(r["set"], r["beta"]) for e in ran for r in e.get("regions", ())} or {
        (e["constraint"], e["beta"]) for e in ran
    }
    return next(iter(told))[1] if len(told) == 1 else None


def trade(facts: Mapping[str, Any]) -> list[Traded]:
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


class _Window(NamedTuple):
    """The part of the plane that a picture shows, in its axes' units."""

    left: float
    right: float
    bottom: float
    top: float

    def place(self, x: float, y: float) -> tuple[float, float]:
        """A point in parts of the axes."""
        return (x - self.left) / (self.right - self.left), (y - self.bottom) / (self.top - self.bottom)


def draw_trade(axes: "Axes", facts: Mapping[str, Any]) -> "Axes":
    """Each filter at (largest fraction over all steps, distance to the projection): down and left is better.
    Labels stand at the side.
    """
    rows, one = trade(facts), one_tolerance(facts)
    limit = 1.0 if one is None else one
    window = _window(rows, limit, facts["floor"])
    for _, x, y, over in rows:
        axes.scatter(
            x, y, s=34, c=UNSAFE if over else FILTERED, marker="X" if over else "o", zorder=3, linewidths=0
        )
    _draw_limit(axes, limit, window)
    _draw_chance(axes, facts["floor"], window)
    axes.set(
        xlabel=f"largest fraction inside, over all {'judged ' * (facts['after_step'] > 1)}steps",
        ylabel=f"{facts['measure']} to the exact KL projection",
        xlim=(window.left, window.right),
        ylim=(window.bottom, window.top),
    )
    if one is None:
        axes.set_xlabel("largest fraction inside, in multiples of its tolerance")
    else:
        percent_axis(axes.xaxis)
    axes.xaxis.set_major_locator(_few())
    draw_names(axes, [name for name, *_ in rows], [window.place(x, y) for _, x, y, _ in rows])
    return axes


def _window(rows: Sequence[Traded], limit: float, floor: Mapping[str, float]) -> _Window:
    """Room for every filter, the tolerance, what chance alone leaves, and 0."""
    right = 1.12 * max([limit, *(x for _, x, _, _ in rows)]) or 1.0
    mean, std = floor["mean"], floor["std"]
    most = max([mean + std, *(y for _, _, y, _ in rows)])
    least = min([0.0, mean - std, *(y for _, _, y, _ in rows)])
    reach = most - least
    bottom, top = widened(least - 0.06 * reach * (least < 0), most + 0.12 * reach)
    return _Window(left=-0.04 * right, right=right, bottom=bottom, top=top)


def _draw_limit(axes: "Axes", limit: float, window: _Window) -> None:
    """The tolerance, a line with its name at the foot."""
    axes.axvline(limit, color=UNSAFE, linewidth=1, linestyle=(0, (5, 2)))
    axes.text(
        limit,
        window.bottom + 0.02 * (window.top - window.bottom),
        " tolerated ",
        color=UNSAFE,
        fontsize=7.5,
        ha="right",
        va="bottom",
    )


def _draw_chance(axes: "Axes", floor: Mapping[str, float], window: _Window) -> None:
    """The distances that chance alone leaves, a band with its name above."""
    mean, std = floor["mean"], floor["std"]
    top = mean + NOISE * std
    axes.axhspan(max(mean - NOISE * std, window.bottom), top, color=GRID, zorder=0, linewidth=0)
    axes.text(window.left, top, " chance alone", color=MUTED, fontsize=7.5, va="bottom")


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
