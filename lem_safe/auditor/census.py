"""The census (A.1): how many samples lie inside each set, in float64, by exact geometry, on the values as saved.

Streamed: memory is that of one block, whatever n is. A clearance is the signed distance s(x), negative inside. It is known
exactly (`exact`); or, for a union or intersection of such sets, through a function that is 1-Lipschitz, zero on the boundary and
right in sign, so that |s(x)| is at most the true distance (`bound`); or, for a rule, to first order, s/‖∇s‖, which bounds nothing
(`first_order`).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from barriers.derivatives import value_and_gradient
from barriers.sets import AllOf, AnyOf, NotSmooth, UnsafeSet
from barriers.sets.comparison import UNDEFINED

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


class Census(NamedTuple):
    """n samples, how many of them are inside at least one region, and the census of each region."""

    n: int
    inside_any: int
    regions: dict[str, "RegionCensus"]


@dataclass(frozen=True)
class RegionCensus:
    """What one region holds: counts, the smallest clearance and its kind, and the worst samples, deepest first.

    undefined: samples where a rule has no value (a root of something negative, say); they count as inside.
    near: samples outside but within the asked distance; None where none was asked for.
    """

    violations: int
    clearance: float | None
    kind: ClearanceKind
    undefined: int
    near: int | None
    worst: tuple[Sample, ...]


def clearance_kind(region: UnsafeSet) -> ClearanceKind:
    """What a region's level says of distance."""
    if region.exact:
        return "exact"
    if region.clearance:
        return "bound"
    if isinstance(region, AnyOf | AllOf) and all(clearance_kind(s) in ("exact", "bound") for s in region.members()):
        return "bound"
    return "first_order"


def clearances(region: UnsafeSet, x: Float[Tensor, "n d"]) -> tuple[Float[Tensor, "n"], Bool[Tensor, "n"]]:
    """The clearance of each row, NaN where there is none to tell, and whether the level itself is undefined there."""
    if clearance_kind(region) != "first_order":
        return region(x), torch.zeros(x.shape[0], dtype=torch.bool)
    try:
        s, gradient = value_and_gradient(region, x)
    except NotSmooth:
        return torch.full_like(x[:, 0], torch.nan), torch.zeros(x.shape[0], dtype=torch.bool)
    undefined = s.isnan() | (s == UNDEFINED)
    slope = gradient.square().sum(-1).sqrt()
    return torch.where(undefined | (slope == 0), torch.nan, s / slope), undefined


def census(blocks: Iterable[Float[Tensor, "_ d"]], regions: Mapping[str, UnsafeSet], near: float | None = None) -> Census:
    """The census of every region in one pass over float64 blocks; samples outside but within `near` are counted too."""
    tallies = {name: _Tally(region, near) for name, region in regions.items()}
    n = inside_any = 0
    with torch.no_grad():
        for x in blocks:
            inside = [tally.add(x, n) for tally in tallies.values()]
            inside_any += int(torch.stack(inside).any(0).sum())
            n += x.shape[0]
    return Census(n, inside_any, {name: tally.result() for name, tally in tallies.items()})


@dataclass
class _Tally:
    """The running census of one region."""

    region: UnsafeSet
    near: float | None
    violations: int = 0
    undefined: int = 0
    close: int = 0
    clearance: float = float("inf")
    worst: list[Sample] = field(default_factory=list)

    def add(self, x: Float[Tensor, "b d"], start: int) -> Bool[Tensor, "b"]:
        """Takes one block, whose first row is row `start`, and says which of its rows are inside."""
        inside = self.region.contains(x)
        s, undefined = clearances(self.region, x)
        unknown = s.isnan()
        self.violations += int(inside.sum())
        self.undefined += int(undefined.sum())
        ranked = torch.where(unknown, torch.inf, s)
        self.clearance = min(self.clearance, float(ranked.min()))
        if self.near is not None:
            self.close += int((~inside & (s <= self.near)).sum())
        ranked = torch.where(unknown & inside, -torch.inf, ranked)
        if len(self.worst) == WORST and float(ranked.min()) >= _rank(self.worst[-1]):
            return inside
        rows = torch.topk(ranked, min(WORST, x.shape[0]), largest=False).indices.tolist()
        fresh = [
            Sample(start + i, bool(inside[i]), None if bool(unknown[i]) else float(s[i]), tuple(x[i].tolist())) for i in rows
        ]
        self.worst = sorted([*self.worst, *fresh], key=lambda sample: (_rank(sample), sample.row))[:WORST]
        return inside

    def result(self) -> RegionCensus:
        least = self.clearance if self.clearance < float("inf") else None
        kind = clearance_kind(self.region)
        if self.region.clearance and least is not None and least >= 0:
            kind = "exact"
        near = self.close if self.near is not None else None
        return RegionCensus(self.violations, least, kind, self.undefined, near, tuple(self.worst))


def _rank(sample: Sample) -> float:
    if sample.clearance is None:
        return -float("inf") if sample.inside else float("inf")
    return sample.clearance
