"""Rows of public tables as lem-safe writes them: how many break the rules of the field, how like the data
they are, how long it took.

    LEM_SAFE_SUITES=DIRECTORY python -m benchmarks tables

DIRECTORY holds `tabular/` and `constraints/`, with the public files that docs/measurements.md names; nothing
of it is part of this repository. Of each table: training, then rows under a gate with tolerance 0 for any
rule of its file, drawn as `lem-safe sample` draws them, written as CSV, and judged by `independent_rules`,
which shares no code with lem-safe; two-sample scores by `lem-safe quality`. Seconds are those of a clock, on
one thread.
"""

import csv
import json
import os
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from ruamel.yaml import YAML

import lem_safe
from benchmarks.independent_rules import judge
from lem_safe import cli
from lem_safe.progress import Silent
from lem_safe.runs.learned_parts import train
from lem_safe.runs.more_samples import draw_into

SUITES = "LEM_SAFE_SUITES"
NETWORK = {"kind": "mixture_base", "hidden": 128, "depth": 2}
TRAINING = {"learning_rate": 0.002, "weight_decay": 0.01}


class Case(NamedTuple):
    """One table: its file, how many of its columns are used, its rules, and how many rows are judged."""

    name: str
    file: str
    columns: int | None
    rules: str | None
    steps: int
    training: int
    samples: int
    judged: int
    extra: dict[str, Any] = {}


ADULT = {
    "husband": "sex == 'Female' and relationship == 'Husband'",
    "wife": "sex == 'Male' and relationship == 'Wife'",
    "student": "age < 20 and `education-num` >= 13",
}
CASES = (
    Case(
        "steel faults", "steel_faults_1941x27.csv", 27, "constraints_cdgm/faults.txt", 40, 1000, 5000, 100_000
    ),
    Case("URL", "url_phishing_11430x88.csv", 87, "constraints_drl/url_all.txt", 40, 1000, 5000, 50_000),
    Case("MAGIC", "magic04.data", None, None, 40, 2000, 19_020, 0),
    Case("adult", "adult.data", None, None, 30, 2000, 30_000, 0, {"missing": "keep"}),
)


def lacks() -> str | None:
    """What is not here; None where the tables are."""
    return None if SUITES in os.environ else f"{SUITES} does not name the directory of the public tables"


def measure() -> list[dict[str, Any]]:
    """One row for each table."""
    if (why := lacks()) is not None:
        raise SystemExit(f"benchmarks.tables: {why}")
    root = Path(os.environ[SUITES])
    with tempfile.TemporaryDirectory() as directory:
        os.environ["LEM_SAFE_CACHE"] = directory
        return [_row(case, root, Path(directory)) for case in CASES]


def _row(case: Case, root: Path, directory: Path) -> dict[str, Any]:
    data = directory / "data.csv"
    with (root / "tabular" / case.file).open(newline="") as file, data.open("w", newline="") as out:
        rows = csv.reader(file, skipinitialspace=True)
        csv.writer(out).writerows(row[: case.columns] for row in rows if row)
    began = time.monotonic()
    scenario = _scenario(case, data, root, directory)
    train(lem_safe.load(scenario), None, Silent())
    trained = time.monotonic()
    run = lem_safe.run(scenario, out=directory / case.name, with_report=False)
    sampled = time.monotonic()
    found = {
        "name": case.name,
        "training_seconds": round(trained - began, 1),
        "sampling_seconds": round(sampled - trained, 1),
        "samples": case.samples,
        "unfiltered": _unfiltered(run),
        "passed": run.report.passed,
    }
    return found | _judged(case, run, root) | _quality(run, data)


def _scenario(case: Case, data: Path, root: Path, directory: Path) -> Path:
    unsafe: dict[str, Any] = {name: {"kind": "rule", "where": text} for name, text in ADULT.items()}
    derived = None
    if case.rules is not None:
        converted = directory / f"{case.name}_rules.yaml"
        rules = str(root / "constraints" / case.rules)
        cli.main(["rules", "convert", rules, "--data", str(data), "--out", str(converted)])
        made = YAML().load(converted)
        unsafe, derived = made["unsafe"], made.get("derived")
    elif case.name != "adult":
        unsafe = {"wide": {"kind": "rule", "where": "fWidth > fLength"}}
    any_rule = {} if "any_rule" in unsafe else {"any_rule": {"any": list(unsafe)}}
    first = next(csv.reader(data.open(newline="")))[0]
    source = {"kind": "file", "path": str(data), "columns": {first: {}}, **case.extra}
    energy = {"kind": "trained", "data": source, "network": NETWORK}
    content = {
        "version": 1,
        "name": case.name,
        "energy": energy | {"training": {"steps": case.training, **TRAINING}},
        **({"derived": derived} if derived else {}),
        "unsafe": unsafe | any_rule,
        "constraints": [{"set": "any_rule", "beta": 0}],
        "sampler": {"kind": "mixed", "samples": case.samples, "steps": case.steps, "step_size": 0.02},
        "filter": {"kind": "gate"},
        "monitors": {"samples": 0},
    }
    path = directory / f"{case.name}.yaml"
    with path.open("w") as file:
        YAML().dump(content, file)
    return path


def _unfiltered(run: lem_safe.Run) -> float:
    with np.load(run.directory / "reference.npz") as arrays:
        return float(arrays["fraction"][-1, 0])


def _judged(case: Case, run: lem_safe.Run, root: Path) -> dict[str, Any]:
    """Rows that break a rule as written, of many more drawn from the run, by code of another origin."""
    if case.rules is None:
        return {}
    more = run.directory / "more.csv"
    draw_into(more, run.directory, case.judged, seed=1, burn_in=8)
    found = judge(root / "constraints" / case.rules, more)
    return {"judged": found["rows"], "violating": found["any_rule"]}


def _quality(run: lem_safe.Run, data: Path) -> dict[str, Any]:
    measures = {
        m.name: m.beside.found for m in lem_safe.quality(run.directory / "samples.csv", data).measures
    }
    names = (
        "score_boosting",
        "score_logistic",
        "outside",
        "spread",
        "correlations_worst",
        "columns_worst",
        "copies",
    )
    return {name: measures[name] for name in names if name in measures}


if __name__ == "__main__":
    print(*map(json.dumps, measure()), sep="\n")
