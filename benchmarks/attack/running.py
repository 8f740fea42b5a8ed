"""Runs the families and counts: a row a family, every wrong case named."""

import json
import os
import shutil
import tempfile
import time
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

from benchmarks.attack.case import Case, wrong
from benchmarks.attack.families import FAMILIES
from lem_safe.provenance import versions

WARM = (
    "encodings.utf_8_sig",
    "encodings.cp437",
    "encodings.latin_1",
    "encodings.unicode_escape",
    "torch",
    "numpy",
    "safetensors.torch",
    "pyarrow.parquet",
    "scipy.stats",
    "matplotlib.pyplot",
    "sklearn.mixture",
    "jinja2",
    "rich.progress",
    "lem_safe.runs.sweep",
    "lem_safe.report",
    "lem_safe.comparison.compare",
    "lem_safe.ood.evaluate",
    "lem_safe.auditing",
    "lem_safe.authoring.starter",
    "lem_safe.authoring.explain",
    "lem_safe.cli",
)
"""Imported before anything is forked: an import is no case's fault."""


def measure(names: Sequence[str] | None = None) -> list[dict[str, object]]:
    """A row for each family: its cases, how many end as they must, and the others by name. A family that has
    been run of the same commit, without changes, is not run again: an interrupted attack goes on.
    """
    for name in WARM:
        import_module(name)
    commit = versions()["commit"]
    kept = Path(tempfile.gettempdir()) / f"lem-safe-attack-{commit}.json"
    settled = isinstance(commit, str) and commit.isalnum()
    rows = json.loads(kept.read_text(encoding="utf-8")) if settled and kept.is_file() else {}
    for name in names or FAMILIES:
        if name not in rows:
            rows[name] = family(name)
            if settled:
                kept.write_text(json.dumps(rows), encoding="utf-8")
    return [rows[name] for name in names or FAMILIES]


def family(name: str) -> dict[str, object]:
    """The row of one family."""
    began, seconds, faults, count = time.monotonic(), [0.0], [], 0
    with tempfile.TemporaryDirectory() as place:
        os.chmod(place, 0o755)
        shared = Path(place) / "shared"
        shared.mkdir()
        for case in FAMILIES[name](shared):
            count += 1
            fault, took = tried(case, Path(place) / "case")
            seconds.append(took)
            if fault is not None:
                faults.append(f"{case.name}: {fault}")
                print(f"    {faults[-1]}", flush=True)
    row: dict[str, object] = {
        "family": name,
        "cases": count,
        "right": count - len(faults),
        "wrong": faults,
        "slowest_seconds": round(max(seconds), 2),
        "seconds": round(time.monotonic() - began, 1),
    }
    print(f"{name}: {row['right']} of {count}, {row['seconds']} s", flush=True)
    return row


def tried(case: Case, folder: Path) -> tuple[str | None, float]:
    """One case in a fresh folder: what was wrong, and how long it took."""
    folder.mkdir()
    try:
        outcome = case.run(folder)
        return wrong(case, outcome, folder), outcome.seconds
    finally:
        shutil.rmtree(folder, ignore_errors=True)
