"""Samples beside the data that they were learned from: range, spread and correlations.

    LEM_SAFE_SUITES=DIRECTORY python -m benchmarks ranges

adult is DIRECTORY/tabular/adult.data; breast cancer, diabetes and wine are those that scikit-learn brings.
They stand in for taxis, pima, planets, sonar and oil-spill, which are not here: wine has 14 rows per column,
breast cancer 19, diabetes 44. Each is a table with ranks
(`missing: keep`), without a rule. *Outside* is the share of cells beyond the data's range; *spread* the least
and the greatest ratio of standard deviations; *correlation* the largest difference of a pair's, and *floor*
that of two halves of the data, which have fewer rows. *Warned*: the run warned of few rows beforehand.
"""

import csv
import itertools
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
from benchmarks.markdown import table
from benchmarks.tables import SUITES
from benchmarks.tables import lacks as lacks
from lem_safe.progress import Silent

Array = NDArray[np.float64]
SAMPLES = 5000


def measure() -> list[dict[str, Any]]:
    """One row for each table."""
    if (why := lacks()) is not None:
        raise SystemExit(f"benchmarks.ranges: {why}")
    with tempfile.TemporaryDirectory() as directory:
        os.environ["LEM_SAFE_CACHE"] = directory
        return [_row(name, Path(directory)) for name in ("adult", "breast cancer", "diabetes", "wine")]


def _row(name: str, directory: Path) -> dict[str, Any]:
    data = directory / f"{name}.csv"
    _write(name, data)
    began = time.monotonic()
    said: list[str] = []
    run = lem_safe.run(
        _scenario(name, data, directory), out=directory / name, with_report=False, progress=_Heard(said)
    )
    took = time.monotonic() - began
    real, made = (_numbers(path) for path in (data, run.directory / "samples.csv"))
    names = [column for column in real if column in made]
    x, y = (np.stack([table[column] for column in names], 1) for table in (real, made))
    outside = float(((y < x.min(0)) | (y > x.max(0))).mean())
    ratios = y.std(0) / x.std(0)
    half = np.random.default_rng(0).permutation(len(x))
    return {
        "name": name,
        "rows": len(x),
        "columns": len(next(csv.reader(data.open(newline="")))),
        "numbers": len(names),
        "outside": outside,
        "spread_least": float(ratios.min()),
        "spread_most": float(ratios.max()),
        "correlation": _apart(x, y),
        "floor": _apart(x[half[: len(x) // 2]], x[half[len(x) // 2 :]]),
        "warned": any("per column" in line for line in said),
        "seconds": round(took, 1),
    }


class _Heard(Silent):
    """Keeps what a run says."""

    def __init__(self, said: list[str]):
        self.say = said.append  # type: ignore[method-assign]


def _apart(x: Array, y: Array) -> float:
    """The largest difference between correlations."""
    pairs = itertools.combinations(range(x.shape[1]), 2)
    a, b = np.corrcoef(x.T), np.corrcoef(y.T)
    return float(max(abs(a[i, j] - b[i, j]) for i, j in pairs))


def _write(name: str, path: Path) -> None:
    with path.open("w", newline="") as file:
        out = csv.writer(file)
        if name == "adult":
            with (Path(os.environ[SUITES]) / "tabular" / "adult.data").open(newline="") as source:
                rows = [row for row in csv.reader(source, skipinitialspace=True) if row]
            out.writerows(rows)
            return
        from sklearn import datasets

        load = {"breast cancer": "load_breast_cancer", "diabetes": "load_diabetes", "wine": "load_wine"}
        x = getattr(datasets, load[name])(**({"scaled": False} if name == "diabetes" else {})).data
        out.writerows([[f"x{j}" for j in range(x.shape[1])], *x.tolist()])


def _numbers(path: Path) -> dict[str, Array]:
    """The columns of a file whose cells are all numbers."""
    with path.open(newline="") as file:
        header, *rows = csv.reader(file)
    found = {}
    for name, cells in zip(header, zip(*rows, strict=True), strict=True):
        try:
            found[name] = np.array([float(cell) for cell in cells])
        except ValueError:
            continue
    return found


def _scenario(name: str, data: Path, directory: Path) -> Path:
    content = {
        "version": 1,
        "name": name,
        "energy": {
            "kind": "trained",
            "data": {"kind": "file", "path": str(data), "missing": "keep"},
            "network": {"kind": "mixture_base", "hidden": 128, "depth": 2},
            "training": {"steps": 1000, "learning_rate": 0.002, "weight_decay": 0.01},
        },
        "unsafe": {"nowhere": {"kind": "rule", "where": f"{'age' if name == 'adult' else 'x0'} < -1e9"}},
        "constraints": [{"set": "nowhere", "beta": 0}],
        "sampler": {"kind": "mixed", "samples": SAMPLES, "steps": 40, "step_size": 0.02},
        "filter": {"kind": "gate"},
        "monitors": {"samples": 0},
    }
    path = directory / f"{name}.yaml"
    with path.open("w") as file:
        YAML().dump(content, file)
    return path


def section(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """The lines of docs/measurements.md."""
    return [
        "Samples of tables with ranks (`missing: keep`), without a rule, beside their data: cells "
        "outside the data's range, the least and the greatest ratio of standard deviations, the "
        "largest difference between correlations and, of two halves of the data, *floor*. Breast "
        "cancer, diabetes and wine are scikit-learn's; they stand in for taxis, pima, planets, "
        "sonar and oil-spill, which are not public here. *Warned*: the run said beforehand that "
        "rows are few.",
        "",
        *table(
            ["table", "rows", "per column", "outside", "spread", "correlation", "floor", "warned"],
            [
                [
                    r["name"],
                    f"{r['rows']:,}",
                    f"{r['rows'] / r['columns']:,.0f}",
                    f"{100 * r['outside']:.2g} %",
                    f"{r['spread_least']:.2f} to {r['spread_most']:.2f}",
                    f"{r['correlation']:.2f}",
                    f"{r['floor']:.2f}",
                    "yes" if r["warned"] else "no",
                ]
                for r in rows
            ],
        ),
    ]
