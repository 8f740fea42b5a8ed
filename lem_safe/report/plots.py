"""Single plots of a run for a notebook: drawn on given axes, or on new ones, which are returned. matplotlib
is imported on use.
"""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from lem_safe.errors import BadInput, Fault
from lem_safe.lettering import lettered
from lem_safe.report.clouds import draw_cloud, limits
from lem_safe.report.contents import Contents, read
from lem_safe.report.curves import draw_fraction
from lem_safe.report.panel import label, laws
from lem_safe.report.panels import panels
from lem_safe.report.style import SERIES, UNFILTERED, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def fresh_axes() -> "Axes":
    """Axes of a new figure."""
    from matplotlib import pyplot

    _, axes = pyplot.subplots(layout="constrained")
    return axes


def plot_samples(directory: Path, ax: "Axes | None" = None) -> "Axes":
    """The samples of a run directory, those inside an unsafe region crossed, with the region shaded where two
    columns determine it.
    """
    contents = read(directory)
    with style():
        axes = ax if ax is not None else fresh_axes()
        shown = {panel.name: panel.draws for panel in panels(contents)}
        if "clouds" in shown:
            return lettered(shown["clouds"][-1](axes))  # the run's own come last
        if "pairs" in shown:
            first = shown["pairs"][len(laws(contents).keys() - {"data"}) - 1]  # of the first pair
            return lettered(first(axes))
        return lettered(_plain(contents, axes))


def plot_fractions(directory: Path, ax: "Axes | None" = None, constraint: str | None = None) -> "Axes":
    """The fraction inside one constrained region at every step, by default the first, with its tolerance;
    BadInput for another name.
    """
    contents = read(directory)
    names = [c["set"] for c in contents.audit["constraints"]]
    if constraint is not None and constraint not in names:
        raise BadInput(
            Fault(f"no constraint is on '{constraint}'; there are {', '.join(names)}", file=str(directory))
        )
    k = 0 if constraint is None else names.index(constraint)
    own = label(contents)
    series = [(own, SERIES[own], contents.trace["step"], contents.trace["fraction"][:, k])]
    if "fraction" in contents.reference:
        other = contents.reference["fraction"][:, k]
        series.insert(0, ("unfiltered", UNFILTERED, np.arange(1, len(other) + 1), other))
    beta = contents.audit["constraints"][k]["beta"]
    with style():
        axes = ax if ax is not None else fresh_axes()
        drawn = draw_fraction(axes, names[k], beta, contents.audit.get("after_step", 0), series)
        return lettered(drawn)


def _plain(contents: Contents, axes: "Axes") -> "Axes":
    """The first two columns, or one column against the order of its rows, where no pair is preferred."""
    x = np.asarray(contents.x, dtype=np.float64)
    pair = x[:, :2] if x.shape[1] > 1 else np.column_stack([np.arange(len(x)), x[:, 0]])
    inside = contents.inside_any(x)
    draw_cloud(
        axes, pair, inside, SERIES[label(contents)], f"{100 * inside.mean():.3g} % inside", limits([pair])
    )
    names = contents.columns[:2] if x.shape[1] > 1 else ("sample", contents.columns[0])
    axes.set(xlabel=names[0], ylabel=names[1])
    return axes
