"""Where in a region the mass is: quantiles of each column over the samples inside, from a uniform subsample
of at most a thousand of them.

Every row has a priority, a hash of its row number, and the rows with the smallest priorities are kept: a
uniform subsample that needs no randomness and does not depend on how the file was cut into blocks.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, UInt64

PROBABILITIES = (0.05, 0.25, 0.5, 0.75, 0.95)
KEPT = 1000


@dataclass(frozen=True)
class Inside:
    """Quantiles of each column over the samples inside, data units, at `probabilities`, of those that have a
    value; None for a column that holds no numbers. sampled: the size of the subsample, all of them where
    there are few.
    """

    sampled: int
    probabilities: tuple[float, ...]
    quantiles: tuple[tuple[float, ...] | None, ...]
    """One row per column, in the audit's order of columns."""

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "Inside":
        """The value read back from JSON."""
        quantiles = tuple(None if row is None else tuple(row) for row in data["quantiles"])
        return cls(data["sampled"], tuple(data["probabilities"]), quantiles)


class Reservoir:
    """The running subsample of the samples inside one region."""

    def __init__(self) -> None:
        self.priority: UInt64[np.ndarray, " k"] = np.empty(0, dtype=np.uint64)
        self.values: Float[np.ndarray, "k d"] | None = None

    def plus(self, other: "Reservoir") -> "Reservoir":
        """The subsample of the rows of both, none of which is in both."""
        if self.values is None or other.values is None:
            return other if self.values is None else self
        both = Reservoir()
        both.priority = np.concatenate([self.priority, other.priority])
        order = np.argsort(both.priority)[:KEPT]
        both.priority = both.priority[order]
        both.values = np.concatenate([self.values, other.values])[order]
        return both

    def state(self) -> dict[str, Any]:
        """What there is to store."""
        return {"priority": self.priority, "values": self.values}

    @classmethod
    def of_state(cls, state: Mapping[str, Any]) -> "Reservoir":
        """The subsample that was stored."""
        found = cls()
        found.priority, found.values = state["priority"], state["values"]
        return found

    def add(self, x: Float[np.ndarray, "b d"], inside: Bool[np.ndarray, "b"], start: int) -> None:
        """Adds one block, whose first row has the number `start`, a number that no other row has."""
        rows = np.flatnonzero(inside)
        if not len(rows):
            return
        priority = scrambled(rows + start)
        if len(self.priority) == KEPT:
            better = priority < self.priority[-1]
            rows, priority = rows[better], priority[better]
        if len(rows) > KEPT:
            keep = np.argpartition(priority, KEPT)[:KEPT]
            rows, priority = rows[keep], priority[keep]
        values = x[rows]
        priority = np.concatenate([self.priority, priority])
        values = values if self.values is None else np.concatenate([self.values, values])
        order = np.argsort(priority)[:KEPT]
        self.priority, self.values = priority[order], values[order]

    def result(self) -> Inside | None:
        """The quantiles; None where no sample is inside."""
        if self.values is None:
            return None
        return Inside(len(self.values), PROBABILITIES, tuple(map(_quantiles, self.values.T)))


def _quantiles(values: Float[np.ndarray, "k"]) -> tuple[float, ...] | None:
    """Of the values that there are; None where there are none."""
    there = values[~np.isnan(values)]
    if not len(there):
        return None
    return tuple(np.quantile(there, PROBABILITIES, method="inverted_cdf").tolist())


def scrambled(numbers: np.ndarray) -> UInt64[np.ndarray, " k"]:
    """splitmix64 of each number: a bijection whose values look uniform."""
    x = numbers.astype(np.uint64) + np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))
