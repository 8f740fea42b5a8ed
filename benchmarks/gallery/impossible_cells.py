"""Measurements that cannot be: tumours under twelve rules of geometry, and blood under one, beside a repair
of the rows by PiShield, and rejection.
"""

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float
from matplotlib.axes import Axes

from benchmarks.gallery import measured_tables as tables
from benchmarks.gallery import pictures
from benchmarks.gallery.likeness import told_apart, trained_on
from benchmarks.gallery.row import Row, named
from benchmarks.gallery.running import Ran, fresh, ran, timed
from benchmarks.gallery.shield import repaired

NAME = "impossible_cells"
PROBLEM = "Measurements that cannot be: rules of geometry and of blood"
HEADS = ("at a limit", "told apart", "trained on it")
NAMES = tables.cancer()[0]
BLOOD = {"more_than_all": {"kind": "rule", "where": "s2 + s3 > s1"}}
"""The rule of the diabetes table: LDL (s2) and HDL (s3) are parts of the cholesterol (s1)."""

NEAR = 0.004
"""A row is at a limit within this share of the median distance of real rows from it."""

Rows = Float[np.ndarray, "n d"]


@dataclass(frozen=True)
class Case:
    """One table: its rows to learn from and the others, what a row lacks to each limit (negative where it
    breaks the rule), a repair, whether its first column is a category, and its words.
    """

    real: Rows
    held_out: Rows
    slack: Callable[[Rows], Float[np.ndarray, "n k"]]
    repair: Callable[[Rows], Rows]
    category: bool
    words: tuple[str, ...] = ()

    def inside(self, x: Rows) -> Bool[np.ndarray, "n"]:
        return (self.slack(x) < 0).any(1)

    def found(self, x: Rows) -> dict[str, Any]:
        """The share of rows that are at a limit, and how alike and how useful the rows are."""
        near = (np.abs(self.slack(x)) <= NEAR * np.median(self.slack(self.real), 0)).any(1)
        use = trained_on(x, self.held_out, 0, category=self.category)
        return {HEADS[0]: f"{100 * near.mean():.1f} %", HEADS[1]: told_apart(x, self.held_out), HEADS[2]: use}


def lacks() -> str | None:
    found = importlib.util.find_spec("pishield") is not None
    return None if found else "pishield cannot be imported (pip install pishield)"


def measure() -> list[Row]:
    """The scenario, its rows without the filter, a repair and rejection; the same of the diabetes table; and
    real rows in the place of samples.
    """
    if (why := lacks()) is not None:
        raise SystemExit(f"benchmarks.gallery: {NAME}: {why}")
    real, held_out = tables.parted(tables.cancer()[1])
    case = Case(real, held_out, geometry, rounder, category=True, words=tables.DIAGNOSES)
    with fresh() as directory:
        done = ran(NAME, directory / "run")
        free, ours = _files(done, case, directory)
        mended, took = timed(lambda: case.repair(free))
        bad, left, stuck = (int(case.inside(x).sum()) for x in (free, ours, mended))
        found = case.found(mended)
        rows = [
            done.without(bad, case.found(free), f"{100 * bad / len(free):.0f} % cannot be"),
            done.ours(left, case.found(ours), f"{left} that cannot be, guaranteed by the filter"),
            Row(
                *(NAME, "repair", "today", f"{named('pishield')}, {named('numpy')}"),
                *(len(mended), stuck, done.before + took, found),
                f"{stuck} that cannot be, but {found[HEADS[0]]} are at a limit",
            ),
            _row("rejection", free[~case.inside(free)], case, done.before),
            _row("real rows", case.real, case, 0.0, by=named("scikit-learn")),
            *_diabetes(directory),
        ]
        _draw(free, ours, mended, np.concatenate([real, held_out]))
    return rows


def _row(method: str, x: Rows, case: Case, seconds: float, by: str = "") -> Row:
    by, inside = by or named("lem-safe"), int(case.inside(x).sum())
    return Row(NAME, method, "beside", by, len(x), inside, seconds, case.found(x))


def _files(
    done: Ran, case: Case, directory: Path, overrides: dict[str, Any] | None = None
) -> tuple[Rows, Rows]:
    """The rows of a run without its filter, and its own, as they were written."""
    free = ran(NAME, directory / f"free_{case.category}", {**(overrides or {}), "filter": {"kind": "none"}})
    files = (run.run.directory / "samples.csv" for run in (free, done))
    unfiltered, ours = (tables.read(path, case.words) for path in files)
    return unfiltered, ours


