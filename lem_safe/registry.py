"""Everything a scenario can name, gathered in one place, and made from its specification."""

import math
from collections import ChainMap
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from os import PathLike
from typing import Any, cast, get_args, get_type_hints

from barriers.filters import FILTERS, PROMISES, Both, DriftFilter, StepFilter
from barriers.sets import SETS, Field, UnsafeSet, build_set, build_sets
from barriers.specification import Nested, SpecificationError, construct
from barriers.surrogates import SURROGATES, Surrogate
from lem_safe import scenario
from lem_safe.checkpoints import Checkpoint
from lem_safe.data import DATA, Dataset, DataSource
from lem_safe.data.concerns import concerns
from lem_safe.data.distributions import Planar
from lem_safe.data.sources import FileTable, SklearnTable
from lem_safe.energies import ENERGIES, NETWORKS, Energy, Gaussian, Network, Untrained, columns_of
from lem_safe.errors import BadInput, Fault
from lem_safe.lyapunov import STOPS
from lem_safe.precision.needs import QUICK, Needs, needs_of
from lem_safe.precision.resolution import HARMLESS, SHARE
from lem_safe.samplers import SAMPLERS, Adaptation
from lem_safe.scenario import INITS, Scenario, Table, Tables, fault_in, never_certified
from lem_safe.training.losses import LOSSES, Loss
from lem_safe.training.settings import TrainingSettings
from lem_safe.training.trained import Trained
from lem_safe.training.whitening import whiten

TABLES: dict[str, Table] = {
    "sets": Table("region", SETS),
    "energies": Table(
        "energy", ChainMap(cast(Any, ENERGIES), {"trained": Trained, "checkpoint": Checkpoint})
    ),
    "samplers": Table("sampler", SAMPLERS),
    "filters": Table("filter", FILTERS),
    "surrogates": Table("smoothing", SURROGATES),
    "data": Table("data", DATA),
    "networks": Table("network", NETWORKS, default="mlp"),
    "losses": Table("loss", LOSSES, default="denoising"),
    "inits": Table("start", INITS, default="standard"),
    "stops": Table("stop", STOPS, default="steps"),
}
"""The tables by the name that `make` and `lem-safe list` know them by."""

NESTED: dict[type, str] = {
    UnsafeSet: "sets",
    Energy: "energies",
    Field: "energies",
    Surrogate: "surrogates",
    DataSource: "data",
    Network: "networks",
    Loss: "losses",
    DriftFilter: "filters",
    StepFilter: "filters",
    Both: "filters",
}
"""A parameter of this type is written as a member of that table."""


def make(
    table: str,
    spec: Mapping[str, Any],
    *,
    context: Mapping[str, Any] | None = None,
    path: tuple[str | int, ...] = (),
    learned: Callable[[Any, tuple[str | int, ...]], Energy] | None = None,
) -> Any:
    """The object that `spec` describes: make("filters", {"kind": "gate"}, context={"sets": ..., "betas":
    ...}).

    learned: makes an energy of a term that is still to be learned, from its description and its path; by
    default a term without values. Raises ValueError (a SpecificationError leads to the key) for what its
    constructor refuses.
    """
    supplied = context or {}
    if table == "sets":
        return build_set(spec, named={}, context=supplied, path=path, makers=MAKERS)
    chosen = TABLES[table]
    kind = spec.get("kind", chosen.default)
    if kind not in chosen.members:
        raise SpecificationError(
            f"{chosen.noun} kind {kind!r} is not known; known: {', '.join(chosen.members)}", (*path, "kind")
        )
    nested: dict[type, Callable[[Any, tuple[str | int, ...]], Any]] = {
        hint: _maker(name, supplied, learned or _untrained) for hint, name in NESTED.items()
    }
    nested[TrainingSettings] = lambda value, where: construct(
        TrainingSettings, value, nested={}, context={}, path=where
    )
    nested[Adaptation] = lambda value, where: construct(Adaptation, value, nested={}, context={}, path=where)
    return construct(chosen.members[kind], spec, nested=nested, context=supplied, path=path)


def regions(specs: Mapping[str, Any], columns: Sequence[str]) -> dict[str, UnsafeSet]:
    """Every named region of a scenario over `columns`, those that an energy draws too; raises
    SpecificationError.
    """
    return build_sets(specs, columns, MAKERS)


