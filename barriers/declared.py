"""Traits that a class declares about one of its methods, such as that a filter takes clouds side by side."""

from typing import Any

_ABOUT: dict[tuple[type, str, str], bool] = {}
"""Whether a class that declares a trait declares it about a method."""


def declares(thing: Any, trait: str, method: str) -> bool:
    """Whether the attribute `trait` of a thing is true, and is about the `method` that it has: declared by
    the class that defines the method, or by one derived from that. A declaration is not inherited by another
    method of the same name, of which it may be false.
    """
    asked = type(thing), trait, method
    if asked not in _ABOUT:
        classes = asked[0].__mro__
        declared = next((i for i, c in enumerate(classes) if trait in vars(c)), len(classes))
        defined = next((i for i, c in enumerate(classes) if method in vars(c)), -1)
        _ABOUT[asked] = declared <= defined
    return _ABOUT[asked] and bool(getattr(thing, trait))
