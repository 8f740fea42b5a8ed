"""Rows of public tables as lem-safe writes them: how many break the rules of the field, how like the data
they are, how long it took.

    LEM_SAFE_SUITES=DIRECTORY python -m benchmarks tables
    LEM_SAFE_SUITES=DIRECTORY python -m benchmarks tables:URL       # one table; the others' rows stay

DIRECTORY holds `tabular/` and `constraints/`, with the public files that docs/measurements.md names; nothing
of it is part of this repository. Of each table: training, then rows under a gate with tolerance 0 for any
rule of its file, drawn as `lem-safe sample` draws them, written as CSV, and judged by `independent_rules`,
which shares no code with lem-safe; two-sample scores by `lem-safe quality`. Seconds are those of a clock, on
one thread. LEM_SAFE_JUDGED, a number, judges fewer rows.
"""

import csv
import json
import os
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from ruamel.yaml import YAML

import lem_safe
from benchmarks.independent_rules import judge
from benchmarks.table_cases import ADULT, CASES, NETWORK, TRAINING, Case, table
from lem_safe import cli
from lem_safe.progress import Silent
from lem_safe.registry import equal_in
from lem_safe.runs.learned_parts import train
from lem_safe.runs.more_samples import draw_into

SUITES = "LEM_SAFE_SUITES"
JUDGED = "LEM_SAFE_JUDGED"
POOL = 10
"""How many clouds of the run's size are drawn from at a time: more rows of one burn-in."""
PARTS = tuple(case.name for case in CASES)


def lacks() -> str | None:
    """What is not here; None where the tables are."""
    return None if SUITES in os.environ else f"{SUITES} does not name the directory of the public tables"


def measure(part: str | None = None) -> list[dict[str, Any]]:
    """One row for each table, or for the one of this name."""
    if (why := lacks()) is not None:
        raise SystemExit(f"benchmarks.tables: {why}")
    root = Path(os.environ[SUITES])
    with tempfile.TemporaryDirectory() as directory:
        os.environ["LEM_SAFE_CACHE"] = directory
        return [_row(case, root, Path(directory)) for case in CASES if part in (None, case.name)]


def _row(case: Case, root: Path, directory: Path) -> dict[str, Any]:
    data = table(case, root, directory)
    began = time.monotonic()
    chosen = lem_safe.load(scenario(case, data, root, directory))
    train(chosen, None, Silent())
    trained = time.monotonic()
    run = lem_safe.run(chosen, out=directory / case.name, with_report=False)
    sampled = time.monotonic()
    equal = equal_in(chosen.energy)
    found = {
        "name": case.name,
        "training_seconds": round(trained - began, 1),
        "sampling_seconds": round(sampled - trained, 1),
        "samples": case.samples,
        "unfiltered": _unfiltered(run),
        "passed": run.report.passed,
        "computed": len(equal),
        "least_equal": min((1 - e.differ / e.rows for e in equal), default=1.0),
    }
    return found | _judged(case, run, root) | _quality(run, data)


def scenario(
    case: Case, data: Path, root: Path, directory: Path, *, plain: bool = False, **other: Any
) -> Path:
    """The file of a case's scenario; plain: with every column modelled. other: keys in place of its own."""
    unsafe: dict[str, Any] = {name: {"kind": "rule", "where": text} for name, text in ADULT.items()}
    derived = {} if plain else dict(case.derived)
    if case.rules is not None:
        converted = directory / f"{case.name}_rules.yaml"
        rules = str(root / "constraints" / case.rules)
        cli.main(["rules", "convert", rules, "--data", str(data), "--out", str(converted), "--overwrite"])
        made = YAML().load(converted)
        unsafe, derived = made["unsafe"], {**derived, **(made.get("derived") or {})}
    elif case.name != "adult":
        unsafe = {"wide": {"kind": "rule", "where": "fWidth > fLength"}}
    any_rule = {} if "any_rule" in unsafe else {"any_rule": {"any": list(unsafe)}}
    first = next(csv.reader(data.open(newline="")))[0]
    extra = {} if plain else case.extra
    source = {"kind": "file", "path": str(data), "columns": {first: {}}, **extra}
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
        **other,
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
    many = min(case.judged, int(os.environ.get(JUDGED, case.judged)))
    draw_into(more, run.directory, many, seed=1, burn_in=8, pool=POOL)
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
