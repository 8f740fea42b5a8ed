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

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from barriers.derivatives import value_and_gradient
from barriers.sets import AllOf, AnyOf, Anywhere, NotSmooth, Separation, UnsafeSet
from barriers.sets.comparison import UNDEFINED
from barriers.sets.flat import flat_in
from lem_safe.auditor.clearances import Clearances, Sketch
from lem_safe.auditor.inside import Inside, Reservoir
from lem_safe.auditor.mixing import Batches
from lem_safe.auditor.samples import Block
from lem_safe.auditor.tracks import Tracks, deepest
from lem_safe.auditor.units import UnitCounts

ClearanceKind = Literal["exact", "bound", "first_order"]

LARGEST = torch.finfo(torch.float64).max

SPACINGS = 64
"""A distance of the wrong sign is attributed to rounding up to this many spacings of the row's largest
number.
"""

WORST = 20
"""The number of deepest (else nearest) samples that are kept."""


@dataclass(frozen=True)
class Sample:
    """One sample: its row (from 0, in file order), whether it is inside, its clearance, its values, and the
    number of its unit, if any. cells: the values as a person reads them, where some are no numbers; their
    values are then the numbers that stand for them, and None is a missing one.
    """

    row: int
    inside: bool
    clearance: float | None
    values: tuple[float | None, ...]
    unit: int | None = None
    cells: tuple[str, ...] | None = None


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


def census(
    blocks: Iterable[Block],
    regions: Mapping[str, UnsafeSet],
    near: float | None = None,
    *,
    apart: bool = False,
    tracks: Tracks | None = None,
) -> Census:
    """The census of every region in one pass over float64 blocks; samples outside but within `near` are also
    counted.

    apart: keep only the worst row of each unit, since neighbouring rows of a path are the same event.
    tracks: for units that are paths joined by straight lines: a row then stands for the segment that ends at
    it, at its deepest point.
    """
    tallies = {name: _Tally(region, near, apart) for name, region in regions.items()}
    together = UnitCounts()
    n = inside_any = dropped = 0
    with torch.no_grad():
        for x, unit, left_out in blocks:
            dropped += left_out
            inside = torch.zeros(x.shape[0], dtype=torch.bool)
            before = None if tracks is None or unit is None else tracks.before(x, unit)
            for tally in tallies.values():
                inside = inside | tally.add(x, unit, n, before)
            inside_any += int(inside.sum())
            if unit is not None:
                together.add(unit, inside.numpy())
            n += x.shape[0]
    by_unit = together if together.units else None
    return Census(n, inside_any, {name: tally.result() for name, tally in tallies.items()}, by_unit, dropped)


@dataclass
class _Tally:
    """The running census of one region."""

    region: UnsafeSet
    near: float | None
    apart: bool
    violations: int = 0
    undefined: int = 0
    close: int = 0
    clearance: float = float("inf")
    worst: list[Sample] = field(default_factory=list)
    sketch: Sketch = field(default_factory=Sketch)
    inside: Reservoir = field(default_factory=Reservoir)
    batches: Batches = field(default_factory=Batches)
    by_unit: UnitCounts = field(default_factory=UnitCounts)

    def add(
        self,
        x: Float[Tensor, "b d"],
        unit: Int64[np.ndarray, "b"] | None,
        start: int,
        before: Float[Tensor, "b d"] | None = None,
    ) -> Bool[Tensor, "b"]:
        """Adds one block, whose first row is row `start`, and returns which of its rows are inside; with
        `before`, which segments are.
        """
        if before is None:
            inside = self.region.contains(x)
        else:
            inside, x = deepest(self.region, before, x)
        s, undefined = clearances(self.region, x)
        s = told(self.region, x, s, undefined, inside)
        unknown = s.isnan()
        self.violations += int(inside.sum())
        self.undefined += int(undefined.sum())
        ranked = torch.where(unknown, torch.inf, s)
        least = float(ranked.min())
        self.clearance = min(self.clearance, least)
        self.sketch.add(s.numpy(), least, float(torch.where(unknown, -torch.inf, s).max()))
        self.batches.add(inside.numpy())
        self.inside.add(x, inside, start)
        if unit is not None:
            self.by_unit.add(unit, inside.numpy())
        if self.near is not None:
            self.close += int((~inside & (s <= self.near)).sum())
        ranked = torch.where(unknown & inside, -torch.inf, ranked)
        if len(self.worst) < WORST or float(ranked.min()) < _rank(self.worst[-1]):
            self._keep_worst(x, unit, start, inside, ranked)
        return inside

    def _keep_worst(
        self,
        x: Float[Tensor, "b d"],
        unit: Int64[np.ndarray, "b"] | None,
        start: int,
        inside: Bool[Tensor, "b"],
        ranked: Float[Tensor, "b"],
    ) -> None:
        """Keeps the WORST rows so far; with `apart`, only the worst of each unit."""
        if unit is None or not self.apart:
            rows = torch.topk(ranked, min(WORST, x.shape[0]), largest=False).indices.tolist()
        else:
            order = ranked.argsort(stable=True).numpy()
            rows = order[np.sort(np.unique(unit[order], return_index=True)[1])[:WORST]].tolist()
        fresh = [
            Sample(
                start + i,
                bool(inside[i]),
                float(ranked[i]) if ranked[i].isfinite() else None,
                tuple(x[i].tolist()),
                None if unit is None else int(unit[i]),
            )
            for i in rows
        ]
        everybody = sorted([*self.worst, *fresh], key=lambda sample: (_rank(sample), sample.row))
        first = {
            sample.unit if self.apart and sample.unit is not None else sample.row: sample
            for sample in reversed(everybody)
        }
        self.worst = sorted(first.values(), key=lambda sample: (_rank(sample), sample.row))[:WORST]

    def result(self) -> RegionCensus:
        least = self.clearance if self.clearance < float("inf") else None
        kind = clearance_kind(self.region)
        if self.region.clearance and least is not None and least >= 0:
            kind = "exact"
        near = self.close if self.near is not None else None
        by_unit = self.by_unit if self.by_unit.units else None
        return RegionCensus(
            violations=self.violations,
            clearance=least,
            kind=kind,
            undefined=self.undefined,
            near=near,
            worst=tuple(self.worst),
            clearances=self.sketch.result(),
            inside=self.inside.result(),
            effective=self.batches.effective(),
            by_unit=by_unit,
            rows=self.batches.n,
        )


def _rank(sample: Sample) -> float:
    if sample.clearance is None:
        return -float("inf") if sample.inside else float("inf")
    return sample.clearance
