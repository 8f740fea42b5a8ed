"""Samples that are paths, drawn as lines over the regions that no point of them may enter."""

from collections.abc import Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Bool, Float

from barriers.arrays import torch
from barriers.sets import UnsafeSet
from barriers.sets.algebra import AllOf, AnyOf
from barriers.sets.anywhere import Anywhere
from barriers.sets.rule import Rule
from lem_safe.report.clouds import Limits, equal_where_sensible, limits, shade
from lem_safe.report.style import SERIES, UNSAFE, Draw

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST = 150
"""Paths drawn of each cloud; of more, evenly spaced ones."""


def shape_of(scenario: Mapping[str, Any], regions: Mapping[str, UnsafeSet], d: int) -> tuple[int, ...] | None:
    """[waypoints, agents, coordinates] of rows that are paths, as the scenario says it, or the regions along
    paths do; None of other rows.
    """
    said = scenario.get("shape")
    if said:
        return (said[0], said[1] if len(said) == 3 else 1, said[-1])
    along = next((s for region in regions.values() for s in _along(region)), None)
    if along is None or along.size * along.agents == d:
        return None
    return (d // (along.size * along.agents), along.agents, along.size)


def drawn_paths(
    x: Float[np.ndarray, "n d"], shape: tuple[int, ...]
) -> tuple[Float[np.ndarray, "k t a 2"], Float[np.ndarray, "k d"]]:
    """Some of the rows, evenly spaced, in the plane of their first two coordinates; and the rows."""
    some = x[np.unique(np.linspace(0, len(x) - 1, min(MOST, len(x))).astype(int))]
    return some.reshape(-1, *shape)[..., :2], some


def broken(
    region: UnsafeSet, x: Float[np.ndarray, "k d"], segments: int, agents: int
) -> Bool[np.ndarray, "k s a"]:
    """Which segments of paths meet the region; none of a path that is inside for another reason."""
    rows = torch.from_numpy(np.ascontiguousarray(x, dtype=np.float64))
    found = np.zeros((len(x), segments, agents), dtype=bool)
    for along in _along(region):
        if along.agents != agents or along.size * agents * (segments + 1) != x.shape[1]:
            continue  # of another shape than what is drawn
        if along.joined:
            found |= along.segments_inside(rows).numpy().reshape(found.shape)
        else:
            at = along.inner.contains(along.waypoints(rows)).numpy().reshape(len(x), -1, agents)
            found |= at[:, :-1] | at[:, 1:]
    return found


def draw_paths(
    axes: "Axes",
    name: str,
    x: Float[np.ndarray, "n d"],
    shape: tuple[int, ...],
    regions: Mapping[str, UnsafeSet],
    window: Limits,
    title: str,
) -> "Axes":
    """Paths as lines with a dot at their start; those inside a region in its colour, the parts that meet it
    thick.
    """
    from matplotlib.collections import LineCollection

    points, rows = drawn_paths(x, shape)
    for region in regions.values():
        for along in _along(region):
            if along.inner.dimension == 2:
                shade(axes, partial(_level, along.inner), window)
    whole = points.transpose(0, 2, 1, 3)  # [path, agent, waypoint, 2]
    inside = np.any([_inside(region, rows) for region in regions.values()], axis=0)
    alpha = float(np.clip(25 / len(rows), 0.15, 0.7))
    for chosen, colour, share in ((~inside, SERIES[name], alpha), (inside, UNSAFE, alpha)):
        lines = list(whole[chosen].reshape(-1, shape[0], 2))
        axes.add_collection(LineCollection(lines, colors=[colour], linewidths=0.8, alpha=share, zorder=2))
    met = np.any([broken(region, rows, shape[0] - 1, shape[1]) for region in regions.values()], axis=0)
    pieces = np.stack([points[:, :-1], points[:, 1:]], 3)[met].reshape(-1, 2, 2)
    axes.add_collection(LineCollection(list(pieces), colors=[UNSAFE], linewidths=1.6, alpha=0.8, zorder=4))
    first = points[:, 0].reshape(-1, 2)
    axes.scatter(first[:, 0], first[:, 1], s=6, c=SERIES[name], linewidths=0, zorder=3)
    axes.set(xlim=window[0], ylim=window[1])
    axes.set_title(title)
    return equal_where_sensible(axes, window)


def window_of(clouds: Mapping[str, Float[np.ndarray, "n d"]], shape: tuple[int, ...]) -> Limits:
    """Axis limits that hold the drawn paths."""
    return limits([drawn_paths(x, shape)[0].reshape(-1, 2) for x in clouds.values()])


def draws_of(
    clouds: Mapping[str, Float[np.ndarray, "n d"]],
    shape: tuple[int, ...],
    regions: Mapping[str, UnsafeSet],
    titles: Mapping[str, str],
) -> list[Draw]:
    """One picture for each cloud."""
    window = window_of(clouds, shape)
    return [
        partial(draw_paths, name=name, x=x, shape=shape, regions=regions, window=window, title=titles[name])
        for name, x in clouds.items()
    ]


def _along(region: UnsafeSet) -> Iterator[Anywhere]:
    """The parts of a region that hold along paths."""
    match region:
        case Anywhere():
            yield region
        case AllOf() | AnyOf():
            for member in region.members():
                yield from _along(member)
        case Rule():
            yield from _along(region.tree)


def _inside(region: UnsafeSet, x: Float[np.ndarray, "k d"]) -> Bool[np.ndarray, "k"]:
    return region.contains(torch.from_numpy(np.ascontiguousarray(x, dtype=np.float64))).numpy()


def _level(region: UnsafeSet, points: Float[np.ndarray, "g 2"]) -> Float[np.ndarray, "g"]:
    x = torch.from_numpy(points)
    hard = torch.where(region.contains(x), -1.0, 1.0).double()
    try:
        with torch.no_grad():
            soft = region(x)
    except Exception:  # of membership alone
        return hard.numpy()
    return torch.where(soft.isfinite() & (soft.sign() * hard >= 0), soft, hard).numpy()
