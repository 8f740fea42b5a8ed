"""The rows that a page shows of samples too many to draw: a random choice, the same whenever it is made.

Every row has a priority, a hash of its number and of a seed, and the rows with the smallest are kept. Unlike
every k-th row, such a choice does not depend on any order in the file: a file that repeats itself after k
rows, or that takes turns, is shown as what it is. Nor does it depend on how the files of a data set are
shared among processes.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float, Int64, UInt64

from lem_safe.auditor.audit_report import AuditReport
from lem_safe.auditor.inside import scrambled
from lem_safe.auditor.matching import match_columns
from lem_safe.auditor.samples import Samples

if TYPE_CHECKING:
    from lem_safe.scenario import Scenario

FILE = "shown.npz"
MOST = 20_000
"""The greatest number of rows that are drawn."""

SEED = 0x5EED


class Shown:
    """The running choice."""

    def __init__(self, most: int | None = None) -> None:
        self.most = most or MOST
        self._rows: Int64[np.ndarray, " k"] = np.empty(0, dtype=np.int64)
        self._values: Float[np.ndarray, "k d"] | None = None
        self._limit = np.uint64(2**64 - 1)

    def add(self, x: Float[np.ndarray, "b d"], at: int) -> None:
        """Adds one block, whose first row has the number `at`, a number that no other row has."""
        rows = np.arange(at, at + len(x))
        taken = _priority(rows) <= self._limit
        self._take(rows[taken], x[taken])

    def rows(self) -> Float[np.ndarray, "k d"] | None:
        """The rows that were chosen, in the order of their numbers; None where there are none."""
        return None if self._values is None else self._values[np.argsort(self._rows)]

    def plus(self, other: "Shown") -> "Shown":
        """The choice among the rows of both."""
        both = Shown(self.most)
        for part in (self, other):
            if part._values is not None:
                both._take(part._rows, part._values)
        return both

    def state(self) -> dict[str, Any]:
        """What there is to store."""
        order = np.argsort(self._rows)
        values = None if self._values is None else self._values[order]
        return {"rows": self._rows[order], "values": values}

    @classmethod
    def of_state(cls, state: Mapping[str, Any]) -> "Shown":
        """The choice that was stored."""
        found = cls()
        if state["values"] is not None:
            found._take(state["rows"], state["values"])
        return found

    def _take(self, rows: Int64[np.ndarray, " k"], values: Float[np.ndarray, "k d"]) -> None:
        rows = np.concatenate([self._rows, rows])
        values = values if self._values is None else np.concatenate([self._values, values])
        if len(rows) > self.most:
            priority = _priority(rows)
            kept = np.argpartition(priority, self.most - 1)[: self.most]
            rows, values, self._limit = rows[kept], values[kept], priority[kept].max()
        self._rows, self._values = rows, values


def shown(
    samples: Samples, scenario: "Scenario", report: AuditReport, most: int | None = None
) -> Float[np.ndarray, "k d"]:
    """At most `most` rows of audited samples, by default MOST, chosen at random, in file order and in the
    scenario's columns; all of them where there are no more. The file is read once more, in the memory of one
    block and of the rows kept.
    """
    found = Shown(most)
    match = match_columns(samples, scenario.columns, scenario.unsafe, scenario.derived)
    for block in match.blocks(samples):
        found.add(block.x.numpy(), block.at)
    rows = found.rows()
    return np.empty((0, len(report.columns))) if rows is None else rows


def _priority(rows: Int64[np.ndarray, " k"]) -> UInt64[np.ndarray, " k"]:
    return scrambled(scrambled(rows) ^ np.uint64(SEED))
