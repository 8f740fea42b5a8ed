"""Designs in sixteenths: pressure vessels whose plates come in steps, beside moving designs to their limits
and rounding, and rejection.
"""

from typing import Any

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from scipy.optimize import minimize

from benchmarks.design_checks import pressure_vessel
from benchmarks.gallery import designs, pictures
from benchmarks.gallery.row import Row, named
from benchmarks.gallery.running import fresh, ran, timed, unfiltered

NAME = "pressure_vessel"
PROBLEM = "Designs in sixteenths: whole steps"
HEADS = ("at a limit", "diversity", "from exact")
LIMITS = np.array([1.0, 0.5, 1296000, 240])
"""What each margin is compared with: of the plates, a usual thickness."""
STEPS = np.array([1, 1, 0.1, 0.1])
"""What a size is written in."""
MOVED = 1500
"""How many designs the optimizer is given."""


def lacks() -> str | None:
    return None


def margins(x: designs.Designs) -> Float[np.ndarray, "n m"]:
    """At most 0 where a design holds, from sizes as they are written."""
    return pressure_vessel(x / [16, 16, 1, 1])


def measure() -> list[Row]:
    """The gate, its samples without it, moved and rounded designs, and rejection."""
    with fresh() as directory:
        done = ran(NAME, directory / "run")
        exact = unfiltered(NAME, directory / "exact", {"sampler.samples": 24_000})[4000:]
        exact = exact[~designs.invalid(margins(exact))]
        free, ours = done.free, done.samples
        kept = free[~designs.invalid(margins(free))]
        moved, took = timed(lambda: nearest(free[:MOVED], exact.std(0)))
        rounded = np.round(moved / STEPS) * STEPS

        def found(x: designs.Designs) -> tuple[int, dict[str, Any]]:
            m = margins(x)
            return int(designs.invalid(m).sum()), {
                "at a limit": f"{100 * designs.at_a_limit(m, LIMITS):.1f} %",
                "diversity": designs.diversity(x, exact),
                "from exact": designs.from_exact(x, exact),
            }

        (n, of_free), (broken, of_rounded) = found(free), found(rounded)
        rows = [
            done.without(n, of_free, f"{100 * n / len(free):.0f} % invalid"),
            done.ours(*found(ours), "0 invalid as written, guaranteed by the filter"),
            Row(
                NAME,
                "moved to the limits, rounded",
                "today",
                named("scipy"),
                len(rounded),
                broken,
                done.before + took,
                of_rounded,
                f"{100 * broken / len(rounded):.2g} % invalid, once sizes are rounded to what exists",
            ),
            Row(
                NAME,
                "rejection",
                "beside",
                named("lem-safe"),
                len(kept),
                0,
                done.before,
                found(kept)[1],
            ),
        ]
        titled = {"no constraint": free, "lem-safe": ours, "moved to the limits, rounded": rounded}
        pictures.draw(NAME, [(title, _panel(x)) for title, x in titled.items()], width=3.9, height=3.3)
    return rows


def nearest(x: designs.Designs, scale: Float[np.ndarray, "4"]) -> designs.Designs:
    """Each design that does not hold, moved to the nearest one that does by sequential quadratic programming,
    in standard deviations; the others as they are.
    """
    moved = x.copy()
    for i in np.flatnonzero(designs.invalid(margins(x))):
        start = x[i]
        found = minimize(
            lambda z, start=start: (((z - start) / scale) ** 2).sum(),
            start,
            jac=lambda z, start=start: 2 * (z - start) / scale**2,
            constraints={"type": "ineq", "fun": lambda z: -margins(z[None])[0] / LIMITS},
            method="SLSQP",
        )
        moved[i] = found.x
    return moved


def notes(rows: dict[str, dict[str, Any]]) -> list[str]:
    return [
        "*Inside* are designs that break a formula as they are written, counted by "
        "`benchmarks/design_checks.py`, which shares no code with lem-safe. *At a limit*, *diversity* and "
        "*from exact* are those of [welded beams](welded_beam.md). *Moved to the limits* are the first "
        f"{MOVED:,} unfiltered designs, those that do not hold moved to the nearest that do by scipy's "
        "SLSQP, and then rounded to the sixteenths and tenths that designs are written in.",
    ]


def _panel(x: designs.Designs) -> Any:
    def paint(axis: Axes) -> None:
        jitter = np.random.default_rng(0).uniform(-0.3, 0.3, len(x))
        shown = np.column_stack([x[:, 2], x[:, 0] + jitter])
        pictures.scatter(axis, shown, designs.invalid(margins(x)), 1500, 4)
        axis.set(xlim=(28, 75), ylim=(7, 34), xlabel="radius, inches", ylabel="shell, sixteenths of an inch")

    return paint
