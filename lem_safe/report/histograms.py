"""Plots of one quantity: energies and columns, as outlines on shared bins so that several distributions stay
readable.
"""

from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from lem_safe.report.ranges import LARGEST, interval
from lem_safe.report.style import SERIES, UNSAFE, legend

if TYPE_CHECKING:
    from matplotlib.axes import Axes

OFFSET = 1e3
"""Numbers this many times as large as their differences get a common offset, or their labels
would overlap.
"""
ZERO = 4
"""The largest number of bins relative to what the samples alone need."""


def edges_of(
    series: dict[str, Float[np.ndarray, "_"]], at_zero: bool = False, most: int = 48
) -> Float[np.ndarray, "b"]:
    """Bins shared by all series, over their `ranges.interval`; with `at_zero`, one edge is 0, so that no bin
    is on both sides.

    Where 0 is so far away that reaching it would take more than ZERO times as many bins, the bins stop before
    it.
    """
    low, high = interval(series.values())
    bins = min(most, max(12, int(3 * min(len(y) for y in series.values()) ** (1 / 3))))
    width = (high - low) / bins
    first, last = min(np.floor(low / width), -1), max(np.ceil(high / width), 1)
    if not at_zero or last - first > ZERO * bins:
        return np.linspace(low, high, bins + 1)
    return width * np.arange(first, last + 1)


def draw_clearance(axes: "Axes", series: dict[str, Float[np.ndarray, "_"]], label: str) -> "Axes":
    """Signed distances: negative values are inside, and shaded; a note states where 0 is if it is far from
    all of them.
    """
    edges = edges_of(series, at_zero=True)
    draw_histogram(axes, series, label, edges)
    low, high = float(edges[0]), float(edges[-1])
    if low < 0:
        axes.axvspan(low, min(high, 0.0), color=UNSAFE, alpha=0.13, linewidth=0, zorder=0)
    if low <= 0 <= high:
        axes.axvline(0, color=UNSAFE, linewidth=1.3, zorder=3)
    else:
        where, place = (
            ("← 0, the boundary, is far away", 0.01) if low > 0 else ("0, the boundary, is far away →", 0.99)
        )
        axes.text(
            place,
            0.97,
            where,
            transform=axes.transAxes,
            color=UNSAFE,
            fontsize=7.5,
            va="top",
            ha="left" if low > 0 else "right",
        )
    return axes


def draw_histogram(
    axes: "Axes",
    series: dict[str, Float[np.ndarray, "_"]],
    label: str,
    edges: Float[np.ndarray, "b"] | None = None,
) -> "Axes":
    """The densities of the named series: `data` filled, the others as outlines, in the order of SERIES."""
    edges = edges_of(series) if edges is None else edges
    for name in SERIES:
        if name in series:
            counts, _ = np.histogram(
                np.clip(np.asarray(series[name], dtype=np.float64), -LARGEST, LARGEST), edges
            )
            density = counts / (len(series[name]) * np.diff(edges))
            filled = name == "data"
            axes.stairs(
                density,
                edges,
                color=SERIES[name],
                fill=filled,
                alpha=0.45 if filled else 1.0,
                linewidth=0 if filled else 1.4,
                linestyle="--" if name == "unfiltered" else "-",
                label=name,
            )
    axes.set(xlim=(edges[0], edges[-1]), xlabel=label, yticks=[])
    if max(abs(edges[0]), abs(edges[-1])) > OFFSET * (edges[-1] - edges[0]):
        axes.ticklabel_format(axis="x", useOffset=True)
    axes.spines["left"].set_visible(False)
    axes.grid(visible=False)
    legend(axes)
    return axes
