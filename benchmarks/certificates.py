"""How often `lem-safe certify` certifies what is over a tolerance, and how often what it aimed below:
simulated from the pilot to the decision.

    python -m benchmarks certificates            # the numbers, into results.json
    python -m benchmarks.certificates [--runs N] # the same, in a smaller size, to the terminal

A run draws a pilot's patterns of membership, solves the dual for its multipliers, draws batches from the tilt
with these multipliers, and evaluates the anytime-valid evidence after each. Its true masses are known, so it
is known whether a certificate is false. `planted` rows are procedures known to fail, which must be seen to
fail.
"""

import argparse
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from barriers.patterns import Masses, multipliers
from benchmarks.markdown import table
from lem_safe.bounds.anytime import log_evidence_above, log_evidence_below
from lem_safe.bounds.power import largest_probability
from lem_safe.bounds.several import p_certify
from lem_safe.scenario import Judged

RUNS = 10_000
CONFIDENCE, POWER = 0.95, 0.95
Row = dict[str, object]


@dataclass(frozen=True)
class Case:
    """patterns [p, m] with the unfiltered masses [p]; betas [m]; aim: as a share of the aim that `certify`
    would plan, or, where `of_beta`, of the tolerance itself.
    """

    name: str
    patterns: tuple[tuple[int, ...], ...]
    masses: tuple[float, ...]
    betas: tuple[float, ...]
    batch: int
    budget: int
    aim: float = 1.0
    of_beta: bool = False
    planted: bool = False
    particles: int | None = None

    @property
    def pilot(self) -> int:
        """Particles of the pilot; `particles` where given."""
        return self.particles or max(self.batch, self.budget // 2)

    @property
    def aims(self) -> tuple[float, ...]:
        """What the pilot aims at."""
        m = len(self.betas)
        if self.of_beta:
            return tuple(self.aim * β for β in self.betas)
        judged = Judged(self.budget, CONFIDENCE, "anytime")
        found = [
            largest_probability(self.budget, ((judged.most(β, m) or 0, (1 - POWER) / m),), β, self.pilot)
            for β in self.betas
        ]
        return tuple(self.aim * p for p in found)


ONE = {"patterns": ((0,), (1,)), "masses": (0.8, 0.2), "betas": (0.05,)}
RARE = {"patterns": ((0,), (1,)), "masses": (0.97, 0.03), "betas": (0.01,)}
THREE = {
    "patterns": ((0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 1, 0), (0, 1, 1), (1, 1, 1)),
    "masses": (0.70, 0.08, 0.07, 0.05, 0.05, 0.03, 0.02),
    "betas": (0.05, 0.08, 0.04),
}
CASES = (
    Case("one set, as planned", **ONE, batch=2000, budget=16_000),
    Case("a rare set, as planned", **RARE, batch=5000, budget=40_000),
    Case("three overlapping sets, as planned", **THREE, batch=2000, budget=16_000),
    Case("one set, aimed at its tolerance", **ONE, batch=500, budget=16_000, aim=1.0, of_beta=True),
    Case("one set, aimed 2 % over it", **ONE, batch=500, budget=16_000, aim=1.02, of_beta=True),
    Case("three sets, aimed at their tolerances", **THREE, batch=500, budget=16_000, aim=1.0, of_beta=True),
    Case(
        "planted: Clopper-Pearson after every batch",
        **ONE,
        batch=100,
        budget=16_000,
        aim=1.005,
        of_beta=True,
        planted=True,
        particles=1_000_000,
    ),
)


def simulated(case: Case, runs: int, rng: np.random.Generator) -> Row:
    """The shares of runs that end in a certificate, and in a false one."""
    certified = false = 0
    drawn = []
    for _ in range(runs):
        done, over, n = _certified(case, rng)
        certified, false = certified + done, false + (done and over)
        drawn.append(n)
    return {
        "case": case.name,
        "runs": runs,
        "planted": case.planted,
        "certified": certified / runs,
        "falsely": false / runs,
        "samples": float(np.median(drawn)),
        "budget": case.budget,
        "pilot": case.pilot,
    }


def _certified(case: Case, rng: np.random.Generator) -> tuple[bool, bool, int]:
    """Whether one run ends in a certificate, whether its samples' distribution is over a tolerance, and how
    many samples it drew.
    """
    patterns = np.array(case.patterns, dtype=bool)
    true = _tilted(case, patterns, rng.multinomial(case.pilot, case.masses))
    done, n = _decided(case, patterns, true, rng)
    return done, bool((true @ patterns > np.array(case.betas) * (1 + 1e-9)).any()), n


def _tilted(case: Case, patterns: np.ndarray, pilot: np.ndarray) -> np.ndarray:
    """The true masses of the patterns under the multipliers that a pilot with these counts gives."""
    seen = torch.from_numpy(pilot > 0)
    found = Masses(torch.from_numpy(patterns)[seen], torch.from_numpy(pilot / pilot.sum())[seen])
    μ = multipliers(found, case.aims).numpy()
    weights = np.array(case.masses) * np.exp(-(patterns @ μ))
    return weights / weights.sum()


def _decided(
    case: Case, patterns: np.ndarray, true: np.ndarray, rng: np.random.Generator
) -> tuple[bool, int]:
    """Whether all constraints are certified, and after how many samples it was decided whether they are."""
    m, α = len(case.betas), 1 - CONFIDENCE
    done, k, n = np.zeros(m, dtype=bool), np.zeros(m, dtype=int), 0
    while n < case.budget and not done.all():
        k, n = k + rng.multinomial(case.batch, true) @ patterns, n + case.batch
        if case.planted:
            done |= np.array([p_certify(int(k[i]), n, β) <= α / m for i, β in enumerate(case.betas)])
            continue
        done |= [log_evidence_below(int(k[i]), n, β) >= math.log(m / α) for i, β in enumerate(case.betas)]
        if any(log_evidence_above(int(k[i]), n, β) >= math.log(m / α) for i, β in enumerate(case.betas)):
            break
    return bool(done.all()), n


def measure() -> list[Row]:
    """For `python -m benchmarks`."""
    return [simulated(case, RUNS, np.random.default_rng(seed)) for seed, case in enumerate(CASES)]


def keeps(row: Row) -> bool:
    """Whether false certificates are as rare as promised, four standard errors of the simulation allowed."""
    α = 1 - CONFIDENCE
    return float(str(row["falsely"])) <= α + 4 * math.sqrt(α * (1 - α) / int(str(row["runs"])))


def section(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """The lines of docs/measurements.md."""
    most = max(r["falsely"] for r in rows if not r["planted"])
    return [
        "The whole procedure of `lem-safe certify`, from the pilot to the decision, simulated "
        f"{rows[0]['runs']:,} times a row. *falsely*: the share that is certified although the distribution "
        f"of its samples is over a tolerance: at most 5 % is promised, {100 * most:.2f} % is the largest. "
        "*certified* of the planned rows is to be at least 95 %. The planted row is known to fail.",
        "",
        *table(
            ["procedure", "certified", "falsely", "samples, median", "budget", "pilot"],
            [
                [
                    r["case"],
                    f"{100 * r['certified']:.1f} %",
                    f"{100 * r['falsely']:.2f} %",
                    *(f"{r[name]:,.0f}" for name in ("samples", "budget", "pilot")),
                ]
                for r in rows
            ],
        ),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=200)
    runs = parser.parse_args().runs
    for seed, case in enumerate(CASES):
        row = simulated(case, runs, np.random.default_rng(seed))
        mark = "planted" if row["planted"] else "ok" if keeps(row) else "FAILS"
        print(
            f"{mark:8s} {case.name:50s} certified {row['certified']:.3f}  falsely {row['falsely']:.4f}  "
            f"samples {row['samples']:,.0f} of {case.budget:,}"
        )


if __name__ == "__main__":
    main()
