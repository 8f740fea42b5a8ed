"""The plots of claims: clouds, curves over steps, ROC curves."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from lem_safe.report.style import FILTERED, GRID, INK, MUTED, UNFILTERED, UNSAFE, Draw, legend

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLOURS = (FILTERED, UNFILTERED, UNSAFE, MUTED, INK)
LINES = ("-", "--", ":", "-.", "-")


def cloud_picture(
    x: np.ndarray, title: str, half: float, marks: Mapping[str, Sequence[Sequence[float]]] | None = None
) -> Draw:
    """Points in a square window of half-width `half`; marks: marker to places."""
    return partial(_draw_cloud, x=x, title=title, half=half, marks=marks or {})


def curve_picture(
    series: Mapping[str, tuple[np.ndarray, np.ndarray]],
    title: str,
    xlabel: str,
    ylabel: str,
    vertical: Mapping[str, float] | None = None,
    log: bool = False,
    top: float | None = None,
) -> Draw:
    """A line for each (x, y) of `series`; a vertical line for each of `vertical`; values above `top` are
    outside the plot.
    """
    return partial(
        _draw_curves,
        series=series,
        title=title,
        xlabel=xlabel,
        ylabel=ylabel,
        vertical=vertical or {},
        log=log,
        top=top,
    )


def roc_picture(curves: Mapping[str, tuple[np.ndarray, np.ndarray]], title: str) -> Draw:
    """A curve (false positives, true positives) for each name, up to ten of them, in a square; the names are
    at the side.
    """
    return partial(_draw_rocs, curves=curves, title=title)


def _draw_cloud(
    axes: "Axes", x: np.ndarray, title: str, half: float, marks: Mapping[str, Sequence[Sequence[float]]]
) -> "Axes":
    axes.scatter(
        x[:, 0],
        x[:, 1],
        s=float(np.clip(12_000 / len(x), 1.2, 8)),
        c=FILTERED,
        alpha=0.4,
        linewidths=0,
        rasterized=True,
    )
    for marker, places in marks.items():
        at = np.asarray(places)
        axes.scatter(
            at[:, 0],
            at[:, 1],
            s=34,
            marker=marker,
            c=INK if marker == "x" else UNFILTERED,
            linewidths=1.2,
            zorder=3,
        )
    axes.set(title=title, xlim=(-half, half), ylim=(-half, half), aspect="equal")
    return axes


def _draw_rocs(axes: "Axes", curves: Mapping[str, tuple[np.ndarray, np.ndarray]], title: str) -> "Axes":
    axes.plot([0, 1], [0, 1], color=GRID, linewidth=1)
    for i, (name, (x, y)) in enumerate(curves.items()):
        again, colour = divmod(i, len(COLOURS))
        axes.plot(x, y, ("-", "--")[again % 2], color=COLOURS[colour], label=name)
    axes.set(title=title, xlabel="usual rows taken for strange", ylabel="strange rows found", aspect="equal")
    axes.legend(loc="center left", bbox_to_anchor=(1, 0.5), handlelength=1.6)
    return axes


def _draw_curves(
    axes: "Axes",
    series: Mapping[str, tuple[np.ndarray, np.ndarray]],
    title: str,
    xlabel: str,
    ylabel: str,
    vertical: Mapping[str, float],
    log: bool,
    top: float | None,
) -> "Axes":
    for (name, (x, y)), colour, line in zip(series.items(), COLOURS, LINES, strict=False):
        axes.plot(x, y, line, color=colour, label=name)
    for (name, at), line in zip(vertical.items(), ("--", ":", "-."), strict=False):
        axes.axvline(at, color=INK, linewidth=0.9, linestyle=line, label=name)
    if log:
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter("{x:g}")  # the usual one writes mathematics
    axes.set(xlabel=xlabel, ylabel=ylabel)
    if top is not None:
        low = min(float(y.min()) for _, y in series.values())
        axes.set_ylim(low - 0.05 * (top - low), top)
    axes.set_title(title, pad=16)
    legend(axes)
    return axes