def energy_field(spec: Mapping[str, Any], path: tuple[str | int, ...] = ()) -> Field:
    """The energy of a `sublevel` region: given, or read from a checkpoint. Judging trains nothing, so
    `trained` is refused.
    """
    found = _trained_in(spec, path)
    if found is not None:
        raise SpecificationError(
            "a region's energy is given, not trained: train it once with lem-safe train --out FILE and "
            "write {kind: checkpoint, path: FILE}",
            (*found, "kind"),
        )
    energy = make("energies", spec, path=path, learned=_loaded)
    energy = energy if isinstance(energy, Energy) else _loaded(energy, path)
    return Field(energy, energy.dimension)


MAKERS: Nested = {Field: energy_field}
"""What a region needs from beyond geometry; whoever rebuilds regions for the audit hands it these."""


def load(path: str | PathLike[str], overrides: Mapping[str, Any] | None = None) -> Scenario:
    """The scenario of a file or of a bundled name, checked and resolved; raises BadInput with every fault
    found.

    overrides: values by dotted key that replace the file's, such as {"sampler.steps": 100}.
    """
    return scenario.load(path, tables(), overrides)


def loads(text: str, overrides: Mapping[str, Any] | None = None) -> Scenario:
    """The scenario of a YAML text, like `load`; relative paths start at the current directory."""
    return scenario.loads(text, tables(), overrides=overrides)


def json_schema() -> dict[str, Any]:
    """The JSON Schema of a scenario file."""
    return scenario.json_schema(tables())


@cache
def tables() -> Tables:
    """What the scenario package needs to know of the rest."""
    return Tables(
        energies=TABLES["energies"],
        samplers=TABLES["samplers"],
        filters=TABLES["filters"],
        sets=TABLES["sets"],
        inits=TABLES["inits"],
        stops=TABLES["stops"],
        nested={hint: TABLES[name] for hint, name in NESTED.items()},
        columns=columns,
        admits=admits,
        couples=couples,
        samples=samples,
        ends=ends,
        beyond_single=beyond_single,
        makers=MAKERS,
    )


def columns(energy: Mapping[str, Any]) -> tuple[str, ...]:
    """The coordinates' names of an energy's specification: its data's, else x0, x1, ...; nothing is
    trained.
    """
    made = make("energies", energy)
    if (
        isinstance(made, Trained)
        and made.network.whitens
        and isinstance(made.data, SklearnTable | FileTable | Planar)
    ):
        _must_whiten(made.data.load(0))
    return columns_of(made) if isinstance(made, Energy) else made.columns


def admits(
    spec: Mapping[str, Any], sets: Sequence[UnsafeSet], betas: Sequence[float], step_size: float
) -> None:
    """Raises ValueError where this filter cannot be made for these sets: a drift filter for a kink, say
    (B.5).
    """
    make("filters", spec, context={"sets": sets, "betas": betas, "step_size": step_size})


def couples(spec: Mapping[str, Any]) -> bool:
    """Whether particles under the filter of this specification depend on one another, a chain's if those of
    one of its filters do (A.2).
    """
    made = get_type_hints(FILTERS[spec["kind"]])[
        "return"
    ]  # one class, or a union of those that a specification may make
    return any(getattr(c, "couples", False) is True for c in get_args(made) or (made,)) or any(
        map(couples, spec.get("filters", ()))
    )


def never_passes(chosen: Scenario) -> str | None:
    """Why no run of this scenario is ever certified though it asks for that, and the way out; None where one
    may be.
    """
    if chosen.audit.require == "passed":
        return None
    names, betas = [c.set for c in chosen.constraints], [c.beta for c in chosen.constraints]
    return never_certified(names, betas, chosen.judged(), couples=couples(chosen.filter))


def samples(spec: Mapping[str, Any], dimension: int) -> None:
    """Raises ValueError where this sampler cannot be made in so many dimensions: a metric that is not
    positive definite, say.
    """
    stand_in = Gaussian([0.0] * dimension, 1.0)
    context = {"energy": stand_in, "drift_filter": None, "step_filter": None, "steps": spec["steps"]}
    make(
        "samplers",
        {key: value for key, value in spec.items() if key not in ("samples", "steps", "init")},
        context=context,
    )


def ends(stop: Mapping[str, Any], sampler: Mapping[str, Any]) -> None:
    """Raises ValueError where this stopping rule cannot end this sampler's run: R_t under noise, say
    (L.5).
    """
    refused = STOPS[stop["kind"]].refusal(stop, sampler)
    if refused is not None:
        raise ValueError(refused)


