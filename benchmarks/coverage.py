"""What every bound promises beside what it does: coverage by simulation, false certificates when one looks after every sample, speed.

    python -m benchmarks.coverage [--runs 10000] [--rows 10000000]

Coverage must reach .95; a false certificate must come at most .05 of the time. The rows called `planted` are methods known to fail,
shown because a simulation that cannot see them fail shows nothing: the normal approximation, Clopper–Pearson looked at after every
sample, and the particles of coupled clouds counted as independent.
"""

import argparse
import math
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
from scipy.stats import binom

from lem_safe.auditor import audit
from lem_safe.auditor.anytime import log_evidence_below
from lem_safe.auditor.betting import log_capital
from lem_safe.auditor.bounds import interval, lower_bound, upper_bound

CONFIDENCE = 0.95
RATES = (0.001, 0.01, 0.05, 0.3)


Row = tuple[str, float, str]
"""A method, the true fraction, what was measured."""


def coverage(covers: Callable[[int, int, float], bool], p: float, n: int, runs: int, rng: np.random.Generator) -> str:
    """How often `covers(count, n, p)`: over `runs` binomial counts, and exactly, by their law."""
    law = binom.pmf(np.arange(n + 1), n, p)
    held = np.array([covers(k, n, p) if law[k] > 1e-12 else True for k in range(n + 1)])
    return f"{held[rng.binomial(n, p, runs)].mean():.4f}  exactly {1 - law[~held].sum():.4f}  n = {n:,}"


def fixed_bounds(runs: int, rng: np.random.Generator) -> list[Row]:
    """Bounds for a sample size fixed beforehand."""
    z = 1.6448536269514722
    methods: dict[str, Callable[[int, int, float], bool]] = {
        "upper, Clopper-Pearson": lambda k, n, p: p <= upper_bound(k, n, CONFIDENCE),
        "lower, Clopper-Pearson": lambda k, n, p: p >= lower_bound(k, n, CONFIDENCE),
        "two-sided, Clopper-Pearson": lambda k, n, p: interval(k, n, CONFIDENCE)[0] <= p <= interval(k, n, CONFIDENCE)[1],
        "planted: upper, normal approximation": lambda k, n, p: p <= k / n + z * math.sqrt(k / n * (1 - k / n) / n),
    }
    return [(name, p, coverage(f, p, n, runs, rng)) for name, f in methods.items() for p in RATES for n in (300, 5000)]


def certifying_counts(decides: Callable[[int, int], bool], most: int) -> np.ndarray:
    """For each n from 1 to `most`, the largest count that certifies; −1 where none does."""
    counts, k = np.full(most, -1), -1
    for n in range(1, most + 1):
        while k + 1 < n and decides(k + 1, n):
            k += 1
        counts[n - 1] = k
    return counts


def false_certificates(runs: int, most: int, rng: np.random.Generator) -> list[Row]:
    """How often `beta` is certified at some look, one after every sample, when exactly beta is inside: the hardest case."""
    found = []
    for beta in (0.01, 0.05, 0.3):
        limits = {
            "anytime e-process": certifying_counts(lambda k, n, b=beta: log_evidence_below(k, n, b) >= math.log(20), most),
            "planted: Clopper-Pearson again and again": certifying_counts(
                lambda k, n, b=beta: upper_bound(k, n, 0.95) <= b, most
            ),
        }
        wrong = dict.fromkeys(limits, 0)
        for start in range(0, runs, 500):
            inside = np.cumsum(rng.random((min(500, runs - start), most)) < beta, axis=1, dtype=np.int32)
            for name, limit in limits.items():
                wrong[name] += int((inside <= limit).any(1).sum())
        found += [(name, beta, f"{count / runs:.4f}") for name, count in wrong.items()]
    return found


def clouds(runs: int, rng: np.random.Generator) -> list[Row]:
    """Coverage from 40 independent clouds of 100 particles that all do the same thing, and of 100 that do not."""
    found = []
    for p in (0.01, 0.05, 0.3):
        whole = (rng.random((runs, 40)) < p).astype(float)
        even = rng.binomial(100, p, (runs, 40)) / 100
        for name, x in (("coupled", whole), ("independent", even)):
            kept = np.mean([log_capital(row, p) < math.log(20) for row in x])
            found.append((f"betting, {name} particles", p, f"{kept:.4f}"))
        pooled = [p <= upper_bound(int(k), 4000, CONFIDENCE) for k in 100 * whole.sum(1)]
        found.append(("planted: coupled particles counted singly", p, f"{np.mean(pooled):.4f}"))
    return found


def speed(rows: int) -> dict[str, float]:
    """Rows a second and extra memory of an audit of a .npy file, a ball in two dimensions, float32."""
    scenario = SimpleNamespace(
        name="speed", columns=["x0", "x1"], unsafe={"ball": {"kind": "ball", "center": [2.0, 0.0], "radius": 0.5}},
        constraints=[SimpleNamespace(set="ball", beta=0.05)], fingerprint=lambda: "",
        audit=SimpleNamespace(confidence=CONFIDENCE, after_step=0, require="passed"),
    )  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.npy"
        x = np.lib.format.open_memmap(path, mode="w+", dtype=np.float32, shape=(rows, 2))
        for start in range(0, rows, 1 << 20):
            x[start : start + (1 << 20)] = np.random.default_rng(start).normal(size=x[start : start + (1 << 20)].shape)
        del x
        audit(np.zeros((10, 2)), scenario)  # what is imported late is imported now
        before, began = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.perf_counter()
        audit(path, scenario)
        seconds = time.perf_counter() - began
        return {
            "rows_per_second": rows / seconds,
            "extra_mib": (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024,
        }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=10_000)
    parser.add_argument("--looks", type=int, default=5_000, help="samples after each of which the anytime audit is looked at")
    parser.add_argument("--rows", type=int, default=10_000_000)
    options = parser.parse_args()
    rng = np.random.default_rng(0)
    measured = speed(options.rows)
    print("coverage (at least .95)")
    for name, p, value in fixed_bounds(options.runs, rng) + clouds(options.runs, rng):
        print(f"  {name:44s} p = {p:<6g} {value}")
    print(f"false certificates, looked at after each of {options.looks:,} samples (at most .05)")
    for name, p, value in false_certificates(options.runs, options.looks, rng):
        print(f"  {name:44s} p = {p:<6g} {value}")
    print(
        f"{options.rows:,} rows of .npy: {measured['rows_per_second']:,.0f} rows/s, {measured['extra_mib']:.0f} MiB more memory"
    )


if __name__ == "__main__":
    main()
