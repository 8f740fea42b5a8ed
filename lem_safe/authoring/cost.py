"""What a scenario costs, in particle-steps and in seconds on this machine: by steps that are timed, or were
timed before, else by what its arithmetic takes.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from statistics import median
from typing import Any

from barriers.arrays import torch
from barriers.filters import learned, needs_pilot
from barriers.plain.needs import Choice, needing
from barriers.qp import Infeasible
from lem_safe.authoring.estimate import estimated
from lem_safe.authoring.speeds import Clock
from lem_safe.authoring.timings import Timing, Timings
from lem_safe.authoring.work import NotCounted
from lem_safe.cloud_keys import CloudKey
from lem_safe.errors import BadInput, NumericalFailure
from lem_safe.keys import Key
from lem_safe.progress import Silent
from lem_safe.registry import make
from lem_safe.runs.problem import Problem, build
from lem_safe.runs.recorded_chain import RecordedChain
from lem_safe.runs.recorded_clouds import RecordedClouds
from lem_safe.runs.replicas import batch
from lem_safe.runs.starting import start
from lem_safe.samplers import SAMPLERS
from lem_safe.scenario import Scenario
from lem_safe.training.trained import Trained

UNKNOWN = "How long a step takes is known once the energy is trained."
ENOUGH, MOST = 0.3, 1 << 18
"""The seconds of timed steps of each chain; the most coordinates of the particles that are timed, beyond
which the time is proportional to their number.
"""


def cost(
    scenario: Scenario,
    clock: Clock | None = None,
    kept: Timings | None = None,
    estimating: Clock | None = None,
) -> str:
    """The cost as sentences; in seconds too, of which each way is taken that the one before it leaves open.

    kept: by a timing that is kept there. clock: by timing steps, which is then kept, unless there is an
    energy to be trained first. estimating: by what the arithmetic takes, with that clock for numpy's speed.
    """
    s, filtered, clouds = scenario.sampler, scenario.filter["kind"] != "none", scenario.audit.replicas
    one = clouds * s.samples * s.steps
    each = f"{clouds:,} clouds x " if clouds > 1 else ""
    text = (
        f"{_large(one * (2 if filtered else 1))} particle-steps: {each}{s.samples:,} particles x "
        f"{s.steps:,} steps"
    )
    text += ", and as many again without the filter, to show what it changed." if filtered else "."
    if extra := SAMPLERS[s.kind].costs:
        text += f" {extra}"
    if "auto" in scenario.filter.values():
        text += " Before that a pilot run of about as many steps learns the multipliers."
    training = scenario.energy.get("training")
    if scenario.energy["kind"] == "trained" and training:
        text += f" Before that, unless it is in the cache, {training['steps']:,} training steps."
    return " ".join([text, *_seconds(scenario, clock, kept, estimating)])


def _seconds(
    scenario: Scenario, clock: Clock | None, kept: Timings | None, estimating: Clock | None
) -> Iterator[str]:
    """How long the steps take, as at most one sentence."""
    untrained = any(_untrained(scenario.content(), scenario.seed))
    found = None if kept is None or untrained else kept.last(scenario)
    if found is None and clock is not None and not untrained:
        found = timed(scenario, clock)
        if found is not None and kept is not None:
            kept.keep(scenario, found)
    if found is not None:
        by = f"{found.steps} timed steps" if found.on is None else f"{found.steps} steps timed on {found.on}"
        yield f"About {_duration(found.seconds * _steps(scenario))} on this machine, by {by}."
    elif estimating is not None:
        yield _estimated(scenario, estimating, untrained)
    elif clock is not None and untrained:
        yield UNKNOWN


def _estimated(scenario: Scenario, clock: Clock, untrained: bool) -> str:
    """The range that the arithmetic of the steps gives, or why it gives none."""
    instead = "; --timing times some steps instead"
    try:
        found = estimated(scenario, clock)
    except NotCounted as what:
        return UNKNOWN if untrained else f"How long a step takes is not estimated for {what}{instead}."
    steps = _steps(scenario)
    between = _between(found.least * steps, found.most * steps)
    once = " once the energy is trained" if untrained else ""
    return f"Roughly {between} on this machine{once}, estimated from the arithmetic of a step" + (
        "." if untrained else f"{instead}."
    )


def _steps(scenario: Scenario) -> int:
    """The steps of all clouds."""
    return scenario.audit.replicas * scenario.sampler.steps


def timed(scenario: Scenario, clock: Clock, enough: float = ENOUGH) -> Timing | None:
    """How long a step of the chains of a scenario takes, by steps of each that take `enough` seconds; None
    where they cannot be built or their first steps fail.
    """
    if Choice.plain:
        raise needing("timing steps")
    size = max(1, min(scenario.sampler.samples, MOST // max(len(scenario.columns or "xx"), 1)))
    try:
        problem = build(scenario.overridden(samples=size), progress=Silent())
        if problem.filter is not None and needs_pilot(problem.filter):
            problem = replace(problem, filter=learned(problem.filter, [0.0] * len(problem.sets)))
        chains = [False] if problem.filter is None else [False, True]
        with _one_thread():
            each = [_per_cloud_step(problem, clock, enough, filtered=filtered) for filtered in chains]
    except (BadInput, NumericalFailure, Infeasible):
        return None
    larger = scenario.sampler.samples / size
    return Timing(sum(one.seconds for one in each) * larger, sum(one.steps for one in each))


@contextmanager
def _one_thread() -> Iterator[None]:
    """As a run computes, unless told otherwise."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@torch.no_grad()
