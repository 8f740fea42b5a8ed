"""Regions along paths beside the shape that a scenario says its paths have."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from barriers.arrays import torch
from barriers.sets import UnsafeSet
from lem_safe.registry.making import make, regions

ALONG = ("anywhere", "speed", "acceleration", "curvature", "separation")
SIZED = ALONG[1:]
"""Those that are told how many coordinates a waypoint has; `anywhere` has those of its set."""


def unlike_shape(unsafe: Mapping[str, Any], shape: Sequence[int] | None) -> Iterator[tuple[str, str]]:
    """The regions that read paths otherwise than the shape, by name, with what is wrong."""
    if shape is None:
        return
    agents, size = (shape[1] if len(shape) == 3 else 1), shape[-1]
    for name, spec in unsafe.items():
        for part in _parts(spec):
            kind = part["kind"]
            if part.get("agents", 1) != agents:
                said = f"agents is {part.get('agents', 1)}"
                yield name, f"{kind}: {said}, and shape says {agents}: add agents: {agents}"
            elif kind == "anywhere" and (d := _dimension(part.get("set"), size)) not in (None, size):
                yield (
                    name,
                    f"{kind}: its set has {d} dimensions, and shape says {size} coordinates a waypoint",
                )
            elif kind in SIZED and part.get("size", 2) != size:
                said = f"size is {part.get('size', 2)}"
                yield name, f"{kind}: {said}, and shape says {size}: add size: {size}"


def inside_already(
    unsafe: Mapping[str, Any],
    betas: Mapping[str, float],
    shape: Sequence[int] | None,
    values: Mapping[int, float],
) -> Iterator[tuple[str, str]]:
    """The constrained regions that a waypoint with given values is inside of, whatever the path does."""
    if shape is None:
        return
    size = shape[-1]
    whole = [t for t in range(math.prod(shape[:-1])) if all(t * size + k in values for k in range(size))]
    for name in betas:
        for part in _any_of(unsafe.get(name)):
            region = _made(part.get("set"), size)
            for t in whole:
                point = [values[t * size + k] for k in range(size)]
                if region is not None and region.dimension == size and _holds(region, point):
                    shown = ", ".join(f"{v:g}" for v in point)
                    yield name, f"has the waypoint ({shown})"


def _any_of(spec: Any) -> Iterator[Mapping[str, Any]]:
    """The specifications of `anywhere` of which one is enough to be inside."""
    if isinstance(spec, Mapping) and spec.get("kind") == "anywhere":
        yield spec
    elif isinstance(spec, Mapping) and isinstance(spec.get("any"), list):
        for part in spec["any"]:
            yield from _any_of(part)


def _holds(region: UnsafeSet, point: Sequence[float]) -> bool:
    return bool(region.contains(torch.tensor([point], dtype=torch.float64))[0])


def _made(spec: Any, size: int) -> UnsafeSet | None:
    """The set of a specification that stands by itself; None of one that names others."""
    if not isinstance(spec, Mapping):
        return None
    try:
        alone: UnsafeSet = make("sets", spec)
        return alone
    except Exception:  # one of several, or one that is told the columns' names
        pass
    try:
        made: UnsafeSet = next(iter(regions({"it": spec}, [f"x{k}" for k in range(size)]).values()))
    except Exception:  # told where the region is checked
        return None
    return made


def _dimension(spec: Any, size: int) -> int | None:
    made = _made(spec, size)
    return None if made is None else made.dimension


def _parts(spec: Any) -> Iterator[Mapping[str, Any]]:
    """Every specification along paths within one of a region; those of some columns alone are left out."""
    if isinstance(spec, Mapping):
        if spec.get("kind") in ALONG:
            yield spec
        elif spec.get("kind") in (None, "any", "all", "not"):
            for part in spec.values():
                yield from _parts(part)
    elif isinstance(spec, list):
        for part in spec:
            yield from _parts(part)
