"""Off the walls: positions on a floor plan that is a picture, beside snapping to the nearest free point."""

from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import torch
from jaxtyping import Bool, Float
from matplotlib.axes import Axes
from scipy.ndimage import distance_transform_edt

from benchmarks.gallery import data, pictures
from benchmarks.gallery.row import Row, named
from benchmarks.gallery.running import Ran, fresh, ran, timed, unfiltered
from lem_safe.registry import regions

NAME = "off_the_walls"
PROBLEM = "Off the walls: a map as a picture"
HEADS = ("touching a wall", "by the wall", "from exact")
OBSTACLES = (*data.WALLS, data.CLOSED)
NEAR = 0.1
"""Metres from the region within which a sample is by the wall."""
Points = Float[np.ndarray, "n 2"]


def lacks() -> str | None:
    return None


def measure() -> list[Row]:
    """The gate, its samples without it, those that are safe, and those moved to the nearest free point."""
    with fresh() as directory:
        done = ran(NAME, directory / "run")
        walls = regions(done.run.scenario.unsafe, ["x", "y"])["walls"]

        def distance(x: Points) -> Float[np.ndarray, "n"]:
            return walls(torch.from_numpy(x)).numpy()

        def inside(x: Points) -> Bool[np.ndarray, "n"]:
            return walls.contains(torch.from_numpy(x)).numpy()

        free, ours = done.free, done.samples
        kept = free[~inside(free)]
        moved, took = timed(lambda: snapped(free, inside(free), distance))
        exact = unfiltered(NAME, directory / "exact", {"sampler.samples": 25_000})
        exact = exact[5_000:]  # the first may have the same noise
        exact = exact[~inside(exact)]

        def found(x: Points) -> dict[str, Any]:
            s = distance(x)
            return {
                "touching a wall": int((data.clearance(x, OBSTACLES) < data.BODY).sum()),
                "by the wall": f"{100 * ((s >= 0) & (s < NEAR)).mean():.1f} %",
                "from exact": apart(x, exact),
            }

        n = int(inside(free).sum())
        rows = [
            done.without(n, found(free), f"{100 * n / len(free):.0f} % in walls"),
            done.ours(int(inside(ours).sum()), found(ours), "0 in walls, guaranteed by the filter"),
            Row(
                NAME,
                "snapping",
                "today",
                named("scipy"),
                len(moved),
                int(inside(moved).sum()),
                done.before + took,
                found(moved),
                f"0 in walls, but {100 * (np.abs(distance(moved)) < NEAR).mean():.0f} % stand along them, "
                f"instead of {100 * (distance(kept) < NEAR).mean():.0f} %",
            ),
            Row(
                NAME,
                "rejection",
                "beside",
                named("lem-safe"),
                len(kept),
                0,
                done.before,
                found(kept),
            ),
        ]
        _draw(done, inside, moved)
    return rows


def snapped(x: Points, inside: Bool[np.ndarray, "n"], distance: Any) -> Points:
    """The samples with each one inside moved to the centre of the nearest free point of a fine grid: how
    positions are matched to a map.
    """
    step = data.CELL / 4
    across, down = round(data.ACROSS * 4), round(data.DOWN * 4)
    grid = np.stack(np.meshgrid(np.arange(across), np.arange(down)), -1) * step + step / 2
    taken = distance(grid.reshape(-1, 2)).reshape(down, across) <= 0
    nearest = distance_transform_edt(taken, return_distances=False, return_indices=True)
    j, i = np.clip((x[inside] / step).astype(int), 0, [across - 1, down - 1]).T
    moved = x.copy()
    moved[inside] = grid[nearest[0][i, j], nearest[1][i, j]]
    return moved


def apart(a: Points, b: Points) -> float:
    """Total variation between two clouds' shares of squares of one metre."""
    edges = [np.arange(17.0), np.arange(11.0)]
    p, q = (np.histogram2d(*x.T, bins=edges)[0] / len(x) for x in (a, b))
    return float(0.5 * np.abs(p - q).sum())


def notes(rows: dict[str, dict[str, Any]]) -> list[str]:
    return [
        f"*Inside* is the dark part of the picture, whose walls are {data.INFLATED:g} m thicker than the "
        f"real ones; *touching a wall* are positions nearer than {data.BODY:g} m to a real wall, by plain "
        f"geometry that shares no code with lem-safe. *By the wall* is the share within {NEAR:g} m of the "
        "region. *From exact* is the total variation, over squares of one metre, from those of 20,000 other "
        "unfiltered samples that are not inside, whose distribution is exact; that of rejection, which is "
        "exact too, is chance alone. *Snapping* moves every sample that is inside to the nearest point that "
        "is not.",
    ]


def _draw(done: Ran, inside: Any, moved: Points) -> None:
    def panel(x: Points) -> Any:
        def paint(axis: Axes) -> None:
            for x0, y0, x1, y1 in OBSTACLES:
                axis.add_patch(plt.Rectangle((x0, y0), x1 - x0, y1 - y0, color="0.6", linewidth=0))
            pictures.scatter(axis, x, inside(x), 1800, 4)
            axis.set(xlim=(-0.5, 16.5), ylim=(-0.5, 10.5), aspect="equal")

        return paint

    titled = [("no constraint", done.free), ("lem-safe", done.samples), ("snapping", moved)]
    pictures.draw(NAME, [(title, panel(x)) for title, x in titled], width=4.4, height=3.1)
