"""How long a step takes, without taking one: the parts of it that are counted, at numpy's speed on this
machine, times factors.

The factors say by how much torch's operations differ from numpy's, and how many there are beside those that
are counted: `python -m benchmarks.estimate_factors` has fitted them to scenarios that it drew and timed, and
keeps them in `factors.json` with the range in which most of these were. What it has not timed is not
estimated.
"""

import json
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from barriers.arrays import Tensor, torch
from barriers.filters import FILTERS
from lem_safe.authoring.speeds import Clock, Speeds, of_membership
from lem_safe.authoring.work import NotCounted, Of, Spec, Work, work
from lem_safe.keys import Key
from lem_safe.registry import columns as columns_of
from lem_safe.registry import own_regions
from lem_safe.runs.replicas import NUMBERS, PARTICLES, ROWS
from lem_safe.scenario import Scenario

FACTORS, OTHERS = Path(__file__).with_name("factors.json"), "others"
POINTS, COORDINATES = 4096, 1 << 18
"""Of so many particles at most, and numbers of theirs, regions are asked which they contain."""

UNTESTED = ("langevin", "flow", "underdamped", "preconditioned", "annealed")
TESTED = ("mala", "parallel_tempering", "birth_death")
"""Samplers, by whether their moves are tested, so that a drift filter sees two places in a step."""
TWICE = ("parallel_tempering", "birth_death")
"""Samplers of which a step filter sees two moves in a step."""


class Estimate(NamedTuple):
    """Seconds of a step of one cloud, of all its chains: from, to."""

    least: float
    most: float


def estimated(scenario: Scenario, clock: Clock) -> Estimate:
    """The range in which the time of a step is likely to be; NotCounted where that is not known."""
    known = factors()
    seconds = combined(parts(scenario, Speeds.here(clock), clock), known["factors"])
    least, most = within(scenario, known["within"])
    return Estimate(seconds * least, seconds * most)


def within(scenario: Scenario, known: Mapping[str, list[float]]) -> tuple[float, float]:
    """From and to, as multiples of the estimate: of filters that are named among these, and of OTHERS."""
    kinds = [kind for kind, _ in _filters(scenario.filter, scenario.sampler.kind)]
    ends = [known.get(kind, known[OTHERS]) for kind in kinds or [OTHERS]]
    return min(least for least, _ in ends), max(most for _, most in ends)


@cache
def factors() -> dict[str, Any]:
    """What was fitted: `factors` by the name of a part; `within`, the range of time over estimate by the kind
    of the filter.
    """
    found: dict[str, Any] = json.loads(FACTORS.read_text(encoding="utf-8"))
    return found


def combined(parts: Mapping[str, float], factors: Mapping[str, float]) -> float:
    """The estimate; NotCounted where a part has no factor."""
    for name in parts:
        if name not in factors:
            raise NotCounted(f"the {name.partition(',')[0]}")
    return sum(factors[name] * seconds for name, seconds in parts.items())


def parts(scenario: Scenario, speeds: Speeds, clock: Clock) -> dict[str, float]:
    """The seconds per step that numpy would take for each part, by its name."""
    columns = tuple(scenario.columns or columns_of(scenario.energy))
    clouds = together(scenario, len(columns))
    chains = 1 if scenario.filter["kind"] == "none" else 2
    found = {name: chains * seconds for name, seconds in _moves(scenario, len(columns), clouds, speeds)}
    where, regions = ", whitened" * _whitened(scenario.energy), _membership(scenario, columns, clouds, clock)
    n, m = clouds * scenario.sampler.samples, len(scenario.constraints)
    asked = chains
    for kind, times in _filters(scenario.filter, scenario.sampler.kind):
        name, asked = f"filter {kind}{where}", asked + times
        found[f"{name}, calls"] = times * m * speeds.call
        found[f"{name}, numbers"] = times * n * m * len(columns) * speeds.number * _size(scenario)
        if FILTERS[kind.partition(" ")[0]].by_distance:
            found[f"{name}, regions"] = times * regions
    found[f"regions{where}"] = asked * regions
    return {name: seconds / clouds for name, seconds in found.items()}


