"""The plan of a certification, stated before anything is drawn: which filter, at most how many samples in
batches of how many, and how far below the tolerances a tilt aims (A.20).

The particles of one filtered cloud depend on each other where the filter couples them. Such a scenario is
certified by independent clouds if it asks for them (`audit.replicas`), and otherwise with a tilt in the place
of its filter, whose samples are independent.
"""

import math
from dataclasses import dataclass
from typing import Any

from barriers.filters import couples
from lem_safe.bounds.power import largest_probability, pilot_particles
from lem_safe.errors import BadInput, Fault
from lem_safe.registry import chosen_couples, loads
from lem_safe.samplers import SAMPLERS
from lem_safe.scenario import Judged, Scenario, must_run
from lem_safe.scenario.aim import KEY, power_of

POWER = 0.95
"""The probability that all constraints are certified within the budget."""
NEAR, ENOUGH = 0.75, 0.5
"""The share of its tolerance that the default budget lets a tilt aim at, and the share that is enough where
more would take more than `BATCHES` batches.
"""
BATCHES = 16
PILOT = 100_000
"""Particles beyond which a pilot is not made larger for a larger budget."""
LARGEST = 1 << 33
"""The largest budget that is considered."""
CLOUD_BATCHES = 4
"""Evaluations of independent clouds."""


@dataclass(frozen=True)
class Plan:
    """scenario: what is built, with a filter that can be certified; a tilt's multipliers may still be open.
    budget: the most samples drawn. batch: the samples before each evaluation. particles: of each independent
    cloud; None where every sample is independent. pilot: particles of each round of a pilot; 0 without one.
    replaced: the kind of the filter that a tilt replaces.
    """

    scenario: Scenario
    budget: int
    batch: int
    particles: int | None
    pilot: int
    replaced: str | None

    def __str__(self) -> str:
        n, steps = self.batch, self.scenario.sampler.steps
        clouds = "" if self.particles is None else f" in {n // self.particles:,} clouds"
        learned = f"a pilot of {self.pilot:,} particles, which are not counted, then " if self.pilot else ""
        return (
            f"{learned}batches of {n:,} samples{clouds} until the bound decides, at most {self.budget:,} "
            f"samples; {steps:,} steps each, up to {(self.budget + self.pilot) * steps:.3g} particle-steps"
        )


def planned(scenario: Scenario, budget: int | None = None) -> Plan:
    """The plan of certifying a scenario with at most `budget` samples, by default enough to aim at three
    quarters of every tolerance, or at half of it where that would be expensive. Raises BadInput where no
    number of samples, or not so few, can certify it.
    """
    _must_be_certifiable(scenario, budget)
    if chosen_couples(scenario) and scenario.audit.replicas > 1:
        return _of_clouds(scenario, budget)
    own = str(scenario.filter["kind"])
    replaced = own if couples(scenario.filter) else None
    chosen = {"kind": "tilt", "multipliers": "auto"} if replaced else dict(scenario.filter)
    n = scenario.sampler.samples
    budget = _default(scenario, chosen) if budget is None else budget
    given: dict[str, Any] = {"filter": chosen}
    if power_of(chosen) is not None and KEY not in chosen:
        given["filter"] = {**chosen, KEY: list(_aims(scenario, chosen, budget))}
    batch = min(n, budget)
    pilot = 0 if power_of(chosen) is None else _pilot(scenario, budget)
    return Plan(_with(scenario, given, batch), budget, batch, None, pilot, replaced)


def _of_clouds(scenario: Scenario, budget: int | None) -> Plan:
    n = scenario.sampler.samples
    clouds = scenario.audit.replicas if budget is None else budget // n
    if clouds < 2:
        raise BadInput(
            Fault(f"must be at least two clouds of {n:,} samples, {2 * n:,}; got {budget:,}", file="--budget")
        )
    given: dict[str, Any] = {"audit.replicas": clouds}
    if KEY not in scenario.filter:
        given["filter"] = {**scenario.filter, KEY: "auto"}
    batch = n * math.ceil(clouds / CLOUD_BATCHES)
    return Plan(_with(scenario, given, n), clouds * n, batch, n, 0, None)


