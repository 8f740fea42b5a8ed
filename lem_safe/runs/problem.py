"""Builds the objects of a run from a scenario: names to objects, dtype and device, data units to sampler
coordinates.

An analytic energy is sampled in the data's units; a trained one in the whitened coordinates it was learned in
(units: architecture).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from barriers.arrays import Tensor, torch
from barriers.coordinates import Coordinates
from barriers.filters import HERE, AnyFilter, Whole, learned, over_clouds, spread
from barriers.sets import UnsafeSet
from barriers.sets.base import NotSmooth
from lem_safe.data import Dataset
from lem_safe.data.names import identifiers
from lem_safe.energies.base import Energy
from lem_safe.energies.composed import compose
from lem_safe.energies.pulled import in_coordinates
from lem_safe.errors import BadInput, Fault
from lem_safe.keys import Key
from lem_safe.normalization.log_z import align
from lem_safe.normalization.tails import check_tails, leaving
from lem_safe.processes.group import ALONE, Group
from lem_safe.progress import Progress
from lem_safe.registry import columns as columns_named
from lem_safe.registry import make, must_hold, own_regions
from lem_safe.runs.course import Course
from lem_safe.runs.given import Given, device_of, energy_of
from lem_safe.runs.learned_parts import Learner, Part
from lem_safe.runs.own_rows import outside
from lem_safe.runs.promise_check import EveryStep, Shortfall, shortfalls
from lem_safe.runs.rows_of_table import about_columns, conditioned, of_table
from lem_safe.runs.sampler_coordinates import over_coordinates, sampler_coordinates
from lem_safe.samplers import SAMPLERS, Sampler, particlewise, promise_under
from lem_safe.samplers.hooks import Hooks, hook
from lem_safe.samplers.initial_points import rows_of, still
from lem_safe.scenario import Scenario, must_run, without_aim


@dataclass(frozen=True)
class Problem:
    """Everything a run needs, built.

    energy: U_safe over data units. potential: the same over sampler coordinates, in the run's dtype and on
    its device.
    sets: one per constraint, over sampler coordinates. data: what the energy was trained on, or None. origin:
    of the energy.
    parts: its learned parts. warnings: what a user should know before trusting the composition. rows: the
    start of the particles, in data units, or None where they are drawn from a normal distribution. in_order:
    whether particle i starts at row i, which else are drawn. group: the processes that sample it together.
    multipliers: what a pilot has learned.
    """

    scenario: Scenario
    columns: tuple[str, ...]
    energy: Energy
    potential: Energy
    coordinates: Coordinates
    sets: tuple[UnsafeSet, ...]
    filter: AnyFilter | None
    data: Dataset | None
    origin: str
    dtype: torch.dtype
    device: torch.device
    parts: tuple[Part, ...] = ()
    warnings: tuple[str, ...] = ()
    rows: Tensor | None = None
    in_order: bool = False
    group: Group = ALONE
    multipliers: tuple[float, ...] | None = None

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(c.set for c in self.scenario.constraints)

    @property
    def betas(self) -> tuple[float, ...]:
        return tuple(c.beta for c in self.scenario.constraints)

    @property
    def couples(self) -> bool:
        """Whether the particles of a filtered cloud are dependent (A.2), by the filter or by the sampler."""
        filtered = self.filter is not None and self.filter.couples
        return filtered or SAMPLERS[self.scenario.sampler.kind].couples

    @property
    def limits(self) -> Tensor:
        """κβ of each constraint, with the filter's aim for β where it is lower; NaN without a surrogate."""
        return torch.full((len(self.sets),), torch.nan) if self.filter is None else self.filter.limits

    @property
    def scope(self) -> str:
        """What the filter promises under the scenario's sampler; for a chain of filters, what the last one
        does.
        """
        chosen = self.scenario.filter
        while chosen.get("filters"):
            chosen = chosen["filters"][-1]
        return promise_under(self.scenario.sampler.kind, chosen["kind"]).scope

    @property
    def promised(self) -> EveryStep | None:
        """The filter's promise about every step of a cloud; None where it makes none."""
        if self.filter is None or self.scope != "every step, this cloud":
            return None
        return EveryStep(self.names, self.scenario.aimed(), tuple(self.limits.double().tolist()))

    def missed(self, trace: Mapping[str, np.ndarray]) -> list[Shortfall]:
        """The shortfalls, over a recorded run, of a filter that promises in expectation; empty for others."""
        if self.filter is None or self.scope != "in expectation":
            return []
        settings = self.scenario.audit
        return shortfalls(self.names, self.betas, self.scenario.sampler.samples, trace, settings.after_step)

    def piloted_by(self, multipliers: Sequence[float] | None, samples: int | None = None) -> "Problem":
        """The problem with the multipliers of a pilot, and with as many particles as it had."""
        one = self if samples is None else replace(self, scenario=self.scenario.overridden(samples=samples))
        if multipliers is None:
            return one
        return replace(one, filter=learned(self.filter, multipliers), multipliers=tuple(multipliers))

    def sampler(self, *, filtered: bool, clouds: int | None = None, whole: Whole = HERE) -> Sampler:
        """The scenario's sampler with its filter, or without: the unfiltered energy for comparison. clouds:
        for so many side by side, which it must be able to run (`particlewise`). whole: for a part of a cloud.
        """
        spec = self.scenario.sampler
        chosen = self.filter if clouds is None else over_clouds(self.filter, clouds)
        chosen = spread(chosen, whole) if whole.spread else chosen
        hooks = hook(chosen) if filtered else Hooks()
        context = {
            "energy": self.potential,
            "drift_filter": hooks.drift_filter,
            "step_filter": hooks.step_filter,
            "steps": spec.steps,
            "whole": whole,
        }
        fields = {"kind": spec.kind, "step_size": spec.step_size, **spec.own}
        sampler: Sampler = make("samplers", fields, context=context)
        return sampler

    def course(self, title: str, steps: int, *, filtered: bool, whole: Whole = HERE) -> Course:
        """`steps` steps of that sampler, without a monitor; the filter's promise about them is checked."""
        sampler = self.sampler(filtered=filtered, whole=whole)
        over = partial(self.sampler, filtered=filtered)
        return Course(
            title=title,
            sampler=sampler,
            sets=self.sets,
            names=self.names,
            betas=self.betas,
            steps=steps,
            promised=self.promised if filtered else None,
            step_size=self.scenario.sampler.step_size,
            over=(lambda clouds: over(clouds=clouds)) if particlewise(sampler) else None,
        )


