"""Where a scenario becomes something that runs: names to objects, dtype and device, data units to sampler coordinates.

An analytic energy is sampled in the data's units; a trained one in the whitened coordinates it was learned in (units: architecture).
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from barriers.coordinates import Coordinates, identity
from barriers.filters.base import DriftFilter, StepFilter
from barriers.sets import UnsafeSet, build_sets, pull
from barriers.sets.base import NotSmooth
from lem_safe.catalogue import make
from lem_safe.controller import Hooks, compose, hook
from lem_safe.data import Dataset
from lem_safe.data.tables import read_table
from lem_safe.energies.base import Energy
from lem_safe.energies.pulled import in_coordinates
from lem_safe.energies.transported import Transported
from lem_safe.faults import BadInput, Fault
from lem_safe.keys import Key
from lem_safe.progress import Progress
from lem_safe.samplers import Sampler
from lem_safe.scenario import Scenario
from lem_safe.tails import check_tails
from lem_safe.training.checkpoint import load_energy, save_energy
from lem_safe.training.trained import Trained


@dataclass(frozen=True)
class Problem:
    """Everything a run needs, built.

    energy: U_safe over data units. potential: the same over sampler coordinates, in the run's dtype and on its device.
    sets: one a constraint, over sampler coordinates. data: what the energy was trained on, or None. origin: where it came from.
    """

    scenario: Scenario
    columns: tuple[str, ...]
    energy: Energy
    potential: Energy
    coordinates: Coordinates
    sets: tuple[UnsafeSet, ...]
    filter: DriftFilter | StepFilter | None
    data: Dataset | None
    origin: str
    dtype: torch.dtype
    device: torch.device
    cache: Path | None = None

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(c.set for c in self.scenario.constraints)

    @property
    def betas(self) -> tuple[float, ...]:
        return tuple(c.beta for c in self.scenario.constraints)

    @property
    def limits(self) -> Tensor:
        """κβ of each constraint; NaN without a surrogate."""
        return torch.full((len(self.sets),), torch.nan) if self.filter is None else self.filter.limits

    def sampler(self, *, filtered: bool) -> Sampler:
        """The scenario's sampler with its filter, or without: the unfiltered energy it is compared with."""
        spec = self.scenario.sampler
        hooks = hook(self.filter) if filtered else Hooks()
        context = {"energy": self.potential, "drift_filter": hooks.drift_filter, "step_filter": hooks.step_filter}
        fields = {"kind": spec.kind, "step_size": spec.step_size, **spec.own}
        sampler: Sampler = make("samplers", fields, context=context)
        return sampler


def build(scenario: Scenario, *, device: str = "cpu", progress: Progress, cache: Path | None = None) -> Problem:
    """Builds a scenario, training its energy where no cached one has the same fingerprint.

    Raises BadInput for what cannot be built and NumericalFailure where training diverges.
    """
    where = _device(device)
    dtype = getattr(torch, scenario.dtype)
    energy, origin, data = _energy(scenario.energy, scenario.seed, progress, cache)
    penalties = [(p.weight, _energy(p.energy, scenario.seed, progress, cache)[0]) for p in scenario.penalties]
    coordinates = _coordinates(energy, dtype)
    safe = compose(energy, penalties)
    columns = tuple(scenario.columns or (data.columns if data else (f"x{i}" for i in range(energy.dimension))))
    regions = build_sets(scenario.unsafe, columns)
    coordinates.to(where)
    sets = tuple(pull(regions[c.set], coordinates).to(where) for c in scenario.constraints)
    potential = in_coordinates(safe, coordinates).to(device=where, dtype=dtype).requires_grad_(False)
    if penalties:
        parts = [in_coordinates(u, coordinates).to(device=where, dtype=dtype) for u in (energy, *(u for _, u in penalties))]
        check_tails(
            parts[0],
            [(w, u) for (w, _), u in zip(penalties, parts[1:], strict=True)],
            torch.zeros(energy.dimension, dtype=dtype, device=where),
        )
    return Problem(
        scenario, columns, safe, potential, coordinates, sets, _filter(scenario, sets), data, origin, dtype, where, cache
    )  # fmt: skip


