"""The values that a scenario gives to columns of numbers: `given` of an energy over numbers (E.26)."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from barriers.specification import SpecificationError
from barriers.tables import listed
from lem_safe.checkpoints import Checkpoint
from lem_safe.errors import BadInput
from lem_safe.registry.making import make
from lem_safe.training.trained import Trained

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
    if not isinstance(value, list) or len(value) != size:
        raise SpecificationError(f"must be {size} numbers, one waypoint; got {value!r}", (name,))
    first = ENDS[name] % shape[0] * size
    for k, number in enumerate(value):
        yield first + k, _number(name, number)


def _number(name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise SpecificationError(f"must be a finite number; got {value!r}", (name,))
    return float(value)
