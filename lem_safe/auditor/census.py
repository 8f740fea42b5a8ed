"""The census (A.1): how many samples lie inside each set, in float64, by exact geometry, on the values as
saved.

Streamed: memory is that of one block, whatever n is. A clearance is the signed distance s(x), negative
inside. It is exact (`exact`); or, for a union or intersection of such sets, a function that is 1-Lipschitz,
zero on the boundary and of the right sign, so that |s(x)| is at most the true distance (`bound`); or, for a
rule, to first order, s/‖∇s‖, which is no bound (`first_order`). `contains` decides which rows are inside, and
no clearance contradicts it (see `told`).

Besides the counts a census records how far samples stay away, the worst samples, the location of those
inside, and how much of each unit (a cloud, a chain, a path) is inside.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from barriers.arrays import Tensor, needs_torch, torch
from barriers.derivatives import value_and_gradient
from barriers.sets import AllOf, AnyOf, Anywhere, NotSmooth, Separation, UnsafeSet
from barriers.sets.comparison import UNDEFINED
from barriers.sets.flat import flat_in
from lem_safe.auditor.clearances import Clearances
from lem_safe.auditor.inside import Inside
from lem_safe.auditor.region_tally import Judged, Kept, RegionTally
from lem_safe.auditor.samples import Block
from lem_safe.auditor.tracks import Tracks, deepest
from lem_safe.auditor.units import UnitCounts
from lem_safe.auditor.worst import Sample

ClearanceKind = Literal["exact", "bound", "first_order"]

LARGEST = torch.finfo(torch.float64).max

SPACINGS = 64
"""A distance of the wrong sign is attributed to rounding up to this many spacings of the row's largest
number.
"""

LANES = 16
"""Rows are looked at in multiples of so many: then a row's number is the same wherever it is in a block, as
vectors of numbers and what is left at their end may be rounded differently.
"""


class Census(NamedTuple):
    """n rows, how many of them are inside at least one region, the census of each region, and of all together
    per unit, where there are units. dropped: rows that missed a value and are not among the n.
    """

    n: int
    inside_any: int
    regions: dict[str, "RegionCensus"]
    any_by_unit: UnitCounts | None = None
    dropped: int = 0


@dataclass(frozen=True)
class RegionCensus:
    """The census of one region: counts, the smallest clearance and its kind, and the worst samples, deepest
    first.

    undefined: samples where a rule has no value (the root of a negative number, say); they count as inside.
    near: samples outside but within the requested distance; None where none was requested.
    effective: the number of independent rows they are equivalent to by batch means, a diagnostic; None where
    it cannot be computed.
    """

    violations: int
    clearance: float | None
    kind: ClearanceKind
    undefined: int
    near: int | None
    worst: tuple[Sample, ...]
    clearances: Clearances | None = None
    inside: Inside | None = None
    effective: float | None = None
    by_unit: UnitCounts | None = None
    rows: int = 0


def clearance_kind(region: UnsafeSet) -> ClearanceKind:
    """How a region's level is related to distance."""
    if region.exact:
        return "exact"
    if region.clearance or isinstance(region, Separation):
        return "bound"
    if isinstance(region, Anywhere) and clearance_kind(region.inner) in ("exact", "bound"):
        return "bound"
    if isinstance(region, AnyOf | AllOf) and all(
        clearance_kind(s) in ("exact", "bound") for s in region.members()
    ):
        return "bound"
    return "first_order"


def clearances(region: UnsafeSet, x: Float[Tensor, "n d"]) -> tuple[Float[Tensor, "n"], Bool[Tensor, "n"]]:
    """The clearance of each row, NaN where it is unknown, and whether the level itself is undefined there."""
    if clearance_kind(region) != "first_order":
        return region(x), torch.zeros(x.shape[0], dtype=torch.bool)
    try:
        s, gradient = value_and_gradient(region, x)
    except NotSmooth:
        return torch.full_like(x[:, 0], torch.nan), torch.zeros(x.shape[0], dtype=torch.bool)
    undefined = s.isnan() | (s == UNDEFINED)
    slope = gradient.square().sum(-1).sqrt()
    return torch.where(undefined | (slope == 0), torch.nan, s / slope), undefined


def told(
    region: UnsafeSet,
    x: Float[Tensor, "n d"],
    s: Float[Tensor, "n"],
    undefined: Bool[Tensor, "n"],
    inside: Bool[Tensor, "n"],
) -> Float[Tensor, "n"]:
    """The clearances that float64 resolves, NaN for the others; none contradicts membership.

    A clearance of the wrong sign is 0 where the spacing of the row's numbers explains it, or where a rule is
    too steep to resolve the depth; one that overflowed, or that is below the rounding of the shape's own
    numbers, is NaN.
    """
    if clearance_kind(region) == "first_order":
        s = s.clamp(-LARGEST, LARGEST)
        steep = s.isnan() & ~undefined & (not flat_in(region))
        s = torch.where(inside & (steep | (s > 0)), 0.0, s)
        return torch.where(~inside & (s < 0), 0.0, s)
    lost = _most(region, "resolution")
    if lost > 0:
        s = torch.where(s.abs() <= lost, torch.nan, s)
    contradicted = torch.where(inside, s > 0, s < 0)
    if bool(contradicted.any()):
        near = s.abs() <= SPACINGS * torch.finfo(s.dtype).eps * x.abs().amax(-1) + _most(region, "rounding")
        s = torch.where(contradicted, torch.where(near, 0.0, torch.nan), s)
    return torch.where(s.isinf(), torch.nan, s)


