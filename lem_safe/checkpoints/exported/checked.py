"""Fields of parsed JSON, of the type they must have; a ValueError says which is not."""

from collections.abc import Mapping
from typing import Any, TypeVar

T = TypeVar("T")
LARGEST = 2**63 - 1


def get(mapping: Any, key: str, type_: type[T], where: str) -> T:
    """The value at a key, of this type."""
    value = mapping.get(key) if isinstance(mapping, Mapping) else None
    if not isinstance(value, type_):
        raise ValueError(f"{where}: '{key}' is missing or not a {type_.__name__}")
    return value


def integer(mapping: Any, key: str, where: str) -> int:
    """The integer at a key; not a truth value, and within 64 bits."""
    value = get(mapping, key, int, where)
    if isinstance(value, bool) or abs(value) > LARGEST:
        raise ValueError(f"{where}: '{key}' is not an integer of at most 64 bits")
    return value


def only(mapping: Any, where: str) -> tuple[str, Any]:
    """The one entry of a mapping with one entry, which is how torch writes a union."""
    if not isinstance(mapping, Mapping) or len(mapping) != 1:
        raise ValueError(f"{where}: must have exactly one entry")
    ((key, value),) = mapping.items()
    return str(key), value
