"""A first specification of every kind: its own example, as in the published schema, or a more informative
one.
"""

from functools import lru_cache
from typing import Any

from lem_safe.registry import json_schema, tables
from lem_safe.scenario import Tables

SIMPLE: dict[tuple[str, str], dict[str, Any]] = {
    ("energy", "gaussian"): {"mean": [0.0, 0.0], "std": 1.0},
    ("energy", "gaussian_mixture"): {"means": [[2.0, 0.0], [-2.0, 0.0]], "std": 0.5},
    ("energy", "trained"): {
        "data": {"kind": "two_moons"},
        "network": {"kind": "mlp", "hidden": 32, "depth": 2},
        "training": {"steps": 300},
    },
    ("sampler", "preconditioned"): {"metric": "covariance"},
    ("region", "ball"): {"center": [2.0, 0.0], "radius": 0.5},
    ("region", "half_space"): {"normal": [1.0, 0.0], "offset": 2.0},
}
"""First specifications where a kind's own example, made for tests, is less informative."""


def spec(noun: str, kind: str, d: int) -> dict[str, Any]:
    """A first specification: the kind's own example, over d columns, with the defaults that are numbers or
    words.
    """
    model = schema()["$defs"][f"{noun}_{kind}"]
    example = SIMPLE.get((noun, kind)) or next(iter(model.get("examples", [])), {})
    chosen: dict[str, Any] = {"kind": kind}
    for key, about in model["properties"].items():
        if key in ("kind", "init", "samples", "steps", "step_size"):
            continue
        if key in example:
            chosen[key] = example[key]
        elif key in model.get("required", ()):
            chosen[key] = about["examples"][0]
        elif isinstance(about.get("default"), int | float | str):
            chosen[key] = about["default"]
    return {key: _extended(value, d) for key, value in chosen.items()}


def _extended(value: Any, d: int) -> Any:
    """Pairs of numbers, or lists of them, extended to d numbers each by repeating the last one."""
    if isinstance(value, list) and value and all(isinstance(v, int | float) for v in value):
        return (value + [value[-1]] * d)[:d] if len(value) == 2 else value
    return [_extended(v, d) for v in value] if isinstance(value, list) else value


def schema() -> dict[str, Any]:
    """The published schema, including installed kinds."""
    return _schema_of(tables())


@lru_cache(maxsize=1)
def _schema_of(tables_: Tables) -> dict[str, Any]:
    return json_schema()
