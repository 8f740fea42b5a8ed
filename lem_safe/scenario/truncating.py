"""What a scenario tells the energy whose rows its regions truncate: what these regions are (E.31)."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

KEY = "truncated"


def told_of_regions(
    energy: Mapping[str, Any],
    unsafe: Mapping[str, Any],
    derived: Mapping[str, str] | None,
    columns: Sequence[str] | None,
) -> dict[str, Any]:
    """The specification of an energy, with the specifications of the regions that truncate its rows, and of
    those that these are made of; as it is where nothing does.
    """
    given = energy.get(KEY)
    if not isinstance(given, Mapping) or not isinstance(given.get("by"), list):
        return dict(energy)
    wanted = set[str]()
    left = [name for name in given["by"] if isinstance(name, str)]
    while left:
        name = left.pop()
        if name in unsafe and name not in wanted:
            wanted.add(name)
            left += _texts(unsafe[name])
    own = {name: spec for name, spec in unsafe.items() if name in wanted}
    names = None if columns is None else list(columns)
    return {**energy, KEY: {**given, "unsafe": own, "derived": dict(derived or {}) or None, "columns": names}}


def _texts(value: Any) -> Iterator[str]:
    """Every text in a region's specification, of which some may be names of other regions."""
    if isinstance(value, str):
        yield value
    for part in value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ():
        yield from _texts(part)
