"""The values that a scenario gives to columns of numbers: `given` of an energy over numbers (E.26)."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from barriers.specification import SpecificationError
from barriers.subspace import restricted
from barriers.tables import listed
from lem_safe.checkpoints import Checkpoint
from lem_safe.data.source import Dataset
from lem_safe.errors import BadInput
from lem_safe.registry.making import make
from lem_safe.training.principal import principal
from lem_safe.training.trained import Trained

MOST = 1e30
"""The largest size of a number, as of data: samples may be float32."""
ENDS = {"start": 0, "goal": -1}
"""The waypoints of a path that have names: the first and the last."""


def shape_of(energy: Mapping[str, Any]) -> tuple[int, ...] | None:
    """The shape of the paths that an energy's specification is learned from; None of other rows, and where
    they cannot be read, which is reported elsewhere.
    """
    try:
        made = make("energies", energy) if energy.get("kind") in ("trained", "checkpoint") else None
        if isinstance(made, Checkpoint):
            return made.path_shape
        return made.data.path_shape if isinstance(made, Trained) else None
    except (BadInput, ValueError, KeyError):
        return None


def made_of(energy: Mapping[str, Any]) -> Dataset | None:
    """The recorded paths that an energy is learned from; None of others."""
    try:
        made = make("energies", energy) if energy.get("kind") == "trained" else None
        return made.data.load(0) if isinstance(made, Trained) and made.data.path_shape is not None else None
    except (BadInput, ValueError, KeyError):
        return None


def moved(content: Mapping[str, Any], columns: Sequence[str]) -> int:
    """How many coordinates a sampler moves: those of an energy, without those that values are given to."""
    energy, given = content.get("energy") or {}, content.get("given") or {}
    rows = made_of(energy)
    try:
        values = values_given(given, columns, content.get("shape") or shape_of(energy))
        if rows is not None and rows.components is not None:
            found = principal(rows.values, rows.components)
            return restricted(found, values).coordinates.dimension if values else rows.components
    except ValueError:  # reported where they are given
        return len(columns)
    return len(columns) - len(values)


def impossible(energy: Mapping[str, Any], values: Mapping[int, float]) -> str | None:
    """Why recorded paths cannot have these values together; None where they can."""
    rows = made_of(energy) if values else None
    if rows is None or rows.components is None:
        return None
    try:
        restricted(principal(rows.values, rows.components), values)
    except ValueError as error:
        return f"cannot be given: {error}; give fewer values, or say more components"
    return None


def values_given(
    given: Mapping[str, Any], columns: Sequence[str], shape: Sequence[int] | None
) -> dict[int, float]:
    """Values by place; SpecificationError for what cannot be given, at its name."""
    found: dict[int, float] = {}
    for name, value in given.items():
        for place, number in _places(name, value, columns, shape):
            if found.get(place, number) != number:
                message = f"gives column '{columns[place]}' two values, {found[place]:g} and {number:g}"
                raise SpecificationError(message, (name,))
            found[place] = number
    if len(found) >= len(columns):
        raise SpecificationError(f"leaves none of the {len(columns)} columns to sample")
    return found


def _places(
    name: str, value: Any, columns: Sequence[str], shape: Sequence[int] | None
) -> Iterator[tuple[int, float]]:
    if name in columns:
        yield list(columns).index(name), _number(name, value)
        return
    if name not in ENDS or shape is None:
        ends = " start and goal need shape: [waypoints, coordinates];" if name in ENDS else ""
        message = f"no column is named '{name}';{ends} the columns are {listed(list(columns))}"
        raise SpecificationError(message, (name,))
    size = math.prod(shape[1:])
    numbers = _flat(value)
    if len(numbers) != size:
        many = f"{size} numbers" if size > 1 else "one number"
        raise SpecificationError(f"must be {many}, one waypoint; got {value!r}", (name,))
    first = ENDS[name] % shape[0] * size
    for k, number in enumerate(numbers):
        yield first + k, _number(name, number)


def _number(name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= MOST:
        raise SpecificationError(f"must be a finite number; got {value!r}", (name,))
    return float(value)


def _flat(value: Any) -> list[Any]:
    """The numbers of a waypoint: one, a list, or a list for each agent."""
    if isinstance(value, list):
        return [number for part in value for number in _flat(part)]
    return [value]
