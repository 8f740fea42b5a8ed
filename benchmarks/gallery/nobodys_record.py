"""Nobody's record: a ball around every row that an energy is learned from, beside rows with noise added, a
generator that memorises, and rejection; and what an attacker learns of who was in the table.
"""

from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from scipy.spatial import cKDTree
from sklearn.metrics import roc_auc_score
from sklearn.neighbors import KernelDensity

import lem_safe
from benchmarks.gallery import measured_tables as tables
from benchmarks.gallery import pictures
from benchmarks.gallery.likeness import told_apart
from benchmarks.gallery.row import Role, Row, named
from benchmarks.gallery.running import fresh, ran, timed

NAME = "nobodys_record"
PROBLEM = "Nobody's record: near none of those it learned from"
HEADS = ("nearest patient", "nearer to a patient", "attack", "told apart")
RADIUS = 0.4
"""What the scenario says."""
NOISE, KERNEL = 0.1, 0.15
"""Standard deviations: of the noise that is added to rows, and of the kernels of the one that memorises."""

Rows = Float[np.ndarray, "n 6"]


def lacks() -> str | None:
    return None


def measure() -> list[Row]:
    """The gate, its rows without it, rows with noise, rejection, and a generator that memorises, with and
    without the same region.
    """
    real, strangers = tables.parted(tables.patients()[1])
    with fresh() as directory:
        done = ran(NAME, directory / "run")
        free_run = ran(NAME, directory / "free", {"filter": {"kind": "none"}})
        ours, free = (tables.read(run.run.directory / "samples.csv") for run in (done, free_run))
        n = len(ours)
        noisy, took = timed(lambda: jittered(real, n))
        memory, remembering = timed(lambda: remembered(real, n))
        kept, filtering = timed(lambda: filtered_memory(real, memory, directory / "memory"))
        near, left = near_a_patient(free, real), near_a_patient(ours, real)

        def row(method: str, role: Role, by: str, x: Rows, seconds: float, said: str = "") -> Row:
            inside, measures = near_a_patient(x, real), found(x, real, strangers)
            return Row(NAME, method, role, named(by), len(x), inside, seconds, measures, said)

        said = (
            f"{100 * near_a_patient(noisy, real) / n:.0f} % near a patient, and who was in the table can be "
            f"told (AUC {attack(noisy, real, strangers):.2f})"
        )
        rows = [
            done.without(near, found(free, real, strangers), f"{100 * near / n:.2g} % near a patient"),
            done.ours(left, found(ours, real, strangers), f"{left} near a patient, guaranteed by the filter"),
            row("rows with noise", "today", "numpy", noisy, took, said),
            row("rejection", "beside", "lem-safe", free[distance(free, real) > RADIUS], done.before),
            row("kernels that memorise", "beside", "scikit-learn", memory, remembering),
            row("the same, filtered", "beside", "lem-safe", kept, filtering),
            row("strangers", "beside", "scikit-learn", strangers, 0.0),
        ]
        _draw(real, noisy, free, ours)
    return rows


def near_a_patient(x: Rows, real: Rows) -> int:
    """How many rows are within the radius."""
    return int((distance(x, real) <= RADIUS).sum())


def distance(x: Rows, to: Rows, *, other: bool = False) -> Float[np.ndarray, "n"]:
    """From each row to the nearest of others; other: which are the same rows, so that itself is left out."""
    found = cKDTree(to).query(x, k=2 if other else 1)[0]
    return np.asarray(found[:, 1] if other else found)


def found(x: Rows, real: Rows, strangers: Rows) -> dict[str, Any]:
    """How near rows are to patients and to as many strangers, what an attacker learns, and how alike the
    rows are to strangers.
    """
    same = x is strangers
    some = np.random.default_rng(0).permutation(len(real))[: len(strangers)]
    nearer = distance(x, real[some]) < distance(x, strangers, other=same)
    return {
        HEADS[0]: float(np.median(distance(x, real))),
        HEADS[1]: None if same else f"{100 * nearer.mean():.0f} %",
        HEADS[2]: None if same else attack(x, real, strangers),
        HEADS[3]: None if same else told_apart(x, strangers),
    }


