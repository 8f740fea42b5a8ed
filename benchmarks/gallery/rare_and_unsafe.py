"""Rare and unsafe: a probability of 1e-5 estimated by subset simulation, beside counting as many draws, a
first-order estimate, and the exact value.
"""

import runpy
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from scipy.stats import chi2, norm

from benchmarks.gallery import pictures
from benchmarks.gallery.row import Row, named
from benchmarks.gallery.running import called, timed
from lem_safe.bounds.clopper_pearson import upper_bound
from lem_safe.scenario import bundled_programs

NAME = "rare_and_unsafe"
PROBLEM = "Rare and unsafe: once in 100,000"
HEADS = ("evaluations", "estimate", "over exact", "again")
AGAIN = 40
"""How often estimates are repeated, with other seeds."""
CONFIDENCE = 0.95
ENOUGH = 4_000_000
"""Draws after which counting has about the standard error that subset simulation claims."""


def lacks() -> str | None:
    return None


def measure() -> list[Row]:
    """The filter, its samples without it, counting, subset simulation, and the first-order estimate."""
    program = runpy.run_path(str(bundled_programs()[NAME]))
    axes, limit = program["AXES"], program["LIMIT"]
    done = called(NAME, "reject", lambda p: program["generate"](progress=p, with_report=False))
    shown, exact = program["estimate"](), program["exact"]()
    free, kept = (np.linalg.norm(x, axis=1) for x in (done.free, done.samples))
    beyond, evaluations = int((free > limit).sum()), _evaluations(program)
    _draw(free, limit, program)
    error = shown.probability * shown.relative_error
    told = f"{beyond} of {len(free):,} seen inside, though {exact:.2g} of the mass is there"
    estimated = f"0 inside, and an estimate that says it is one: {shown.probability:.2g} ± {error:.1g}"
    return [
        done.without(beyond, {}, told),
        done.ours(int((kept > limit).sum()), {}, estimated),
        _counted(axes, limit, evaluations, exact, "today"),
        _subset(program, evaluations, exact),
        _counted(axes, limit, ENOUGH, exact, "beside"),
        _estimate("first order (FORM)", norm.sf(limit), exact, {"evaluations": "1"}),
        _estimate("exact", exact, exact, {}),
    ]


def _evaluations(program: dict[str, Any]) -> int:
    """For how many rows one estimate asks for the margin."""
    asked = program["estimate"].__globals__
    margin, rows = asked["margin"], []

    def counting(x: Any) -> Any:
        rows.append(len(x))
        return margin(x)

    asked["margin"] = counting
    try:
        program["estimate"]()
    finally:
        asked["margin"] = margin
    return sum(rows)


def _counted(axes: int, limit: float, n: int, exact: float, role: Any) -> Row:
    """Counting n independent draws, with its upper bound, and again with other seeds."""

    def hits(seed: int) -> int:
        rng = np.random.default_rng(seed)
        parts = (min(500_000, n - begun) for begun in range(0, n, 500_000))
        return sum(int((np.linalg.norm(rng.normal(size=(k, axes)), axis=1) > limit).sum()) for k in parts)

    k, took = timed(lambda: hits(0))
    again = [hits(seed) for seed in range(AGAIN)]
    bound = upper_bound(k, n, CONFIDENCE)
    said = f"{k / n:.2g}" if k else "none"
    return Row(
        NAME,
        f"counting {n:,} draws",
        role,
        named("numpy"),
        n,
        k,
        took,
        {
            "evaluations": f"{n:,}",
            "estimate": f"{said}, below {bound:.2g}",
            "over exact": k / n / exact,
            "again": _spread([h / n / exact for h in again]),
        },
        f"{k} seen in {n:,} draws: below {bound:.1g}, with {100 * CONFIDENCE:g} % confidence",
    )


def _subset(program: dict[str, Any], evaluations: int, exact: float) -> Row:
    """Subset simulation, and again with other seeds."""
    first, took = timed(lambda: program["estimate"]())
    again = [first, *(program["estimate"](seed) for seed in range(1, AGAIN))]
    near = sum(abs(e.probability - exact) <= 2 * e.relative_error * e.probability for e in again)
    error = first.probability * first.relative_error
    return Row(
        NAME,
        "subset simulation",
        "beside",
        named("lem-safe"),
        0,
        0,
        took,
        {
            "evaluations": f"{evaluations:,}",
            "estimate": f"{first.probability:.2g} ± {error:.1g}",
            "over exact": first.probability / exact,
            "again": _spread([e.probability / exact for e in again]),
            "near": near,
        },
    )


def _estimate(method: str, value: float, exact: float, more: dict[str, Any]) -> Row:
    found = {"estimate": f"{value:.2g}", "over exact": float(value / exact), **more}
    return Row(NAME, method, "beside", named("scipy"), 0, 0, 0.0, found)


def _spread(values: Sequence[float]) -> str:
    """The median of repeated estimates, and between what 95 % of them are."""
    low, middle, high = np.quantile(values, [0.025, 0.5, 0.975])
    return f"{middle:.2f} ({low:.2f} to {high:.2f})"


def notes(rows: dict[str, dict[str, Any]]) -> list[str]:
    near = rows["subset simulation"]["measures"]["near"]
    return [
        "*Evaluations* are rows for which the margin was computed, the expensive part where it is a "
        f"simulation. *Over exact* is the estimate divided by the exact value; *again* are {AGAIN} estimates "
        "with other seeds, divided by it: their median, and between what 95 % of them are. An estimate of "
        f"subset simulation is not a bound; the exact value was within two of its standard errors in {near} "
        f"of {AGAIN}. *First order* takes the region for a half-space at its nearest point.",
    ]


def _draw(free: np.ndarray, limit: float, program: dict[str, Any]) -> None:
    grid = np.linspace(0, 7, 300)

    def before(axis: Axes) -> None:
        axis.axvspan(limit, 7, color=pictures.REGION, linewidth=0)
        axis.hist(free, bins=60, range=(0, 7), color=pictures.OUTSIDE)
        axis.set(xlabel="combined error", ylabel=f"of {len(free):,} draws", xlim=(0, 7))

    def after(axis: Axes) -> None:
        axis.semilogy(grid, chi2.sf(grid**2, program["AXES"]), color="0.3", label="exact")
        many = np.sort(free)[::-1]
        axis.semilogy(many, np.arange(1, len(many) + 1) / len(many), color=pictures.OUTSIDE, label="counted")
        found = [program["estimate"](seed) for seed in range(8)]
        estimates = [e.probability for e in found]
        axis.semilogy(
            [limit] * 8, estimates, "o", ms=4, color=pictures.INSIDE, label="subset simulation, 8 times"
        )
        axis.axvline(limit, color=pictures.REGION, linewidth=1, zorder=0)
        axis.set(xlabel="combined error", ylabel="probability of more", ylim=(1e-7, 1.5), xlim=(0, 7))
        axis.legend(frameon=False, fontsize=8)

    pictures.draw(NAME, [("what is seen", before), ("what is there", after)], width=4.6, height=3.4)
