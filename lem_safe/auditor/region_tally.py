"""The running census of one region, from what is found of each block of rows. It holds numbers alone, not the
region, and the censuses of two sets of rows add.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int64

from lem_safe.auditor.clearances import Sketch
from lem_safe.auditor.inside import Reservoir
from lem_safe.auditor.mixing import FileBatches
from lem_safe.auditor.places import file_of
from lem_safe.auditor.units import UnitCounts
from lem_safe.auditor.worst import Worst


class Kept(NamedTuple):
    """What is kept of rows. near: rows outside but within this distance are also counted. apart: only the
    worst row of each unit is shown. numbered: whether rows have numbers, as those of files do; if not,
    nothing that depends on them is kept. files: the number of files.
    """

    near: float | None = None
    apart: bool = False
    numbered: bool = True
    files: int = 1


class Judged(NamedTuple):
    """What is found of some rows: which are inside, their clearances, NaN where there is none, which have no
    level, and where they were found, of a path the deepest point of the segment that ends at the row.
    """

    inside: Bool[np.ndarray, "b"]
    clearance: Float[np.ndarray, "b"]
    undefined: Bool[np.ndarray, "b"]
    x: Float[np.ndarray, "b d"]


@dataclass
class RegionTally:
    """The counts of one region so far."""

    kept: Kept
    violations: int = 0
    undefined: int = 0
    close: int = 0
    clearance: float = float("inf")
    worst: Worst = field(default_factory=Worst)
    sketch: Sketch = field(default_factory=Sketch)
    inside: Reservoir = field(default_factory=Reservoir)
    batches: FileBatches = field(default_factory=FileBatches)
    by_unit: UnitCounts = field(default_factory=UnitCounts)

    @classmethod
    def fresh(cls, kept: Kept) -> "RegionTally":
        """The counts of no row."""
        return cls(kept, worst=Worst(kept.apart, kept.numbered), batches=FileBatches(kept.files))

    def add(self, found: Judged, unit: Int64[np.ndarray, "b"] | None, at: int) -> None:
        """Adds one block, whose first row has the number `at`."""
        inside, s = found.inside, found.clearance
        unknown = np.isnan(s)
        some = bool(unknown.any())
        self.violations += int(np.count_nonzero(inside))
        self.undefined += int(np.count_nonzero(found.undefined))
        rank = np.where(unknown, np.inf, s) if some else s
        least = float(rank.min())
        self.clearance = min(self.clearance, least)
        self.sketch.add(s, least, float(np.where(unknown, -np.inf, s).max() if some else s.max()))
        if self.kept.numbered:
            self.batches.add(file_of(at), inside)
            self.inside.add(found.x, inside, at)
        if unit is not None:
            self.by_unit.add(unit, inside)
        if self.kept.near is not None:
            self.close += int(np.count_nonzero(~inside & (s <= self.kept.near)))
        if some:
            rank = np.where(unknown & inside, -np.inf, rank)
        self.worst.add(rank, inside, found.x, unit, at)

    def plus(self, other: "RegionTally") -> "RegionTally":
        """The counts of both."""
        return RegionTally(
            self.kept,
            violations=self.violations + other.violations,
            undefined=self.undefined + other.undefined,
            close=self.close + other.close,
            clearance=min(self.clearance, other.clearance),
            worst=self.worst.plus(other.worst),
            sketch=self.sketch.plus(other.sketch),
            inside=self.inside.plus(other.inside),
            batches=self.batches.plus(other.batches),
            by_unit=self.by_unit.plus(other.by_unit),
        )

    def state(self) -> dict[str, Any]:
        """What there is to store."""
        numbers = {"violations": self.violations, "undefined": self.undefined, "close": self.close}
        parts = {name: getattr(self, name).state() for name in PARTS}
        return {**numbers, "clearance": self.clearance, "worst": self.worst.state(), **parts}

    @classmethod
    def of_state(cls, state: Mapping[str, Any], kept: Kept) -> "RegionTally":
        """The counts that were stored."""
        violations, undefined, close = (int(state[name]) for name in ("violations", "undefined", "close"))
        worst = Worst.of_state(state["worst"], kept.apart)
        parts = {name: made.of_state(state[name]) for name, made in PARTS.items()}
        return cls(kept, violations, undefined, close, float(state["clearance"]), worst, **parts)


PARTS: Mapping[str, Any] = {
    "sketch": Sketch,
    "inside": Reservoir,
    "batches": FileBatches,
    "by_unit": UnitCounts,
}
"""The parts of a tally that store themselves."""
