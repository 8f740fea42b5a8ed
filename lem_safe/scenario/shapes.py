"""YAML shapes: they distinguish `float | list[float]` in a file, before anything is checked, and name the
choice in messages.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

from lem_safe.scenario.tables import Table

MARK = "\0"
"""The first character of every union tag, which YAML does not have, so that a tag in an error's location is
never taken for a key.
"""


def shape_of(value: Any) -> str:
    """The YAML shape of a value, which decides between `float | list[float]`. Lists include their content:
    'list of number'.
    """
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, int | float):
        return "number"
    if isinstance(value, str):
        return "string"
    if isinstance(value, list):
        return f"list of {shape_of(value[0])}" if value and isinstance(value[0], list) else "list"
    return "nothing" if value is None else "mapping"


def shape_among(shapes: frozenset[str]) -> Callable[[Any], str | None]:
    def tag(value: Any) -> str | None:
        shape = shape_of(value)
        if shape not in shapes and shape.startswith("list"):
            shape = next((s for s in sorted(shapes) if s.startswith("list")), shape)
        return MARK + shape if shape in shapes else None

    return tag


def shape_of_hint(hint: Any, nested: Mapping[type, Table]) -> str:
    origin, args = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return shape_of_hint(args[0], nested)
    if origin is Literal:
        return shape_of(args[0])
    if origin in (list, tuple) or (isinstance(origin, type) and issubclass(origin, (list, tuple))):
        inner = shape_of_hint(args[0], nested)
        return f"list of {inner}" if inner.startswith("list") else "list"
    if hint is bool:
        return "true or false"
    if hint in (int, float):
        return "number"
    return "string" if hint in (str, Path) else "mapping"
