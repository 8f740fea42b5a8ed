"""The rows that a page shows of samples too many to draw: a random choice, the same whenever it is made.

Every row has a priority, a hash of its number and of a seed, and the rows with the smallest are kept. Unlike
every k-th row, such a choice does not depend on any order in the file: a file that repeats itself after k
rows, or that takes turns, is shown as what it is.
"""

from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

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


def shown(
    samples: Samples, scenario: "Scenario", report: AuditReport, most: int = MOST
) -> Float[np.ndarray, "k d"]:
    """At most `most` rows of audited samples, chosen at random, in file order and in the scenario's columns;
    all of them where there are no more. The file is read once more, in the memory of one block and of the
    rows kept.
    """
    chosen = np.arange(report.rows) if report.rows <= most else chosen_rows(report.rows, most)
    start, kept = 0, []
    match = match_columns(samples, scenario.columns, scenario.unsafe, scenario.derived)
    for block in match.blocks(samples):
        first, last = np.searchsorted(chosen, [start, start + len(block.x)])
        kept.append(block.x.numpy()[chosen[first:last] - start])
        start += len(block.x)
    return np.concatenate(kept)


def chosen_rows(total: int, most: int, block: int = 1 << 20) -> np.ndarray:
    """The numbers of `most` rows among `total`, ascending: those with the smallest priorities.

    >>> chosen_rows(10, 3).tolist() == chosen_rows(10, 3, block=4).tolist()
    True
    """
    rows, priority = np.empty(0, dtype=np.int64), np.empty(0, dtype=np.uint64)
    for start in range(0, total, block):
        fresh = np.arange(start, min(start + block, total))
        rows = np.concatenate([rows, fresh])
        priority = np.concatenate([priority, scrambled(scrambled(fresh) ^ np.uint64(SEED))])
        if len(rows) > most:
            kept = np.argpartition(priority, most - 1)[:most]
            rows, priority = rows[kept], priority[kept]
    return np.sort(rows)
