"""Processor time until samples have the distribution that was asked for: total variation at most .05 and .02
from the exact KL projection, by method.

    python -m benchmarks time_to_answer
    python -m benchmarks time_to_answer:line | :hexagon | :overlapping | :interval

Every method moves a cloud of 10,000 particles, float32, from the same start, which is outside of every set
and far from the answer. Its distribution after k steps is that of 8 such clouds together, in the cells of
`answer_truths`, and what so many independent draws would have anyway is subtracted. The time is that of one
cloud, the least of the 8, without imports and without what measures it. The first k counts from which on the
distance stays within ε, and of several step sizes the best, for each method.

gate + MALA    the Metropolis test of MALA, then the gate         drift     Langevin under the drift filter
tilt + MALA    a pilot of as many steps, then the run, both paid  step      Langevin under the step filter
thinning       MALA without a filter, then `lem_safe.thin`        projected Langevin, each particle projected
reject         MALA, no move into a set                           none      MALA
primal–dual    Langevin with the weight of primal–dual Langevin, dual rates .1 and 1

interval: PD-LMC on its own example, with its published settings (`pd_lmc`).
"""

import math
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

import lem_safe
from barriers.filters import FILTERS
from barriers.filters.base import insides
from barriers.patterns import Cloud, multipliers, unfiltered_masses
from benchmarks.answer_truths import TRUTHS, Masses, Truth, beyond, exact, floor, total_variation
from lem_safe.keys import Key
from lem_safe.samplers import Langevin, Mala, Sampler

PARTS = (*TRUTHS, "interval")
EPSILONS = (0.05, 0.02)
N, CLOUDS = 10_000, 8
LOOKS = sorted({*range(1, 13), *(round(2 ** (i / 3)) for i in range(11, 29))})
"""The steps after which a cloud is looked at: 1 to 645."""
TESTED, UNTESTED = (0.1, 0.2, 0.3, 1.0), (0.01, 0.03, 0.1, 0.3)
"""Step sizes with a Metropolis test and without."""

Seen = tuple[int, float, Tensor]
"""A number of steps, the seconds they took, and the samples that are there then."""
Run = Callable[[Truth, Key, int, Sequence[int]], Iterator[Seen]]


class Reached(NamedTuple):
    """When a distance is within ε for good: after so many steps, in seconds; None where it never is."""

    steps: int
    seconds: float


class Course(NamedTuple):
    """Distances of one setting by number of steps, beyond the floor, and the seconds until then."""

    looks: list[int]
    distances: list[float]
    seconds: list[float]

    def reached(self, ε: float) -> Reached | None:
        """The first look from which on every distance is at most ε."""
        late = [i for i, distance in enumerate(self.distances) if distance > ε]
        first = late[-1] + 1 if late else 0
        return Reached(self.looks[first], self.seconds[first]) if first < len(self.looks) else None


def measure(part: str | None = None) -> list[dict[str, Any]]:
    """One row for each distribution and method."""
    from benchmarks import pd_lmc

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.no_grad():
            names = [part] if part else list(PARTS)
            return [row for name in names for row in (pd_lmc.rows() if name == "interval" else _rows(name))]
    finally:
        torch.set_num_threads(threads)


def _rows(part: str) -> list[dict[str, Any]]:
    truth, rows = TRUTHS[part], []
    masses = exact(truth)
    for method, runs in METHODS.items():
        courses = {setting: course(truth, masses, run) for setting, run in runs.items()}
        rows.append(row(part, truth, method, courses, floor(masses, N * CLOUDS)))
        print(rows[-1], flush=True)
    return rows


def row(
    part: str, truth: Truth, method: str, courses: dict[str, Course], least: float, n: int = N
) -> dict[str, Any]:
    """What is kept of a method: for each ε the setting with the least time, and how near it comes at all."""
    found: dict[str, Any] = {"name": f"{part}: {method}", "part": part, "truth": truth.name, "method": method}
    found |= {"particles": n, "floor": round(least, 4)}
    for ε in EPSILONS:
        ended = [(r.seconds, r.steps, name) for name, c in courses.items() if (r := c.reached(ε))]
        best = min(ended) if ended else (None, None, None)
        found[f"{ε}"] = {
            "ms": None if best[0] is None else round(1e3 * best[0], 2),
            "steps": best[1],
            "setting": best[2],
        }
    settled = min((c.distances[-1], name) for name, c in courses.items())
    return found | {"settled": round(settled[0], 4), "settled_setting": settled[1]}


