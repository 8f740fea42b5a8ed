"""A hall with racks, routes that robots took through it, and a zone that was closed afterwards: the files of
the gallery on paths, and plain geometry to judge routes with.
"""

from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float
from PIL import Image
from scipy.interpolate import CubicSpline

Routes = Float[np.ndarray, "n t 2"]
Points = Float[np.ndarray, "*n 2"]

WIDTH, HEIGHT, CELL = 12.0, 8.0, 0.05
RACKS = ((3.0, 3.2, 4.2, 4.8), (7.4, 2.2, 8.6, 3.0), (7.4, 5.0, 8.6, 5.8))
"""Rectangles x0, y0, x1, y1, in metres."""
CLOSED = ((6.0, 5.3), 0.8)
"""The centre and radius of what was closed after the routes were recorded."""
BODY, INFLATED = 0.1, 0.15
"""The radius of a robot, and by how much the map's obstacles are larger than they are."""
START, GOAL = (0.8, 4.0), (11.2, 4.0)
ROUTES, RECORDED = 150, 24
"""How many there are, and the mean number of points of one."""


def distance(x: Points, *, closed: bool = True) -> Float[np.ndarray, "*n"]:
    """From the nearest rack or wall, or the closed zone, at most 0 inside."""
    found = np.minimum.reduce([x[..., 0], WIDTH - x[..., 0], x[..., 1], HEIGHT - x[..., 1]])
    for x0, y0, x1, y1 in RACKS:
        middle, half = np.array([(x0 + x1) / 2, (y0 + y1) / 2]), np.array([x1 - x0, y1 - y0]) / 2
        beyond = np.abs(x - middle) - half
        out = np.linalg.norm(np.maximum(beyond, 0), axis=-1)
        found = np.minimum(found, out + np.minimum(beyond.max(-1), 0))
    if closed:
        found = np.minimum(found, np.linalg.norm(x - np.array(CLOSED[0]), axis=-1) - CLOSED[1])
    return found


def points_of(routes: Routes, each: int = 50) -> Float[np.ndarray, "n m 2"]:
    """Points along every route, so many on each straight line between two waypoints."""
    t = np.linspace(0, 1, each, endpoint=False)[:, None]
    lines = routes[:, :-1, None] + t * (routes[:, 1:, None] - routes[:, :-1, None])
    return np.concatenate([lines.reshape(len(routes), -1, 2), routes[:, -1:]], 1)


def collides(routes: Routes, *, at_waypoints: bool = False, closed: bool = True) -> Bool[np.ndarray, "n"]:
    """Whether a robot on each route touches anything: on the way, or at its waypoints alone."""
    x = routes if at_waypoints else points_of(routes)
    return (distance(x, closed=closed) < BODY).any(1)


def ways(routes: Routes) -> Float[np.ndarray, "n"]:
    """By which passages each route goes, as one number: below or above the first rack, and below, between or
    above the two others.
    """

    def height(x: float) -> Float[np.ndarray, "n"]:
        k = np.abs(routes[..., 0] - x).argmin(1)
        return routes[np.arange(len(routes)), k, 1]

    return (height(3.6) > 4.0) * 3.0 + (height(8.0) > 2.6) + (height(8.0) > 5.4)


def route(rng: np.random.Generator) -> Float[np.ndarray, "t 2"]:
    """One route by random passages, rounded off, sooner or later on its way; it may touch a rack."""
    begin, end = np.array(START) + 0.12 * rng.normal(size=2), np.array(GOAL) + 0.12 * rng.normal(size=2)
    first = rng.choice([1.7, 6.3]) + 0.25 * rng.normal()
    second = rng.choice([1.0, 4.0, 7.0], p=[0.3, 0.4, 0.3]) + 0.12 * rng.normal()
    middle = (0.55 if second > 6 else 0.5) * (first - second) + second + 0.15 * rng.normal()
    along = [begin[0], 2.9, 4.3, 5.8, 7.3, 8.7, end[0]]
    bent = CubicSpline(along, [begin[1], first, first, middle, second, second, end[1]], bc_type="natural")
    t = np.linspace(0, 1, int(rng.integers(RECORDED - 4, RECORDED + 5)))
    late, later = rng.normal(size=2) * [0.03, 0.015]
    x = begin[0] + (end[0] - begin[0]) * (t + late * np.sin(np.pi * t) + later * np.sin(2 * np.pi * t))
    return np.column_stack([x, bent(x)])


def resampled(line: Float[np.ndarray, "t 2"], waypoints: int) -> Float[np.ndarray, "w 2"]:
    """The route at equal times."""
    at, given = np.linspace(0, 1, waypoints), np.linspace(0, 1, len(line))
    return np.column_stack([np.interp(at, given, line[:, k]) for k in (0, 1)])


def recorded() -> list[Float[np.ndarray, "t 2"]]:
    """The recorded routes, none of which touches a rack or a wall."""
    rng, found = np.random.default_rng(0), []
    while len(found) < ROUTES:
        line = np.round(route(rng), 3)
        if not collides(line[None], closed=False)[0]:
            found.append(line)
    return found


def write_routes(path: Path) -> None:
    """A row for each point of each route, one second after the other."""
    rows = ["route,second,x,y"]
    for k, line in enumerate(recorded(), 1):
        rows += [f"{k},{i},{x:.3f},{y:.3f}" for i, (x, y) in enumerate(line)]
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")


def write_picture(path: Path) -> None:
    """The map's picture: black where no robot may be, white elsewhere."""
    x = (np.arange(round(WIDTH / CELL)) + 0.5) * CELL
    y = HEIGHT - (np.arange(round(HEIGHT / CELL)) + 0.5) * CELL
    free = distance(np.stack(np.meshgrid(x, y), -1)) > INFLATED
    Image.fromarray(free).save(path, optimize=True)


def write_map(path: Path) -> None:
    """The map_server file."""
    path.write_text(
        f"image: hall.png\nresolution: {CELL}\norigin: [0.0, 0.0, 0.0]\nnegate: 0\n"
        "occupied_thresh: 0.65\nfree_thresh: 0.25\nmode: trinary\n",
        encoding="utf-8",
    )
