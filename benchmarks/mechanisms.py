"""One generator, three mechanisms: a gate while sampling, a repair of its rows as PiShield does it, and
rejection of the rows that break a rule; beside none. What is left of the rows' likeness and use.

    LEM_SAFE_SUITES=DIRECTORY python -m benchmarks mechanisms[:NAME]

The generator models every column, so that rules do break; that of `steel faults computed` is the one of
`benchmarks.tables`, with columns that are computed from others. The rules are the linear ones of the tables'
files. The unfiltered rows, as written, are repaired by PiShield's own layer where
`pishield` is installed, and rounded to what their columns hold, as a file must be; otherwise that part is
missing and said to be. Violations are counted by `independent_rules`, fidelity and utility are `lem-safe
quality`'s, each beside its floor: real rows in the place of samples. Every mechanism gives as many rows.
"""

import contextlib
import csv
import importlib.util
import io
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

import lem_safe
from benchmarks.independent_rules import broken, judge, rules_in
from benchmarks.table_cases import CASES, Case, table
from benchmarks.tables import SUITES, lacks, scenario
from lem_safe.runs.more_samples import draw_into

__all__ = ["PARTS", "lacks", "measure"]


class Use(NamedTuple):
    """A table by its name, its linear rules, how many of its columns are used, the last of which is
    predicted, and whether that is a category written as a number; rows of every mechanism; whether every
    column is modelled.
    """

    case: str
    rules: str
    columns: int
    target: str
    category: bool
    rows: int
    plain: bool = True


FAULTS = Use("steel faults", "constraints_cdgm/faults.txt", 28, "failure_type", True, 2000)
USES = {
    "steel faults": FAULTS,
    "steel faults computed": FAULTS._replace(plain=False),
    "URL": Use("URL", "constraints_drl/url_linear.txt", 88, "label", False, 5000),
    "HELOC-like": Use("HELOC-like", "constraints_drl/heloc_linear.txt", 24, "RiskPerformance", False, 5000),
}
PARTS = tuple(USES)
MOST = 20
"""Unfiltered rows that are drawn for rejection, at most, for each that is needed."""


def measure(part: str | None = None) -> list[dict[str, Any]]:
    """One row for each table and mechanism."""
    if (why := lacks()) is not None:
        raise SystemExit(f"benchmarks.mechanisms: {why}")
    root, rows = Path(os.environ[SUITES]), list[dict[str, Any]]()
    with tempfile.TemporaryDirectory() as directory:
        os.environ["LEM_SAFE_CACHE"] = directory
        for name, use in USES.items():
            if part in (None, name):
                case = next(case for case in CASES if case.name == use.case)
                rows += _rows(case._replace(name=name), use, root, Path(directory))
    return rows


def _rows(case: Case, use: Use, root: Path, directory: Path) -> list[dict[str, Any]]:
    case, rules = case._replace(rules=use.rules, samples=use.rows), root / "constraints" / use.rules
    data = table(case, root, directory, use.columns)
    files = {"gate": _run(case, use, data, root, directory, "gate")}
    free = _run(case, use, data, root, directory, "none")
    share = int(judge(rules, free)["any_rule"]) / use.rows  # type: ignore[call-overload]
    files["none"], files["rejection"] = free, directory / "rejected.csv"
    many = int(use.rows * min(MOST, 1.3 / max(1 - share, 0.05)))
    more = directory / f"more_{case.name}.csv"
    draw_into(more, free.parent, many, seed=1)
    _rejected(more, rules, files["rejection"], use.rows)
    if importlib.util.find_spec("pishield") is not None:
        files["repair"] = _repaired(free, rules, directory / "repaired.csv", data)
    order = [name for name in ("none", "gate", "repair", "rejection") if name in files]
    found = [_measured(case, use, name, files[name], rules, data) for name in order]
    if "repair" not in files:
        missing = "not installed: pip install pishield"
        found.append(
            {"name": f"{case.name}, repair", "table": case.name, "mechanism": "repair", "lacks": missing}
        )
    return found


def _run(case: Case, use: Use, data: Path, root: Path, directory: Path, chosen: str) -> Path:
    path = scenario(case, data, root, directory, plain=use.plain, filter={"kind": chosen})
    run = lem_safe.run(path, out=directory / f"{case.name}_{chosen}", with_report=False)
    return run.directory / "samples.csv"


def _table(path: Path) -> tuple[list[str], list[list[str]]]:
    with path.open(newline="") as file:
        header, *rows = csv.reader(file)
    return header, rows


def _written(path: Path, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    with path.open("w", newline="") as out:
        csv.writer(out).writerows([header, *rows])


def _rejected(more: Path, rules: Path, out: Path, n: int) -> None:
    """The first n rows that break no rule; all, where there are fewer."""
    header, rows = _table(more)
    asked = rules_in(rules.read_text())
    bad = np.concatenate([part.any(1) for part in broken(asked, rows, range(len(header)))])
    _written(out, header, [row for row, wrong in zip(rows, bad, strict=True) if not wrong][:n])


def _repaired(free: Path, rules: Path, out: Path, data: Path) -> Path:
    """Rows after PiShield's layer, rounded to the decimals that their columns have in the data."""
    from pishield.shield_layer import build_shield_layer

    header, rows = _table(free)
    _, real = _table(data)
    digits = [max(len(row[j].partition(".")[2]) for row in real) for j in range(len(header))]
    linear = out.with_suffix(".txt")  # its parser takes no line without a rule
    linear.write_text("\n".join(line for line in rules.read_text().splitlines() if line.strip()))
    with contextlib.redirect_stdout(io.StringIO()):
        layer = build_shield_layer(len(header), str(linear), requirements_type="linear")
        fixed = layer(torch.tensor([[float(cell) for cell in row] for row in rows], dtype=torch.float32))
    before = np.array([[float(cell) for cell in row] for row in rows], dtype=np.float32)
    values = fixed.numpy()
    made = [
        [
            rows[i][j] if values[i, j] == before[i, j] else f"{values[i, j]:.{digits[j]}f}"
            for j in range(len(header))
        ]
        for i in range(len(rows))
    ]
    _written(out, header, made)
    return out


def _measured(case: Case, use: Use, name: str, file: Path, rules: Path, data: Path) -> dict[str, Any]:
    categories = [use.target] if use.category else []
    judged = lem_safe.quality(file, data, target=use.target, categories=categories)
    measures = {m.name: m.beside for m in judged.measures if m.beside is not None}
    counted = judge(rules, file)
    found: dict[str, Any] = {
        "name": f"{case.name}, {name}",
        "table": case.name,
        "mechanism": name,
        "rows": counted["rows"],
        "violating": counted["any_rule"],
    }
    for key in ("score_boosting", "score_logistic", "utility", "columns_mean"):
        if key in measures:
            beside = measures[key]
            found |= {key: beside.found, f"{key}_sd": beside.found_sd, f"{key}_floor": beside.floor}
    return found