def start(problem: Problem, key: Key) -> Tensor:
    """Where the particles of a run begin, in sampler coordinates, [samples, d]."""
    init, n, d = problem.scenario.sampler.init, problem.scenario.sampler.samples, problem.coordinates.dimension
    noise = key.fold("init").normal(torch.empty(n, d, dtype=problem.dtype, device=problem.device))
    if init["kind"] == "standard":
        return noise
    if init["kind"] == "gaussian":
        x = torch.tensor(init["mean"]).double() + torch.as_tensor(init["std"]).double() * noise.double().cpu()
    else:
        rows = _rows(problem, init)
        x = rows[key.fold("rows").permutation(rows.shape[0])[torch.arange(n) % rows.shape[0]]]
    if x.shape[1] != d:
        raise BadInput(Fault(f"init has {x.shape[1]} columns where the energy has {d}", key="sampler.init"))
    return problem.coordinates.inverse(x.to(problem.device)).to(problem.dtype)


def _rows(problem: Problem, init: dict[str, Any]) -> Tensor:
    """The rows an init draws from, in data units, float64."""
    if init["kind"] == "data":
        if problem.data is None:
            raise BadInput(
                Fault("init 'data' needs a trained energy; this one is analytic and has no rows", key="sampler.init.kind")
            )
        return problem.data.values.double()
    table = read_table(Path(init["path"]))
    if table.columns is not None and set(problem.columns) <= set(table.columns):
        table = table.select(problem.columns)
    return torch.from_numpy(table.values)


def _energy(spec: dict[str, Any], seed: int, progress: Progress, cache: Path | None) -> tuple[Energy, str, Dataset | None]:
    made = make("energies", spec)
    if not isinstance(made, Trained):
        return made, "analytic", None
    progress.start("training the energy", made.training.steps)
    energy, origin = made.load_or_train(seed, cache, _training_progress(progress))
    progress.finish("reused from the cache" if origin == "cached" else "trained")
    return energy, origin, made.data.load(seed)


def _training_progress(progress: Progress) -> Callable[[int, int, float, float | None], None]:
    """Training's own callback, shown as a task."""

    def report(step: int, total: int, loss: float, held_out: float | None) -> None:
        progress.update(step, f"loss {loss:.4f}" + ("" if held_out is None else f", held out {held_out:.4f}"))

    return report


def save_trained(problem: Problem, path: Path) -> None:
    """A trained energy as energy.safetensors, its own metadata with the scenario's fingerprint added; nothing for an analytic one."""
    made = make("energies", problem.scenario.energy)
    if isinstance(made, Trained):
        _copy(made.path(problem.scenario.seed, problem.cache), path, problem.scenario)


def train(scenario: Scenario, out: Path | None, progress: Progress) -> Path:
    """Trains the scenario's energy, or finds it in the cache, and copies it to `out`; returns where it is. BadInput for an analytic one."""
    made = make("energies", scenario.energy)
    if not isinstance(made, Trained):
        kind = scenario.energy["kind"]
        raise BadInput(
            Fault(f"kind '{kind}' is given, not trained; lem-safe train needs energy: {{kind: trained, ...}}", key="energy.kind")
        )
    if out is not None and out.exists():
        raise BadInput(Fault("exists already; choose another --out", file=str(out)))
    _energy(scenario.energy, scenario.seed, progress, None)
    path = made.path(scenario.seed)
    if out is None:
        return path
    out.parent.mkdir(parents=True, exist_ok=True)
    _copy(path, out, scenario)
    return out


def _copy(path: Path, to: Path, scenario: Scenario) -> None:
    saved = load_energy(path)
    save_energy(saved.energy, to, {**saved.metadata, "scenario_fingerprint": scenario.fingerprint()})


def _coordinates(energy: Energy, dtype: torch.dtype) -> Coordinates:
    if isinstance(energy, Transported):
        return Coordinates(energy.coordinates.offset, energy.coordinates.matrix, dtype)
    return identity(energy.dimension, dtype)


def _filter(scenario: Scenario, sets: tuple[UnsafeSet, ...]) -> DriftFilter | StepFilter | None:
    context = {"sets": sets, "betas": tuple(c.beta for c in scenario.constraints), "step_size": scenario.sampler.step_size}
    try:
        chosen: DriftFilter | StepFilter | None = make("filters", scenario.filter, context=context)
    except (NotSmooth, ValueError) as error:
        raise BadInput(Fault(str(error), file=str(scenario.source or scenario.name), key="filter")) from error
    return chosen


def _device(name: str) -> torch.device:
    if name.startswith("cuda") and not torch.cuda.is_available():
        raise BadInput(Fault(f"device '{name}' is not available here (torch sees no CUDA device); use --device cpu"))
    try:
        return torch.device(name)
    except RuntimeError as error:
        raise BadInput(Fault(f"device '{name}' is not known; use cpu or cuda")) from error
