"""What a command costs before it does anything that takes long: processor time, of the process and its
imports.

    python -m benchmarks fixed_costs

Each command is run as a process of its own, in rounds turn about; of each the least is kept. `import torch`
is Python with that import alone. Explanations are those of scenarios of which nothing was timed, whether or
not another one was, and of one that was. The report is that of a run of 5,000 samples, rendered again in a
process that has already done so once.
"""

import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

import lem_safe
from benchmarks.markdown import table
from lem_safe.files import CACHE_VARIABLE
from lem_safe.report.page import render

ROUNDS, ROWS = 5, 2000
MODULE = (sys.executable, "-m", "lem_safe")


def measure() -> list[dict[str, Any]]:
    """One row for each command: seconds of processor time, and of a clock."""
    with tempfile.TemporaryDirectory() as directory:
        samples = Path(directory) / "samples.csv"
        rows = np.random.default_rng(0).normal([-1.0, 0.0], 0.8, (ROWS, 2))
        np.savetxt(samples, rows, delimiter=",", header="x0,x1", comments="")
        commands = {
            "import torch": (sys.executable, "-c", "import torch"),
            "--help": (*MODULE, "--help"),
            "plan": (*MODULE, "plan", "--beta", "0.01", "--true", "0.003"),
            "list": (*MODULE, "list"),
            "schema": (*MODULE, "schema"),
            "validate": (*MODULE, "validate", "ring_keep_out"),
            "explain --timing": (*MODULE, "explain", "ring_keep_out", "--timing"),
            "explain, timed before": (*MODULE, "explain", "ring_keep_out"),
            "explain, another timed": (*MODULE, "explain", "behind_a_barrier"),
            "explain, nothing timed": (*MODULE, "explain", "ring_keep_out"),
            "explain, nothing trained": (*MODULE, "explain", "eight_gaussians"),
            "explain --no-timing": (*MODULE, "explain", "ring_keep_out", "--no-timing"),
            f"audit of {ROWS:,} rows": (*MODULE, "audit", str(samples), "ring_keep_out"),
        }
        found: dict[str, list[tuple[float, float]]] = {name: [] for name in commands}
        for _ in range(ROUNDS):
            for name, command in commands.items():
                cache = Path(directory) / ("empty" if "nothing" in name else "cache")
                found[name].append(_seconds(command, cache))
        report = _report(Path(directory) / "run")
    each = {name: [min(part) for part in zip(*taken, strict=True)] for name, taken in found.items()}
    each["report of a run"] = report
    return [
        {"name": name, "processor": round(taken[0], 2), "clock": round(taken[1], 2)}
        for name, taken in each.items()
    ]


def _seconds(command: Sequence[str], cache: Path) -> tuple[float, float]:
    """Processor and clock of one process, whose timings are in a cache of its own."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    compiled = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    compiled[CACHE_VARIABLE] = str(cache)
    done = subprocess.run(command, capture_output=True, check=False, env=compiled)
    if done.returncode not in (0, 1):
        raise RuntimeError(f"{' '.join(command)}: exit {done.returncode}: {done.stderr.decode()[-500:]}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return used, time.perf_counter() - began


def _report(directory: Path) -> list[float]:
    lem_safe.run("ring_keep_out", out=directory)
    found = []
    for _ in range(ROUNDS):
        used, began = time.process_time(), time.perf_counter()
        render(directory)
        found.append((time.process_time() - used, time.perf_counter() - began))
    return [min(part) for part in zip(*found, strict=True)]


def section(rows: Sequence[dict[str, Any]]) -> list[str]:
    """The lines of docs/measurements.md."""
    torch = next(r["processor"] for r in rows if r["name"] == "import torch")
    return [
        "Seconds of processor time and of a clock, each command as a process of its own, the least of "
        f"{ROUNDS}; the report is that of `ring_keep_out`, without the imports. Importing torch alone takes "
        f"{torch:.2f} s here, which a command pays that samples, trains or times; those that check or count "
        "have numpy in its place. The garbage collector waits while modules are imported, which saves a "
        "sixth. Modules are compiled beforehand, as an installation does.",
        "",
        *table(
            ["command", "processor, s", "clock, s"],
            [[r["name"], f"{r['processor']:.2f}", f"{r['clock']:.2f}"] for r in rows],
        ),
    ]
