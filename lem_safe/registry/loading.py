"""Scenarios over these tables: loaded, checked, resolved; and what the scenario package needs from other
packages.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from os import PathLike
from typing import Any

from barriers.filters import couples as filter_couples
from barriers.filters import last_of
from barriers.kinds import KindError
from barriers.sets import UnsafeSet
from barriers.specification import SpecificationError
from barriers.tables import Holding
from lem_safe import scenario
from lem_safe.energies import Gaussian
from lem_safe.lyapunov import STOPS
from lem_safe.registry.catalogue import NESTED, TABLES
from lem_safe.registry.computing import computing
from lem_safe.registry.fitness import beyond_single, columns
from lem_safe.registry.making import MAKERS, make
from lem_safe.registry.pinned import moved, shape_of
from lem_safe.registry.rows import table_of, unfit
from lem_safe.samplers import SAMPLERS, promise_under
from lem_safe.scenario import Scenario, Tables, never_certified


def load(
    path: str | PathLike[str], overrides: Mapping[str, Any] | None = None, *, to_audit: bool = False
) -> Scenario:
    """The scenario of a file or of a bundled name, checked and resolved; raises BadInput with every fault
    found.

    overrides: values by dotted key that replace the file's, such as {"sampler.steps": 100}. to_audit: whether
    `energy` and `sampler` may be left out, which an audit does not need and a run does.
    """
    return scenario.load(path, tables(), overrides, to_audit=to_audit)


def loads(text: str, overrides: Mapping[str, Any] | None = None, *, to_audit: bool = False) -> Scenario:
    """The scenario of a YAML text, like `load`; relative paths start at the current directory."""
    return scenario.loads(text, tables(), overrides=overrides, to_audit=to_audit)


def json_schema() -> dict[str, Any]:
    """The JSON Schema of a scenario file, with the usable kinds of every installed distribution."""
    return scenario.json_schema(naming([name for table in TABLES.values() for name in table.names()]))


def tables() -> Tables:
    """What the scenario package needs from other packages, at present."""
    return _tables(tuple(table.revision for table in TABLES.values()))


def naming(words: Iterable[str]) -> Tables:
    """The tables, with every kind of an installed distribution among these words loaded, or refused where it
    cannot be used or described by a file's grammar.
    """
    wanted = frozenset(words)
    for table in TABLES.values():
        for kind in table.offered() & wanted:
            try:
                table.settle(kind)
                scenario.json_schema(tables())
            except KindError:  # stored by the table, and reported where the kind is named
                continue
            except Exception as error:
                origin = table.members[kind].origin
                table.refuse(
                    kind, f"the parameters of what {origin} offers cannot be written in a file: {error}"
                )
    return tables()


@lru_cache(maxsize=4)
def _tables(revisions: tuple[int, ...]) -> Tables:
    return Tables(
        energies=TABLES["energies"],
        samplers=TABLES["samplers"],
        filters=TABLES["filters"],
        sets=TABLES["sets"],
        inits=TABLES["inits"],
        stops=TABLES["stops"],
        nested={hint: TABLES[name] for hint, name in NESTED.items()},
        naming=naming,
        columns=columns,
        admits=admits,
        couples=couples,
        samples=samples,
        ends=ends,
        beyond_single=beyond_single,
        holds=holds,
        unfit=unfit,
        moved=moved,
        shape=shape_of,
        computing=computing,
        makers=MAKERS,
    )


def holds(energy: Mapping[str, Any]) -> Callable[[int], Holding] | None:
    """What the columns of an energy's table hold; None where they are plain numbers."""
    codec = table_of(energy)
    return None if codec is None else codec.holding


def admits(
    spec: Mapping[str, Any], sets: Sequence[UnsafeSet], betas: Sequence[float], step_size: float
) -> None:
    """Raises ValueError where this filter cannot be made for these sets: a drift filter for a kink, say
    (B.5).
    """
    make("filters", spec, context={"sets": sets, "betas": betas, "step_size": step_size})


def enforced(chosen: Scenario) -> tuple[str, tuple[float, ...]] | None:
    """The filter that says it enforces tolerances at every step, and one of each constraint; None where
    it promises less under the scenario's sampler.
    """
    last = str(last_of(chosen.filter)["kind"])
    if promise_under(chosen.sampler.kind, last).scope != "every step, this cloud":
        return None
    return last, chosen.aimed()


def couples(filter: Mapping[str, Any], sampler: Mapping[str, Any]) -> bool:
    """Whether particles under a filter and a sampler of these specifications are dependent (A.2)."""
    return filter_couples(filter) or SAMPLERS[sampler["kind"]].couples


def chosen_couples(chosen: Scenario) -> bool:
    """The same of a scenario that can be run."""
    return couples(chosen.filter, {"kind": chosen.sampler.kind})


def never_passes(chosen: Scenario) -> str | None:
    """Why no run of this scenario can be certified although it requires that, and the remedy; None where one
    can.
    """
    if chosen.audit.require == "passed":
        return None
    names, betas = [c.set for c in chosen.constraints], [c.beta for c in chosen.constraints]
    return never_certified(names, betas, chosen.judged(), couples=chosen_couples(chosen))


def samples(spec: Mapping[str, Any], dimension: int) -> None:
    """Raises ValueError where this sampler cannot be built in this dimension, for a metric that is not
    positive definite, for example, or cannot move so few particles.
    """
    fewest = SAMPLERS[spec["kind"]].fewest
    if spec["samples"] < fewest:
        raise SpecificationError(
            f"must be >= {fewest} under {spec['kind']}; got {spec['samples']}", ("samples",)
        )
    stand_in = Gaussian([0.0] * dimension, 1.0)
    context = {"energy": stand_in, "drift_filter": None, "step_filter": None, "steps": spec["steps"]}
    make(
        "samplers",
        {key: value for key, value in spec.items() if key not in ("samples", "steps", "init")},
        context=context,
    )


def ends(stop: Mapping[str, Any], sampler: Mapping[str, Any]) -> None:
    """Raises ValueError where this stopping rule cannot end this sampler's run: R_t under noise, for example
    (L.5).
    """
    refused = STOPS[stop["kind"]].refusal(stop, sampler)
    if refused is not None:
        raise ValueError(refused)
