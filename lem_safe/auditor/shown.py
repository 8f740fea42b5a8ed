"""The rows shown on a page where there are too many to draw: every k-th, in file order."""

import math
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from lem_safe.auditor.audit_report import AuditReport
from lem_safe.auditor.matching import match_columns
from lem_safe.auditor.samples import Samples

if TYPE_CHECKING:
    from lem_safe.scenario import Scenario

FILE = "shown.npz"
MOST = 20_000
"""The number of rows drawn."""


def shown(
    samples: Samples, scenario: "Scenario", report: AuditReport, most: int = MOST
) -> Float[np.ndarray, "k d"]:
    """At most `most` rows of audited samples, evenly spaced, in the scenario's columns; the file is read once
    more, block by block.
    """
    step, seen, kept = max(1, math.ceil(report.rows / most)), 0, []
    for block in match_columns(samples, scenario.columns, scenario.unsafe).blocks(samples):
        kept.append(block.x[-seen % step :: step].numpy())
        seen += len(block.x)
    return np.concatenate(kept)
