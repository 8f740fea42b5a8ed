"""Rows under general constraints: a range, a category, both, or one of two; adult, default and shoppers.

    LEM_SAFE_SUITES=DIRECTORY python -m benchmarks general_constraints

DIRECTORY holds `tabular/` and `published/harpoon_general_constraints.csv`, which has the same four kinds of
constraint on the same tables, but not their bounds; those are chosen here, and the published numbers are
beside for what they are. With each of SEEDS seeds one energy of a table; of each constraint SAMPLES rows
under a gate with tolerance 0, written as CSV and counted by plain Python here. *Utility* is that of `lem-safe
quality`: AUC of a model trained on samples and tested on held-out real rows that meet the constraint.
*Unconstrained* are rows drawn without a filter of which those that meet the constraint are used, as many of
both; *real* are real rows.
"""

import csv
import math
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ruamel.yaml import YAML

import lem_safe
from benchmarks.markdown import table
from benchmarks.tables import SUITES
from benchmarks.tables import lacks as lacks

SAMPLES, UNCONSTRAINED, SEEDS = 4000, 16_000, 3
STEPS = 30
"""Of a run without a filter; under a constraint as many more as fewer fresh draws meet it."""
Cells = dict[str, str]


class Case(NamedTuple):
    """One table: its file, what is predicted, columns that are left out, and its constraints: a rule, and the
    same in Python.
    """

    name: str
    file: str
    target: str
    left_out: tuple[str, ...]
    constraints: dict[str, tuple[str, Callable[[Cells], bool]]]


def _adult_age(row: Cells) -> bool:
    return 30 <= float(row["age"]) <= 45


def _amount(row: Cells) -> bool:
    return 100_000 <= float(row["Amount"]) <= 300_000


def _visit(row: Cells) -> bool:
    return 500 <= float(row["ProductRelated_Duration"]) <= 2000


CASES = (
    Case(
        "adult",
        "adult.data",
        "Salary",
        (),
        {
            "range": ("30 <= age <= 45", _adult_age),
            "category": ("workclass == 'Private'", lambda r: r["workclass"] == "Private"),
            "both": (
                "30 <= age <= 45 and workclass == 'Private'",
                lambda r: _adult_age(r) and r["workclass"] == "Private",
            ),
            "or": (
                "30 <= age <= 45 or sex == 'Female'",
                lambda r: _adult_age(r) or r["sex"] == "Female",
            ),
        },
    ),
    Case(
        "default",
        "default_credit_taiwan.csv",
        "DefaultNextMonth",
        ("Probabilities",),
        {
            "range": ("100000 <= Amount <= 300000", _amount),
            "category": ("Education == 'Univ'", lambda r: r["Education"] == "Univ"),
            "both": (
                "100000 <= Amount <= 300000 and Education == 'Univ'",
                lambda r: _amount(r) and r["Education"] == "Univ",
            ),
            "or": (
                "100000 <= Amount <= 300000 or MaritalStatus == 'Single'",
                lambda r: _amount(r) or r["MaritalStatus"] == "Single",
            ),
        },
    ),
    Case(
        "shoppers",
        "online_shoppers_intention.csv",
        "Revenue",
        (),
        {
            "range": ("500 <= ProductRelated_Duration <= 2000", _visit),
            "category": ("Month == 'Nov'", lambda r: r["Month"] == "Nov"),
            "both": (
                "500 <= ProductRelated_Duration <= 2000 and Month == 'Nov'",
                lambda r: _visit(r) and r["Month"] == "Nov",
            ),
            "or": (
                "500 <= ProductRelated_Duration <= 2000 or VisitorType == 'New_Visitor'",
                lambda r: _visit(r) or r["VisitorType"] == "New_Visitor",
            ),
        },
    ),
)


def measure() -> list[dict[str, Any]]:
    """One row for each table and constraint."""
    if (why := lacks()) is not None:
        raise SystemExit(f"benchmarks.general_constraints: {why}")
    root = Path(os.environ[SUITES])
    with tempfile.TemporaryDirectory() as directory:
        os.environ["LEM_SAFE_CACHE"] = directory
        return [row for case in CASES for row in _rows(case, root, Path(directory))]


def _rows(case: Case, root: Path, directory: Path) -> list[dict[str, Any]]:
    data = directory / f"{case.name}.csv"
    with (root / "tabular" / case.file).open(newline="") as source:
        rows = [row for row in csv.reader(source, skipinitialspace=True) if row]
    kept = [j for j, name in enumerate(rows[0]) if name not in case.left_out]
    _write(data, [[row[j] for j in kept] for row in rows])
    each = [_of_seed(case, data, root, seed) for seed in range(SEEDS)]
    return [_together(case, rows) for rows in zip(*each, strict=True)]