def _per_cloud_step(problem: Problem, clock: Clock, enough: float, *, filtered: bool) -> Timing:
    """The seconds of one step of one cloud, and how many steps were timed: with the other clouds that take
    it together, after a first step that is not timed.
    """
    course = problem.course("timing", problem.scenario.sampler.steps, filtered=filtered)
    keys = [Key(problem.scenario.seed).fold("timing", r) for r in range(problem.scenario.audit.replicas)]
    together = min(batch(course, start(problem, keys[0])), len(keys))
    if together == 1:
        chain = RecordedChain(course, keys[0], start(problem, keys[0]))
    else:
        own = [CloudKey.of(key, keys[0], r) for r, key in enumerate(keys[:together])]
        chain = RecordedClouds(course, own, [start(problem, key) for key in keys[:together]])
    if chain.is_over():
        return Timing(0.0, 0)
    chain.advance()
    took, last = list[float](), clock()
    while sum(took) < enough and not chain.is_over():
        chain.advance()
        took.append((now := clock()) - last)
        last = now
    return Timing(median(took or [0.0]) / together, len(took))


def _untrained(part: Any, seed: int) -> Any:
    """Every energy in a specification that would have to be trained first."""
    if isinstance(part, Mapping):
        if part.get("kind") == "trained":
            made = make("energies", part)
            if isinstance(made, Trained) and not made.path(seed).is_file():
                yield part
        part = list(part.values())
    if isinstance(part, list | tuple):
        for one in part:
            yield from _untrained(one, seed)


def _duration(seconds: float) -> str:
    """With two digits, in the largest unit of which there are two or more.

    >>> _duration(0.123), _duration(101), _duration(7300), _duration(2e7)
    ('0.12 seconds', '100 seconds', '2 hours', '230 days')
    """
    size, unit = _unit(seconds)
    return f"{_rounded(seconds / size)} {unit}"


def _between(least: float, most: float) -> str:
    """A range, each end with two digits, in the unit of the larger one.

    >>> _between(0.0341, 0.0949), _between(100, 300)
    ('0.034 to 0.095 seconds', '1.7 to 5 minutes')
    """
    size, unit = _unit(most)
    return f"{_rounded(least / size)} to {_rounded(most / size)} {unit}"


def _unit(seconds: float) -> tuple[int, str]:
    """The largest unit of which there are two or more, in seconds, and its name."""
    units = ((86400, "days"), (3600, "hours"), (60, "minutes"))
    return next(((size, unit) for size, unit in units if seconds >= 2 * size), (1, "seconds"))


def _rounded(number: float) -> str:
    return f"{float(f'{number:.2g}'):,g}"


def _large(count: int) -> str:
    for size, word in ((10**9, "billion"), (10**6, "million")):
        if count >= size:
            return f"{count / size:.3g} {word}"
    return f"{count:,}"
