"""Plots over the steps of a run: the fraction with its tolerance, the surrogate with its limit, the
multipliers.

A long run is drawn as a few hundred stretches of steps: the mean of each as a line, its extremes as a band,
so that every excess remains visible.
"""

from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Num

from lem_safe.report.ranges import interval
from lem_safe.report.style import INK, MUTED, UNSAFE, legend, percent_axis

if TYPE_CHECKING:
    from matplotlib.axes import Axes

STRETCHES = 400


def stretches(
    step: Num[np.ndarray, "t"], y: Float[np.ndarray, "t"]
) -> tuple[Float[np.ndarray, "s"], Float[np.ndarray, "s"], Float[np.ndarray, "s"], Float[np.ndarray, "s"]]:
    """Middle step, minimum, mean and maximum of each stretch; a short run is returned as it is."""
    if len(step) <= STRETCHES:
        return step.astype(float), y, y, y
    edges = np.linspace(0, len(step), STRETCHES + 1).astype(int)
    parts = [slice(a, b) for a, b in zip(edges[:-1], edges[1:], strict=True)]
    at = np.array([step[part].mean() for part in parts])
    least, mean, greatest = (np.array([f(y[part]) for part in parts]) for f in (np.min, np.mean, np.max))
    return at, least, mean, greatest


def draw_curve(
    axes: "Axes", step: Num[np.ndarray, "t"], y: Float[np.ndarray, "t"], colour: str, label: str
) -> "Axes":
    """One series: a line, and the band of its extremes."""
    middle, least, mean, most = stretches(step, y)
    if len(step) > STRETCHES:
        axes.fill_between(middle, least, most, color=colour, alpha=0.3, linewidth=0)
    axes.plot(middle, mean, color=colour, label=label)
    return axes


def draw_fraction(
    axes: "Axes",
    name: str,
    beta: float,
    after_step: int,
    series: list[tuple[str, str, Num[np.ndarray, "_"], Float[np.ndarray, "_"]]],
) -> "Axes":
    """The fraction inside one region at every step, for each (label, colour, step, fraction), with the
    tolerance.
    """
    top = 1.12 * max([beta, *(float(np.nanmax(y)) for *_, y in series)])
    for label, colour, step, y in series:
        draw_curve(axes, step, y, colour, label)
    last = max(int(step[-1]) for *_, step, _ in series)
    axes.set(xlim=(0, last), ylim=(0, top or 0.01), xlabel="step")
    axes.axhline(
        beta, color=UNSAFE, linewidth=1.1, linestyle=(0, (5, 2)), label=f"tolerated {100 * beta:g} %"
    )
    if after_step > 0:
        axes.axvspan(0, min(after_step, last), color=MUTED, alpha=0.12, linewidth=0)
        axes.text(
            min(after_step, last), axes.get_ylim()[1], " judged from here", va="top", fontsize=7.5, color=INK
        )
    percent_axis(axes.yaxis)
    axes.set_ylabel(f"samples inside {name}")
    legend(axes)
    return axes


def draw_surrogate(
    axes: "Axes",
    name: str,
    step: Num[np.ndarray, "t"],
    surrogate: Float[np.ndarray, "t"],
    limit: float,
    colour: str,
) -> "Axes":
    """The value of one constraint that a filter observes, with its limit: E φ and κβ (B.1), or the predicted
    or counted mass and β.
    """
    draw_curve(axes, step, surrogate, colour, "observed by the filter")
    axes.axhline(limit, color=UNSAFE, linewidth=1.1, linestyle=(0, (5, 2)), label=f"its limit {limit:.3g}")
    axes.set(xlim=(0, int(step[-1])), xlabel="step", ylabel=f"mass or surrogate of {name}")
    axes.set_ylim(bottom=0, top=1.15 * max(limit, float(np.nanmax(surrogate))) or 1.0)
    legend(axes)
    return axes


def draw_multiplier(
    axes: "Axes", name: str, step: Num[np.ndarray, "t"], multiplier: Float[np.ndarray, "t"], colour: str
) -> "Axes":
    """The multiplier μ of one constraint; the dotted line is its mean over the second half."""
    draw_curve(axes, step, multiplier, colour, "μ")
    mean = float(multiplier[len(multiplier) // 2 :].mean())
    axes.axhline(mean, color=INK, linewidth=0.9, linestyle=":", label=f"mean of second half {mean:.3g}")
    top = float(np.quantile(multiplier, 0.995))
    axes.set(
        xlim=(0, int(step[-1])),
        ylim=(0, 1.25 * max(top, mean) or 1.0),
        xlabel="step",
        ylabel=f"multiplier of {name}",
    )
    legend(axes)
    return axes


def draw_looks(
    axes: "Axes",
    ylabel: str,
    series: list[tuple[str, str, Num[np.ndarray, "_"], Float[np.ndarray, "_"]]],
    *,
    level: tuple[float, str] | None = None,
) -> "Axes":
    """One monitor at the recorded steps, for each (label, colour, step, value), with its reference level."""
    values = np.concatenate([y[np.isfinite(y)] for *_, y in series])
    for name, colour, step, y in series:
        axes.plot(step, y, color=colour, label=name, marker=".", markersize=3)
    if level is not None:
        values = np.append(values, level[0])
        axes.axhline(level[0], color=INK, linewidth=0.9, linestyle=":", label=level[1])
    low, high = interval([values], 0.01)  # the first values of a run may be extreme; the later ones matter
    reach = 0.1 * (high - low)
    axes.set(
        xlim=(0, max(int(step[-1]) for *_, step, _ in series)),
        ylim=(low - reach, high + reach),
        xlabel="step",
        ylabel=ylabel,
    )
    legend(axes)
    return axes