def _most(region: UnsafeSet, what: Literal["resolution", "rounding"]) -> float:
    """The maximum over a set and its parts."""
    return max(getattr(part, what) for part in region.modules() if isinstance(part, UnsafeSet))


def judged(
    region: UnsafeSet, x: Float[Tensor, "p d"], n: int, before: Float[Tensor, "p d"] | None = None
) -> Judged:
    """What is found of the first n of these rows; with `before`, of the segments that lead to them."""
    if before is None:
        inside = region.contains(x)
    else:
        inside, x = deepest(region, before, x)
    s, undefined = clearances(region, x)
    s = told(region, x, s, undefined, inside) + 0.0  # no negative zero
    return Judged(inside[:n].numpy(), s[:n].numpy(), undefined[:n].numpy(), x[:n].numpy())


def whole_lanes(x: Float[Tensor, "b d"]) -> Float[Tensor, "p d"]:
    """The rows, the last of them repeated until there is a multiple of LANES."""
    left = -len(x) % LANES
    return torch.cat([x, x[-1:].expand(left, -1)]) if left else x


class CensusTally:
    """The running census of several regions. It holds numbers alone, not the regions."""

    def __init__(self, names: Iterable[str], kept: Kept) -> None:
        self.kept = kept
        self.regions = {name: RegionTally.fresh(kept) for name in names}
        self.together = UnitCounts()
        self.n = self.inside_any = 0

    def add(
        self,
        block: Block,
        x: Float[Tensor, "p d"],
        regions: Mapping[str, UnsafeSet],
        tracks: Tracks | None,
    ) -> None:
        """Adds a block, whose rows are the first of `x`."""
        if self.kept.near is not None:
            needs_torch("a distance that counts")
        n, unit = len(block.x), block.unit
        before = None if tracks is None or unit is None else whole_lanes(tracks.before(block.x, unit))
        inside = np.zeros(n, dtype=bool)
        for name, region in regions.items():
            found = judged(region, x, n, before)
            self.regions[name].add(found, unit, block.at)
            inside = inside | found.inside
        self.inside_any += int(np.count_nonzero(inside))
        if unit is not None:
            self.together.add(unit, inside)
        self.n += n

    def result(self, regions: Mapping[str, UnsafeSet], number: Callable[[int], int | None]) -> Census:
        """The census. number: how a row is counted, from 0."""
        found = {name: self._of_region(region, name, number) for name, region in regions.items()}
        return Census(self.n, self.inside_any, found, self.together if self.together.units else None)

    def _of_region(self, region: UnsafeSet, name: str, number: Callable[[int], int | None]) -> RegionCensus:
        tally = self.regions[name]
        least = tally.clearance if tally.clearance < float("inf") else None
        kind = clearance_kind(region)
        if region.clearance and least is not None and least >= 0:
            kind = "exact"
        return RegionCensus(
            violations=tally.violations,
            clearance=least,
            kind=kind,
            undefined=tally.undefined,
            near=tally.close if tally.kept.near is not None else None,
            worst=tally.worst.samples(number),
            clearances=tally.sketch.result(),
            inside=tally.inside.result(),
            effective=tally.batches.effective(),
            by_unit=tally.by_unit if tally.by_unit.units else None,
            rows=self.n,
        )

    def plus(self, other: "CensusTally") -> "CensusTally":
        """The counts of both."""
        both = CensusTally([], self.kept)
        both.regions = {name: own.plus(other.regions[name]) for name, own in self.regions.items()}
        both.together = self.together.plus(other.together)
        both.n, both.inside_any = self.n + other.n, self.inside_any + other.inside_any
        return both

    def state(self) -> dict[str, Any]:
        """What there is to store, regions in their order."""
        regions = [tally.state() for tally in self.regions.values()]
        counts = {"n": self.n, "inside_any": self.inside_any}
        return {**counts, "together": self.together.state(), "regions": regions}

    @classmethod
    def of_state(cls, state: Mapping[str, Any], names: Sequence[str], kept: Kept) -> "CensusTally":
        """The counts that were stored."""
        found = cls([], kept)
        pairs = zip(names, state["regions"], strict=True)
        found.regions = {name: RegionTally.of_state(own, kept) for name, own in pairs}
        found.together = UnitCounts.of_state(state["together"])
        found.n, found.inside_any = int(state["n"]), int(state["inside_any"])
        return found


def census(blocks: Iterable[Block], regions: Mapping[str, UnsafeSet], near: float | None = None) -> Census:
    """The census of every region in one pass over float64 blocks of one file; samples outside but within
    `near` are also counted.
    """
    found = CensusTally(regions, Kept(near))
    with torch.no_grad():
        for block in blocks:
            found.add(block, whole_lanes(block.x), regions, None)
    return found.result(regions, lambda at: at)
