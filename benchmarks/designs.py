"""Engineering designs: a generator of feasible ones, with the published formulas as rules.

    LEM_SAFE_SUITES=DIRECTORY python -m benchmarks designs

DIRECTORY/ndgm holds, of each problem, 1,000 feasible and 1,000 infeasible designs. An energy is trained
on the feasible ones, 4,000 designs are drawn under a gate with tolerance 0, written as CSV, and checked by
`design_checks`. Where the data break a published formula, it is left out of the rules: of the speed
reducer the stresses of the shafts, the deflection of the second and the proportions; of the cantilever
beam the stress at the root, the deflection of the tip and the proportions; of the welded beam the cost. The
side impact's lower criterion is asked with the square of x2, as published, and with its cube, which agrees
better with the suite's labels.

Sliced W2 is over 200 directions, columns standardised, between 500 samples and 500 feasible designs; its
floor is that of 500 feasible designs and the other 500; both are means over splits. The energy has seen all
of the 1,000 that the formulas let be, and is fitted as truncated by these (E.31). Everything is done with
three seeds, training included.
"""

import csv
import os
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from ruamel.yaml import YAML

import lem_safe
from benchmarks.design_checks import invalid, read
from benchmarks.markdown import table
from benchmarks.tables import SUITES
from benchmarks.tables import lacks as lacks

SAMPLES, HALF, SPLITS, DIRECTIONS, SEEDS = 4000, 500, 20, 200, 3

LOWER = "0.74 - 0.61*x2 - 0.163*x3*x8 + 0.001232*x3*x10 - 0.166*x7*x9 + 0.227*x2**{} <= 0.32"
SHEAR = "6000 / (sqrt(2) * x1 * x2)"
ARM = "sqrt(x2**2 / 4 + ((x1 + x3) / 2)**2)"
TWIST = f"6000 * (14 + x2 / 2) * {ARM} / (sqrt(2) * x1 * x2 * (x2**2 / 12 + ((x1 + x3) / 2)**2))"
RULES: dict[str, dict[str, str]] = {
    "WeldedBeam": {
        "shear": f"sqrt(({SHEAR})**2 + ({SHEAR}) * ({TWIST}) * x2 / {ARM} + ({TWIST})**2) <= 13600",
        "bending": "504000 / (x4 * x3**2) <= 30000",
        "weld": "0.125 <= x1 <= x4",
        "deflection": "65856000 / (30000000 * x3**3 * x4) <= 0.25",
        "buckling": "4.013 * 30000000 * sqrt(x3**2 * x4**6 / 36) / 196 * (1 - x3 / 28 * sqrt(0.625)) >= 6000",
    },
    "ThreeTruss": {
        "first": "(sqrt(2)*x1 + x2) / (sqrt(2)*x1**2 + 2*x1*x2) <= 1",
        "second": "x2 / (sqrt(2)*x1**2 + 2*x1*x2) <= 1",
        "third": "1 / (sqrt(2)*x2 + x1) <= 1",
    },
    "CantileverBeam": {
        f"section_{i}": f"{300000 * arm} / (x{i} * x{i + 5}**2) <= 14000"
        for i, arm in ((2, 400), (3, 300), (4, 200), (5, 100))
    },
    "PressureVessel": {
        "shell": "x1 >= 0.0193 * x3",
        "head": "x2 >= 0.00954 * x3",
        "volume": "pi * x3**2 * x4 + 4 / 3 * pi * x3**3 >= 1296000",
        "length": "x4 <= 240",
    },
    "SpeedReducer": {
        "teeth": "27 / (x1 * x2**2 * x3) <= 1",
        "shaft": "1.93 * x4**3 / (x2 * x3 * x6**4) <= 1",
    },
    "CompressionSpring": {
        "deflection": "x2**3 * x3 / (71785 * x1**4) >= 1",
        "shear": "(4*x2**2 - x1*x2) / (12566 * (x2*x1**3 - x1**4)) + 1 / (5108 * x1**2) <= 1",
        "surge": "140.45 * x1 / (x2**2 * x3) >= 1",
        "diameter": "(x1 + x2) / 1.5 <= 1",
    },
    "Car": {
        "abdomen": "1.16 - 0.3717*x2*x4 - 0.00931*x2*x10 - 0.484*x3*x9 + 0.01343*x6*x10 <= 1",
        "upper": "0.261 - 0.0159*x1*x2 - 0.188*x1*x8 - 0.019*x2*x7 + 0.0144*x3*x5 + 0.0008757*x5*x10 "
        "+ 0.08045*x6*x9 + 0.00139*x8*x11 + 0.00001575*x10*x11 <= 0.32",
        "middle": "0.214 + 0.00817*x5 - 0.131*x1*x8 - 0.0704*x1*x9 + 0.03099*x2*x6 - 0.018*x2*x7 "
        "+ 0.0208*x3*x8 + 0.121*x3*x9 - 0.00364*x5*x6 + 0.0007715*x5*x10 - 0.0005354*x6*x10 "
        "+ 0.00121*x8*x11 + 0.00184*x9*x10 - 0.02*x2**2 <= 0.32",
        "lower": LOWER.format(2),
        "lower_cube": LOWER.format(3),
        "upper_rib": "28.98 + 3.818*x3 - 4.2*x1*x2 + 0.0207*x5*x10 + 6.63*x6*x9 - 7.7*x7*x8 "
        "+ 0.32*x9*x10 <= 32",
        "middle_rib": "33.86 + 2.95*x3 + 0.1792*x10 - 5.057*x1*x2 - 11*x2*x8 - 0.0215*x5*x10 - 9.98*x7*x8 "
        "+ 22*x8*x9 <= 32",
        "lower_rib": "46.36 - 9.9*x2 - 12.9*x1*x8 + 0.1107*x3*x10 <= 32",
        "force": "4.72 - 0.5*x4 - 0.19*x2*x3 - 0.0122*x4*x10 + 0.009325*x6*x10 + 0.000191*x11**2 <= 4",
        "pillar": "10.58 - 0.674*x1*x2 - 1.95*x2*x8 + 0.02054*x3*x10 - 0.0198*x4*x10 + 0.028*x6*x10 <= 9.9",
        "door": "16.45 - 0.489*x3*x7 - 0.843*x5*x6 + 0.0432*x9*x10 - 0.0556*x9*x11 - 0.000786*x11**2 <= 15.7",
    },
}


