"""Grown and shrunken sets: {s ≤ r} and {s ≤ −r}.

Both need a distance, not a bound: growing, outside the set (`clearance`); shrinking, inside it. Where the set
is known only by a level function they are refused, since shifting a level by r does not shift the set by r.
"""

from typing import Annotated, ClassVar

from annotated_types import Gt
from jaxtyping import Bool, Float
from typing_extensions import Doc

from barriers.arrays import Tensor, needs_torch
from barriers.derivatives import Jet, Scalar
from barriers.sets.algebra import AllOf
from barriers.sets.base import UnsafeSet, positive
from barriers.sets.faceted import Faceted
from barriers.sets.soft import soften


class Grow(UnsafeSet):
    """Everything within a distance `by` of `set`: its neighbourhood, with rounded corners."""

    exact = False
    clearance = True
    example: ClassVar[dict[str, object]] = {
        "kind": "grow",
        "set": {"kind": "box", "lower": [-0.5, -0.7], "upper": [0.6, 0.2]},
        "by": 0.3,
    }

    def __init__(
        self,
        set: Annotated[
            UnsafeSet, Doc("A region whose distance is exact outside, or a union (`any`) of such regions.")
        ],
        by: Annotated[float, Gt(0), Doc("How far it grows, in the data's units.")],
    ):
        super().__init__()
        if not set.clearance:
            raise ValueError(
                f"Grow: set must have an exact distance outside, which {_name(set)} has not; grow its "
                "parts instead"
            )
        self.inner, self.by = set, positive("Grow", "by", by)
        self.smooth, self.dimension = set.smooth, set.dimension

    def forward(self, x: Float[Tensor, "*n d"]) -> Float[Tensor, "*n"]:
        return self.inner(x) - self.by

    def contains(self, x: Float[Tensor, "*n d"]) -> Bool[Tensor, "*n"]:
        needs_torch("a level that decides")
        return ~(self.inner(x.double()) > self.by)  # NaN counts as inside

    def jet(self, x: Float[Tensor, "n d"]) -> Jet:
        inner = self.inner.jet(x)
        return Jet(inner.value - self.by, inner.gradient, inner.laplacian)


class Shrink(UnsafeSet):
    """Everything at least `by` deep inside `set`."""

    exact = False
    example: ClassVar[dict[str, object]] = {
        "kind": "shrink",
        "set": {"kind": "box", "lower": [-1.0, -1.2], "upper": [1.1, 0.7]},
        "by": 0.3,
    }

    def __init__(
        self,
        set: Annotated[
            UnsafeSet,
            Doc("A region whose distance is exact inside, or an intersection (`all`) of such regions."),
        ],
        by: Annotated[float, Gt(0), Doc("How far it shrinks, in the data's units.")],
    ):
        super().__init__()
        if not _depth(set):
            raise ValueError(
                f"Shrink: set must have an exact distance inside, which {_name(set)} has not; shrink its "
                "parts instead"
            )
        self.inner, self.by = set, positive("Shrink", "by", by)
        self.smooth, self.dimension = set.smooth, set.dimension

    def forward(self, x: Float[Tensor, "*n d"]) -> Float[Tensor, "*n"]:
        return self.inner(x) + self.by

    def contains(self, x: Float[Tensor, "*n d"]) -> Bool[Tensor, "*n"]:
        needs_torch("a level that decides")
        return ~(self.inner(x.double()) > -self.by)

    def jet(self, x: Float[Tensor, "n d"]) -> Jet:
        inner = self.inner.jet(x)
        return Jet(inner.value + self.by, inner.gradient, inner.laplacian)


class SoftGrow(UnsafeSet):
    """A grown set whose inner level is softened; membership is that of `hard`."""

    exact = False
    smooth = True

    def __init__(self, hard: Grow, soft: UnsafeSet):
        super().__init__()
        self.hard, self.soft, self.dimension = hard, soft, hard.dimension

    def forward(self, x: Float[Tensor, "*n d"]) -> Float[Tensor, "*n"]:
        return self.soft(x) - self.hard.by

    def contains(self, x: Float[Tensor, "*n d"]) -> Bool[Tensor, "*n"]:
        return self.hard.contains(x)

    def jet(self, x: Float[Tensor, "n d"]) -> Jet:
        inner = self.soft.jet(x)
        return Jet(inner.value - self.hard.by, inner.gradient, inner.laplacian)


@soften.register
def _soft_grow(unsafe: Grow, width: Scalar) -> UnsafeSet:
    # Shrink has no such form: inside, a softened level may lie above the distance.
    return unsafe if unsafe.smooth else SoftGrow(unsafe, soften(unsafe.inner, width))


def _depth(unsafe: UnsafeSet) -> bool:
    """Whether −s is the distance to the boundary inside: true for exact sets, faces, and intersections of
    these.
    """
    if isinstance(unsafe, AllOf):
        return all(_depth(s) for s in unsafe.members())
    return unsafe.exact or isinstance(unsafe, Faceted)


def _name(unsafe: UnsafeSet) -> str:
    return type(unsafe).__name__
