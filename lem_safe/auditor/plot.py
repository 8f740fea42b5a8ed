"""The verdict plotted: each constraint's fraction, interval and tolerance. matplotlib is imported on use."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from lem_safe.auditor.verdict import ConstraintReport
from lem_safe.lettering import lettered, short

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FOUND, TOLERATED = "#3a80c1", "#c9336c"


def plot(constraints: Sequence[ConstraintReport], claimed: bool, ax: "Axes | None" = None) -> "Axes":
    """One dot per constraint, a bar for its interval where one is `claimed`, a mark for its tolerance; on
    `ax` or on new axes.
    """
    if ax is None:
        from matplotlib import pyplot

        _, ax = pyplot.subplots(figsize=(6.4, 1.2 + 0.5 * len(constraints)), layout="constrained")
    for i, c in enumerate(constraints):
        if claimed:
            ax.plot(
                list(c.interval),
                [i, i],
                color=FOUND,
                linewidth=2,
                alpha=0.5,
                label="interval" if i == 0 else None,
            )
        ax.plot([c.fraction], [i], "o", color=FOUND, label="found" if i == 0 else None)
        ax.plot(
            [c.beta],
            [i],
            "|",
            color=TOLERATED,
            markersize=18,
            markeredgewidth=2,
            label="tolerated" if i == 0 else None,
        )
    ax.set(
        yticks=range(len(constraints)),
        yticklabels=[short(c.set) for c in constraints],
        xlabel="fraction of samples inside",
    )
    ax.set_ylim(len(constraints) - 0.5, -0.5)
    ax.set_xlim(left=0)
    ax.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=3, frameon=False)
    return lettered(ax)
