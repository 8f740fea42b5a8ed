"""The public audit: like `lem_safe.auditor.audit`, and the scenario may be a file or a bundled name."""

from collections.abc import Sequence
from os import PathLike
from typing import TYPE_CHECKING, Any

from lem_safe.auditor import AuditReport
from lem_safe.auditor import audit as judge
from lem_safe.auditor.samples import Samples, open_samples
from lem_safe.catalogue import load
from lem_safe.faults import BadInput
from lem_safe.scenario import Scenario

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor


def audit(
    samples: "str | PathLike[str] | np.ndarray | Tensor | Samples", scenario: Scenario | str | PathLike[str], **options: Any
) -> AuditReport:
    """Counts, bounds and verdicts for samples that anyone made: a .npz, .npy, .csv or .parquet file, an array or a tensor [n, d].

    options: those of `lem_safe.auditor.audit`: columns, strict, near, coupled, trace. Raises BadInput for what cannot be judged.
    """
    opened = open_samples(samples, options.pop("columns", None))
    chosen = scenario if isinstance(scenario, Scenario) else for_samples(scenario, opened.columns)
    return judge(opened, chosen, **{"coupled": opened.coupled, **options})


def for_samples(scenario: str | PathLike[str], header: Sequence[str] | None) -> Scenario:
    """The scenario, its rules read over the samples' own names where the scenario alone does not know them."""
    try:
        return load(scenario)
    except BadInput:
        if header is None:
            raise
        try:
            return load(scenario, {"columns": list(header)})
        except BadInput:
            pass
        raise
