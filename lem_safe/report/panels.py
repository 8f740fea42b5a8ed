"""The panels of a page: each has a title, a self-contained caption, and one or more plots."""

from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from lem_safe.report.clouds import Limits, draw_cloud, draw_landscape, equal_where_sensible, limits, shade
from lem_safe.report.contents import Contents
from lem_safe.report.curves import draw_fraction, draw_multiplier, draw_surrogate
from lem_safe.report.foremost import MOST, foremost, which
from lem_safe.report.histograms import draw_clearance, draw_histogram
from lem_safe.report.monitors import monitors
from lem_safe.report.pairs import pairs_of
from lem_safe.report.panel import Panel, label, laws
from lem_safe.report.paths_panel import paths
from lem_safe.report.style import FILTERED, INK, SERIES, UNFILTERED, Draw

if TYPE_CHECKING:
    from matplotlib.axes import Axes

BLOCK_NUMBERS = 4_000_000
"""Numbers of a block of points, all columns counted."""


def panels(contents: Contents) -> list[Panel]:
    """Every panel, in the page's order."""
    of_a_run = (
        _clouds,
        paths,
        _fractions,
        _multipliers,
        _monitors,
        _clearances,
        _pairs,
        _energies,
        _marginals,
    )
    of_files = (_clouds, paths, _clearances, _pairs, _marginals)
    makers = of_a_run if contents.run else of_files
    made = [make(contents) for make in makers]
    return [panel for panel in made if panel is not None]


def _clouds(contents: Contents) -> Panel | None:
    if contents.x.shape[1] != 2 or contents.coded:
        return None
    clouds = laws(contents)
    window = limits(list(clouds.values()))
    draws = [partial(_cloud, contents=contents, name=name, x=x, window=window) for name, x in clouds.items()]
    lines = " Grey lines: the energy's contours." if "landscape" in contents.diagnostics else ""
    few = (
        f" {len(contents.x):,} of {contents.audit['rows']:,} rows, chosen at random."
        if contents.thinned
        else ""
    )
    return Panel("clouds", "The samples", f"Shaded: unsafe. Crosses: samples inside it.{lines}{few}", draws)


def _cloud(axes: "Axes", contents: Contents, name: str, x: np.ndarray, window: Limits) -> "Axes":
    inside = contents.inside_any(x)
    if {"grid0", "grid1", "landscape"} <= contents.diagnostics.keys() and name != "data":
        draw_landscape(axes, *(contents.diagnostics[key] for key in ("grid0", "grid1", "landscape")))
    sets = list(dict.fromkeys(c["set"] for c in contents.audit["constraints"]))
    for level in map(partial(partial, contents.level), sets) if len(sets) <= MOST else (contents.level_any,):
        shade(axes, level, window)
    held = "" if contents.thinned else f": {100 * inside.mean():.3g} % inside"
    draw_cloud(axes, x, inside, SERIES[name], f"{name}{held}", window)
    axes.set(xlabel=contents.columns[0], ylabel=contents.columns[1])
    return equal_where_sensible(axes, window)


def _fractions(contents: Contents) -> Panel:
    title = "The fraction inside, at every step"
    if "fraction" not in contents.trace:
        return Panel("fraction", title, "The run recorded no trace, so only the final cloud is known.")
    step = contents.trace["step"]
    draws: list[Draw] = []
    for k in foremost(contents.audit):
        c = contents.audit["constraints"][k]
        series = [(label(contents), SERIES[label(contents)], step, contents.trace["fraction"][:, k])]
        if contents.clouds > 1:
            series.append(("mean of the clouds", INK, step, contents.trace["cloud_fraction"].mean(0)[:, k]))
        if "fraction" in contents.reference:
            other = contents.reference["fraction"][:, k]
            series.insert(0, ("unfiltered", UNFILTERED, np.arange(1, len(other) + 1), other))
        draw = partial(
            draw_fraction, name=c["set"], beta=c["beta"], after_step=contents.audit.get("after_step", 0)
        )
        draws.append(partial(draw, series=series))
        free = "fraction" in contents.reference
        if free and series[0][-1].max() > 1.5 * max(c["beta"], series[1][-1].max()):
            draws.append(partial(draw, series=series[1:]))
    caption = (
        f"All particles counted, at all {len(step):,} steps; a band spans the extremes of the steps "
        "it covers."
    )
    if contents.clouds > 1:
        caption = caption.replace(
            "All particles counted",
            f"The largest of {contents.clouds:,} clouds and their mean, all particles counted",
        )
    if "fraction" in contents.reference:
        caption += " The unfiltered run started from the same points and drew the same noise."
    return Panel("fraction", title, caption + which(contents.audit), draws)


def _multipliers(contents: Contents) -> Panel | None:
    if contents.filter == "none" or not contents.trace:
        return None
    step, trace = contents.trace["step"], contents.trace
    draws: list[Draw] = []
    for k in foremost(contents.audit):
        c = contents.audit["constraints"][k]
        if "multiplier" in trace and np.isfinite(trace["multiplier"][:, k]).all():
            draws.append(
                partial(
                    draw_multiplier,
                    name=c["set"],
                    step=step,
                    multiplier=trace["multiplier"][:, k],
                    colour=FILTERED,
                )
            )
        if "surrogate" in trace and np.isfinite(trace["surrogate"][:, k]).all():
            limit = float(np.atleast_1d(trace["limit"])[k])
            draws.append(
                partial(
                    draw_surrogate,
                    name=c["set"],
                    step=step,
                    surrogate=trace["surrogate"][:, k],
                    limit=limit,
                    colour=FILTERED,
                )
            )
    if not draws:
        return None  # a filter that counts has no multiplier and no surrogate
    caption = (
        "The multiplier is the price of the tolerance: about how many nats it raises the energy "
        "inside the region (0: none)."
    )
    return Panel("multiplier", "What the filter did", caption + which(contents.audit), draws)