def measure() -> list[dict[str, Any]]:
    """One row for each problem."""
    if (why := lacks()) is not None:
        raise SystemExit(f"benchmarks.designs: {why}")
    root = Path(os.environ[SUITES]) / "ndgm"
    with tempfile.TemporaryDirectory() as directory:
        os.environ["LEM_SAFE_CACHE"] = directory
        return [_row(name, root, Path(directory)) for name in RULES]


def _row(name: str, root: Path, directory: Path) -> dict[str, Any]:
    feasible, infeasible = (
        np.load(root / f"{name}_{kind}.npy").astype(np.float64) for kind in ("distribution", "negative")
    )
    began = time.monotonic()
    runs = [
        lem_safe.run(
            _scenario(name, feasible, directory), seed=k, out=directory / f"{name}_{k}", with_report=False
        )
        for k in range(SEEDS)
    ]
    each = [read(run.directory / "samples.csv") for run in runs]
    with np.load(runs[0].directory / "reference.npz") as arrays:
        unfiltered = float(arrays["fraction"][-1, -1])
    found = [sliced_w2(samples, feasible) for samples in each]
    return {
        "name": name,
        "columns": feasible.shape[1],
        "rules": len(RULES[name]),
        "feasible_refused": invalid(name, feasible),
        "infeasible_let_in": len(infeasible) - invalid(name, infeasible),
        "samples": sum(len(samples) for samples in each),
        "invalid": sum(invalid(name, samples) for samples in each),
        "unfiltered": unfiltered,
        "ratios": [round(w2 / floor, 3) for w2, floor in found],
        "passed": all(run.report.passed for run in runs),
        "seconds": round(time.monotonic() - began, 1),
    }


