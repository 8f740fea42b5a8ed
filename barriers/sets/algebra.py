"""The algebra of sets: s of a union is at most the min, of an intersection at least the max, of a complement
−s.

Outside, min of exact distances is the distance to the union (`clearance`); inside it is a bound, and dually
for max: neither keeps `exact`, unless it has one member. `complement` pushes negation to the leaves (de
Morgan), so that `soften` can bound each kink from the safe side (B.5).
"""

import builtins
from abc import abstractmethod
from functools import singledispatch
from typing import Annotated, ClassVar

from annotated_types import MinLen
from jaxtyping import Bool, Float
from typing_extensions import Doc

from barriers.arrays import Tensor, torch
from barriers.derivatives import Jet
from barriers.members import Members
from barriers.sets.base import UnsafeSet


class _Several(UnsafeSet):
    smooth = False

    def __init__(self, sets: list[UnsafeSet]):
        super().__init__()
        if not sets:
            raise ValueError(f"{type(self).__name__}: needs at least one set; got an empty list")
        dimensions = {s.dimension for s in sets} - {None}
        if len(dimensions) > 1:
            raise ValueError(
                f"{type(self).__name__}: sets must share one dimension; got "
                f"{sorted(d for d in dimensions if d)}"
            )
        self.sets = Members(sets)
        self.dimension = next(iter(dimensions), None)
        self.exact = len(sets) == 1 and sets[0].exact

    def members(self) -> list[UnsafeSet]:
        return list(self.sets)

    def _distances(self, x: Tensor) -> Tensor:
        return torch.stack([s(x) for s in self.sets], -1)

    def jet(self, x: Float[Tensor, "n d"]) -> Jet:
        """The jet of the active member at each row."""
        jets = [s.jet(x) for s in self.members()]
        value = torch.stack([j.value for j in jets])
        k = self._active(value)
        rows = torch.arange(x.shape[0], device=x.device)
        return Jet(*(torch.stack(part)[k, rows] for part in zip(*jets, strict=True)))

    @abstractmethod
    def _active(self, values: Tensor) -> Tensor:
        """The index of the active member, of values stacked along the first axis."""


class AnyOf(_Several):
    """The union: unsafe where any member is."""

    example: ClassVar[dict[str, object]] = {
        "any": [
            {"kind": "ball", "center": [0, 0], "radius": 1.0},
            {"kind": "half_space", "normal": [1, 0], "offset": 1.5},
        ]
    }

    def __init__(self, any: Annotated[list[UnsafeSet], MinLen(1), Doc("Unsafe where any of these is.")]):
        super().__init__(any)
        self.clearance = builtins.all(s.clearance for s in any)

    def forward(self, x: Float[Tensor, "*n d"]) -> Float[Tensor, "*n"]:
        return self._distances(x).amin(-1)

    def contains(self, x: Float[Tensor, "*n d"]) -> Bool[Tensor, "*n"]:
        return torch.stack([s.contains(x) for s in self.members()]).any(0)

    def _active(self, values: Tensor) -> Tensor:
        return values.argmin(0)


class AllOf(_Several):
    """The intersection: unsafe where every member is."""

    example: ClassVar[dict[str, object]] = {
        "all": [
            {"kind": "ball", "center": [0, 0], "radius": 1.0},
            {"kind": "half_space", "normal": [1, 0], "offset": 0.2},
        ]
    }

    def __init__(self, all: Annotated[list[UnsafeSet], MinLen(1), Doc("Unsafe where all of these are.")]):
        super().__init__(all)
        self.clearance = len(all) == 1 and all[0].clearance

    def forward(self, x: Float[Tensor, "*n d"]) -> Float[Tensor, "*n"]:
        return self._distances(x).amax(-1)

    def contains(self, x: Float[Tensor, "*n d"]) -> Bool[Tensor, "*n"]:
        return torch.stack([s.contains(x) for s in self.members()]).all(0)

    def _active(self, values: Tensor) -> Tensor:
        return values.argmax(0)


class Not(UnsafeSet):
    """The complement of one leaf, made by `complement`."""

    example: ClassVar[dict[str, object]] = {"not": {"kind": "ball", "center": [0, 0], "radius": 1.0}}

    def __init__(self, inner: UnsafeSet):
        super().__init__()
        self.inner = inner
        self.exact, self.smooth, self.dimension = inner.exact, inner.smooth, inner.dimension
        self.clearance = inner.exact

    def forward(self, x: Float[Tensor, "*n d"]) -> Float[Tensor, "*n"]:
        return -self.inner(x)

    def contains(self, x: Float[Tensor, "*n d"]) -> Bool[Tensor, "*n"]:
        return ~self.inner.contains(x)

    def jet(self, x: Float[Tensor, "n d"]) -> Jet:
        return Jet(*(-part for part in self.inner.jet(x)))


@singledispatch
def complement(unsafe: UnsafeSet) -> UnsafeSet:
    """Everything outside `unsafe`, with negation pushed to the leaves."""
    return Not(unsafe)


@complement.register
def _complement_of_not(unsafe: Not) -> UnsafeSet:
    return unsafe.inner


@complement.register
def _complement_of_any_of(unsafe: AnyOf) -> UnsafeSet:
    return AllOf([complement(s) for s in unsafe.members()])


@complement.register
def _complement_of_all_of(unsafe: AllOf) -> UnsafeSet:
    return AnyOf([complement(s) for s in unsafe.members()])
