"""The report of an audit, assembled from counts and decisions."""

from collections.abc import Sequence
from typing import Any

from lem_safe.auditor.as_written import as_written
from lem_safe.auditor.assumption import Stand, in_words
from lem_safe.auditor.audit_report import AuditReport
from lem_safe.auditor.clouds import by_cloud
from lem_safe.auditor.counted import Counted
from lem_safe.auditor.decision import Decision
from lem_safe.auditor.guarantee import START, Guarantee, guarantees
from lem_safe.auditor.in_memory import IN_MEMORY
from lem_safe.auditor.movement import recorded
from lem_safe.auditor.question import Question
from lem_safe.auditor.tracks import what_is_judged
from lem_safe.auditor.verdict import ConstraintReport, TraceFacts, judge, overall, trace_facts
from lem_safe.errors import BadInput


def assembled(
    counted: Counted, decision: Decision, question: Question, looks: int | None = None
) -> AuditReport:
    """The report. looks: the number of evaluations of an audit that grows, including this one."""
    scenario, stand = question.scenario, decision.stand
    judged = _judged(counted, decision, question)
    return AuditReport(
        passed=all(c.passed for c in judged),
        samples=counted.n,
        confidence=question.confidence,
        assumes=stand.assumes,
        constraints=judged,
        scenario=scenario.name,
        fingerprint=scenario.fingerprint(),
        assumes_detail=_detail(counted, decision, question),
        require=question.require,
        correction=question.shares_error_by,
        union=decision.union,
        after_step=scenario.audit.after_step,
        near_within=question.near,
        columns=counted.match.names,
        columns_matched=counted.match.how,
        source=counted.samples.source,
        verdict=overall([c.verdict for c in judged]),
        method=decision.method,
        unit=stand.unit,
        units=stand.units,
        rows=counted.census.n,
        seed=counted.samples.seed,
        clouds=_clouds(question),
        looks=looks,
        columns_detail=counted.match.detail,
        repeats=counted.repeats,
        movement=counted.moved,
        dropped=counted.census.dropped if counted.samples.gaps == "drop" else None,
        unclaimed=stand.unclaimed,
        by_cloud=by_cloud(counted, question),
        kinds=counted.match.reading.kinds or None,
        unseen=counted.match.reading.unseen(),
        unequal=counted.unequal,
    )


def looked(report: AuditReport) -> dict[str, Any]:
    """What an audit that grows stores of one evaluation, besides the standings of its constraints."""
    return {
        "rows": report.rows,
        "units": report.units,
        "violations": [c.violations for c in report.constraints],
        "verdicts": [c.verdict for c in report.constraints],
    }


def _judged(counted: Counted, decision: Decision, question: Question) -> tuple[ConstraintReport, ...]:
    constraints = question.scenario.constraints
    return tuple(
        judge(
            c.set,
            c.beta,
            counted.inside(c.set),
            counted.n,
            as_written(counted.census.regions[c.set], counted.match.reading),
            decision.evidence[c.set],
            standing,
            confidence=question.confidence_each,
            claimed=decision.stand.unclaimed is None,
            require_bound=question.require != "passed",
            trace=facts,
            between=what_is_judged(counted.sets[c.set], counted.between),
            guarantee=guarantee,
        )
        for c, standing, facts, guarantee in zip(
            constraints,
            decision.standings,
            _facts(question, counted.n),
            _guarantees(counted, question),
            strict=True,
        )
    )


def _guarantees(counted: Counted, question: Question) -> Sequence[Guarantee | None]:
    """What the filter of the recorded run guarantees of each constraint, where it does."""
    constraints, trace, enforced = question.scenario.constraints, question.trace, question.enforced
    if trace is None or enforced is None or counted.unit not in ("sample", "cloud"):
        return [None] * len(constraints)
    clouds = counted.units if counted.unit == "cloud" else 1
    return guarantees(
        enforced,
        {name: recorded(trace, name) for name in ("fraction", "shortfall", START) if name in trace},
        [counted.inside(c.set) for c in constraints],
        particles=counted.n // clouds,
        clouds=clouds,
        after_step=question.scenario.audit.after_step,
    )


def _facts(question: Question, n: int) -> Sequence[TraceFacts | None]:
    """What the trace shows for each constraint; None without a trace."""
    constraints, trace = question.scenario.constraints, question.trace
    if trace is None:
        return [None] * len(constraints)
    step, fraction = (recorded(trace, name) for name in ("step", "fraction"))
    m = len(constraints)
    if step.ndim != 1 or fraction.shape != (len(step), m) or len(step) == 0:
        raise BadInput(
            f"the trace must hold fraction [steps, {m}] for {m} constraint(s), a step or more; got "
            f"{fraction.shape}"
        )
    after = question.scenario.audit.after_step
    return [trace_facts(step, fraction[:, i], c.beta, n, after) for i, c in enumerate(constraints)]


def _detail(counted: Counted, decision: Decision, question: Question) -> str:
    text = in_words(
        decision.stand,
        decision.sequential,
        question.confidence,
        len(question.scenario.constraints),
        question.shares_error_by,
        counted.between,
    )
    return f"{text}{_beside(question, decision.stand)}{_aim(question, decision.stand)}"


def _beside(question: Question, stand: Stand) -> str:
    """A sentence that the bound is computed from separate clouds, where it is."""
    if question.clouds is None or stand.unclaimed is not None:
        return ""
    return (
        f" They are those of {stand.units:,} clouds beside the samples, whose counts they are not: both "
        "must come from one procedure."
    )


def _aim(question: Question, stand: Stand) -> str:
    """A sentence that the filter of the recorded run aimed below the tolerance, where it did; the audit uses
    the tolerance.
    """
    from lem_safe.scenario import leaves_room

    scenario = question.scenario
    if question.trace is None:
        return ""
    lower = [
        f"{100 * a:.3g} % in {c.set} (tolerated {100 * c.beta:.3g} %)"
        for c, a in zip(scenario.constraints, scenario.aimed(), strict=True)
        if a < c.beta
    ]
    why = leaves_room(scenario.filter, claimed=stand.unclaimed is None)
    return (
        f" The filter aimed at {', '.join(lower)}{why}; what is tolerated is what is judged." if lower else ""
    )


def _clouds(question: Question) -> str | None:
    """The file of the separate clouds; None where there are none."""
    if question.clouds is None:
        return None
    return "beside the samples" if question.clouds.source == IN_MEMORY else question.clouds.source
