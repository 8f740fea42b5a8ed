"""Paths around what was put there later: routes through a hall, beside projecting their waypoints, and
rejection; and the same on D3IL's avoiding task, from `benchmarks.paths`.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.patches import Circle, Rectangle

from benchmarks.gallery import hall, pictures, waypoints
from benchmarks.gallery.row import Row, named
from benchmarks.gallery.running import fresh, ran, timed, unfiltered
from lem_safe.progress import Silent
from lem_safe.registry import load
from lem_safe.runs.problem import build

NAME = "around_what_came_later"
PROBLEM = "Paths around what came later"
HEADS = ("at waypoints", "length", "roughness", "from exact")
WAYPOINTS, STEPS, STEP_SIZE = 24, 300, 0.002
"""The steps are those of the projected waypoints alone, small enough for Langevin moves without a test."""


def lacks() -> str | None:
    from importlib.util import find_spec

    return None if find_spec("qpth") else "qpth is not installed"


def measure() -> list[Row]:
    """The gate, its samples without it, projected waypoints, and rejection."""
    with fresh() as directory:
        done = ran(NAME, directory / "run")
        exact = unfiltered(NAME, directory / "exact", {"sampler.samples": 8000, "monitors.samples": 0})
        exact = exact.reshape(-1, WAYPOINTS, 2)[2000:]
        exact = exact[~hall.collides(exact)]
        free, ours = (x.reshape(-1, WAYPOINTS, 2) for x in (done.free, done.samples))
        kept = free[~hall.collides(free)]
        problem = build(load(NAME), device="cpu", progress=Silent())
        moved, took = timed(lambda: waypoints.sampled(problem, free, obstacles(), STEPS, STEP_SIZE))

        def found(x: hall.Routes) -> tuple[int, dict[str, Any]]:
            return int(hall.collides(x).sum()), {
                "at waypoints": int(hall.collides(x, at_waypoints=True).sum()),
                "length": float(np.linalg.norm(np.diff(x, axis=1), axis=2).sum(1).mean()),
                "roughness": float(1e3 * (np.diff(x, n=2, axis=1) ** 2).sum(2).mean()),
                "from exact": apart(x, exact),
            }

        n, of_free = found(free)
        hit, of_moved = found(moved)
        rows = [
            done.without(n, of_free, f"{100 * n / len(free):.0f} % collide"),
            done.ours(*found(ours), "0 collide, between waypoints too, guaranteed by the filter"),
            Row(
                NAME,
                "waypoints projected",
                "today",
                named("qpth"),
                len(moved),
                hit,
                done.before + took,
                of_moved,
                f"{of_moved['at waypoints']} collide at waypoints, {100 * hit / len(moved):.0f} % between",
            ),
            Row(NAME, "rejection", "beside", named("lem-safe"), len(kept), 0, done.before, found(kept)[1]),
        ]
        titled = {"no constraint": free, "lem-safe": ours, "waypoints projected": moved}
        pictures.draw(NAME, [(title, _panel(x)) for title, x in titled.items()], width=4.3, height=3.1)
    return rows


def obstacles() -> waypoints.Obstacles:
    """Racks, walls and the closed zone, as much larger as in the map."""
    beyond = [
        (-9, -9, 0, 99),
        (hall.WIDTH, -9, 99, 99),
        (-9, -9, 99, 0),
        (-9, hall.HEIGHT, 99, 99),
    ]
    shapes = torch.tensor([*hall.RACKS, *beyond], dtype=torch.float64)
    (centre, radius) = hall.CLOSED
    disc = torch.tensor([centre], dtype=torch.float64), torch.tensor([radius], dtype=torch.float64)
    return waypoints.all_of(
        waypoints.boxes(shapes[:, :2], shapes[:, 2:]), waypoints.discs(*disc), margin=hall.INFLATED
    )


def apart(a: hall.Routes, b: hall.Routes) -> float:
    """Total variation between the shares of the ways around the racks."""
    p, q = (np.bincount(hall.ways(x).astype(int), minlength=6) / len(x) for x in (a, b))
    return float(0.5 * np.abs(p - q).sum())


def notes(rows: dict[str, dict[str, Any]]) -> list[str]:
    return [
        f"*Inside* are routes on which a robot of {hall.BODY:g} m touches a rack, a wall or the closed zone, "
        "on the way or at a waypoint, in plain geometry that shares no code with lem-safe; *at waypoints* at "
        "these alone. *Roughness* is the mean squared second difference, in 1e-3 m². *From exact* is the "
        "total variation between the shares of the six ways around the racks and those of other unfiltered "
        "routes that keep clear. *Waypoints projected*: at each Langevin step on the same energy every "
        "waypoint's move is replaced by the nearest that its barriers admit, as SafeDiffuser does it.",
        *_on_d3il(),
    ]


def _on_d3il() -> list[str]:
    """What `benchmarks.paths` found on 96 demonstrations by people."""
    results = json.loads((Path(__file__).parents[1] / "results.json").read_text(encoding="utf-8"))
    rows = {r["name"]: r for r in results["benchmarks"]["paths"]["rows"]}
    free, gate, moved = (rows[name] for name in ("unfiltered", "gate", "waypoints projected"))
    share = [100 * r["colliding"] / r["paths"] for r in (free, moved)]
    page = "../measurements.md#paths-around-what-was-put-there-later"
    return [
        "",
        "On D3IL's avoiding task, 96 demonstrations by people and an obstacle that was not there before, "
        f"{share[0]:.0f} % of {free['paths']:,} unfiltered paths collide, {gate['colliding']} of the gate's, "
        f"and {share[1]:.0f} % of those whose waypoints are projected, {moved['colliding_points']} of them "
        f"at a waypoint; [measurements]({page}) has the table.",
    ]


def _panel(x: hall.Routes) -> Any:
    def paint(axis: Axes) -> None:
        for x0, y0, x1, y1 in hall.RACKS:
            axis.add_patch(Rectangle((x0, y0), x1 - x0, y1 - y0, color="0.6", linewidth=0))
        axis.add_patch(Circle(*hall.CLOSED, color=pictures.REGION, linewidth=0))
        pictures.paths(axis, x, hall.collides(x), 80)
        axis.set(xlim=(0, hall.WIDTH), ylim=(0, hall.HEIGHT), aspect="equal")

    return paint