def build(
    scenario: Scenario,
    *,
    device: str = "cpu",
    progress: Progress,
    cache: Path | None = None,
    given: Given | None = None,
    group: Group = ALONE,
) -> Problem:
    """Builds a scenario, training its energy unless it is cached; `given` parts in place of its own. group:
    the processes that all build it. Raises BadInput for what cannot be built and NumericalFailure where
    training diverges.
    """
    where, dtype = device_of(device), getattr(torch, scenario.dtype)
    check_precision(scenario, progress, given)
    learner = Learner(scenario.seed, progress, cache, group)
    energy, origin, data = energy_of(scenario, learner, given)
    coordinates, safe = sampler_coordinates(energy, dtype), compose(energy, _penalties(scenario, learner))
    warnings = _composed(safe, coordinates, scenario, progress)
    columns = _columns(scenario, data)
    coordinates, data = of_table(scenario, columns, coordinates.to(where), data)
    named, rows = own_regions(scenario, columns), _rows(scenario, columns, data, given)
    potential = in_coordinates(safe, coordinates).to(device=where, dtype=dtype).requires_grad_(False)
    potential, coordinates, rows = conditioned(scenario, columns, coordinates, potential, rows)
    coordinates = _begun(coordinates, rows := _sound(rows, scenario, named), scenario, dtype)
    sets = _sets(scenario, columns, coordinates, named, where)
    return Problem(
        scenario=scenario,
        columns=columns,
        energy=safe,
        potential=potential,
        coordinates=coordinates,
        sets=sets,
        filter=_filter(scenario, sets),
        data=data,
        origin=origin,
        dtype=dtype,
        device=where,
        parts=tuple(learner.parts),
        warnings=warnings,
        rows=rows,
        in_order=given is not None and given.rows is not None,
        group=group,
    )


