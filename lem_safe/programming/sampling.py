"""`lem_safe.sample`: a run of objects, as `lem_safe.run` is one of a file."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import Any, NamedTuple, SupportsFloat, SupportsInt

from barriers.sets import Constraint, UnsafeSet
from lem_safe.energies import Energy
from lem_safe.errors import BadInput, Fault
from lem_safe.programming.energies import energy as energy_of
from lem_safe.programming.filters import filter_given
from lem_safe.programming.fleeting import Fleeting
from lem_safe.programming.regions import check_region
from lem_safe.programming.sampled import Sampled, sampled
from lem_safe.programming.shaped import checked_shape, shaped
from lem_safe.programming.starts import WHO, Start, plain, start_of
from lem_safe.progress import Progress, Silent
from lem_safe.registry import tables
from lem_safe.runs.given import Given
from lem_safe.runs.result import Run
from lem_safe.runs.runner import run, run_given
from lem_safe.scenario import Scenario, constraints_given, in_python, of_values, regions_given


def sample(
    energy: Any,
    unsafe: Mapping[str, Any],
    *,
    beta: SupportsFloat | Mapping[str, SupportsFloat],
    samples: int | None = None,
    steps: int,
    step_size: float,
    filter: Any = "gate",
    sampler: str | Mapping[str, Any] = "langevin",
    init: Any = None,
    seed: int = 0,
    out: Path | PathLike[str] | str | None = None,
    columns: Sequence[str] | None = None,
    shape: Sequence[SupportsInt] | None = None,
    given: Mapping[str, Any] | None = None,
    dtype: str | None = None,
    device: str | None = None,
    name: str = "sample",
    audit: Mapping[str, Any] | None = None,
    monitors: Mapping[str, Any] | None = None,
    progress: Progress | None = None,
    with_report: bool | None = None,
) -> Run:
    """Samples `energy` under a filter, beside the unfiltered energy, and audits the result.

    energy: what `lem_safe.energy` takes, an energy of this package, or a specification as in a file. unsafe:
    regions by name: sets (`lem_safe.sets`), specifications, functions of rows that are negative or true where
    they are unsafe. beta: the fraction tolerated in each, or one by name. filter, sampler: the name of a
    kind, or a specification. init: rows [n, d], or a specification; a standard normal distribution by
    default. samples: by default the number of those rows. shape: of rows that are paths, such as (32, 2):
    functions, of the energy and of regions, are then called with [n, 32, 2], and so may `init` be. given:
    values that all samples have, by column; of paths also start and goal. out: the run directory; without it
    the files go with the value returned. dtype, device: by default the energy's. audit, monitors: sections as
    in a file. with_report: write report.html too, by default where `out` is given.

    The result's `scenario` is None unless everything could be said by a file. Raises BadInput before anything
    is written, NumericalFailure where a particle is lost.
    """
    regions, objects = regions_given(_of_paths(unsafe, path := checked_shape(shape, WHO)), WHO)
    start = start_of(init, path)
    of = sampled(_energy(energy, path), start, (regions | objects).values(), columns, dtype, device)
    scenario = _scenario(
        name=name,
        seed=seed,
        energy=of.spec,
        unsafe=regions,
        constraints=constraints_given(regions, beta, WHO),
        sampler=_sampler(sampler, samples, start) | {"steps": steps, "step_size": step_size},
        filter=filter_given(filter, objects, beta),
        **_columns(columns, path, given, of),
        audit=audit,
        monitors=monitors if of.watched or monitors is not None else {"samples": 0},
    )
    return _run(scenario, objects, of, start, _How(out, of.device, progress or Silent(), with_report))


def _columns(
    columns: Sequence[str] | None,
    shape: Sequence[int] | None,
    given: Mapping[str, Any] | None,
    of: Sampled,
) -> dict[str, Any]:
    """What a file says of the columns and their dtype."""
    values = given and {name: plain(value) for name, value in given.items()}
    named = {"columns": columns and list(columns), "shape": shape and list(shape)}
    return {**named, "given": values, "dtype": of.dtype}


def _energy(energy: Any, shape: Sequence[int] | None) -> Any:
    """The energy of a function of paths, where a shape is said."""
    ready = shape is None or isinstance(energy, Mapping | Energy) or not callable(energy)
    return energy if ready else energy_of(energy, shape=shape)


def _of_paths(unsafe: Mapping[str, Any], shape: Sequence[int] | None) -> Mapping[str, Any]:
    """Regions, functions of paths among them as functions of rows."""
    if shape is None or not isinstance(unsafe, Mapping):
        return unsafe
    return {name: _of_path(region, shape) for name, region in unsafe.items()}


def _of_path(region: Any, shape: Sequence[int]) -> Any:
    """A function of paths, alone or in a Constraint, as one of rows; anything else as it is."""
    if isinstance(region, Constraint) and region.dimension is None:
        return Constraint(shaped(region.given[0], shape), smooth=region.smooth)
    ready = isinstance(region, UnsafeSet | type) or not callable(region)
    return region if ready else shaped(region, shape)


def _scenario(**values: Any) -> Scenario:
    """The scenario of these values, without those that are None; raises BadInput with every fault found."""
    said = {key: value for key, value in values.items() if value is not None}
    return of_values(said, tables(), who=WHO, to_audit=False)


class _How(NamedTuple):
    """Where a run goes, on which device, and who hears of it."""

    out: Path | PathLike[str] | str | None
    device: str
    progress: Progress
    page: bool | None

    @property
    def with_report(self) -> bool:
        """Whether a page is written: by default where a directory is named."""
        return self.out is not None if self.page is None else self.page


def _of_file(scenario: Scenario, how: _How) -> Run:
    """A run of what a file could say."""
    path, keeper = _place(how.out)
    done = run(scenario, out=path, device=how.device, progress=how.progress, with_report=how.with_report)
    return replace(done, keeper=keeper)


def _run(scenario: Scenario, objects: Mapping[str, UnsafeSet], of: Sampled, start: Start, how: _How) -> Run:
    """A run with parts that are objects, if there are any; functions of rows are examined first."""
    if of.energy is None and not objects and start.rows is None:
        return _of_file(scenario, how)
    assert scenario.columns is not None  # of an energy that is known
    for name, region in objects.items():
        check_region(name, region, start.points(len(scenario.columns))[:4], scenario.filter, WHO)
    parts: dict[str, Any] = {"energy": of.said}
    if start.rows is not None:
        init = {"kind": "python", "rows": len(start.rows)}
        parts["sampler"] = scenario.sampler.model_copy(update={"init": init})
    path, keeper = _place(how.out)
    report = run_given(
        in_python(scenario, objects, **parts),
        Given(of.energy, start.rows),
        path,
        device=how.device,
        progress=how.progress,
        with_report=how.with_report,
    )
    return Run(path, None, report, keeper)


def _place(out: Path | PathLike[str] | str | None) -> tuple[Path, Any]:
    """The run directory, and what removes it with the run where none is named."""
    if out is not None:
        return Path(out), None
    keeper = Fleeting()
    return keeper.path / "run", keeper


def _sampler(chosen: str | Mapping[str, Any], samples: int | None, start: Start) -> dict[str, Any]:
    """The section of the sampler, without steps and step_size."""
    own = {"kind": chosen} if isinstance(chosen, str) else dict(chosen)
    count = samples if samples is not None else own.get("samples")
    if count is None and start.rows is None:
        raise BadInput(Fault("is missing: the number of particles, as in samples=5000", WHO, key="samples"))
    return {**own, "samples": len(start.rows) if count is None and start.rows is not None else count} | (
        {} if start.rows is not None or "init" in own else {"init": start.spec}
    )
