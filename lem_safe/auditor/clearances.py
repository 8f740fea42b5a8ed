"""The distribution of distances to a region, in memory independent of the number of samples.

Clearances are counted by their leading bits: sign, exponent and seven binary digits, which is bfloat16. Every
quantile is within a relative error of 2⁻⁸ of the true one, has its sign, and does not depend on how the file
was cut into blocks.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int64

PROBABILITIES = (0.0, 0.001, 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 0.999, 1.0)
FAR = 3e38
"""Numbers beyond the range of bfloat16 are counted as this."""

BARS = 40
"""The approximate number of bars of the histogram."""


@dataclass(frozen=True)
class Clearances:
    """The distribution of the signed distance over all samples, data units, negative inside; to first order
    for a rule.

    quantiles: at `probabilities`. counts: samples in (edges[i], edges[i + 1]]; 0 is an edge wherever it is in
    range, and the two outermost bars include everything beyond. unknown: samples without a clearance.
    """

    probabilities: tuple[float, ...]
    quantiles: tuple[float, ...]
    edges: tuple[float, ...]
    counts: tuple[int, ...]
    unknown: int

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "Clearances":
        """The value read back from JSON."""
        return cls(
            tuple(data["probabilities"]),
            tuple(data["quantiles"]),
            tuple(data["edges"]),
            tuple(data["counts"]),
            data["unknown"],
        )


class Sketch:
    """The running distribution of one quantity; `add` takes finite numbers and NaN."""

    def __init__(self) -> None:
        self.counts: Int64[np.ndarray, 65536] = np.zeros(1 << 16, dtype=np.int64)
        self.low, self.high, self.unknown = np.inf, -np.inf, 0

    def add(self, values: Float[np.ndarray, "b"], low: float, high: float) -> None:
        """Counts a block whose smallest and largest numbers are `low` and `high`; NaN where a sample has
        none.
        """
        if not low <= high:
            self.unknown += len(values)
            return
        if max(-low, high) > FAR or np.isnan(values).any():
            known = values[~np.isnan(values)]
            self.unknown += len(values) - len(known)
            values = np.clip(known, -FAR, FAR)
        self.low, self.high = min(self.low, low), max(self.high, high)
        bits = np.asarray(values, dtype=np.float32).view(np.uint32) >> 16
        self.counts += np.bincount(bits, minlength=1 << 16)

    def plus(self, other: "Sketch") -> "Sketch":
        """The distribution of the numbers of both."""
        both = Sketch()
        both.counts = self.counts + other.counts
        both.low, both.high = min(self.low, other.low), max(self.high, other.high)
        both.unknown = self.unknown + other.unknown
        return both

    def __reduce__(self) -> tuple[Any, ...]:
        return Sketch.of_state, (self.state(),)

    def state(self) -> dict[str, Any]:
        """What there is to store."""
        held = np.flatnonzero(self.counts)
        spread = {"bits": held.astype(np.uint16), "counts": self.counts[held]}
        return {**spread, "low": float(self.low), "high": float(self.high), "unknown": self.unknown}

    @classmethod
    def of_state(cls, state: Mapping[str, Any]) -> "Sketch":
        """The distribution that was stored."""
        found = cls()
        found.counts[state["bits"]] = state["counts"]
        found.low, found.high, found.unknown = state["low"], state["high"], int(state["unknown"])
        return found

    def result(self) -> Clearances | None:
        """The distribution; None where no number is known."""
        if not self.counts.any():
            return None
        order = np.concatenate(
            [np.arange(0xFFFF, 0x7FFF, -1), np.arange(0x8000)]
        )  # ascending: −large … −0, +0 … +large
        held = order[self.counts[order] > 0]
        counts = self.counts[held]
        centre = ((held.astype(np.uint32) << 16) | 0x7FFF).view(np.float32).astype(np.float64)
        centre = np.clip(np.where(np.isfinite(centre), centre, np.sign(centre) * FAR), self.low, self.high)
        centre = np.where((held & 0x7FFF) == 0, np.clip(0.0, self.low, self.high), centre)
        cumulative = np.cumsum(counts)
        n = int(cumulative[-1])
        ranks = np.clip(np.ceil(np.array(PROBABILITIES) * n), 1, n)
        quantiles = centre[np.searchsorted(cumulative, ranks)]
        quantiles[0], quantiles[-1] = self.low, self.high
        edges, bars = _histogram(centre, counts, float(centre[0]), float(quantiles[-2]))
        return Clearances(PROBABILITIES, tuple(map(float, quantiles)), edges, bars, self.unknown)


def _histogram(
    values: Float[np.ndarray, "k"], counts: Int64[np.ndarray, "k"], low: float, high: float
) -> tuple[tuple[float, ...], tuple[int, ...]]:
    """Equal bars from `low` to `high`, one edge at 0 where that lies between."""
    width = (high - low) / BARS if high > low else max(abs(low), 1e-12)
    if not np.isfinite(width) or width <= 0:
        return (), ()
    first, last = int(np.ceil(low / width)) - 1, int(np.ceil(high / width))
    if last - first > 4 * BARS:  # far from 0 and narrow: whole multiples of the width are no longer exact
        return (), ()
    bar = np.clip(np.ceil(values / width) - 1 - first, 0, last - first - 1).astype(np.int64)
    held = np.bincount(bar, weights=counts, minlength=last - first).astype(np.int64)
    return tuple(float(i * width) for i in range(first, last + 1)), tuple(int(c) for c in held)