def _rows(
    scenario: Scenario, columns: tuple[str, ...], data: Dataset | None, given: Given | None
) -> Tensor | None:
    """The rows that particles start at; None where they start elsewhere."""
    if given is not None and given.rows is not None:
        return given.rows
    return rows_of(scenario.sampler.init, columns, data)


def _sound(rows: Tensor | None, scenario: Scenario, named: Mapping[str, UnsafeSet]) -> Tensor | None:
    """Without those inside a constrained region, where `outside` asks for that."""
    if rows is None or not scenario.sampler.init.get("outside"):
        return rows
    return outside(rows, [named[c.set] for c in scenario.constraints], scenario)


def _sets(
    scenario: Scenario,
    columns: tuple[str, ...],
    coordinates: Coordinates,
    named: Mapping[str, UnsafeSet],
    where: torch.device,
) -> tuple[UnsafeSet, ...]:
    """The constrained regions over sampler coordinates."""
    names = [c.set for c in scenario.constraints]
    own = [about_columns(scenario, name, columns, coordinates) for name in names]
    pairs = zip(names, own, strict=True)
    return tuple(over_coordinates(name, named[name], c).to(where) for name, c in pairs)


def _columns(scenario: Scenario, data: Dataset | None) -> tuple[str, ...]:
    """The coordinates' names; BadInput where the samples' file could not be read back with them."""
    columns = tuple(scenario.columns or (data.columns if data else columns_named(scenario.energy)))
    identifiers(columns, f"{scenario.source or scenario.name}: columns")
    return columns


def _begun(
    coordinates: Coordinates, rows: Tensor | None, scenario: Scenario, dtype: torch.dtype
) -> Coordinates:
    """The coordinates under which particles have exactly the values that they start with (A.11)."""
    if rows is not None:
        return coordinates.anchored(rows, dtype)
    return coordinates.pinned(still(scenario.sampler.init, coordinates.width), dtype)


def _penalties(scenario: Scenario, learner: Learner) -> list[tuple[float, Energy]]:
    """The weights and energies that are subtracted."""
    return [
        (p.weight, learner.make(p.energy, "penalties", i, "energy")) for i, p in enumerate(scenario.penalties)
    ]


def check_precision(scenario: Scenario, progress: Progress, given: Given | None = None) -> None:
    """Refuses a dtype that cannot represent the run (A.12), and reports why float64 was chosen,
    where it was; what is given has a dtype of its own.
    """
    must_run(scenario)
    if given is not None:
        return
    must_hold(scenario)
    if scenario.why_double is not None:
        progress.say(f"dtype: float64 is chosen: {scenario.why_double}")


def _composed(
    safe: Energy, coordinates: Coordinates, scenario: Scenario, progress: Progress
) -> tuple[str, ...]:
    """Refuses what cannot be normalised (C.4), aligns disjunctions (C.3), and reports compositions whose mass
    is outside their parents'.
    """
    key = Key(scenario.seed).fold("composition")
    check_tails(safe, coordinates, "penalties" if scenario.penalties else "energy")
    for measured in align(safe, key, start=coordinates):
        progress.say(f"aligned: log Z = {measured.value:.3f} ± {measured.error:.3f}")
    warnings = tuple(leaving(safe, coordinates, key.fold("leaving")))
    for warning in warnings:
        progress.say(warning)
    return warnings


def _filter(scenario: Scenario, sets: tuple[UnsafeSet, ...]) -> AnyFilter | None:
    try:
        context = {"sets": sets, "betas": scenario.aimed(), "step_size": scenario.sampler.step_size}
        chosen: AnyFilter | None = make("filters", without_aim(scenario.filter), context=context)
    except (NotSmooth, ValueError) as error:
        raise BadInput(Fault(str(error), file=str(scenario.source or scenario.name), key="filter")) from error
    return chosen