def beyond_single(
    resolved: Mapping[str, Any], columns: Sequence[str], regions: Mapping[str, UnsafeSet]
) -> str | None:
    """Why float32 cannot hold what a resolved scenario is about (A.12); None where it can, and where its
    files cannot be read.
    """
    try:
        found = _needs(resolved, columns, regions, QUICK).unfit("float32", columns, SHARE)
    except BadInput:  # a run says what is wrong with them
        return None
    return None if found is None else found.why


def must_hold(chosen: Scenario) -> None:
    """Refuses a scenario whose dtype cannot hold what it is about, so that its samples or its counts would be
    false: BadInput.
    """
    columns_ = tuple(chosen.columns or columns(chosen.energy))
    named = regions(chosen.unsafe, columns_)
    needs = _needs(chosen.content(), columns_, {c.set: named[c.set] for c in chosen.constraints})
    found = needs.unfit(chosen.dtype, columns_, HARMLESS if chosen.dtype == "float32" else SHARE)
    if found is not None:
        single = chosen.dtype == "float32" and needs.unfit("float64", columns_, SHARE) is None
        origin = (
            "move the origin: subtract a constant from the column, in the data, the energy, the start "
            "and the regions"
        )
        way_out = "use dtype: float64, or leave dtype out" if single else origin
        raise BadInput(
            fault_in(chosen, ("dtype",), f"{chosen.dtype} cannot hold this: {found.why}; {way_out}")
        )


def _needs(
    resolved: Mapping[str, Any],
    columns: Sequence[str],
    regions: Mapping[str, UnsafeSet],
    numbers: float = math.inf,
) -> Needs:
    """What a run's dtype must hold, of at most so many numbers of its start."""
    learned: list[Trained | Checkpoint] = []

    def noted(part: Trained | Checkpoint, where: tuple[str | int, ...]) -> Energy:
        learned.append(part)
        return _untrained(part, where)

    made = make("energies", resolved["energy"], learned=noted)
    if not isinstance(made, Energy):
        noted(made, ())
    return needs_of(resolved, columns, regions, learned or made, numbers)


def promise(kind: str) -> tuple[str, str]:
    """What a filter guarantees, and the theorem or counterexample behind it."""
    found = PROMISES[kind]
    return found.scope, found.because


def concerning(chosen: Scenario) -> tuple[str, ...]:
    """What is to be said of the table that a scenario's energy is learned from, before it is: codes for
    missing values, few rows.
    """
    try:
        made = make("energies", chosen.energy)
        if not (isinstance(made, Trained) and isinstance(made.data, SklearnTable | FileTable | Planar)):
            return ()
        rows = made.data.load(chosen.seed)
    except (BadInput, ValueError):  # said elsewhere, with its place
        return ()
    return concerns(made.data, rows) if rows.values.numel() <= QUICK else ()


def _must_whiten(rows: Dataset) -> None:
    """Raises BadInput, at the key `data`, where training could only fail: columns that are constant or
    determine each other, too few rows.
    """
    try:
        if rows.values.numel() <= QUICK:
            whiten(rows.values, rows.columns)
    except BadInput as bad:
        raise BadInput(
            [Fault(fault.message.removeprefix("data: "), key="data") for fault in bad.faults]
        ) from None


def _trained_in(spec: Any, path: tuple[str | int, ...]) -> tuple[str | int, ...] | None:
    """Where a specification asks for training, or None."""
    if isinstance(spec, Mapping):
        if spec.get("kind") == "trained":
            return path
        parts: list[tuple[str | int, Any]] = list(spec.items())
    else:
        parts = list(enumerate(spec)) if isinstance(spec, list | tuple) else []
    return next(
        (found for key, part in parts if (found := _trained_in(part, (*path, key))) is not None), None
    )


def _maker(
    table: str, context: Mapping[str, Any], learned: Callable[[Any, tuple[str | int, ...]], Energy]
) -> Callable[[Any, tuple[str | int, ...]], Any]:
    def made(value: Any, where: tuple[str | int, ...]) -> Any:
        part = make(table, value, context=context, path=where, learned=learned)
        return learned(part, where) if table == "energies" and not isinstance(part, Energy) else part

    return made


def _loaded(made: Checkpoint, path: tuple[str | int, ...]) -> Energy:
    return made.load()


def _untrained(made: Any, path: tuple[str | int, ...]) -> Energy:
    return Untrained(made.columns)
