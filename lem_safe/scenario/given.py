"""Regions and tolerances given in Python, as a scenario to audit with."""

from collections.abc import Iterator, Mapping, Sequence
from numbers import Real
from os import PathLike, fspath
from typing import Any, SupportsFloat

import numpy as np

from barriers.arrays import torch
from barriers.sets import Constraint, UnsafeSet
from lem_safe.errors import BadInput, Fault
from lem_safe.scenario.in_python import STAND_IN, in_python
from lem_safe.scenario.loading import WHO, of_values
from lem_safe.scenario.messages import did_you_mean
from lem_safe.scenario.model import Scenario
from lem_safe.scenario.tables import Tables


def of_regions(
    regions: Mapping[Any, Any],
    beta: SupportsFloat | Mapping[str, SupportsFloat] | None,
    tables: Tables,
    header: Sequence[str] | None = None,
    width: int | None = None,
) -> Scenario:
    """The scenario of regions by name, each as a file writes it, or an object (see `regions_given`), and what
    is tolerated in them: one number for all, or one by name.

    A region without a number of its own must be part of a later one. header, width: see `scenario.load`.
    Raises BadInput with every fault found.
    """
    unsafe, objects = regions_given(regions)
    constraints = constraints_given(unsafe, beta)
    chosen = of_values({"unsafe": unsafe, "constraints": constraints}, tables, header, width)
    return in_python(chosen, objects) if objects else chosen


def regions_given(regions: Mapping[Any, Any], who: str = WHO) -> tuple[dict[str, Any], dict[str, UnsafeSet]]:
    """Regions by name as a file writes them, with a stand-in for each that is an object: a set, or a function
    of rows that is negative, or true, where they are unsafe; and those objects by name. Raises BadInput.
    """
    if not isinstance(regions, Mapping):
        kind = type(regions).__name__
        raise BadInput(
            Fault(f"must be regions by name; got one of type {kind}; write {{'name': region}}", who)
        )
    names = [name for name in regions if not (isinstance(name, str) and name)]
    if names or not regions:
        what = f"must be regions by name; got the name {names[0]!r}" if names else "holds no region"
        raise BadInput(Fault(f"{what}; write {{'name': region}}", who))
    objects = {
        name: spec if isinstance(spec, UnsafeSet) else Constraint(spec)
        for name, spec in regions.items()
        if isinstance(spec, UnsafeSet) or (callable(spec) and not isinstance(spec, type))
    }
    return {
        name: dict(STAND_IN) if name in objects else _plain(spec, who) for name, spec in regions.items()
    }, objects


def constraints_given(
    unsafe: Mapping[str, Any], beta: SupportsFloat | Mapping[str, SupportsFloat] | None, who: str = WHO
) -> list[dict[str, Any]]:
    """The constraints of regions as a file writes them; raises BadInput."""
    return [{"set": name, "beta": _number(value)} for name, value in _betas(unsafe, beta, who).items()]


def _betas(
    unsafe: Mapping[str, Any], beta: SupportsFloat | Mapping[str, SupportsFloat] | None, who: str
) -> dict[str, Any]:
    """A tolerance for each constrained region, in the order of the regions."""
    if beta is None:
        raise BadInput(Fault("is missing: the tolerated fraction, such as beta=.01", who, key="beta"))
    if not isinstance(beta, Mapping):
        return dict.fromkeys(unsafe, beta)
    unknown = [name for name in beta if name not in unsafe]
    faults = [
        Fault(f"no region is named '{name}'{did_you_mean(name, list(unsafe))}", who, key="beta")
        for name in unknown
    ]
    later = list(unsafe)
    for i, name in enumerate(unsafe):
        if name not in beta and not any(name in _strings(unsafe[other]) for other in later[i + 1 :]):
            faults.append(
                Fault(f"says nothing of '{name}', which is part of no later region", who, key="beta")
            )
    if faults or not beta:
        raise BadInput(faults or Fault("names no region", who, key="beta"))
    return {name: beta[name] for name in unsafe if name in beta}


def _number(value: Any) -> Any:
    """Any real number as Python's own; what is none stays, and is refused where it is checked."""
    if isinstance(value, np.generic | np.ndarray | torch.Tensor):
        value = _plain(value)
    return float(value) if isinstance(value, Real) and not isinstance(value, bool | int) else value


def _plain(value: Any, who: str = WHO) -> Any:
    """A region as a file gives it: mappings, lists, text and numbers."""
    match value:
        case Mapping():
            return {key: _plain(item, who) for key, item in value.items()}
        case torch.Tensor() | np.ndarray() | np.generic():
            return value.tolist()
        case list() | tuple():
            return [_plain(item, who) for item in value]
        case PathLike():
            return fspath(value)
        case str() | bool() | int() | float() | None:
            return value
    raise BadInput(
        Fault(
            f"a region is written as in a scenario, such as {{'kind': 'rule', 'where': 'x0 > 1'}}, or is a "
            f"set of lem_safe.sets or a function of rows; got one of type {type(value).__name__}",
            who,
            key="unsafe",
        )
    )


def _strings(spec: Any) -> Iterator[str]:
    if isinstance(spec, str):
        yield spec
    elif isinstance(spec, Mapping | list):
        for part in spec.values() if isinstance(spec, Mapping) else spec:
            yield from _strings(part)
