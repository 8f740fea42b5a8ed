"""Pictures of one number at a time: energies and columns, as outlines on shared bins so that several laws stay readable."""

from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from lem_safe.report.style import SERIES, legend

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def draw_histogram(axes: "Axes", series: dict[str, Float[np.ndarray, "n"]], label: str, bins: int = 48) -> "Axes":
    """The densities of the named series (`data` filled, `unfiltered` and `filtered` as outlines), the outermost .2 % cut."""
    ends = np.array([np.quantile(y, [0.001, 0.999]) for y in series.values()])
    low, high = float(ends[:, 0].min()), float(ends[:, 1].max())
    fewest = min(len(y) for y in series.values())
    edges = np.linspace(low, high if high > low else low + 1, min(bins, max(12, int(2 * fewest ** (1 / 3)))) + 1)
    for name in ("data", "unfiltered", "filtered"):
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
