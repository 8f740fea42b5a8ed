"""Regions along paths beside the shape that a scenario says its paths have."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

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
            elif kind in SIZED and part.get("size", 2) != size:
                said = f"size is {part.get('size', 2)}"
                yield name, f"{kind}: {said}, and shape says {size}: add size: {size}"


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
