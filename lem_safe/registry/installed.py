"""Kinds of other installed distributions, found by their entry points and loaded on first use.

A distribution offers a kind by an entry point in one of the groups below: its name is the kind, its object
the row. Nothing is imported here; a scenario can only name installed kinds.
"""

from collections.abc import Mapping
from functools import partial
from importlib.metadata import Distribution, distributions
from typing import Any

from barriers.filters import FILTERS
from barriers.kinds import Kinds, Offer
from barriers.sets import SETS
from lem_safe.energies import ENERGIES
from lem_safe.samplers import SAMPLERS
from lem_safe.training.losses import LOSSES

GROUPS: Mapping[str, Kinds[Any]] = {
    "lem_safe.sets": SETS,
    "lem_safe.filters": FILTERS,
    "lem_safe.samplers": SAMPLERS,
    "lem_safe.energies": ENERGIES,
    "lem_safe.losses": LOSSES,
}
"""The table to which the kinds of a group of entry points are added."""


def offer_installed() -> None:
    """Makes the kinds of every installed distribution known by name."""
    found = list(distributions())
    if not any(point.group in GROUPS for each in found for point in each.entry_points):
        return  # names are in files that are slow to read
    seen = set()
    for distribution in found:
        name = _name(distribution)
        if name in seen:  # an older copy, further down the path
            continue
        seen.add(name)
        for point in distribution.entry_points:
            if point.group in GROUPS:
                origin = f"{name} {distribution.version}"
                GROUPS[point.group].offer(point.name, Offer(origin, partial(point.load)))


def _name(distribution: Distribution) -> str:
    return distribution.metadata["Name"]
