"""What every bound promises beside what it does: coverage by simulation, and false certificates when a bound
is evaluated after every sample.

    python -m benchmarks coverage            # the numbers, into results.json
    python -m benchmarks.coverage [--runs N] # the same, in a smaller size, to the terminal
    python -m benchmarks.coverage --page     # docs/coverage.md, from results.json

Coverage must reach .95; a false certificate must come at most .05 of the time. Methods called `planted` are
known to fail: a simulation that does not show that they fail shows nothing.
"""

import argparse
import json
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks.coverage_page import page
from benchmarks.coverage_simulations import Row, binomial, clouds, families, looks, memory

HERE = Path(__file__).parent
PAGE = HERE.parent / "docs" / "coverage.md"

RUNS, LOOKS = 10_000, 5_000


def everything(runs: int, most: int) -> list[Row]:
    """All of it; each part from a seed of its own."""
    parts: list[Callable[[np.random.Generator], list[Row]]] = [
        lambda rng: binomial(runs, rng),
        lambda rng: families(runs, rng),
        lambda rng: looks(runs, most, rng),
        lambda rng: clouds(runs, rng),
        lambda rng: memory(max(runs // 10, 20), rng),
    ]
    return [r for seed, part in enumerate(parts) for r in part(np.random.default_rng(seed))]


def measure() -> list[Row]:
    """For `python -m benchmarks`."""
    return everything(RUNS, LOOKS)


def keeps(r: Row) -> bool:
    """Whether a row keeps its promise, four standard errors of the simulation allowed."""
    found, promised, runs = float(str(r["found"])), float(str(r["promised"])), int(str(r["runs"]))
    slack = 4 * math.sqrt(promised * (1 - promised) / runs)
    return found <= promised + slack if r["what"] == "wrong at some look" else found >= promised - slack


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument(
        "--looks",
        type=int,
        default=1000,
        help="samples after each of which the anytime-valid audit is evaluated",
    )
    parser.add_argument("--page", action="store_true", help="write docs/coverage.md from results.json")
    options = parser.parse_args()
    if options.page:
        record = json.loads((HERE / "results.json").read_text())["benchmarks"]["coverage"]
        PAGE.write_text(page(record))
        return
    for r in everything(options.runs, options.looks):
        mark = "planted" if r["planted"] else "ok" if keeps(r) or r["what"] == "diagnostic" else "FAILS"
        print(f"{mark:8s} {r['what']:20s} {r['method']:60s} p = {r['p']:<6g} {r['found']:.4f}")


if __name__ == "__main__":
    main()
