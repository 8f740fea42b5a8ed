"""The census (A.1): how many samples lie inside each set, in float64, by exact geometry, on the values as saved.

Streamed: memory is that of one block, whatever n is. A clearance is the signed distance s(x), negative inside. It is known
exactly (`exact`); or, for a union or intersection of such sets, through a function that is 1-Lipschitz, zero on the boundary and
right in sign, so that |s(x)| is at most the true distance (`bound`); or, for a rule, to first order, s/‖∇s‖, which bounds nothing
(`first_order`).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from barriers.coordinates import identity
from barriers.sets import AllOf, AnyOf, Not, UnsafeSet, pull

ClearanceKind = Literal["exact", "bound", "first_order"]

WORST = 20
"""How many of the deepest (else nearest) samples are kept."""


@dataclass(frozen=True)
class Sample:
    """One sample: its row (from 0, in file order), whether it is inside, its clearance, its values."""

    row: int
    inside: bool
    clearance: float | None
    values: tuple[float, ...]


@dataclass(frozen=True)
class RegionCensus:
    """What one region holds: counts, the smallest clearance and its kind, and the worst samples, deepest first.

    undefined: samples where the level function itself is not a number (a root of something negative, say); they are counted
    as `contains` counts them. near: samples outside but within the asked distance; None where none was asked for.
    """

    violations: int
    clearance: float | None
    kind: ClearanceKind
    undefined: int
    near: int | None
    worst: tuple[Sample, ...]


def clearance_kind(region: UnsafeSet) -> ClearanceKind:
    """What a region's clearance means."""
    if region.exact:
        return "exact"
    if isinstance(region, AnyOf | AllOf) and all(clearance_kind(s) != "first_order" for s in region.members()):
        return "bound"
    if isinstance(region, Not):
        return clearance_kind(region.inner)
    return "first_order"


def census(
    blocks: Iterable[Float[Tensor, "b d"]], regions: Mapping[str, UnsafeSet], near: float | None = None
) -> tuple[int, dict[str, RegionCensus]]:
    """The number of samples, and the census of each region, in one pass over float64 blocks."""
    tallies: dict[str, _Tally] = {}
    n = 0
    with torch.no_grad():
        for x in blocks:
            if not tallies:
                tallies = {name: _Tally(region, pull(region, identity(x.shape[1])), near) for name, region in regions.items()}
            for tally in tallies.values():
                tally.add(x, n)
            n += x.shape[0]
    return n, {name: tally.result() for name, tally in tallies.items()}


@dataclass
class _Tally:
    """The running census of one region; `measure` is its first-order distance where it has no other."""

    region: UnsafeSet
    measure: UnsafeSet
    near: float | None
    violations: int = 0
    undefined: int = 0
    close: int = 0
    clearance: float = float("inf")
    worst: list[Sample] = field(default_factory=list)

    def add(self, x: Tensor, start: int) -> None:
        inside = self.region.contains(x)
        s = self.measure(x)
        unknown = s.isnan()
        self.violations += int(inside.sum())
        self.undefined += int(unknown.sum())
        ranked = torch.where(unknown, float("inf"), s)
        self.clearance = min(self.clearance, float(ranked.min()))
        if self.near is not None:
            self.close += int((~inside & (s <= self.near)).sum())
        ranked = torch.where(unknown & inside, -float("inf"), ranked)
        if len(self.worst) == WORST and float(ranked.min()) >= _rank(self.worst[-1]):
            return
        rows = torch.topk(ranked, min(WORST, x.shape[0]), largest=False).indices
        fresh = [
            Sample(start + int(i), bool(inside[i]), None if bool(unknown[i]) else float(s[i]), tuple(x[i].tolist())) for i in rows
        ]
        self.worst = sorted([*self.worst, *fresh], key=lambda sample: (_rank(sample), sample.row))[:WORST]

    def result(self) -> RegionCensus:
        least = self.clearance if self.clearance < float("inf") else None
        near = self.close if self.near is not None else None
        return RegionCensus(self.violations, least, clearance_kind(self.region), self.undefined, near, tuple(self.worst))


def _rank(sample: Sample) -> float:
    if sample.clearance is None:
        return -float("inf") if sample.inside else float("inf")
    return sample.clearance
