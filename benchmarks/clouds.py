"""How long 100 clouds of 20 particles take, taking their steps together, beside one cloud of 2,000.

    python -m benchmarks clouds
    python -m benchmarks.clouds [--steps N] [--rounds N] [--takes N]

Both are run as `run` runs them, recorded and counted, in one process on one core, turn about. The same run is
taken several times: of each round of steps the least processor time of all takes, and of these the mean over
the rounds, since some steps are more work than others. Two dimensions, float32, one ball, at most 5 % of the
particles in it; an energy that costs next to nothing (a ring) and a network (an MLP, three layers of 64).
`one by one` is what the clouds take each by itself.
"""

import argparse
import json
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import torch

from benchmarks.takes import per_step
from lem_safe.cloud_keys import CloudKey
from lem_safe.energies.mlp import MLP
from lem_safe.keys import Key
from lem_safe.progress import Silent
from lem_safe.registry import loads
from lem_safe.runs.problem import Problem, build
from lem_safe.runs.recorded_chain import RecordedChain
from lem_safe.runs.recorded_clouds import RecordedClouds
from lem_safe.runs.starting import start

CLOUDS, PARTICLES = 100, 20
WARM, ALONE = 200, 2
"""Steps before the first that is timed; of the clouds that run by themselves, how many do."""
FILTERS = {
    "none": "{kind: none}",
    "gate": "{kind: gate}",
    "tilt": "{kind: tilt, multipliers: [1.0]}",
    "step": "{kind: step}",
    "step, smoothed": "{kind: step, smoothing: {kind: sigmoid, width: 0.1}}",
    "drift": "{kind: drift}",
    "drift, smoothed": "{kind: drift, smoothing: {kind: sigmoid, width: 0.1}}",
}
TEXT = """
version: 1
name: clouds
energy: {kind: ring}
unsafe: {ball: {kind: ball, center: [1.0, 0.0], radius: 0.5}}
constraints: [{set: ball, beta: 0.05}]
sampler: {kind: langevin, samples: SAMPLES, steps: 100000, step_size: 0.01,
          init: {kind: gaussian, mean: [-1, 0], std: 0.5}}
filter: FILTER
"""


def measure(steps: int = 30, rounds: int = 8, takes: int = 4) -> list[dict[str, Any]]:
    """One row for each energy and filter: milliseconds per step of each, and the ratio of the first two."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return [
            _row(energy, chosen, steps, rounds, takes) for energy in ("ring", "network") for chosen in FILTERS
        ]
    finally:
        torch.set_num_threads(threads)


@torch.no_grad()
def _row(energy: str, chosen: str, steps: int, rounds: int, takes: int) -> dict[str, Any]:
    few, many = (_problem(energy, chosen, n) for n in (PARTICLES, PARTICLES * CLOUDS))
    seconds = per_step(partial(_sides, few, many), WARM, steps, rounds, takes)
    seconds["one_by_one"] *= CLOUDS / ALONE
    return {
        "energy": energy,
        "filter": chosen,
        **{f"{side}_ms": round(1e3 * taken, 3) for side, taken in seconds.items()},
        "ratio": round(seconds["clouds"] / seconds["one"], 2),
    }


def _sides(few: Problem, many: Problem) -> dict[str, list[RecordedChain]]:
    """One cloud, the clouds together, and two of them by themselves."""
    return {
        "one": [RecordedChain(_course(many), Key(3).fold("chain"), start(many, Key(3)))],
        "clouds": [RecordedClouds(_course(few), *zip(*_begun(few, CLOUDS), strict=True))],
        "one_by_one": [RecordedChain(_course(few), *begun) for begun in _begun(few, ALONE)],
    }


def _problem(energy: str, chosen: str, samples: int) -> Problem:
    text = TEXT.replace("SAMPLES", str(samples)).replace("FILTER", FILTERS[chosen])
    problem = build(loads(text), progress=Silent())
    if energy == "ring":
        return problem
    network = MLP().build(2, torch.Generator().manual_seed(0)).float().requires_grad_(False)
    return replace(problem, potential=network)


def _course(problem: Problem) -> Any:
    course = problem.course("clouds", 100_000, filtered=problem.filter is not None)
    return replace(course, steps=WARM + 10_000)


def _begun(problem: Problem, clouds: int) -> Iterator[tuple[CloudKey, torch.Tensor]]:
    for r in range(clouds):
        key = Key(3) if r == 0 else Key(3).fold("replica", r)
        yield CloudKey.of(key.fold("chain"), Key(3).fold("chain"), r), start(problem, key)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--takes", type=int, default=4)
    print(json.dumps(measure(**vars(parser.parse_args())), indent=1))
