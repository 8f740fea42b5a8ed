"""Names beside a picture whose points may lie close together: which share a label, and where labels go."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from lem_safe.report.style import INK, MUTED

if TYPE_CHECKING:
    from matplotlib.axes import Axes

CLOSE = 0.035
"""Points nearer than this, in parts of an axis, share one label."""


def draw_names(axes: "Axes", names: Sequence[str], places: Sequence[tuple[float, float]]) -> None:
    """The filters' names beside the picture, each with a line to its place, in parts of the axes; filters
    that are close together share a label.
    """
    found = groups(places)
    heights = spread([places[g[0]][1] for g in found], [0.055 * len(g) + 0.015 for g in found])
    for group, height in zip(found, heights, strict=True):
        axes.annotate(
            "\n".join(names[i] for i in group),
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
