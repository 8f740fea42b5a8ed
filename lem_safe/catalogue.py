"""Everything a scenario can name, gathered in one place, and made from its specification."""

from collections import ChainMap
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from os import PathLike
from typing import Any, cast

from barriers.filters import FILTERS, PROMISES
from barriers.sets import SETS, UnsafeSet, build_set
from barriers.specification import SpecificationError, construct
from barriers.surrogates import SURROGATES, Surrogate
from lem_safe import scenario
from lem_safe.data import DATA, DataSource
from lem_safe.energies import ENERGIES, NETWORKS, Energy, Network
from lem_safe.samplers import SAMPLERS
from lem_safe.scenario import INITS, Scenario, Table, Tables
from lem_safe.training.losses import LOSSES, Loss
from lem_safe.training.settings import TrainingSettings
from lem_safe.training.trained import Trained

TABLES: dict[str, Table] = {
    "sets": Table("region", SETS),
    "energies": Table("energy", ChainMap(cast(Any, ENERGIES), {"trained": Trained})),
    "samplers": Table("sampler", SAMPLERS),
    "filters": Table("filter", FILTERS),
    "surrogates": Table("smoothing", SURROGATES),
    "data": Table("data", DATA),
    "networks": Table("network", NETWORKS, default="mlp"),
    "losses": Table("loss", LOSSES, default="denoising"),
    "inits": Table("start", INITS, default="standard"),
}
"""The tables by the name that `make` and `lem-safe list` know them by."""

NESTED: dict[type, str] = {
    UnsafeSet: "sets", Energy: "energies", Surrogate: "surrogates", DataSource: "data", Network: "networks", Loss: "losses",
}  # fmt: skip
"""A parameter of this type is written as a member of that table."""


def make(
    table: str, spec: Mapping[str, Any], *, context: Mapping[str, Any] | None = None, path: tuple[str | int, ...] = ()
) -> Any:
    """The object that `spec` describes: make("filters", {"kind": "gate"}, context={"sets": ..., "betas": ...}).

    Raises ValueError (a SpecificationError leads to the key) for what its constructor refuses.
    """
    supplied = context or {}
    if table == "sets":
        return build_set(spec, named={}, context=supplied, path=path)
    chosen = TABLES[table]
    kind = spec.get("kind", chosen.default)
    if kind not in chosen.members:
        raise SpecificationError(f"{chosen.noun} kind {kind!r} is not known; known: {', '.join(chosen.members)}", (*path, "kind"))
    nested: dict[type, Callable[[Any, tuple[str | int, ...]], Any]] = {
        hint: _maker(name, supplied) for hint, name in NESTED.items()
    }
    nested[TrainingSettings] = lambda value, where: construct(TrainingSettings, value, nested={}, context={}, path=where)
    return construct(chosen.members[kind], spec, nested=nested, context=supplied, path=path)


def load(path: str | PathLike[str], overrides: Mapping[str, Any] | None = None) -> Scenario:
    """The scenario of a file or of a bundled name, checked and resolved; raises BadInput with every fault found.

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
        nested={hint: TABLES[name] for hint, name in NESTED.items()},
        columns=columns,
        admits=admits,
    )


def columns(energy: Mapping[str, Any]) -> tuple[str, ...]:
    """The coordinates' names of an energy's specification: its data's, else x0, x1, ...; nothing is trained."""
    made = make("energies", energy)
    if isinstance(made, Trained):
        return made.data.columns
    return tuple(f"x{i}" for i in range(made.dimension))


def admits(spec: Mapping[str, Any], sets: Sequence[UnsafeSet], betas: Sequence[float], step_size: float) -> None:
    """Raises ValueError where this filter cannot be made for these sets: a drift filter for a kink, say (B.5)."""
    make("filters", spec, context={"sets": sets, "betas": betas, "step_size": step_size})


def promise(kind: str) -> tuple[str, str]:
    """What a filter guarantees, and the theorem or counterexample behind it."""
    found = PROMISES[kind]
    return found.scope, found.because


def _maker(table: str, context: Mapping[str, Any]) -> Callable[[Any, tuple[str | int, ...]], Any]:
    return lambda value, where: make(table, value, context=context, path=where)
