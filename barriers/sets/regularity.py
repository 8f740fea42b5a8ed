"""Known properties of a set's level s: whether it is 1-Lipschitz, |s(x) − s(y)| ≤ ‖x − y‖, how steep it is
otherwise, and whether it is convex.
"""

from functools import singledispatch

from barriers.sets.algebra import AllOf, AnyOf, Not
from barriers.sets.ball import Ball
from barriers.sets.base import UnsafeSet
from barriers.sets.capsule import Capsule
from barriers.sets.columns import Columns
from barriers.sets.ellipsoid import Ellipsoid
from barriers.sets.faceted import Faceted
from barriers.sets.half_space import HalfSpace
from barriers.sets.occupancy import Occupancy
from barriers.sets.offset import Grow, Shrink
from barriers.sets.separation import Separation
from barriers.sets.smooth_union import SmoothUnion
from barriers.sets.superellipse import Superellipse


@singledispatch
def lipschitz(unsafe: UnsafeSet) -> bool:
    """Whether |s(x) − s(y)| ≤ ‖x − y‖ everywhere, as for a distance."""
    return unsafe.exact or unsafe.clearance


@lipschitz.register(Faceted)
@lipschitz.register(Separation)
@lipschitz.register(Superellipse)
@lipschitz.register(Shrink)
def _lipschitz_always(unsafe: UnsafeSet) -> bool:
    return True


@lipschitz.register(AnyOf)
@lipschitz.register(AllOf)
def _lipschitz_members(unsafe: AnyOf | AllOf) -> bool:
    return all(lipschitz(s) for s in unsafe.members())


@lipschitz.register(Not)
@lipschitz.register(Columns)
def _lipschitz_inner(unsafe: Not | Columns) -> bool:
    return lipschitz(unsafe.inner)


@lipschitz.register
def _lipschitz_smooth_union(unsafe: SmoothUnion) -> bool:
    return all(lipschitz(s) for s in unsafe.melted.sets)


def steepness(unsafe: UnsafeSet) -> float | None:
    """An L with |s(x) − s(y)| ≤ L‖x − y‖ everywhere; None where none is known."""
    if lipschitz(unsafe):
        return 1.0
    match unsafe:
        case Occupancy():
            return unsafe.steepest
        case Not() | Columns():
            return steepness(unsafe.inner)
        case AnyOf() | AllOf():
            found = [steepness(s) for s in unsafe.members()]
            known = [L for L in found if L is not None]
            return max(known) if len(known) == len(found) else None
        case _:
            return None


def convex(unsafe: UnsafeSet) -> bool:
    """Whether s is convex, so that along a segment it has one minimum."""
    match unsafe:
        case Ball() | HalfSpace() | Faceted() | Ellipsoid() | Capsule() | Superellipse():
            return True
        case AllOf():
            return all(convex(s) for s in unsafe.members())
        case Columns() | Grow() | Shrink():
            return convex(unsafe.inner)
        case _:
            return False
