"""Plots of points: the cloud over its energy landscape, and pairs of columns with the unsafe
region shaded.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Bool, Float

from lem_safe.report.ranges import Interval, interval
from lem_safe.report.style import INK, MUTED, UNSAFE

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Limits = tuple[tuple[float, float], tuple[float, float]]
Level = Callable[[Float[np.ndarray, "g 2"]], Float[np.ndarray, "g"]]

MANY = 20_000
"""From this number of points on, a density is drawn instead of points."""
LEVELS = (0.5, 1.5, 3.0, 5.0, 8.0)
"""Contours of a landscape, in nats above its minimum."""


def limits(clouds: list[Float[np.ndarray, "_ 2"]], pad: float = 0.06) -> Limits:
    """Axis limits that contain the `ranges.interval` of every cloud, with a margin."""
    first, second = (interval([x[:, i] for x in clouds]) for i in (0, 1))
    return _padded(first, pad), _padded(second, pad)


def _padded(ends: Interval, pad: float) -> Interval:
    margin = pad * (ends[1] - ends[0])
    return ends[0] - margin, ends[1] + margin


def draw_cloud(
    axes: "Axes",
    x: Float[np.ndarray, "n 2"],
    inside: Bool[np.ndarray, "n"],
    colour: str,
    title: str,
    window: Limits,
) -> "Axes":
    """The points, those inside an unsafe region marked; a density where there are many."""
    from matplotlib.colors import LinearSegmentedColormap, to_rgb

    (x0, x1), (y0, y1) = window
    # Points outside the window are not passed on: limits computed from them may overflow.
    seen = (x[:, 0] >= x0) & (x[:, 0] <= x1) & (x[:, 1] >= y0) & (x[:, 1] <= y1)
    if len(x) > MANY:
        rgb = to_rgb(colour)
        fade = LinearSegmentedColormap.from_list("fade", [(*rgb, 0.0), (*rgb, 0.55), (*rgb, 1.0)])
        counts, _, _ = np.histogram2d(x[:, 0], x[:, 1], bins=140, range=[[x0, x1], [y0, y1]])
        axes.imshow(
            np.sqrt(counts.T), origin="lower", extent=(x0, x1, y0, y1), cmap=fade, aspect="auto", zorder=2
        )
    else:
        shown = ~inside & seen
        size = float(np.clip(16_000 / len(x), 1.2, 12))
        alpha = float(np.clip(2_200 / len(x), 0.3, 0.75))
        axes.scatter(
            x[shown, 0], x[shown, 1], s=size, c=colour, alpha=alpha, linewidths=0, rasterized=True, zorder=2
        )
    bad = x[inside & seen][:3_000]
    axes.scatter(bad[:, 0], bad[:, 1], s=6, c=UNSAFE, marker="x", linewidths=0.6, rasterized=True, zorder=4)
    axes.set(xlim=(x0, x1), ylim=(y0, y1))
    axes.set_title(title)
    return axes


def shade(axes: "Axes", level: Level, window: Limits, grid: int = 320) -> "Axes":
    """Hatches and outlines {level ≤ 0} inside the window."""
    a, b = (np.linspace(low, high, grid) for low, high in window)
    first, second = np.meshgrid(a, b)
    s = level(np.stack([first.ravel(), second.ravel()], 1)).reshape(first.shape)
    if (s <= 0).any():
        axes.contourf(first, second, s, levels=[-np.inf, 0], colors=[UNSAFE], alpha=0.13, zorder=1)
    if (s <= 0).any() and (s > 0).any():
        axes.contour(first, second, s, levels=[0], colors=[UNSAFE], linewidths=1.3, zorder=3)
    return axes


def draw_landscape(
    axes: "Axes",
    first: Float[np.ndarray, "g"],
    second: Float[np.ndarray, "h"],
    energy: Float[np.ndarray, "g h"],
) -> "Axes":
    """Contours of an energy, at fixed heights above its minimum."""
    axes.contour(
        first,
        second,
        (energy - np.nanmin(energy)).T,
        levels=LEVELS,
        colors=[MUTED],
        linewidths=0.6,
        alpha=0.8,
        zorder=1.5,
    )
    return axes


def equal_where_sensible(axes: "Axes", window: Limits) -> "Axes":
    """Equal units on both axes, unless that would distort the plot."""
    (x0, x1), (y0, y1) = window
    if 0.4 < (x1 - x0) / (y1 - y0) < 2.5:
        axes.set_aspect("equal", adjustable="box")
    axes.tick_params(length=2.5)
    axes.xaxis.label.set_color(INK)
    return axes
