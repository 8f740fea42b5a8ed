"""The audit: samples and a scenario in, an AuditReport out. It knows geometry and counting, nothing that sampled or filtered."""

from collections.abc import Mapping, Sequence
from os import PathLike
from typing import TYPE_CHECKING, Any

import numpy as np
from torch import Tensor

from barriers.sets import SpecificationError, UnsafeSet, build_sets
from lem_safe.auditor.audit_report import AuditReport
from lem_safe.auditor.bounds import interval, upper_bound
from lem_safe.auditor.census import Census, census
from lem_safe.auditor.samples import Samples, match_columns, open_samples
from lem_safe.auditor.several import Correction
from lem_safe.auditor.verdict import TraceFacts, UnionReport, judge, trace_facts, verdicts
from lem_safe.faults import BadInput, Fault

if TYPE_CHECKING:
    from lem_safe.scenario import Scenario

INDEPENDENT = "independent samples"
COUPLED = "coupled cloud: bound not claimed"


def audit(
    samples: str | PathLike[str] | np.ndarray | Tensor | Samples,
    scenario: "Scenario",
    *,
    trace: Mapping[str, Any] | None = None,
    coupled: bool = False,
    columns: Sequence[str] | None = None,
    strict: bool = False,
    near: float | None = None,
    correction: Correction = "bonferroni",
) -> AuditReport:
    """Counts, bounds and verdicts for `samples` (a .npz, .npy, .csv or .parquet file, an array or a tensor, [n, d], data units).

    trace: the arrays of trace.npz (`step` [t], `fraction` [t, m]) where the samples end a recorded run.
    coupled: the samples are one cloud whose particles a filter made depend on one another.
    columns: names for samples that carry none. near: also count samples outside but within this distance.
    correction: how several constraints share the error; `holm` decides more, and then only its verdicts hold together.
    strict: every constraint must be certified to pass, as under `audit: {require: bound}`.
    Raises BadInput for samples that cannot be read or do not fit the scenario.
    """
    opened = open_samples(samples, columns)
    order, names, matched = match_columns(opened, scenario.columns, scenario.unsafe)
    regions = _regions(scenario, names)
    constraints = scenario.constraints
    found = census(opened.blocks(order), {c.set: regions[c.set] for c in constraints}, near)
    n, settings = found.n, scenario.audit
    counts = [found.regions[c.set].violations for c in constraints]
    chosen = verdicts(counts, n, [c.beta for c in constraints], settings.confidence, correction, coupled)
    require = "bound" if strict else settings.require
    judged = tuple(
        judge(
            c.set, c.beta, n, found.regions[c.set], verdict, confidence=1 - (1 - settings.confidence) / len(constraints),
            coupled=coupled, require_bound=require == "bound", trace=facts,
        )
        for c, verdict, facts in zip(constraints, chosen, _facts(trace, scenario, n), strict=True)
    )  # fmt: skip
    return AuditReport(
        passed=all(c.passed for c in judged),
        samples=n,
        confidence=settings.confidence,
        assumes=COUPLED if coupled else INDEPENDENT,
        constraints=judged,
        scenario=scenario.name,
        fingerprint=scenario.fingerprint(),
        assumes_detail=_detail(coupled, settings.confidence, len(constraints), correction),
        require=require,
        correction=correction,
        union=_union(found, settings.confidence),
        after_step=settings.after_step,
        near_within=near,
        columns=names,
        columns_matched=matched,
        source=opened.source,
    )


def _union(found: Census, confidence: float) -> UnionReport | None:
    if len(found.regions) < 2:
        return None
    k, n = found.inside_any, found.n
    return UnionReport(tuple(found.regions), k, k / n, upper_bound(k, n, confidence), interval(k, n, confidence))


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


def _facts(trace: Mapping[str, Any] | None, scenario: "Scenario", n: int) -> Sequence[TraceFacts | None]:
    if trace is None:
        return [None] * len(scenario.constraints)
    step, fraction = np.asarray(trace["step"]), np.asarray(trace["fraction"], dtype=np.float64)
    m = len(scenario.constraints)
    if fraction.shape != (step.shape[0], m) or step.shape[0] == 0:
        raise BadInput(f"the trace must hold fraction [steps, {m}] for {m} constraint(s), a step or more; got {fraction.shape}")
    after = scenario.audit.after_step
    return [trace_facts(step, fraction[:, i], c.beta, n, after) for i, c in enumerate(scenario.constraints)]


def _detail(coupled: bool, confidence: float, m: int, correction: Correction) -> str:
    if coupled:
        return (
            "The samples are one filtered cloud, whose particles influence one another: counts are facts about this cloud and "
            "this run; no bound on the law behind them is claimed."
        )
    text = "Bounds are Clopper-Pearson's and hold if the samples are independent draws of one law; no audit can check that."
    if m > 1:
        what = "all bounds and verdicts" if correction == "bonferroni" else "all bounds, and all of Holm's verdicts,"
        text += f" {m} constraints share the error: {what} hold at once with {100 * confidence:.6g} % confidence."
    return text
