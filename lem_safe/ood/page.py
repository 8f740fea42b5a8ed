"""The page of `lem-safe ood`: a table, then ROC and histograms of each data set, made from the
numbers alone.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lem_safe.lettering import in_legend
from lem_safe.ood.auroc import ENOUGH, roc
from lem_safe.ood.scores import TITLES
from lem_safe.report.ranges import interval
from lem_safe.report.style import DATA, FILTERED, GRID, UNFILTERED, UNSAFE, Draw, legend, pictures
from lem_safe.templates import rendered

if TYPE_CHECKING:
    from matplotlib.axes import Axes

INSIDE = "in distribution"
LINES = {"energy": (FILTERED, "-"), "gradient": (UNFILTERED, "--"), "displacement": (UNSAFE, ":")}
BINS = 60


def write_page(facts: Mapping[str, Any], arrays: Mapping[str, np.ndarray], figures: Path) -> str:
    """The page as text; its plots are also written to `figures` as PNG. facts: Ood.to_dict(); arrays:
    NAME/SCORE to scores [n].
    """
    names = list(dict.fromkeys(row["against"] for row in facts["table"]))
    shown = []
    for i, name in enumerate(names):
        draws: Sequence[Draw] = [
            partial(draw_roc, arrays=arrays, name=name),
            *(partial(draw_scores, arrays=arrays, name=name, score=s) for s in TITLES),
        ]
        path = figures / f"ood_{i}.png"
        shown.append((name, pictures(draws, path, f"o{i}", columns=4, width=3.6, height=3.0)))
    return rendered("ood.html.j2", "lem_safe.ood", facts=facts, titles=TITLES, shown=shown, enough=ENOUGH)


def draw_roc(axes: "Axes", arrays: Mapping[str, np.ndarray], name: str) -> "Axes":
    """One ROC curve per score: the share of outside rows detected against the share of in-distribution rows
    flagged.
    """
    axes.plot([0, 1], [0, 1], color=GRID, linewidth=1)
    for score, (colour, line) in LINES.items():
        curve = roc(arrays[f"{INSIDE}/{score}"], arrays[f"{name}/{score}"])
        axes.plot(
            curve.false_positive, curve.true_positive, line, color=colour, label=TITLES[score].split(" ")[0]
        )
    axes.set(title="ROC", xlabel="usual rows taken for strange", ylabel="strange rows found", aspect="equal")
    legend(axes)
    return axes


def draw_scores(axes: "Axes", arrays: Mapping[str, np.ndarray], name: str, score: str) -> "Axes":
    """Both histograms of one score; infinite scores, and those far beyond the rest, are drawn at the edge."""
    ours, theirs = arrays[f"{INSIDE}/{score}"], arrays[f"{name}/{score}"]
    edges = np.linspace(*interval([np.concatenate([ours, theirs])], 0.002), BINS)
    for values, colour, label, style in (
        (ours, DATA, INSIDE, {"alpha": 0.5}),
        (theirs, UNSAFE, in_legend(_short(name)), {"histtype": "step"}),
    ):
        axes.hist(
            np.clip(values, edges[0], edges[-1]),
            edges.tolist(),
            density=True,
            color=colour,
            label=label,
            **style,
        )
    axes.set(title=TITLES[score], yticks=[])
    legend(axes)
    return axes


def _short(name: str) -> str:
    return name if len(name) <= 24 else name[:22] + "…"
