"""`lem_safe.sample`: a run of objects, as `lem_safe.run` is one of a file."""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import Any, NamedTuple, SupportsFloat, cast

import torch

from barriers.sets import UnsafeSet
from lem_safe.energies.base import Energy
from lem_safe.errors import BadInput, Fault
from lem_safe.programming.energies import energy as energy_of
from lem_safe.programming.filters import filter_given
from lem_safe.programming.fleeting import Fleeting
from lem_safe.programming.function import FLOATS
from lem_safe.programming.own_energy import OwnEnergy
from lem_safe.programming.own_score import OwnScore
from lem_safe.programming.regions import check_region, dimension_of
from lem_safe.programming.starts import WHO, Start, start_of
from lem_safe.progress import Progress, Silent
from lem_safe.registry import make, tables
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
    default. samples: by default the number of those rows. out: the run directory; without it the files go
    with the value returned. dtype, device: by default the energy's. audit, monitors: sections as in a file.
    with_report: write report.html too, by default where `out` is given.

    The result's `scenario` is None unless everything could be said by a file. Raises BadInput before anything
    is written, NumericalFailure where a particle is lost.
    """
    regions, objects = regions_given(unsafe, WHO)
    start = start_of(init)
    spec = dict(energy) if isinstance(energy, Mapping) else None
    made = None if spec is not None else _lent(energy_of(energy))
    d = 1 if made is None else _dimension(made, start, [*regions.values(), *objects.values()], columns)
    if isinstance(made, OwnEnergy | OwnScore):
        dtype, device = dtype or _dtype_of(made, start, d), device or str(made.function.device or "cpu")
        made.settle(start.points(d).to(device=device, dtype=getattr(torch, dtype)))
        if monitors is None and not (made.has_values and getattr(made, "bends", True)):
            monitors = {"samples": 0}
    values: dict[str, Any] = {
        "name": name,
        "seed": seed,
        "energy": spec or {"kind": "gaussian", "mean": [0.0] * d, "std": 1.0},
        "unsafe": regions,
        "constraints": constraints_given(regions, beta, WHO),
        "sampler": _sampler(sampler, samples, start) | {"steps": steps, "step_size": step_size},
        "filter": filter_given(filter, objects, beta),
    }
    optional = {"columns": columns and list(columns), "dtype": dtype, "audit": audit, "monitors": monitors}
    values |= {key: value for key, value in optional.items() if value is not None}
    if made is not None:
        values.setdefault("dtype", "float32")
    scenario = of_values(values, tables(), who=WHO, to_audit=False)
    how = _How(
        out, device or "cpu", progress or Silent(), out is not None if with_report is None else with_report
    )
    if made is None and not objects and start.rows is None:
        return _of_file(scenario, how)
    _must_have_distances(objects, scenario, start, d)
    return _of_objects(scenario, objects, Given(_made(made, scenario), start.rows), how)


class _How(NamedTuple):
    """Where a run goes, on which device, and who hears of it."""

    out: Path | PathLike[str] | str | None
    device: str
    progress: Progress
    with_report: bool


def _of_file(scenario: Scenario, how: _How) -> Run:
    """A run of what a file could say."""
    path, keeper = _place(how.out)
    done = run(scenario, out=path, device=how.device, progress=how.progress, with_report=how.with_report)
    return replace(done, keeper=keeper)


def _made(made: Energy | None, scenario: Scenario) -> Energy:
    """The energy, made from its specification where it has one."""
    return cast(Energy, make("energies", scenario.energy)) if made is None else made


def _of_objects(scenario: Scenario, objects: Mapping[str, UnsafeSet], given: Given, how: _How) -> Run:
    parts: dict[str, Any] = {"energy": {"kind": "python", "name": _title(given.energy)}}
    if given.rows is not None:
        init = {"kind": "python", "rows": len(given.rows)}
        parts["sampler"] = scenario.sampler.model_copy(update={"init": init})
    path, keeper = _place(how.out)
    report = run_given(
        in_python(scenario, objects, **parts),
        given,
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


def _lent(energy: Energy) -> Energy:
    """A copy of an energy of this package, which a run moves and casts; a user's own is left where it is."""
    return energy if isinstance(energy, OwnEnergy | OwnScore) else copy.deepcopy(energy)


def _title(energy: Energy) -> str:
    return energy.function.title if isinstance(energy, OwnEnergy | OwnScore) else type(energy).__name__


def _dimension(made: Energy, start: Start, regions: Sequence[Any], columns: Sequence[str] | None) -> int:
    """d, from whatever tells; BadInput where nothing does."""
    told = [getattr(made, "dimension", None), start.dimension, len(columns) if columns else None]
    found = next((d for d in (*told, *map(dimension_of, regions)) if d is not None), None)
    if found is None:
        raise BadInput(
            Fault(
                "is not known: give rows to start at (init=rows), columns=, or lem_safe.energy(..., "
                "dimension=)",
                WHO,
                key="dimension",
            )
        )
    if start.rows is not None and start.rows.shape[1] != found:
        raise BadInput(Fault(f"has {start.rows.shape[1]} columns, the energy {found}", WHO, key="init"))
    return found


def _dtype_of(energy: OwnEnergy | OwnScore, start: Start, d: int) -> str:
    """What a function computes in: float64 where its own numbers are, else float32."""
    function = energy.function
    with torch.no_grad():
        found = function.dtype or function(start.points(d)[:4].float()).dtype
    return str(found if found in FLOATS else torch.float32).removeprefix("torch.")


def _sampler(chosen: str | Mapping[str, Any], samples: int | None, start: Start) -> dict[str, Any]:
    """The section of the sampler, without steps and step_size."""
    own = {"kind": chosen} if isinstance(chosen, str) else dict(chosen)
    count = samples if samples is not None else own.get("samples")
    if count is None and start.rows is None:
        raise BadInput(Fault("is missing: the number of particles, as in samples=5000", WHO, key="samples"))
    return {**own, "samples": len(start.rows) if count is None and start.rows is not None else count} | (
        {} if start.rows is not None or "init" in own else {"init": start.spec}
    )


def _must_have_distances(objects: Mapping[str, UnsafeSet], scenario: Scenario, start: Start, d: int) -> None:
    """Refuses functions of rows that do not fit, and those without a distance where the filter needs one."""
    x = start.points(d)[:4]
    for name, region in objects.items():
        check_region(name, region, x, scenario.filter, WHO)
