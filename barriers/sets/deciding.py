"""Sets where a level in floating point alone decides which rows are inside (`grow`, `shrink`): torch computes
it wherever other roundings could count differently.
"""

from barriers.arrays import needs_torch
from barriers.sets.algebra import AnyOf
from barriers.sets.ball import Ball
from barriers.sets.base import UnsafeSet
from barriers.sets.box import Box
from barriers.sets.occupancy import Occupancy
from barriers.sets.polygon import Polygon
from barriers.squares import FEW


def decided_by_level(unsafe: UnsafeSet) -> None:
    """Begins again with torch where another rounding of this set's level could count differently."""
    if not _of_sums(unsafe):
        needs_torch("a level that decides")


def _of_sums(unsafe: UnsafeSet) -> bool:
    """Whether a level is made of single products, sums and roots."""
    if isinstance(unsafe, AnyOf):
        return all(map(_of_sums, unsafe.members()))
    if unsafe.dimension is None or unsafe.dimension > FEW:
        return False
    return isinstance(unsafe, Ball | Polygon | Occupancy) or (isinstance(unsafe, Box) and unsafe.axes is None)
