"""The pictures of a judgement: every column, real rows and samples side by side, and the associations as heat
maps.
"""

from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from lem_safe.judging import Judgement
from lem_safe.judging.judgement import ColumnJudgement, Pairs
from lem_safe.judging.table import Table
from lem_safe.lettering import short
from lem_safe.report.histograms import draw_histogram
from lem_safe.report.ranges import interval
from lem_safe.report.style import DATA, FILTERED, INK, PAPER, Draw, legend

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLUMNS, LEVELS, CELLS = 24, 10, 30
"""The largest numbers of columns drawn, of levels of a column, and of columns in a heat map."""
WHOLE = 40
"""The largest number of bins of whole numbers."""
NAME = 18
"""Characters of a name on an axis with many names."""
DIVERGING = ((0.0, "#c9336c"), (0.5, "#f4f4f2"), (1.0, "#3a80c1"))
"""The colours from −1 over 0 to 1."""


def farthest(j: Judgement, most: int = COLUMNS) -> list[int]:
    """The positions of at most `most` columns, in their order: the ones that differ most."""
    order = sorted(range(len(j.columns)), key=lambda i: -_away(j.columns[i]))
    return sorted(order[:most])


def marginals(j: Judgement, most: int = COLUMNS) -> list[Draw]:
    """One picture a column."""
    real, samples = j.tables
    return [
        partial(_levels if real.columns[i].levels is not None else _numbers, real=real, samples=samples, i=i)
        for i in farthest(j, most)
    ]


def heat_maps(pairs: Pairs) -> list[Draw]:
    """The associations of the real rows, of the samples, and their difference; none of a single column."""
    if len(pairs.columns) < 2:
        return []
    kept = _kept(pairs)
    names = [pairs.columns[i] for i in kept]
    real, samples = (m[np.ix_(kept, kept)] for m in (pairs.real, pairs.samples))
    titled = (("real rows", real), ("samples", samples), ("samples − real rows", samples - real))
    return [partial(draw_heat_map, values=values, names=names, title=title) for title, values in titled]


def draw_heat_map(axes: "Axes", values: Float[np.ndarray, "d d"], names: list[str], title: str) -> "Axes":
    """A matrix of numbers in [−2, 2] as colours from −1 to 1, with its names."""
    from matplotlib.colors import LinearSegmentedColormap

    colours = LinearSegmentedColormap.from_list("association", DIVERGING)
    image = axes.imshow(np.clip(values, -1, 1), cmap=colours, vmin=-1, vmax=1, interpolation="nearest")
    size = 7.5 if len(names) <= 16 else 5.5
    shown = [_cut(name) for name in names]
    axes.set_xticks(range(len(names)), shown, rotation=90, fontsize=size)
    axes.set_yticks(range(len(names)), shown, fontsize=size)
    axes.set(title=title)
    axes.grid(visible=False)
    for side in ("left", "bottom"):
        axes.spines[side].set_visible(False)
    axes.tick_params(length=0)
    if len(names) <= 8:
        _numbered(axes, values)
    bar = axes.figure.colorbar(image, ax=axes, fraction=0.046, pad=0.02, ticks=[-1, 0, 1])
    bar.outline.set_visible(False)
    return axes


def _numbered(axes: "Axes", values: Float[np.ndarray, "d d"]) -> None:
    """The numbers themselves, where they are few."""
    for (i, k), value in np.ndenumerate(values):
        colour = PAPER if abs(value) > 0.7 else INK
        axes.text(k, i, f"{round(value, 2) + 0.0:.2f}", ha="center", va="center", fontsize=6.5, color=colour)


def _numbers(axes: "Axes", real: Table, samples: Table, i: int) -> "Axes":
    """Histograms of an ordered column."""
    from matplotlib.ticker import MaxNLocator

    series = {"data": real.days(i), "samples": samples.days(i)}
    known = {name: x[~np.isnan(x)] for name, x in series.items()}
    there = {name: x for name, x in known.items() if len(x)}
    unit = ", days since 1970" if real.columns[i].kind == "date" else ""
    label = f"{real.columns[i].name}{unit}"
    if not there:
        axes.set(xlabel=f"{label}: all cells missing", yticks=[], xticks=[])
        return axes
    edges = _whole_edges(there) if real.columns[i].kind == "number" else None
    draw_histogram(axes, there, label, edges)
    axes.xaxis.set_major_locator(MaxNLocator(4))
    return axes


def _whole_edges(series: dict[str, Float[np.ndarray, "_"]]) -> Float[np.ndarray, "b"] | None:
    """Bins of equally many whole numbers each, half-way between them; None where the data hold others."""
    first = next(iter(series.values()))
    if (first != np.rint(first)).any():
        return None
    low, high = interval(series.values())
    if not 2 <= high - low <= 1e15:
        return None
    width = max(1, int(np.ceil((high - low) / WHOLE)))
    return np.arange(np.floor(low) - 0.5, np.ceil(high) + width, width, dtype=np.float64)


def _levels(axes: "Axes", real: Table, samples: Table, i: int) -> "Axes":
    """Shares of the most frequent levels of a category; missing cells are one."""
    column = real.columns[i]
    levels = [*(column.levels or ()), "missing"]
    ours, theirs = (_shares(t.values[:, i], len(levels)) for t in (real, samples))
    if not ours[-1] and not theirs[-1]:
        levels, ours, theirs = levels[:-1], ours[:-1], theirs[:-1]
    order = np.argsort(-np.maximum(ours, theirs), kind="stable")
    kept, rest = order[:LEVELS], order[LEVELS:]
    names = [_cut(levels[k]) for k in kept]
    heights = [np.array([side[k] for k in kept]) for side in (ours, theirs)]
    if len(rest):
        names.append(f"{len(rest):,} others")
        heights = [np.append(h, side[rest].sum()) for h, side in zip(heights, (ours, theirs), strict=True)]
    at = np.arange(len(names))
    axes.barh(at - 0.2, heights[0], 0.4, color=DATA, alpha=0.6, label="data")
    axes.barh(at + 0.2, heights[1], 0.4, color=FILTERED, label="samples")
    axes.set_yticks(at, names, fontsize=6.5 if len(names) > 6 else 7.5)
    axes.invert_yaxis()
    axes.set(xlabel=column.name)
    axes.grid(visible=False)
    legend(axes)
    return axes


def _shares(values: Float[np.ndarray, "n"], levels: int) -> Float[np.ndarray, "k"]:
    """The share of each level, missing cells last."""
    return np.bincount(np.nan_to_num(values, nan=levels - 1).astype(int), minlength=levels) / len(values)


def _kept(pairs: Pairs) -> list[int]:
    """The columns of a heat map: where there are too many, those whose associations differ most."""
    if len(pairs.columns) <= CELLS:
        return list(range(len(pairs.columns)))
    away = np.abs(pairs.real - pairs.samples).max(1)
    return sorted(np.argsort(-away, kind="stable")[:CELLS].tolist())


def _away(c: ColumnJudgement) -> float:
    return 0.0 if c.distance is None else c.distance.found - c.distance.floor


def _cut(name: str) -> str:
    text = short(name)
    return text if len(text) <= NAME else f"{text[: NAME - 1]}…"
