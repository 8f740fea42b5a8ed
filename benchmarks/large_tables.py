"""A table of a million rows: reading, training, and a million rows drawn and written; seconds and memory.

The table is made here: 15 columns of every kind, of which six numbers have many different values. One
process does everything, as a person's would; the peak of each phase is its own (Linux' VmHWM, set back
before it), and includes what the process holds from earlier ones. Ranks and networks see all rows; the
mixture is fitted to 100,000 of them. Seconds are
processor time, on one thread.
"""

import csv
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from ruamel.yaml import YAML

from benchmarks.markdown import table

ROWS = 1_000_000
STEPS = 2
"""Steps that are taken by a million particles; each takes as long as another."""
PART = 50_000
NAMES = """age amount fee score weight visits height share status sex region member joined income
latitude"""


def measure() -> list[dict[str, Any]]:
    """One row for each phase."""
    with tempfile.TemporaryDirectory() as directory:
        place = Path(directory)
        _make(place / "data.csv")
        found = subprocess.run(
            [
                sys.executable,
                "-c",
                "import benchmarks.large_tables as b, sys; b._phases(sys.argv[1])",
                directory,
            ],
            env={**os.environ, "LEM_SAFE_CACHE": str(place / "cache")},
            check=True,
            stdout=subprocess.PIPE,
            text=True,
        )
        rows = [line.split("|") for line in found.stdout.splitlines() if line.startswith("phase|")]
        return [
            {"phase": name, "seconds": float(s), "peak_mib": int(m), "table_rows": ROWS, "steps": STEPS}
            for _, name, s, m in rows
        ]


def _make(path: Path) -> None:
    r = np.random.default_rng(0)
    with path.open("w", newline="") as file:
        out = csv.writer(file)
        out.writerow(NAMES.split())
        for _ in range(ROWS // PART):
            out.writerows(_rows(r, PART))


def _rows(r: np.random.Generator, n: int) -> Iterator[tuple[Any, ...]]:
    k = r.integers(0, 3, n)
    amount = np.exp(r.normal(3 + k, 1, n)).round(2)
    income = np.exp(r.normal(10, 0.5, n)).astype(int).astype(object)
    income[r.random(n) < 0.1] = ""
    return zip(
        r.integers(17, 90, n),
        amount,
        np.where(r.random(n) < 0.7, 0, (amount * 0.03).round(2)),
        r.normal(size=n) + k,
        r.gamma(5, 10, n).round(1),
        r.poisson(3 + 2 * k),
        r.normal(170, 9, n).round(1),
        r.beta(2, 5, n).round(4),
        np.array(["new", "used", "old"])[k],
        np.array(["F", "M"])[r.integers(0, 2, n)],
        np.array([f"r{i}" for i in range(20)])[r.integers(0, 20, n)],
        np.array(["yes", "no"])[(r.random(n) < 0.2 + 0.2 * k).astype(int)],
        (np.datetime64("2015-01-01") + r.integers(0, 3000, n)).astype(str),
        income,
        r.normal(50, 2, n),
        strict=True,
    )


SCENARIO = {
    "version": 1,
    "name": "large",
    "energy": {
        "kind": "trained",
        "data": {"kind": "file", "path": "data.csv", "missing": "keep"},
        "network": {"kind": "mixture_base", "hidden": 128, "depth": 2},
        "training": {"steps": 1000, "learning_rate": 0.002},
    },
    "unsafe": {"odd": {"kind": "rule", "where": "status == 'new' and amount > 200 or fee > amount"}},
    "constraints": [{"set": "odd", "beta": 0}],
    "sampler": {"kind": "mixed", "samples": 20_000, "steps": 40, "step_size": 0.05},
    "filter": {"kind": "gate"},
    "monitors": {"samples": 0},
}


def _phases(directory: str) -> None:
    """Everything, in this process; prints the seconds and the peak of each phase."""
    import torch

    import lem_safe
    from lem_safe.progress import Silent
    from lem_safe.runs.learned_parts import train
    from lem_safe.runs.more_samples import draw_into

    torch.set_num_threads(1)
    place = Path(directory)
    path = place / "large.yaml"
    with path.open("w") as file:
        YAML().dump(SCENARIO, file)
    scenario = _timed("read", lambda: lem_safe.load(path))
    _timed("train", lambda: train(scenario, None, Silent()))
    run = _timed("run of 20,000", lambda: lem_safe.run(path, out=place / "run", with_report=False))
    for kind in ("csv", "parquet"):
        out = place / f"more.{kind}"
        _timed(
            f"1e6 rows to {kind}", lambda out=out: draw_into(out, run.directory, ROWS, seed=1, burn_in=STEPS)
        )


def _timed(name: str, work: Callable[[], Any]) -> Any:
    Path("/proc/self/clear_refs").write_text("5")
    began = time.process_time()
    found = work()
    lines = Path("/proc/self/status").read_text().splitlines()
    peak = next(int(line.split()[1]) // 1024 for line in lines if line.startswith("VmHWM"))
    print(f"phase|{name}|{time.process_time() - began:.1f}|{peak}", flush=True)
    return found


def section(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """The lines of docs/measurements.md."""
    return [
        f"A table of {rows[0]['table_rows']:,} rows and 15 columns of every kind, 102 MB of text: "
        "reading, training (1,000 steps; the mixture is fitted to 100,000 rows), a run of 20,000 "
        f"rows, and as many rows drawn as the table has, {rows[0]['steps']} steps each, and written."
        " One process; the peak of each phase includes what is held from earlier ones. Seconds of "
        "processor time, on one thread.",
        "",
        *table(
            ["phase", "seconds", "peak, MiB"],
            [[r["phase"], f"{r['seconds']:.0f}", f"{r['peak_mib']:,}"] for r in rows],
        ),
    ]