def _monitors(contents: Contents) -> Panel | None:
    draws, caption = monitors(contents, label(contents))
    return Panel("monitors", "Is it still on its way?", caption, draws) if draws else None


def _energies(contents: Contents) -> Panel | None:
    keys = {"data": "data_energy", "unfiltered": "reference_energy", label(contents): "energy"}
    series = {name: contents.diagnostics[key] for name, key in keys.items() if key in contents.diagnostics}
    if "energy" not in contents.diagnostics:
        return Panel("energy", "Energies", "The run saved no energies of its samples.")
    text = ", ".join(f"{name} {np.mean(u):.4g} ± {np.std(u):.3g}" for name, u in series.items())
    caption = f"U in nats, lower is likelier. Mean ± standard deviation: {text}."
    return Panel("energy", "Energies", caption, [partial(draw_histogram, series=series, label="U (nats)")])


def _clearances(contents: Contents) -> Panel | None:
    draws: list[Draw] = []
    for region in _sets(contents):
        found = {name: contents.clearance(region, x) for name, x in laws(contents).items()}
        series = {name: s for name, s in found.items() if s is not None and len(s)}
        if label(contents) in series:
            known = contents.regions[region].exact or contents.regions[region].clearance
            text = f"distance to {region}" if known else f"distance to {region}, first order"
            draws.append(partial(draw_clearance, series=series, label=text))
    if not draws:
        return None
    caption = "Signed distance of every sample to the region, in the data's units. Left of the line: inside."
    if any(not contents.regions[c["set"]].clearance for c in contents.audit["constraints"]):
        caption += (
            " First order: the rule's value over its slope, a length near the boundary and a guide "
            "farther away."
        )
    return Panel("clearance", "How far from the unsafe sets", caption + which(contents.audit), draws)


def _pairs(contents: Contents) -> Panel | None:
    if contents.x.shape[1] <= 2:
        return None
    clouds = laws(contents)
    shown = {name: x for name, x in clouds.items() if name != "data"}
    draws: list[Draw] = []
    for region in _sets(contents):
        try:
            chosen = pairs_of(contents.regions[region], contents.x)
        except (NotImplementedError, ValueError, RuntimeError):
            continue  # a region known by membership alone has no gradient
        exact = len(chosen) == 1
        for a, b in chosen:
            window = limits([x[:, [a, b]] for x in clouds.values()])
            draws += [
                partial(
                    _pair,
                    contents=contents,
                    region=region,
                    name=name,
                    x=x,
                    pair=(a, b),
                    window=window,
                    exact=exact,
                )
                for name, x in shown.items()
            ]
    if not draws:
        return None
    return Panel(
        "pairs",
        "The columns that the regions depend on",
        "Shaded: unsafe, where two columns decide it. Crosses: samples inside." + which(contents.audit),
        draws,
    )


def _sets(contents: Contents) -> list[str]:
    """The sets that have pictures of their own, each once."""
    constraints = contents.audit["constraints"]
    return list(dict.fromkeys(constraints[k]["set"] for k in foremost(contents.audit)))


def _pair(
    axes: "Axes",
    contents: Contents,
    region: str,
    name: str,
    x: np.ndarray,
    pair: tuple[int, int],
    window: Limits,
    exact: bool,
) -> "Axes":
    a, b = pair
    inside = contents.inside(region, x)
    if exact:
        middle = np.median(x, axis=0)

        def level(points: np.ndarray) -> np.ndarray:
            parts = []
            for some in np.array_split(points, 1 + len(points) * len(middle) // BLOCK_NUMBERS):
                full = np.tile(middle, (len(some), 1))
                full[:, [a, b]] = some
                parts.append(contents.level(region, full))
            return np.concatenate(parts)

        shade(axes, level, window)
    held = f": {100 * inside.mean():.3g} % inside {region}" if not contents.thinned else f", {region}"
    draw_cloud(axes, x[:, [a, b]], inside, SERIES[name], f"{name}{held}", window)
    axes.set(xlabel=contents.columns[a], ylabel=contents.columns[b])
    return axes


def _marginals(contents: Contents, most: int = 12) -> Panel:
    clouds = laws(contents)
    places = [i for i, name in enumerate(contents.columns) if name not in contents.coded]
    d = len(places)
    draws: list[Draw] = [
        partial(
            draw_histogram, series={name: x[:, i] for name, x in clouds.items()}, label=contents.columns[i]
        )
        for i in places[:most]
    ]
    which = f"The first {most} of {d} columns." if d > most else "Every column."
    if contents.coded:
        which += f" Not drawn, as they hold no numbers: {', '.join(contents.coded)}."
    others = (
        ""
        if len(clouds) > 1 or not contents.run
        else " The run has no data and no unfiltered samples beside it to compare with."
    )
    return Panel("marginals", "Each column alone", f"{which} In the data's units.{others}", draws)
