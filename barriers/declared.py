"""Traits that a class declares about one of its methods, such as that a filter takes clouds side by side."""

from functools import lru_cache
from typing import Any


def declares(thing: Any, trait: str, method: str) -> bool:
    """Whether the attribute `trait` of a thing is true, and is about the `method` that it has: declared by
    the class that defines the method, or by one derived from that. A declaration is not inherited by another
    method of the same name, of which it may be false.
    """
    return _about(type(thing), trait, method) and bool(getattr(thing, trait))


@lru_cache(maxsize=1024)
def _about(kind: type, trait: str, method: str) -> bool:
    """Whether a class that declares the trait declares it about the method."""
    classes = kind.__mro__
    declared = next((i for i, c in enumerate(classes) if trait in vars(c)), len(classes))
    defined = next((i for i, c in enumerate(classes) if method in vars(c)), -1)
    return declared <= defined
