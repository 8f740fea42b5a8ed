"""What a scenario may name, as data: tables of entries, whose constructors' annotated parameters are the
schema.

This package is independent of energies, filters and samplers; it is given these tables when a scenario is
loaded (by `lem_safe.registry`).
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from barriers.kinds import Entry, KindError, Kinds
from barriers.sets import UnsafeSet
from barriers.specification import Nested
from barriers.tables import Holding
from lem_safe.scenario.inits import INITS


class Table:
    """Kinds of one thing, from one or more tables of entries. noun: its name in messages. default: the kind
    of a mapping without `kind`.
    """

    def __init__(self, *parts: Kinds[Any]):
        self.parts, self.noun, self.default = parts, parts[0].noun, parts[0].default

    @property
    def members(self) -> dict[str, Entry]:
        """The usable kinds, at present."""
        doubtful = {kind for part in self.parts for kind in part.offered()}
        return {kind: part[kind] for part in reversed(self.parts) for kind in part if kind not in doubtful}

    @property
    def revision(self) -> int:
        """A number that changes when a member does."""
        return sum(part.revision for part in self.parts)

    def names(self) -> list[str]:
        """Every kind that is known by name, whether or not it can be used."""
        return list(dict.fromkeys(name for part in reversed(self.parts) for name in part.names()))

    def offered(self) -> frozenset[str]:
        """The kinds of installed distributions that have not been loaded yet."""
        return frozenset(k for part in self.parts for k in part.offered() if k not in part.refusals())

    def refusals(self) -> dict[str, str]:
        """Kinds that cannot be used, and why."""
        return {kind: why for part in self.parts for kind, why in part.refusals().items()}

    def unused(self) -> list[tuple[str, str]]:
        """Kinds offered under a name that is taken, and by which distribution."""
        return [found for part in self.parts for found in part.unused()]

    def settle(self, kind: str) -> Entry:
        """The entry of a kind, loaded where it was only offered; raises KindError where it cannot be used or
        is unknown.
        """
        for part in self.parts:
            part.settle(kind)
        if kind not in self.members:
            known = ", ".join(self.names())
            raise KindError(f"{self.noun} kind {kind!r} is not known; known: {known}", ("kind",))
        return self.members[kind]

    def refuse(self, kind: str, why: str) -> None:
        """Removes a kind of another distribution."""
        for part in self.parts:
            if kind in part:
                part.refuse(kind, why)


def _none_offered(words: Iterable[str]) -> "Tables | None":
    return None


def _any_columns(energy: Mapping[str, Any]) -> tuple[str, ...] | None:
    return None


def _admit_all(
    spec: Mapping[str, Any], sets: Sequence[UnsafeSet], betas: Sequence[float], step_size: float
) -> None:
    return None


def _take_all(spec: Mapping[str, Any], dimension: int) -> None:
    return None


def _none_couples(filter: Mapping[str, Any], sampler: Mapping[str, Any]) -> bool:
    return False


def _end_all(stop: Mapping[str, Any], sampler: Mapping[str, Any]) -> None:
    return None


def _numbers_alone(energy: Mapping[str, Any]) -> Callable[[int], Holding] | None:
    return None


def _none_computed(
    energy: Mapping[str, Any], derived: Mapping[str, str], columns: Sequence[str] | None
) -> dict[str, Any]:
    return dict(energy)


def _all_fits(
    content: Mapping[str, Any], columns: Sequence[str]
) -> Iterable[tuple[tuple[str | int, ...], str]]:
    return ()


def _all_columns(content: Mapping[str, Any], columns: Sequence[str]) -> int:
    return len(columns)


def _no_paths(energy: Mapping[str, Any]) -> tuple[int, ...] | None:
    return None


def _single_will_do(
    resolved: Mapping[str, Any], columns: Sequence[str], regions: Mapping[str, UnsafeSet]
) -> str | None:
    return None


@dataclass(frozen=True, eq=False)
class Tables:
    """Every table a scenario reads from.

    nested: the table of a constructor's parameter, by its annotation, such as `Surrogate`.
    naming: these tables after loading the kinds among some words; None where there are none to load.
    columns: the coordinates' names that an energy's specification implies, or None where it does not; raises
    ValueError.
    admits: raises ValueError where a filter's specification cannot work with these sets and tolerances at
    this step size (B.5).
    couples: whether particles under a filter's and a sampler's specifications are dependent (A.2).
    samples: raises ValueError where a sampler's specification cannot work in this dimension.
    ends: raises ValueError where a stopping rule cannot end a sampler's run, both by their specifications.
    beyond_single: why float32 cannot represent a resolved scenario with its columns and its constrained
    regions; None where it can.
    holds: what the columns of an energy's table hold, None where they are plain numbers.
    unfit: what the parts of a scenario over these columns ask of its energy that does not go with its table,
    as keys and messages.
    moved: how many coordinates a sampler moves, of the parts of a scenario over these columns.
    shape: of the paths that an energy is learned from, [waypoints, coordinates]; None of other rows.
    computing: an energy's specification with those of these derived names that are columns of its table,
    computed from the others; columns: the names that the scenario gives them, if it does.
    makers: builders of the non-geometric parts of a region, such as the energy of a sublevel set.
    """

    energies: Table
    samplers: Table
    filters: Table
    sets: Table
    inits: Table = field(default_factory=lambda: Table(INITS))
    stops: Table | None = None
    nested: Mapping[type, Table] = field(default_factory=dict)
    naming: Callable[[Iterable[str]], "Tables | None"] = _none_offered
    columns: Callable[[Mapping[str, Any]], tuple[str, ...] | None] = _any_columns
    admits: Callable[[Mapping[str, Any], Sequence[UnsafeSet], Sequence[float], float], None] = _admit_all
    couples: Callable[[Mapping[str, Any], Mapping[str, Any]], bool] = _none_couples
    samples: Callable[[Mapping[str, Any], int], None] = _take_all
    ends: Callable[[Mapping[str, Any], Mapping[str, Any]], None] = _end_all
    beyond_single: Callable[[Mapping[str, Any], Sequence[str], Mapping[str, UnsafeSet]], str | None] = (
        _single_will_do
    )
    holds: Callable[[Mapping[str, Any]], Callable[[int], Holding] | None] = _numbers_alone
    unfit: Callable[[Mapping[str, Any], Sequence[str]], Iterable[tuple[tuple[str | int, ...], str]]] = (
        _all_fits
    )
    moved: Callable[[Mapping[str, Any], Sequence[str]], int] = _all_columns
    shape: Callable[[Mapping[str, Any]], tuple[int, ...] | None] = _no_paths
    computing: Callable[[Mapping[str, Any], Mapping[str, str], Sequence[str] | None], dict[str, Any]] = (
        _none_computed
    )
    makers: Nested = field(default_factory=dict)