def course(truth: Truth, masses: Masses, run: Run, n: int = N, clouds: int = CLOUDS) -> Course:
    """One setting, seen in several clouds."""
    looks: list[int] = []
    counts: dict[int, np.ndarray] = {}
    seconds: dict[int, float] = {}
    for seed in range(clouds):
        for k, spent, x in run(truth, Key(seed), n, LOOKS):
            counts[k] = counts.get(k, 0) + truth.counts(x)
            seconds[k] = min(seconds.get(k, math.inf), spent)
    looks = sorted(counts)
    distances = [
        beyond(total_variation(counts[k], masses), floor(masses, int(counts[k].sum()))) for k in looks
    ]
    return Course(looks, distances, [seconds[k] for k in looks])


def _filter(kind: str, truth: Truth, h: float, **settings: Any) -> Any:
    context: dict[str, Any] = {"sets": truth.sets}
    if kind not in ("project", "reject", "tilt"):
        context["betas"] = truth.betas
    if kind in ("step", "drift", "primal_dual"):
        context["step_size"] = h
    return FILTERS[kind](**context, **settings)


def _tested(kind: str | None, truth: Truth, h: float, **settings: Any) -> Sampler:
    return Mala(truth.energy, h, step_filter=None if kind is None else _filter(kind, truth, h, **settings))


def _langevin(kind: str, truth: Truth, h: float, **settings: Any) -> Sampler:
    chosen = _filter(kind, truth, h, **settings)
    drift = chosen.hook == "drift"
    return Langevin(truth.energy, h, chosen if drift else None, None if drift else chosen)


def _chain(made: Callable[..., Sampler], kind: str | None, h: float, **settings: Any) -> Run:
    def run(truth: Truth, key: Key, n: int, looks: Sequence[int]) -> Iterator[Seen]:
        return _steps(made(kind, truth, h, **settings), truth.start(key, n), key, within(truth, h, looks))

    return run


def within(truth: Truth, h: float, looks: Sequence[int]) -> list[int]:
    """The looks at which a chain of this step size is not longer than it need be."""
    return [k for k in looks if k * h <= truth.longest]


def _steps(sampler: Sampler, x: Tensor, key: Key, looks: Sequence[int]) -> Iterator[Seen]:
    spent, began = 0.0, time.process_time()
    state = sampler.init(x)
    for k in range(1, looks[-1] + 1):
        state, _ = sampler.step(key.fold(k), state)
        if k in looks:
            spent += time.process_time() - began
            yield k, spent, state.x
            began = time.process_time()


def _last(sampler: Sampler, x: Tensor, key: Key, steps: int) -> Tensor:
    return next(iter(_steps(sampler, x, key, [steps])))[2]


def _tilted(h: float) -> Run:
    def run(truth: Truth, key: Key, n: int, looks: Sequence[int]) -> Iterator[Seen]:
        for k in within(truth, h, looks):
            first, x = truth.start(key.fold("pilot"), n), truth.start(key, n)
            began = time.process_time()
            pilot = _last(_tested(None, truth, h), first, key.fold("pilot"), k)
            known = unfiltered_masses([Cloud(insides(truth.sets, pilot), torch.zeros(len(truth.sets)))])
            μ = multipliers(known, truth.betas).tolist()
            ended = _last(_tested("tilt", truth, h, multipliers=μ), x, key, k)
            yield k, time.process_time() - began, ended

    return run


def refused(h: float) -> Run:
    """MALA that enters no set."""
    return _chain(_tested, "reject", h)


def thinned(h: float) -> Run:
    """MALA without a filter, then thinning."""

    def run(truth: Truth, key: Key, n: int, looks: Sequence[int]) -> Iterator[Seen]:
        regions = {f"s{i}": s for i, s in enumerate(truth.sets)}
        betas = {f"s{i}": β for i, β in enumerate(truth.betas)}
        seed = key.value % 2**31
        for k, spent, x in _chain(_tested, None, h)(truth, key, n, looks):
            began = time.process_time()
            kept = lem_safe.thin(x.numpy(), regions, beta=betas, seed=seed).selection
            yield k, spent + time.process_time() - began, torch.from_numpy(kept)

    return run


METHODS: dict[str, dict[str, Run]] = {
    "gate + MALA": {f"h {h:g}": _chain(_tested, "gate", h) for h in TESTED},
    "tilt + MALA": {f"h {h:g}": _tilted(h) for h in TESTED},
    "thinning": {f"h {h:g}": thinned(h) for h in TESTED},
    "step": {f"h {h:g}": _chain(_langevin, "step", h) for h in UNTESTED},
    "drift": {f"h {h:g}": _chain(_langevin, "drift", h) for h in UNTESTED},
    "primal–dual": {
        f"h {h:g}, rate {r:g}": _chain(_langevin, "primal_dual", h, dual_rate=r)
        for h in UNTESTED
        for r in (0.1, 1.0)
    },
    "projected": {f"h {h:g}": _chain(_langevin, "project", h) for h in UNTESTED},
    "reject": {f"h {h:g}": refused(h) for h in TESTED},
    "none": {f"h {h:g}": _chain(_tested, None, h) for h in TESTED},
}
"""Each method with its settings."""
