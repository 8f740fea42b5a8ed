"""The public audit: like `lem_safe.auditor.audit`, and the scenario may be a file or a bundled name."""

from os import PathLike
from typing import TYPE_CHECKING, Any

from lem_safe.auditor import AuditReport
from lem_safe.auditor import audit as judge
from lem_safe.catalogue import load
from lem_safe.scenario import Scenario

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor


def audit(
    samples: "str | PathLike[str] | np.ndarray | Tensor", scenario: Scenario | str | PathLike[str], **options: Any
) -> AuditReport:
    """Counts, bounds and verdicts for samples that anyone made: a .npz, .npy, .csv or .parquet file, an array or a tensor [n, d].

    options: those of `lem_safe.auditor.audit`: columns, strict, near, coupled, trace. Raises BadInput for what cannot be judged.
    """
    chosen = scenario if isinstance(scenario, Scenario) else load(scenario)
    return judge(samples, chosen, **options)
