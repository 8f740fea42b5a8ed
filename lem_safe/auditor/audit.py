"""The audit: samples and a scenario in, an AuditReport out. It knows geometry and counting, nothing that sampled or filtered."""

from collections.abc import Mapping, Sequence
from os import PathLike
from typing import TYPE_CHECKING, Any

import numpy as np
from torch import Tensor

from barriers.sets import SpecificationError, UnsafeSet, build_sets
from lem_safe.auditor.audit_report import AuditReport
from lem_safe.auditor.census import census
from lem_safe.auditor.samples import match_columns, open_samples
from lem_safe.auditor.verdict import TraceFacts, judge, trace_facts
from lem_safe.faults import BadInput, Fault

if TYPE_CHECKING:
    from lem_safe.scenario import Scenario

INDEPENDENT = "independent samples"
COUPLED = "coupled cloud: bound not claimed"


def audit(
    samples: str | PathLike[str] | np.ndarray | Tensor,
    scenario: "Scenario",
    *,
    trace: Mapping[str, Any] | None = None,
    coupled: bool = False,
    columns: Sequence[str] | None = None,
    strict: bool = False,
    near: float | None = None,
) -> AuditReport:
    """Counts, bounds and verdicts for `samples` (a .npz, .npy, .csv or .parquet file, an array or a tensor, [n, d], data units).

    trace: the arrays of trace.npz (`step` [t], `fraction` [t, m]) where the samples end a recorded run.
    coupled: the samples are one cloud whose particles a filter made depend on one another.
    columns: names for samples that carry none. near: also count samples outside but within this distance.
    strict: every constraint must be certified to pass, as under `audit: {require: bound}`.
    Raises BadInput for samples that cannot be read or do not fit the scenario.
    """
    opened = open_samples(samples, columns)
    order, names, matched = match_columns(opened, scenario.columns, scenario.unsafe)
    regions = _regions(scenario, names)
    n, found = census(opened.blocks(order), {c.set: regions[c.set] for c in scenario.constraints}, near)
    settings = scenario.audit
    m = len(scenario.constraints)
    each = 1 - (1 - settings.confidence) / m
    require = "bound" if strict else settings.require
    facts = _facts(trace, scenario, n) if trace is not None else [None] * m
    constraints = tuple(
        judge(c.set, c.beta, n, found[c.set], confidence=each, coupled=coupled, require_bound=require == "bound", trace=fact)
        for c, fact in zip(scenario.constraints, facts, strict=True)
    )
    return AuditReport(
        passed=all(c.passed for c in constraints),
        samples=n,
        confidence=settings.confidence,
        assumes=COUPLED if coupled else INDEPENDENT,
        constraints=constraints,
        scenario=scenario.name,
        fingerprint=scenario.fingerprint(),
        assumes_detail=_detail(coupled, settings.confidence, m),
        require=require,
        after_step=settings.after_step,
        columns=names,
        columns_matched=matched,
        source=opened.source,
    )


def _regions(scenario: "Scenario", names: Sequence[str]) -> dict[str, UnsafeSet]:
    try:
        regions = build_sets(scenario.unsafe, names)
    except SpecificationError as error:
        message = f"{error} (the samples' columns: {', '.join(names)})"
        raise BadInput(Fault(message, key=".".join(["unsafe", *map(str, error.path)]))) from error
    sets = [c.set for c in scenario.constraints]
    missing = [
        Fault(f"no region is named '{name}'", key=f"constraints.{i}.set") for i, name in enumerate(sets) if name not in regions
    ]
    if missing:
        raise BadInput(missing)
    return regions


def _facts(trace: Mapping[str, Any], scenario: "Scenario", n: int) -> list[TraceFacts]:
    step, fraction = np.asarray(trace["step"]), np.asarray(trace["fraction"], dtype=np.float64)
    m = len(scenario.constraints)
    if fraction.shape != (step.shape[0], m) or step.shape[0] == 0:
        raise BadInput(f"the trace must hold fraction [steps, {m}] for {m} constraint(s), a step or more; got {fraction.shape}")
    after = scenario.audit.after_step
    return [trace_facts(step, fraction[:, i], c.beta, n, after) for i, c in enumerate(scenario.constraints)]


def _detail(coupled: bool, confidence: float, m: int) -> str:
    if coupled:
        return (
            "The samples are one filtered cloud, whose particles influence one another: counts are facts about this cloud and "
            "this run; no bound on the law behind them is claimed."
        )
    text = "Bounds are Clopper-Pearson's and hold if the samples are independent draws of one law; no audit can check that."
    if m > 1:
        text += (
            f" {m} constraints share the error (Bonferroni): all bounds hold at once with {100 * confidence:.6g} % confidence."
        )
    return text