def attack(x: Rows, real: Rows, strangers: Rows) -> float:
    """The AUC with which somebody who has the samples alone tells patients of the table from strangers, by
    the distance to the nearest sample: 0.5 where it says nothing; below it where patients are farther.
    """
    member = np.repeat([1, 0], [len(real), len(strangers)])
    score = -distance(np.concatenate([real, strangers]), x)
    return float(roc_auc_score(member, score))


def jittered(real: Rows, n: int) -> Rows:
    """Patients with noise on every measurement: a common way to make a table that can be handed out."""
    rng = np.random.default_rng(0)
    return real[rng.integers(len(real), size=n)] + NOISE * rng.normal(size=(n, real.shape[1]))


def remembered(real: Rows, n: int) -> Rows:
    """Draws of narrow kernels around the patients."""
    return np.asarray(KernelDensity(bandwidth=KERNEL).fit(real).sample(n, random_state=0))


def filtered_memory(real: Rows, start: Rows, out: Path) -> Rows:
    """The same kernels as an energy, under the scenario's region."""
    columns = list(tables.PATIENTS)
    run = lem_safe.sample(
        {"kind": "gaussian_mixture", "means": real.tolist(), "std": KERNEL},
        {"near_a_patient": {"kind": "near_points", "points": real.tolist(), "radius": RADIUS}},
        beta=0,
        filter="gate",
        sampler="mala",
        init=start[distance(start, real) > RADIUS],
        steps=100,
        step_size=0.02,
        columns=columns,
        monitors={"samples": 0},
        out=out,
        with_report=False,
    )
    return np.asarray(run.samples, dtype=np.float64)


def notes(rows: dict[str, dict[str, Any]]) -> list[str]:
    far = rows["strangers"]
    return [
        f"*Inside* are rows within {RADIUS:g} of a patient whom the energy was learned from, by a tree of "
        f"scipy; so are {far['inside']} of {far['samples']} *strangers*, patients of the same study whom "
        "no method has seen. *Nearest patient* is the median distance to one; *nearer to a patient* the "
        "share of rows that are nearer to a patient than to one of as many strangers, 50 % where nothing "
        "is memorised. *Attack* is the AUC with which somebody who has the rows alone tells patients "
        "from strangers, by the distance to the nearest row: 0.5 says nothing, 1 everything, and below "
        "0.5 patients are where no row is; its standard error is about 0.03, as that of *told apart*, "
        f"the AUC of gradient boosting against strangers. *Rows with noise* have {NOISE:g} standard "
        "deviations of it on each measurement; *kernels that memorise* are a kernel density of width "
        f"{KERNEL:g}.",
    ]


def _draw(real: Rows, noisy: Rows, free: Rows, ours: Rows) -> None:
    edges = np.linspace(0, 1.8, 61)

    def panel(x: Rows) -> Any:
        def paint(axis: Axes) -> None:
            axis.axvspan(0, RADIUS, color=pictures.REGION, linewidth=0, alpha=0.5)
            shares = np.histogram(distance(x, real), edges)[0] / len(x)
            at = (edges[1:] + edges[:-1]) / 2
            axis.bar(at, shares, 0.03, color=np.where(at < RADIUS, pictures.INSIDE, pictures.OUTSIDE))
            own = np.histogram(distance(real, real, other=True), edges)[0] / len(real)
            axis.stairs(own, edges, color="0.2", linewidth=0.8)
            axis.set(xlabel="distance to the nearest patient", ylabel="share of the rows", ylim=(0, 0.12))

        return paint

    titled = [("rows with noise", noisy), ("no constraint", free), ("lem-safe", ours)]
    pictures.draw(NAME, [(title, panel(x)) for title, x in titled], width=3.9, height=3.2)
