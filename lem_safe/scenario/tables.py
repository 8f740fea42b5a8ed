"""What a scenario may name, as data: tables of constructors whose annotated parameters are the schema.

This package knows no energy, filter or sampler; whoever loads a scenario hands it these tables
(`lem_safe.registry` does).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from barriers.sets import UnsafeSet
from barriers.specification import Nested
from lem_safe.scenario.inits import INITS

Constructor = Callable[..., Any]


@dataclass(frozen=True)
class Table:
    """Kinds of one thing: `noun` names it in messages, `default` is the kind meant where a mapping has no
    `kind`.
    """

    noun: str
    members: Mapping[str, Constructor]
    default: str | None = None


def _any_columns(energy: Mapping[str, Any]) -> tuple[str, ...] | None:
    return None


def _admit_all(
    spec: Mapping[str, Any], sets: Sequence[UnsafeSet], betas: Sequence[float], step_size: float
) -> None:
    return None


def _take_all(spec: Mapping[str, Any], dimension: int) -> None:
    return None


def _none_couples(spec: Mapping[str, Any]) -> bool:
    return False


def _end_all(stop: Mapping[str, Any], sampler: Mapping[str, Any]) -> None:
    return None


def _single_will_do(
    resolved: Mapping[str, Any], columns: Sequence[str], regions: Mapping[str, UnsafeSet]
) -> str | None:
    return None


@dataclass(frozen=True, eq=False)
class Tables:
    """Every table a scenario reads from.

    nested: the annotation of a constructor's parameter -> the table its value comes from, such as
    `Surrogate`.
    columns: the coordinates' names that an energy's specification implies, or None where it does not say;
    raises ValueError.
    admits: raises ValueError where a filter's specification cannot work with these sets and tolerances at
    this step size (B.5).
    couples: whether particles under a filter's specification depend on one another (A.2).
    samples: raises ValueError where a sampler's specification cannot work in so many dimensions.
    ends: raises ValueError where a stopping rule cannot end a sampler's run, both by their specifications.
    beyond_single: why float32 cannot hold what a resolved scenario is about, with its columns and its
    constrained regions; None where it can.
    makers: who builds what a region holds that is no geometry, such as the energy of a sublevel set.
    """

    energies: Table
    samplers: Table
    filters: Table
    sets: Table
    inits: Table = Table("start", INITS, default="standard")
    stops: Table | None = None
    nested: Mapping[type, Table] = field(default_factory=dict)
    columns: Callable[[Mapping[str, Any]], tuple[str, ...] | None] = _any_columns
    admits: Callable[[Mapping[str, Any], Sequence[UnsafeSet], Sequence[float], float], None] = _admit_all
    couples: Callable[[Mapping[str, Any]], bool] = _none_couples
    samples: Callable[[Mapping[str, Any], int], None] = _take_all
    ends: Callable[[Mapping[str, Any], Mapping[str, Any]], None] = _end_all
    beyond_single: Callable[[Mapping[str, Any], Sequence[str], Mapping[str, UnsafeSet]], str | None] = (
        _single_will_do
    )
    makers: Nested = field(default_factory=dict)
