"""Every function by its name; one that is not here may be mentioned, and not called."""

from typing import Any

from barriers.plain import arranging, choosing, elementwise, making, pairs, products, reductions, shapes
from barriers.plain.needs import absent

PARTS = (pairs, elementwise, choosing, reductions, shapes, arranging, products, making)
FUNCTIONS: dict[str, Any] = {}
for _part in PARTS:
    for _name, _value in vars(_part).items():
        if getattr(_value, "__module__", None) == _part.__name__ and not _name.startswith("_"):
            FUNCTIONS.setdefault(_name, _value)


def __getattr__(name: str) -> Any:
    return FUNCTIONS[name] if name in FUNCTIONS else absent(name)
