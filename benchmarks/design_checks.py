"""Engineering designs checked against their published formulas: an independent judge in numpy, which shares
no code with lem_safe or barriers, nor the text of a scenario's rules.

Each function takes designs [n, d] and returns margins [n, m]: a design is valid where all are at most 0. The
formulas are those of the literature on constrained design: the welded beam of Ragsdell and Phillips (1976),
the pressure vessel of Sandgren (1990), the spring of Belegundu and Arora (1985), the three-bar truss of
Nowacki (1974), the speed reducer of Golinski (1970), the stepped cantilever beam of Thanedar and Vanderplaats
(1995) and the side impact of Gu et al. (2001).
"""

import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def welded_beam(x: Array) -> Array:
    """Shear, bending, geometry, thickness, deflection and buckling under a load of 6,000 lb; inches."""
    weld, length, depth, width = x.T
    half = (weld + depth) / 2
    radius2 = length**2 / 4 + half**2
    direct = 6000 / (np.sqrt(2) * weld * length)
    moment = 6000 * (14 + length / 2)
    polar = np.sqrt(2) * weld * length * (length**2 / 12 + half**2)
    twist = moment * np.sqrt(radius2) / polar
    shear = np.sqrt(direct**2 + twist**2 + direct * twist * length / np.sqrt(radius2))
    critical = 4.013 * 30e6 * depth * width**3 / 6 / 14**2 * (1 - depth / 28 * np.sqrt(30e6 / 48e6))
    bending, sag = 6 * 6000 * 14 / (width * depth**2), 4 * 6000 * 14**3 / (30e6 * width * depth**3)
    return np.stack(
        [shear - 13600, bending - 30000, weld - width, 0.125 - weld, sag - 0.25, 6000 - critical], 1
    )


def three_bar_truss(x: Array) -> Array:
    """Stresses of the three bars, of 2 kN/cm² at most under a load of 2 kN/cm²."""
    a, b = x.T
    whole = np.sqrt(2) * a**2 + 2 * a * b
    return np.stack([2 * (np.sqrt(2) * a + b) / whole, 2 * b / whole, 2 / (a + np.sqrt(2) * b)], 1) - 2


def cantilever_beam(x: Array) -> Array:
    """Bending stress of the four sections next to the free end, of 14,000 N/cm² at most."""
    width, height = x[:, 1:5], x[:, 6:10]
    arms = np.array([400, 300, 200, 100])
    return 6 * 50000 * arms / (width * height**2) - 14000


def pressure_vessel(x: Array) -> Array:
    """Thickness of shell and head, volume, length; inches."""
    shell, head, radius, length = x.T
    volume = np.pi * radius**2 * (length + 4 / 3 * radius)
    return np.stack([0.0193 * radius - shell, 0.00954 * radius - head, 1296000 - volume, length - 240], 1)


def speed_reducer(x: Array) -> Array:
    """Bending stress of the teeth, and deflection of the first shaft."""
    face, module, teeth, first, _, shaft, _ = x.T
    return np.stack([27 - face * module**2 * teeth, 1.93 * first**3 - module * teeth * shaft**4], 1)


def compression_spring(x: Array) -> Array:
    """Deflection, shear stress, surge frequency, outer diameter; inches."""
    wire, coil, turns = x.T
    return np.stack(
        [
            71785 * wire**4 - coil**3 * turns,
            (4 * coil**2 - wire * coil) / (12566 * wire**3 * (coil - wire)) + 1 / (5108 * wire**2) - 1,
            coil**2 * turns - 140.45 * wire,
            wire + coil - 1.5,
        ],
        1,
    )


def car_side_impact(x: Array) -> Array:
    """Load of the abdomen, viscous criteria, deflections of the ribs, force and velocities."""
    a, b, c, d, e, f, g, h, i, j, k = x.T
    lower = 0.74 - 0.61 * b - 0.163 * c * h + 0.001232 * c * j - 0.166 * g * i - 0.32
    upper = 0.261 + 0.0144 * c * e + 0.0008757 * e * j + 0.08045 * f * i + 0.00139 * h * k
    upper += 0.00001575 * j * k - 0.0159 * a * b - 0.188 * a * h - 0.019 * b * g
    middle = 0.214 + 0.00817 * e + 0.03099 * b * f + 0.0208 * c * h + 0.121 * c * i + 0.0007715 * e * j
    middle += 0.00121 * h * k + 0.00184 * i * j - 0.131 * a * h - 0.0704 * a * i - 0.018 * b * g
    middle -= 0.00364 * e * f + 0.0005354 * f * j + 0.02 * b**2
    high = 28.98 + 3.818 * c + 0.0207 * e * j + 6.63 * f * i + 0.32 * i * j - 4.2 * a * b - 7.7 * g * h
    mid = 33.86 + 2.95 * c + 0.1792 * j + 22 * h * i - 5.057 * a * b - 11 * b * h - 0.0215 * e * j
    mid -= 9.98 * g * h
    return np.stack(
        [
            0.16 - 0.3717 * b * d - 0.00931 * b * j - 0.484 * c * i + 0.01343 * f * j,
            upper - 0.32,
            middle - 0.32,
            lower + 0.227 * b**2,
            lower + 0.227 * b**3,
            high - 32,
            mid - 32,
            14.36 - 9.9 * b - 12.9 * a * h + 0.1107 * c * j,
            0.72 - 0.5 * d - 0.19 * b * c - 0.0122 * d * j + 0.009325 * f * j + 0.000191 * k**2,
            0.68 - 0.674 * a * b - 1.95 * b * h + 0.02054 * c * j - 0.0198 * d * j + 0.028 * f * j,
            0.75 - 0.489 * c * g - 0.843 * e * f + 0.0432 * i * j - 0.0556 * i * k - 0.000786 * k**2,
        ],
        1,
    )


CHECKS: dict[str, Callable[[Array], Array]] = {
    "WeldedBeam": welded_beam,
    "ThreeTruss": three_bar_truss,
    "CantileverBeam": cantilever_beam,
    "PressureVessel": pressure_vessel,
    "SpeedReducer": speed_reducer,
    "CompressionSpring": compression_spring,
    "Car": car_side_impact,
}


def invalid(name: str, designs: Array) -> int:
    """How many designs break a formula of their problem."""
    return int((~(CHECKS[name](designs) <= 0).all(1)).sum())


def read(path: Path) -> Array:
    """The numbers of a CSV with a header, as they are written."""
    with path.open(newline="") as file:
        rows = csv.reader(file)
        next(rows)
        return np.array([[float(cell) for cell in row] for row in rows])
