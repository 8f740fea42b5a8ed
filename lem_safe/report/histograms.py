"""Pictures of one number at a time: energies and columns, as outlines on shared bins so that several laws stay readable."""

from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from lem_safe.report.style import SERIES, UNSAFE, legend

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def edges_of(series: dict[str, Float[np.ndarray, "_"]], at_zero: bool = False, most: int = 48) -> Float[np.ndarray, "b"]:
    """Bins that all series share, the outermost .2 % cut; with `at_zero`, one edge is 0, so that no bin is on both sides."""
    ends = np.array([np.quantile(y, [0.001, 0.999]) for y in series.values()])
    low, high = float(ends[:, 0].min()), float(ends[:, 1].max())
    high = high if high > low else low + 1.0
    bins = min(most, max(12, int(3 * min(len(y) for y in series.values()) ** (1 / 3))))
    if not at_zero:
        return np.linspace(low, high, bins + 1)
    width = (high - low) / bins
    return width * np.arange(min(np.floor(low / width), -1), max(np.ceil(high / width), 1) + 1)


def draw_clearance(axes: "Axes", series: dict[str, Float[np.ndarray, "_"]], label: str) -> "Axes":
    """Signed distances: what is left of zero is inside, and shaded."""
    edges = edges_of(series, at_zero=True)
    draw_histogram(axes, series, label, edges)
    axes.axvspan(edges[0], 0, color=UNSAFE, alpha=0.13, linewidth=0, zorder=0)
    axes.axvline(0, color=UNSAFE, linewidth=1.3, zorder=3)
    return axes


def draw_histogram(
    axes: "Axes", series: dict[str, Float[np.ndarray, "_"]], label: str, edges: Float[np.ndarray, "b"] | None = None
) -> "Axes":
    """The densities of the named series: `data` filled, the others as outlines, in the order of SERIES."""
    edges = edges_of(series) if edges is None else edges
    for name in SERIES:
        if name in series:
            counts, _ = np.histogram(series[name], edges)
            density = counts / (len(series[name]) * np.diff(edges))
            filled = name == "data"
            axes.stairs(
                density, edges, color=SERIES[name], fill=filled, alpha=0.45 if filled else 1.0, linewidth=0 if filled else 1.4,
                linestyle="--" if name == "unfiltered" else "-", label=name,
            )  # fmt: skip
    axes.set(xlim=(edges[0], edges[-1]), xlabel=label, yticks=[])
    axes.spines["left"].set_visible(False)
    axes.grid(visible=False)
    legend(axes)
    return axes