def _scenario(name: str, rows: NDArray[np.float64], directory: Path) -> Path:
    names = [f"x{j + 1}" for j in range(rows.shape[1])]
    rows = rows[[invalid(name, row[None]) == 0 for row in rows]]
    data = directory / f"{name}.csv"
    with data.open("w", newline="") as file:
        csv.writer(file).writerows([names, *([f"{v:.6f}" for v in row] for row in rows)])
    unsafe: dict[str, Any] = {rule: {"kind": "rule", "require": text} for rule, text in RULES[name].items()}
    content = {
        "version": 1,
        "name": name,
        "energy": {
            "kind": "trained",
            "data": {"kind": "file", "path": str(data), "columns": {"x1": {"kind": "number"}}},
            "network": {"kind": "mixture_base", "hidden": 64, "depth": 2},
            "training": {"steps": 600, "learning_rate": 0.002, "weight_decay": 0.01},
            "truncated": {"by": ["any_rule"]},
        },
        "unsafe": unsafe | {"any_rule": {"any": list(unsafe)}},
        "constraints": [{"set": "any_rule", "beta": 0}],
        "sampler": {"kind": "mixed", "samples": SAMPLES, "steps": 60, "step_size": 0.02},
        "filter": {"kind": "gate"},
        "monitors": {"samples": 0},
    }
    path = directory / f"{name}.yaml"
    with path.open("w") as file:
        YAML().dump(content, file)
    return path


def sliced_w2(samples: NDArray[np.float64], rows: NDArray[np.float64]) -> tuple[float, float]:
    """The mean sliced W2 between samples and rows, and between rows and others."""
    rng = np.random.default_rng(0)
    scale = rows.std(0)
    x, y = samples / scale, rows / scale
    turns = rng.normal(size=(y.shape[1], DIRECTIONS))
    turns /= np.linalg.norm(turns, axis=0)
    found, floor = [], []
    for _ in range(SPLITS):
        order, chosen = rng.permutation(len(y)), rng.permutation(len(x))[:HALF]
        a, b = np.sort(y[order[:HALF]] @ turns, 0), np.sort(y[order[HALF : 2 * HALF]] @ turns, 0)
        c = np.sort(x[chosen] @ turns, 0)
        found.append(np.sqrt(((a - c) ** 2).mean()))
        floor.append(np.sqrt(((a - b) ** 2).mean()))
    return float(np.mean(found)), float(np.mean(floor))


def section(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """The lines of docs/measurements.md."""
    return [
        "Seven engineering design problems: an energy of 1,000 feasible designs, fitted as truncated by the "
        "published formulas, 4,000 samples with each of three seeds under a gate with tolerance 0 for "
        "these. *Invalid* ones are counted in the CSV by `benchmarks/design_checks.py`, which shares no code "
        "with lem-safe; *without* is the share of invalid ones without the filter, of an energy that goes on "
        "behind the formulas. *Refused*, of which none is fitted to, and *let in* are "
        "feasible designs that the formulas refuse and infeasible ones that they let in, of 1,000 "
        "each, by the labels of the suite. *W2* is the sliced Wasserstein-2 distance between 500 "
        "samples and 500 feasible designs, over that of 500 feasible designs and the other 500: the mean of "
        "three trainings with other seeds, and the least and the largest.",
        "",
        *table(
            ["problem", "columns", "invalid", "without", "W2 over its floor", "refused", "let in"],
            [
                [
                    r["name"],
                    str(r["columns"]),
                    f"{r['invalid']} of {r['samples']:,}",
                    f"{100 * r['unfiltered']:.1f} %",
                    _with_range(r["ratios"]),
                    str(r["feasible_refused"]),
                    str(r["infeasible_let_in"]),
                ]
                for r in rows
            ],
        ),
    ]


def _with_range(ratios: Sequence[float]) -> str:
    """The mean, and the least and the largest."""
    return f"{np.mean(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"
