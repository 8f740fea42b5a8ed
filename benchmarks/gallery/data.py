"""The gallery's own files, made by code: `python -m benchmarks.gallery --data` writes those of
scenarios/gallery/data again, byte for byte.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float
from PIL import Image

from benchmarks.design_checks import pressure_vessel, welded_beam
from benchmarks.gallery import digit_classifiers, hall
from benchmarks.gallery.measured_tables import tumours, write_patients
from benchmarks.gallery.order_table import orders

FOLDER = Path(__file__).resolve().parents[2] / "scenarios" / "gallery" / "data"

Designs = Float[np.ndarray, "n 4"]
Rectangle = tuple[float, float, float, float]
CELL, ACROSS, DOWN = 0.1, 160, 100
"""Of the floor plan: metres of a cell, and its cells."""
WALLS = (
    *((0, 0, 16, 0.3), (0, 9.7, 16, 10), (0, 0, 0.3, 10), (15.7, 0, 16, 10)),
    *((5, 0, 5.3, 3.6), (5, 5.2, 5.3, 10), (5, 6.2, 8.6, 6.5), (9.9, 6.2, 12.6, 6.5)),
    *((11, 0, 11.3, 2.2), (11, 3.6, 11.3, 6.5), (13.9, 6.2, 16, 6.5)),
    *((7.3, 2.6, 7.7, 3.0), (7.3, 4.4, 7.7, 4.8), (2.2, 4.2, 3.0, 5.6)),
)
"""Rectangles x0, y0, x1, y1 in metres, y upwards: rooms with doors, two pillars, a counter."""
CLOSED = (8.6, 0.3, 11.0, 2.3)
"""What was closed after the positions were recorded."""
INFLATED, BODY = 0.2, 0.15
"""Metres by which the picture's walls are thicker than they are, as maps for robots are; and the radius of a
body, with half a cell to spare.
"""
ERROR = 0.3
"""The standard deviation of a recorded position, in metres."""
SPOTS = (
    *((1.4, 1.6), (1.3, 7.9), (3.8, 3.2), (3.9, 8.3), (2.6, 6.6), (6.4, 1.7), (6.3, 4.4), (9.0, 3.9)),
    *((9.7, 1.5), (9.1, 6.3), (7.3, 8.2), (10.4, 8.4), (13.6, 8.1), (13.4, 1.9), (13.9, 4.6), (5.2, 4.4)),
)


def rectangles(*shapes: Rectangle, by: float = 0.0) -> Bool[np.ndarray, "down across"]:
    """The cells whose centres are in a rectangle, or this near to one, from the top row down."""
    x = (np.arange(ACROSS) + 0.5) * CELL
    y = (DOWN - np.arange(DOWN) - 0.5) * CELL
    dark = np.zeros((DOWN, ACROSS), dtype=bool)
    for x0, y0, x1, y1 in shapes:
        dark |= ((y >= y0 - by) & (y <= y1 + by))[:, None] & ((x >= x0 - by) & (x <= x1 + by))
    return dark


def clearance(points: Float[np.ndarray, "n 2"], shapes: Sequence[Rectangle]) -> Float[np.ndarray, "n"]:
    """The distance of each point from the nearest rectangle, 0 inside: plain geometry, no picture."""
    x, y = points[:, 0, None], points[:, 1, None]
    x0, y0, x1, y1 = np.array(shapes).T
    aside, above = np.maximum(np.maximum(x0 - x, x - x1), 0), np.maximum(np.maximum(y0 - y, y - y1), 0)
    return np.hypot(aside, above).min(1)


def floor_plan(path: Path) -> None:
    """The plan as a picture with one bit a cell, black where nobody can be."""
    Image.fromarray(~rectangles(*(WALLS + (CLOSED,)), by=INFLATED)).save(path, optimize=True)


def visitors(path: Path, rows: int = 1200) -> None:
    """Positions of people around places of the plan, never in a wall, recorded with an error."""
    rng = np.random.default_rng(0)
    found = np.zeros((0, 2))
    while len(found) < rows:
        around = np.array(SPOTS)[rng.integers(len(SPOTS), size=rows)]
        true = around + 0.55 * rng.normal(size=(rows, 2))
        found = np.concatenate([found, true[clearance(true, WALLS) > BODY]])[:rows]
    recorded = found + ERROR * rng.normal(size=found.shape)
    _write(path, recorded, "x,y", ["%.2f"] * 2)


def welded_beams(path: Path, rows: int = 600) -> None:
    """Designs of a welded beam that hold, in thousandths of an inch, cheap ones more often."""
    low, high = [0.125, 0.1, 0.1, 0.1], [2, 10, 10, 2]

    def cost(x: Designs) -> Float[np.ndarray, "n"]:
        weld, length, depth, width = x.T
        return 1.10471 * weld**2 * length + 0.04811 * depth * width * (14 + length)

    def drawn(rng: np.random.Generator) -> Designs:
        x = np.round(rng.uniform(low, high, size=(100_000, 4)), 3)
        holds = (welded_beam(x) <= 0).all(1)
        return x[holds & (rng.random(len(x)) < np.exp(-(cost(x) - 1.72) / 1.5))]

    _write(path, _gathered(drawn, rows), "weld,length,depth,width", ["%.3f"] * 4)


def pressure_vessels(path: Path, rows: int = 600) -> None:
    """Designs of a pressure vessel that hold, cheap ones more often; plates come in sixteenths of an inch."""

    def cost(x: Designs) -> Float[np.ndarray, "n"]:
        shell, head, radius, length = x.T
        ends = 1.7781 * head * radius**2 + 3.1661 * shell**2 * length + 19.84 * shell**2 * radius
        return 0.6224 * shell * radius * length + ends

    def drawn(rng: np.random.Generator) -> Designs:
        x = rng.uniform([8, 4, 30, 30], [33, 25, 70, 240], size=(100_000, 4))
        x = np.column_stack([np.floor(x[:, :2]), np.round(x[:, 2:], 1)])
        built = x / [16, 16, 1, 1]
        holds = (pressure_vessel(built) <= 0).all(1)
        return x[holds & (rng.random(len(x)) < np.exp(-(cost(built) - 5900) / 2500))]

    _write(path, _gathered(drawn, rows), "shell_16ths,head_16ths,radius,length", ["%d", "%d", "%.1f", "%.1f"])


def _gathered(drawn: Callable[[np.random.Generator], Designs], rows: int) -> Designs:
    """So many rows, drawn in parts."""
    rng, found = np.random.default_rng(0), [np.zeros((0, 4))]
    while sum(map(len, found)) < rows:
        found.append(drawn(rng))
    return np.concatenate(found)[:rows]


def _write(path: Path, rows: Designs, header: str, formats: Sequence[str]) -> None:
    np.savetxt(path, rows, fmt=list(formats), delimiter=",", header=header, comments="")


FILES: dict[str, Callable[[Path], None]] = {
    "floor_plan.png": floor_plan,
    "visitors.csv": visitors,
    "welded_beams.csv": welded_beams,
    "pressure_vessels.csv": pressure_vessels,
    "routes.csv": hall.write_routes,
    "hall.png": hall.write_picture,
    "hall.yaml": hall.write_map,
    "orders.csv": orders,
    "tumours.csv": tumours,
    "patients.csv": write_patients,
    "digits_classifier.safetensors": digit_classifiers.write,
}