def _with(scenario: Scenario, given: dict[str, Any], samples: int) -> Scenario:
    """The scenario with these values, and what a certificate requires of the audit."""
    changed = {**given, "sampler.samples": samples, "audit.require": "anytime"}
    return loads(scenario.to_yaml(), changed).from_file(scenario.source)


def _aims(scenario: Scenario, chosen: dict[str, Any], budget: int) -> tuple[float, ...]:
    """For each constraint the largest probability with which independent samples, their multipliers learned
    from a pilot, are certified within the budget as surely as the filter's `power`; BadInput where 0 is.
    """
    m = len(scenario.constraints)
    judged = Judged(budget, scenario.audit.confidence, "anytime")
    pilot, power = _pilot(scenario, budget), power_of(chosen) or POWER
    found = []
    for c in scenario.constraints:
        most = judged.most(c.beta, m)
        if most is None:
            raise BadInput(_too_few(scenario, budget))
        found.append(largest_probability(budget, ((most, (1 - power) / m),), c.beta, pilot))
    return tuple(found)


def _pilot(scenario: Scenario, budget: int) -> int:
    """Particles of a pilot: half as many as the budget, as what it does not know must be paid in samples."""
    least = pilot_particles(scenario.sampler.samples, [c.beta for c in scenario.constraints])
    return max(least, min(budget // 2, PILOT))


def _default(scenario: Scenario, chosen: dict[str, Any]) -> int:
    """The least doubled number of batches with which a tilt aims near every tolerance."""
    n, betas = scenario.sampler.samples, [c.beta for c in scenario.constraints]
    batches = 1
    while batches * n <= LARGEST:
        try:
            shares = [aim / β for aim, β in zip(_aims(scenario, chosen, batches * n), betas, strict=True)]
        except BadInput:
            shares = [0.0]
        if min(shares) >= (NEAR if batches <= BATCHES else ENOUGH):
            return batches * n
        batches *= 2
    raise BadInput(_too_few(scenario, LARGEST))


def _too_few(scenario: Scenario, budget: int) -> Fault:
    judged = Judged(budget, scenario.audit.confidence, "anytime")
    least = min(scenario.constraints, key=lambda c: c.beta)
    lacking = judged.lacking(least.beta, len(scenario.constraints)) or ""
    return Fault(
        f"{budget:,} samples are too few to certify beta = {least.beta:g} in '{least.set}', even with none "
        f"inside; {lacking.replace('sampler.samples', '--budget')}",
        file="--budget",
    )


def _must_be_certifiable(scenario: Scenario, budget: int | None) -> None:
    must_run(scenario)
    where = str(scenario.source or scenario.name)
    faults = [
        Fault(
            "beta = 0 cannot be certified by any number of samples; use a beta above 0",
            where,
            key=f"constraints.{i}.beta",
        )
        for i, c in enumerate(scenario.constraints)
        if c.beta == 0
    ]
    if scenario.sweep is not None:
        faults.append(Fault("is several runs; certify one of them", where, key="sweep"))
    if scenario.seed in scenario.audit.tuned_with:
        faults.append(
            Fault(
                f"{scenario.seed} is among audit.tuned_with, the seeds that chose this scenario's numbers, "
                "and certifies nothing; choose another with --seed",
                where,
                key="seed",
            )
        )
    if scenario.audit.replicas == 1 and (fault := _dependent(scenario)) is not None:
        faults.append(fault)
    if budget is not None and budget < 1:
        faults.append(Fault(f"must be at least 1; got {budget}", file="--budget"))
    if faults:
        raise BadInput(faults)


def _dependent(scenario: Scenario) -> Fault | None:
    """What makes the particles of one cloud dependent whatever the filter, which no tilt replaces."""
    where, kind = str(scenario.source or scenario.name), scenario.sampler.kind
    if scenario.sampler.own.get("metric") in ("covariance", "hessian"):
        return Fault(
            "is computed from the particles themselves, which makes them dependent; give a matrix, or "
            "use the sampler mala without a metric",
            where,
            key="sampler.metric",
        )
    if SAMPLERS[kind].couples:
        return Fault(
            f"{kind} makes the particles of a cloud dependent, so that one cloud certifies nothing; use "
            "audit.replicas, or the sampler mala",
            where,
            key="sampler.kind",
        )
    return None