def _of_seed(case: Case, data: Path, root: Path, seed: int) -> list[dict[str, Any]]:
    """One row for each constraint, of one energy."""
    place = data.parent / f"{case.name}_{seed}"
    place.mkdir()
    free = lem_safe.run(_scenario(case, data, None, place, seed=seed), out=place / "free", with_report=False)
    found = []
    for kind, (rule, holds) in case.constraints.items():
        began = time.process_time()
        unconstrained = _read(free.directory / "samples.csv")
        steps = math.ceil(STEPS * len(unconstrained) / sum(map(holds, unconstrained)))
        scenario = _scenario(case, data, rule, place, seed=seed, steps=steps)
        run = lem_safe.run(scenario, out=place / kind, with_report=False)
        real, samples = (_read(path) for path in (data, run.directory / "samples.csv"))
        own = [row for row in unconstrained if holds(row)][:SAMPLES]
        judged = _written(place / "real.csv", [row for row in real if holds(row)])
        utilities = [
            _utility(_written(place / f"{name}.csv", part[: len(own)]), judged, case.target)
            for name, part in (("constrained", samples), ("unconstrained", own))
        ]
        found.append(
            {
                "name": case.name,
                "constraint": kind,
                "rule": rule,
                "real_share": sum(map(holds, real)) / len(real),
                "samples": len(samples),
                "steps": steps,
                "violating": sum(not holds(row) for row in samples),
                "unfiltered": sum(not holds(row) for row in unconstrained) / len(unconstrained),
                "trained_on": len(own),
                "utility": utilities[0].found,
                "unconstrained": utilities[1].found,
                "real": utilities[0].floor,
                "deviation": utilities[0].floor_sd,
                "published": _published(root, case.name, kind),
                "seconds": round(time.process_time() - began, 1),
            }
        )
        print(seed, found[-1], flush=True)
    return found


def _together(case: Case, rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """One row of those of all seeds: sums of counts, means of the others."""
    counts = {key: sum(row[key] for row in rows) for key in ("samples", "violating")}
    means = {
        key: statistics.fmean(row[key] for row in rows)
        for key in (
            "steps",
            "unfiltered",
            "trained_on",
            "utility",
            "unconstrained",
            "real",
            "deviation",
            "seconds",
        )
    }
    lost = [row["utility"] - row["unconstrained"] for row in rows]
    error = statistics.stdev(lost) / math.sqrt(len(lost))
    return {**rows[0], **counts, **means, "seeds": len(rows), "lost": statistics.fmean(lost), "error": error}


def _utility(samples: Path, real: Path, target: str) -> Any:
    """The AUC on held-out real rows, of samples and of real rows."""
    measures = lem_safe.quality(samples, real, target=target).measures
    return next(m.beside for m in measures if m.name == "utility")


def _published(root: Path, name: str, kind: str) -> dict[str, list[float]]:
    """Violations in per cent and utility of other generators."""
    with (root / "published" / "harpoon_general_constraints.csv").open(newline="") as file:
        rows = [r for r in csv.DictReader(file) if r["Constraint"] == kind and r["Dataset"].startswith(name)]
    return {r["Method"]: [float(r["Avg ViolationAcc"]), float(r["Avg xgb utility"])] for r in rows}


def _read(path: Path) -> list[Cells]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def _written(path: Path, rows: list[Cells]) -> Path:
    _write(path, [list(rows[0]), *(list(row.values()) for row in rows)])
    return path


def _write(path: Path, rows: list[list[str]]) -> None:
    with path.open("w", newline="") as file:
        csv.writer(file).writerows(rows)


def _scenario(
    case: Case, data: Path, rule: str | None, directory: Path, *, seed: int, steps: int = STEPS
) -> Path:
    region = {"kind": "rule", "require": rule or next(iter(case.constraints.values()))[0]}
    content = {
        "version": 1,
        "name": case.name,
        "seed": seed,
        "energy": {
            "kind": "trained",
            "data": {"kind": "file", "path": str(data), "missing": "keep"},
            "network": {"kind": "mixture_base", "hidden": 128, "depth": 2, "components": 64},
            "training": {"steps": 1500, "learning_rate": 0.002, "weight_decay": 0.01},
        },
        "unsafe": {"broken": region},
        "constraints": [{"set": "broken", "beta": 0}],
        "sampler": {
            "kind": "mixed",
            "samples": UNCONSTRAINED if rule is None else SAMPLES,
            "steps": steps,
            "step_size": 0.02,
        },
        "filter": {"kind": "none" if rule is None else "gate"},
        "monitors": {"samples": 0},
    }
    path = directory / f"{case.name}.yaml"
    with path.open("w") as file:
        YAML().dump(content, file)
    return path


def section(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """The lines of docs/measurements.md."""
    return [
        f"Energies of each table with {rows[0]['seeds']} seeds, rows under a gate "
        "with tolerance 0 for a general constraint: a range, a category, both, one of two. "
        "*Violating* are rows of the CSV, counted in plain Python; *without* is the share without "
        "the filter. AUC of a model of the table's target, trained on samples; its difference to "
        "one trained on rows drawn without the filter that meet the constraint (as many), with its "
        "standard error; and one trained on real rows; tested on held-out real rows that meet it. "
        "Published are the violations of Harpoon and GReaT for constraints of the same kind, whose "
        "bounds are not published with them.",
        "",
        *table(
            ["table", "constraint", "violating", "without", "AUC", "difference", "real", "Harpoon, GReaT"],
            [
                [
                    r["name"],
                    f"`{r['rule']}`",
                    f"{r['violating']} of {r['samples']:,}",
                    f"{100 * r['unfiltered']:.0f} %",
                    f"{r['utility']:.3f}",
                    f"{r['lost']:+.3f} ± {r['error']:.3f}",
                    f"{r['real']:.3f} ± {r['deviation']:.3f}",
                    ", ".join(_told(r["published"], name) for name in ("harpoon_ohe", "GReaT")),
                ]
                for r in rows
            ],
        ),
    ]


def _told(published: Mapping[str, Sequence[float]], name: str) -> str:
    return f"{published[name][0]:.1f} %" if name in published else "–"