def _diabetes(directory: Path) -> list[Row]:
    """The same scenario over the diabetes table, with its own rule."""
    names, rows = tables.diabetes()
    real, held_out = tables.parted(rows)
    case = Case(real, held_out, blood, blood_repaired, category=False)
    path = directory / "diabetes.csv"
    tables.write(path, names, real)
    changed = {
        "energy.data": {"kind": "file", "path": str(path), "missing": "keep"},
        "unsafe": BLOOD,
        "constraints": [{"set": next(iter(BLOOD)), "beta": 0}],
    }
    done = ran(NAME, directory / "diabetes", changed)
    free, ours = _files(done, case, directory, changed)
    mended, took = timed(lambda: case.repair(free))
    return [
        _row("diabetes: no constraint", free, case, done.before),
        _row("diabetes: lem-safe, gate", ours, case, done.seconds),
        _row("diabetes: repair", mended, case, done.before + took, named("pishield")),
        _row("diabetes: rejection", free[~case.inside(free)], case, done.before),
        _row("diabetes: real rows", case.real, case, 0.0, named("scikit-learn")),
    ]


def geometry(x: Rows) -> Float[np.ndarray, "n k"]:
    """What the worst cells exceed the mean by, and each outline that of a circle of the same area."""
    by = dict(zip(NAMES, x.T, strict=True))
    apart = [by[f"worst_{f}"] - by[f"mean_{f}"] for f in tables.FEATURES]
    outlines = [
        by[f"{which}_perimeter"] - 2 * np.sqrt(np.pi * by[f"{which}_area"]) for which in ("mean", "worst")
    ]
    return np.column_stack([*apart, *outlines])


def blood(x: Rows) -> Float[np.ndarray, "n 1"]:
    """The cholesterol that is neither LDL nor HDL."""
    total, low, high = x[:, 5:8].T
    return np.round(total - (low + high), 9)[:, None]


def rounder(x: Rows) -> Rows:
    """Outlines at least as long as a circle's, to the column's digits; then PiShield for the ten rules that
    are linear.
    """
    x = x.copy()
    for which in ("mean", "worst"):
        area, outline = (NAMES.index(f"{which}_{f}") for f in ("area", "perimeter"))
        least = np.ceil(100 * 2 * np.sqrt(np.pi * x[:, area])) / 100
        x[:, outline] = np.where(geometry(x)[:, -2 if which == "mean" else -1] < 0, least, x[:, outline])
    pairs = [(NAMES.index(f"worst_{f}"), NAMES.index(f"mean_{f}")) for f in tables.FEATURES]
    return _shielded(x, [f"y_{worst} - y_{mean} >= 0" for worst, mean in pairs], last=1)


def blood_repaired(x: Rows) -> Rows:
    return _shielded(x, ["y_5 - y_6 - y_7 >= 0"], last=6)


def _shielded(x: Rows, rules: list[str], last: int) -> Rows:
    """PiShield's repair, changed cells with seven digits; last: the first column of those that it changes
    last.
    """
    d = x.shape[1]
    order = [*range(last), *range(last, d)]
    lines = ["ordering " + " ".join(f"y_{i}" for i in order), *rules]
    found = repaired(x, "\n".join(lines) + "\n")
    changed = np.abs(found - x) > 1e-6 * np.abs(x)
    return np.where(changed, [[float(f"{v:.7g}") for v in row] for row in found], x)


def notes(rows: dict[str, dict[str, Any]]) -> list[str]:
    return [
        "*Inside* are rows that break a rule, counted in the written cells by plain numpy. *At a limit* are "
        f"those within {100 * NEAR:g} % of the median distance of real rows from it. *Told apart* is the AUC "
        "with which gradient boosting tells rows from the third of the real ones that no method has seen: "
        "0.5 is chance, and the standard error is about 0.03. *Trained on it* is how well gradient boosting "
        "that has seen these rows alone predicts the diagnosis of that third (AUC) and, of the diabetes "
        "table, the progression (R²). *Repair* lengthens outlines to a circle's and gives the rest to "
        "PiShield's layer, which computes in float32. *Rejection* leaves out what breaks a rule. *Real rows* "
        "are those that the energy is learned from.",
    ]


def _draw(free: Rows, ours: Rows, mended: Rows, real: Rows) -> None:
    edges = np.arange(0.97, 1.12, 0.0025)

    def roundness(x: Rows) -> np.ndarray:
        area, outline = (x[:, NAMES.index(f"worst_{f}")] for f in ("area", "perimeter"))
        return np.histogram(outline / (2 * np.sqrt(np.pi * area)), edges)[0] / len(x)

    def panel(x: Rows) -> Any:
        def paint(axis: Axes) -> None:
            at = (edges[1:] + edges[:-1]) / 2
            colours = np.where(at < 1, pictures.INSIDE, pictures.OUTSIDE)
            axis.axvspan(edges[0], 1, color=pictures.REGION, linewidth=0, alpha=0.5)
            axis.bar(at, roundness(x), width=0.0025, color=colours)
            axis.stairs(roundness(real), edges, color="0.2", linewidth=0.8)
            axis.set(xlabel="worst outline over that of a circle", ylabel="share of the rows", ylim=(0, 0.08))

        return paint

    titled = [("no constraint", free), ("lem-safe", ours), ("repair", mended)]
    pictures.draw(NAME, [(title, panel(x)) for title, x in titled], width=3.9, height=3.2)
