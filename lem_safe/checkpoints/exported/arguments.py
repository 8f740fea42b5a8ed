"""The arguments of an operator of a graph: numbers, text, and values by name; everything else is refused."""

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from barriers.arrays import torch
from lem_safe.checkpoints.exported.checked import get, integer, only

SCALARS = {5: torch.int64, 7: torch.float32, 8: torch.float64, 12: torch.bool}
"""torch's codes of the dtypes that an operator may ask for."""
INFINITIES = {"Infinity": math.inf, "-Infinity": -math.inf}
DROPPED = object()
"""An argument that is left out: where and how memory is laid out is decided by the rows."""


class Value(NamedTuple):
    """A value of the graph, by name."""

    name: str


def argument_of(argument: Mapping[str, Any], known: set[str], target: str) -> Any:
    """The value of an argument: numbers, text, and Values among the names that are known."""
    kind, held = only(argument, target)
    if kind == "as_none":
        return None
    if kind in ("as_device", "as_layout", "as_memory_format"):
        return DROPPED
    if kind in ("as_bool", "as_string"):
        return get(argument, kind, bool if kind == "as_bool" else str, target)
    if kind in ONE:
        return ONE[kind](held, known, target)
    one = LISTS.get(kind)
    if one is None:
        raise ValueError(f"{target} has an argument of kind {kind[:80]!r}, which is not read")
    return [ONE[one](item, known, target) for item in get(argument, kind, list, target)]


def _value(held: Any, known: set[str], target: str, key: str = "name") -> Value:
    name = get(held, key, str, target)
    if name not in known:
        raise ValueError(f"{target} uses {name[:80]!r}, which no earlier operator defines")
    return Value(name)


def _optional(held: Any, known: set[str], target: str) -> Value | None:
    way, inner = only(held, target)
    return None if way == "as_none" else _value(inner, known, target)


def _size(held: Any, known: set[str], target: str) -> int | Value:
    """An integer, or the size of an earlier value."""
    way, _ = only(held, target)
    return _value(held, known, target, way) if way == "as_name" else integer(held, "as_int", target)


def _integer(held: Any, known: set[str], target: str) -> int:
    return integer({"as_int": held}, "as_int", target)


def _float(held: Any, known: set[str], target: str) -> float:
    found = INFINITIES.get(held) if isinstance(held, str) else held
    if isinstance(found, bool) or not isinstance(found, int | float) or math.isnan(found):
        raise ValueError(f"{target} has an argument that is not a number: {str(held)[:40]!r}")
    return float(found)


def _dtype(held: Any, known: set[str], target: str) -> torch.dtype:
    if isinstance(held, bool) or held not in SCALARS:
        raise ValueError(f"{target} makes numbers of a dtype that is not read (torch's number {held})")
    return SCALARS[held]


ONE: Mapping[str, Callable[[Any, set[str], str], Any]] = {
    "as_tensor": _value,
    "as_optional_tensor": _optional,
    "as_int": _integer,
    "as_sym_int": _size,
    "as_float": _float,
    "as_scalar_type": _dtype,
}
"""How one value is read, by torch's name of its kind."""
LISTS: Mapping[str, str] = {
    "as_tensors": "as_tensor",
    "as_optional_tensors": "as_optional_tensor",
    "as_ints": "as_int",
    "as_sym_ints": "as_sym_int",
    "as_floats": "as_float",
}