def together(scenario: Scenario, d: int) -> int:
    """How many clouds take their steps together (`lem_safe.runs.replicas`)."""
    s = scenario.sampler
    metric = s.own.get("metric", "covariance" if s.kind == "preconditioned" else None)
    if s.kind == "birth_death" or s.own.get("adapt") or isinstance(metric, str):
        return 1
    rows = max(s.steps * len(scenario.constraints), 1)
    most = min(PARTICLES // s.samples, NUMBERS // (s.samples * d), ROWS // rows)
    return max(1, min(scenario.audit.replicas, most))


def _moves(scenario: Scenario, d: int, clouds: int, speeds: Speeds) -> Iterator[tuple[str, float]]:
    """A step of one chain without its filter, and without its regions."""
    s, wide = scenario.sampler, _size(scenario)
    if s.kind not in (*UNTESTED, *TESTED):
        raise NotCounted(f"the sampler {s.kind}")
    copies = 1 + len(s.own.get("temperatures", ()))
    taken, rows = _gradient(scenario, d), clouds * s.samples * copies
    product, number, call = speeds.product * wide, speeds.number * wide, speeds.call
    yield "products", rows * product * taken.products
    yield "convolutions", rows * product * taken.convolved
    yield "activations", rows * number * taken.activations
    yield "numbers", rows * number * taken.numbers
    yield "operations", call * taken.operations
    yield "step", call
    yield "step, numbers", rows * d * number
    if s.kind in TESTED:
        yield "test", call * copies
        yield "test, numbers", rows * (d + 3) * number


def _gradient(scenario: Scenario, d: int) -> Work:
    """The gradient at every particle, in a metric, and at those that are born."""
    of, s = Of(d, scenario.seed), scenario.sampler
    each = [work(scenario.energy, of), *(work(p.energy, of) for p in scenario.penalties)]
    taken = Work().plus(*each)
    if s.kind == "birth_death":
        taken = taken.times(1 + 0.5 / s.own.get("every", 10))
    if s.kind == "preconditioned" or s.own.get("metric") is not None:
        taken = taken.plus(Work(products=2 * d**2, numbers=2 * d, operations=4))
    return taken


def _filters(spec: Spec, sampler: str) -> Iterator[tuple[str, int]]:
    """Every filter of a specification, and how often it acts in a step."""
    kind = spec["kind"]
    if kind == "none":
        return
    if members := FILTERS[kind].members:
        for member in spec[members]:
            yield from _filters(member, sampler)
        return
    again = TESTED if FILTERS[kind].hook == "drift" else TWICE
    yield kind + " with a smoothing" * ("smoothing" in spec), 2 if sampler in again else 1


def _whitened(energy: Any) -> bool:
    """Whether an energy is sampled in the coordinates that it was learned in (`sampler_coordinates`), so that
    regions are seen through these.
    """
    if isinstance(energy, list | tuple):
        return any(map(_whitened, energy))
    if not isinstance(energy, Mapping):
        return False
    if energy.get("kind") == "trained":
        return bool(energy["network"]["kind"] != "convolutional")
    return _whitened(list(energy.values()))


def _membership(scenario: Scenario, columns: tuple[str, ...], clouds: int, clock: Clock) -> float:
    """The seconds of asking every constrained region which particles it contains."""
    named, n = own_regions(scenario, columns), clouds * scenario.sampler.samples
    most = max(1, min(n, POINTS, COORDINATES // len(columns)))
    points = _points(scenario, most, len(columns))
    return n * sum(of_membership(named[c.set], points, clock) for c in scenario.constraints)


def _points(scenario: Scenario, n: int, d: int) -> Tensor:
    """Where particles may be: where they start, if that is a normal cloud, else a standard normal one."""
    init, dtype = scenario.sampler.init, getattr(torch, scenario.dtype)
    z = Key(0).fold("estimate").normal(torch.zeros(n, d, dtype=torch.float64))
    if init["kind"] == "gaussian":
        mean = torch.tensor(init["mean"], dtype=torch.float64)
        z = mean + z * torch.tensor(init.get("std", 1.0), dtype=torch.float64)
    return z.to(dtype)


def _size(scenario: Scenario) -> int:
    """How many times as long numbers of the scenario's type are as those that were timed."""
    return 2 if scenario.dtype == "float64" else 1
