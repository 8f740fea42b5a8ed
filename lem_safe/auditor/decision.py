"""What the counts decide: the evidence on each constraint, its standing after this and earlier evaluations,
and the verdict.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from barriers.budget import budget
from lem_safe.auditor.assumption import Stand, stand
from lem_safe.auditor.census import Census, RegionCensus
from lem_safe.auditor.counted import Counted
from lem_safe.auditor.growth import Past
from lem_safe.auditor.question import Question
from lem_safe.auditor.samples import Unit
from lem_safe.auditor.standing import Standing
from lem_safe.auditor.units import UnitCounts
from lem_safe.auditor.verdict import UnionReport, verdicts
from lem_safe.bounds.evidence import Betting, Evidence, Fixed, Method, Sequential, two_sided
from lem_safe.errors import BadInput, Fault


class Decision(NamedTuple):
    """What bounds are computed from, the evidence on each region, each constraint's standing with its
    verdict, and the samples inside any region. sequential: whether the evidence is anytime-valid.
    """

    stand: Stand
    sequential: bool
    evidence: Mapping[str, Evidence]
    standings: tuple[Standing, ...]
    union: UnionReport | None

    @property
    def method(self) -> Method:
        """The method of the bounds."""
        return next((e.method for e in self.evidence.values()), "clopper-pearson")

    def by_constraint(self, question: Question) -> dict[str, Standing]:
        """Each constraint's standing, as stored by an audit that grows."""
        return by_key(question, self.standings)


def by_key(question: Question, standings: Sequence[Standing]) -> dict[str, Standing]:
    """The constraints' standings by their keys in storage."""
    constraints = question.scenario.constraints
    return {_key(i, c.set): s for i, (c, s) in enumerate(zip(constraints, standings, strict=True))}


def decide(own: Counted, bounded: Counted, question: Question, past: Past | None) -> Decision:
    """The verdicts on samples (`own`); the bound is computed from `bounded`: the samples themselves, or
    separate clouds.
    """
    base = stand(bounded, question)
    if past is not None and base.unclaimed is not None:
        raise BadInput(
            Fault(
                f"an audit that grows needs independent units; found: {base.assumes}; audit such rows "
                "once, without growing, or remove them",
                own.samples.source,
            )
        )
    sequential = past is not None or question.require == "anytime"
    evidence = {
        name: _evidence(bounded.census, r, r.by_unit, base.unit, sequential)
        for name, r in bounded.census.regions.items()
    }
    return Decision(
        base,
        sequential,
        evidence,
        _standings(own, base, evidence, question, past),
        _union(own, bounded, base, sequential, question.confidence),
    )


def upper_bounds(counted: Counted, question: Question, confidence: float) -> dict[str, float | None]:
    """The upper bound of each region, at another confidence for all of them together than the scenario's;
    None where no bound is claimed, as in a report.
    """
    base, each = stand(counted, question), 1 - (1 - confidence) / max(len(question.scenario.constraints), 1)
    if base.unclaimed is not None:
        return dict.fromkeys(counted.census.regions)
    sequential = question.require == "anytime"
    return {
        name: _evidence(counted.census, r, r.by_unit, base.unit, sequential).upper(each)
        for name, r in counted.census.regions.items()
    }


def _key(index: int, name: str) -> str:
    """The key of a constraint in storage: one set may be constrained twice."""
    return f"{index}: {name}"


def _standings(
    own: Counted, base: Stand, evidence: Mapping[str, Evidence], question: Question, past: Past | None
) -> tuple[Standing, ...]:
    constraints, before = question.scenario.constraints, {} if past is None else past.standings
    now = [
        Standing.of(evidence[c.set], c.beta, question.confidence_each).after(before.get(_key(i, c.set)))
        for i, c in enumerate(constraints)
    ]
    over = (
        None if base.unclaimed is None else [own.inside(c.set) > budget(c.beta, own.n) for c in constraints]
    )
    chosen = verdicts(now, question.confidence, question.shares_error_by, over)
    units = None if past is None else base.units
    return tuple(s.decided(verdict, units) for s, verdict in zip(now, chosen, strict=True))


def _evidence(
    found: Census, region: RegionCensus | None, by_unit: UnitCounts | None, unit: Unit, sequential: bool
) -> Evidence:
    """The evidence of one region's counts; of all regions together where `region` is None."""
    if unit in ("cloud", "chain") and by_unit is not None:
        return Betting(by_unit.fractions())
    k, n = (found.inside_any if region is None else region.violations), found.n
    if unit == "path" and by_unit is not None:
        k, n = by_unit.touched(), by_unit.units
    return Sequential(k, n) if sequential else Fixed(k, n)


def _union(
    own: Counted, bounded: Counted, base: Stand, sequential: bool, confidence: float
) -> UnionReport | None:
    if len(own.census.regions) < 2:
        return None
    evidence = _evidence(bounded.census, None, bounded.census.any_by_unit, base.unit, sequential)
    k = own.inside_any()
    return UnionReport(
        tuple(own.census.regions),
        k,
        k / own.n,
        evidence.upper(confidence) if base.unclaimed is None else None,
        two_sided(evidence, confidence),
    )
