"""The audit: samples and a scenario in, an AuditReport out. It knows geometry and counting, nothing that
sampled or filtered.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from torch import Tensor

from barriers.sets import SpecificationError, UnsafeSet, build_sets
from barriers.specification import Nested
from lem_safe.auditor.assumption import UNCLAIMED, Stand, in_words
from lem_safe.auditor.audit_report import AuditReport
from lem_safe.auditor.caveats import copied
from lem_safe.auditor.census import Census, RegionCensus, census
from lem_safe.auditor.crowding import units_by_nature
from lem_safe.auditor.growth import Past, Seen
from lem_safe.auditor.matching import Match, match_columns
from lem_safe.auditor.movement import Movement, movement
from lem_safe.auditor.repeats import Counting, Repeats
from lem_safe.auditor.samples import Samples, Unit, header_of, open_samples
from lem_safe.auditor.standing import Standing
from lem_safe.auditor.tracks import Tracks, what_is_judged
from lem_safe.auditor.units import UnitCounts
from lem_safe.auditor.verdict import TraceFacts, UnionReport, judge, overall, trace_facts, verdicts
from lem_safe.bounds import clopper_pearson
from lem_safe.bounds.evidence import Betting, Evidence, Fixed, Sequential, two_sided
from lem_safe.bounds.several import Correction
from lem_safe.errors import BadInput, Fault

if TYPE_CHECKING:
    from lem_safe.scenario import Scenario

Source = Any
"""A file's path, an array, a tensor, rows of numbers, a table with `columns`, or Samples: what `open_samples`
reads.
"""


def audit(
    samples: Source,
    scenario: "Scenario",
    *,
    trace: Mapping[str, Any] | None = None,
    coupled: bool | None = None,
    clouds: Source | None = None,
    columns: Sequence[str] | None = None,
    strict: bool = False,
    near: float | None = None,
    correction: Correction | None = None,
    makers: Nested | None = None,
    header: bool | None = None,
) -> AuditReport:
    """Counts, bounds and verdicts for `samples` (a .npz, .npy, .csv or .parquet file, an array or a tensor,
    [n, d], data units).

    trace: the arrays of trace.npz (`step` [t], `fraction` [t, m]) where the samples end a recorded run.
    coupled: whether the samples are one cloud whose particles a filter made depend on one another; None
    leaves it to the file.
    clouds: independent clouds (a file with `replica`, see `samples`) from which the bound is taken instead,
    while counts are of `samples`.
    columns: names for samples that carry none. near: also count samples outside but within this distance.
    correction: how several constraints share the error, by default the scenario's; `holm` decides more, and
    then only its verdicts hold together.
    strict: every constraint must be certified to pass, as under `audit: {require: bound}`.
    header: whether the first line of a .csv, of samples or clouds, is names; by default told from it, and
    refused where it may be either.
    makers: who builds the energies that regions are drawn by; the judge itself knows none (see
    `barriers.sets.build_set`). Raises BadInput for samples that cannot be read or do not fit the scenario.
    """
    asked = _Asked(
        scenario,
        trace,
        coupled,
        clouds,
        strict,
        near,
        correction or scenario.audit.correction,
        makers,
        header,
    )
    return _examined(open_samples(samples, columns, header_of(samples, header, clouds)), asked, None)[0]


def grow(samples: Source, scenario: "Scenario", directory: Path, **options: Any) -> tuple[AuditReport, Past]:
    """One more look at samples that keep coming: the rows audited before, unchanged, and any number of new
    ones.

    directory: where the looks before are remembered; the caller writes the Past returned there once all else
    is written. Verdicts and bounds hold at all looks together, and a verdict once fallen stays. options:
    those of `audit`, but no `trace` and no `clouds`.
    """
    opened = open_samples(samples, options.pop("columns", None), options.pop("header", None))
    given = {"coupled": None, "strict": False, "near": None, "correction": None, "makers": None, **options}
    asked = _Asked(
        scenario,
        None,
        given["coupled"],
        None,
        given["strict"],
        given["near"],
        given["correction"] or scenario.audit.correction,
        given["makers"],
        None,
    )
    match = match_columns(opened, scenario.columns, scenario.unsafe)
    question = {
        "scenario": scenario.fingerprint(),
        "columns": ", ".join(match.names),
        "unit": match.unit,
        "correction": asked.correction,
    }
    return _examined(opened, asked, Past.read(directory, question))


class _Asked(NamedTuple):
    scenario: "Scenario"
    trace: Mapping[str, Any] | None
    coupled: bool | None
    clouds: Source | None
    strict: bool
    near: float | None
    correction: Correction
    makers: Nested | None
    header: bool | None


def _examined(opened: Samples, asked: _Asked, past: Past | None) -> tuple[AuditReport, Past]:
    scenario, settings = asked.scenario, asked.scenario.audit
    if asked.near is not None and not 0 < asked.near < float("inf"):
        raise BadInput(Fault(f"must be a distance > 0, in the data's units; got {asked.near}", key="near"))
    match = match_columns(opened, scenario.columns, scenario.unsafe)
    if asked.clouds is not None and match.unit != "sample":
        raise BadInput(
            Fault(
                f"counts {match.unit}s, which bring a bound of their own; --clouds is for samples that "
                "bring none: audit the clouds "
                "by themselves",
                opened.source,
            )
        )
    regions = _regions(scenario, match.names, asked.makers)
    sets = {c.set: regions[c.set] for c in scenario.constraints}
    seen, counting = Seen(past or Past({}), opened.source), Counting()
    blocks = counting.passing(match.blocks(opened))
    between = (settings.between or "segments") if match.unit == "path" else None
    found = census(
        blocks if past is None else seen.passing(blocks),
        sets,
        asked.near,
        apart=match.unit in ("chain", "path"),
        tracks=Tracks() if between == "segments" else None,
    )
    repeats, moved = counting.result(), movement(opened.moved, asked.trace)
    bounded, stand = _stand(opened, match, found, asked, sets, repeats, moved)
    if past is not None and stand.unclaimed:
        raise BadInput(
            Fault(
                f"an audit that grows needs independent units; found: {stand.unclaimed}; audit such rows "
                "once, without growing, or remove them",
                opened.source,
            )
        )
    require = settings.require if settings.require != "passed" or not asked.strict else "bound"
    sequential = past is not None or require == "anytime"
    n, counts = _counted(found, match.unit)
    evidence = {
        name: _evidence(bounded, r, r.by_unit, stand.unit, sequential) for name, r in bounded.regions.items()
    }
    confidence = 1 - (1 - settings.confidence) / max(len(scenario.constraints), 1)
    before = past.standings if past is not None else {}
    standings = [
        Standing.of(evidence[c.set], c.beta, confidence).after(before.get(_key(i, c.set)))
        for i, c in enumerate(scenario.constraints)
    ]
    over = (
        [counts[c.set] > clopper_pearson.budget(c.beta, n) for c in scenario.constraints]
        if stand.unclaimed
        else None
    )
    chosen = verdicts(standings, settings.confidence, asked.correction, over)
    standings = [
        s.decided(v, stand.units if past is not None else None)
        for s, v in zip(standings, chosen, strict=True)
    ]
    judged = tuple(
        judge(
            c.set,
            c.beta,
            counts[c.set],
            n,
            found.regions[c.set],
            evidence[c.set],
            standing,
            confidence=confidence,
            claimed=stand.unclaimed is None,
            require_bound=require != "passed",
            trace=facts,
            between=what_is_judged(sets[c.set], between),
        )
        for c, standing, facts in zip(
            scenario.constraints, standings, _facts(asked.trace, scenario, n), strict=True
        )
    )
    report = AuditReport(
        passed=all(c.passed for c in judged),
        samples=n,
        confidence=settings.confidence,
        assumes=stand.unclaimed or f"independent {stand.unit}s",
        constraints=judged,
        scenario=scenario.name,
        fingerprint=scenario.fingerprint(),
        assumes_detail=in_words(
            stand, sequential, settings.confidence, len(judged), asked.correction, between
        )
        + _beside(asked, stand)
        + _aim(asked, claimed=stand.unclaimed is None),
        require=require,
        correction=asked.correction,
        union=_union(bounded, found, match.unit, stand, sequential, settings.confidence),
        after_step=settings.after_step,
        near_within=asked.near,
        columns=match.names,
        columns_matched=match.how,
        source=opened.source,
        verdict=overall([c.verdict for c in judged]),
        method=next(iter(evidence.values())).method if evidence else "clopper-pearson",
        unit=stand.unit,
        units=stand.units,
        rows=found.n,
        seed=opened.seed,
        clouds=None
        if asked.clouds is None
        else "beside the samples"
        if isinstance(asked.clouds, np.ndarray | Tensor)
        else str(asked.clouds),
        looks=len(past.looks) + (seen.rows > past.rows) if past is not None else None,
        columns_detail=match.detail,
        repeats=repeats,
        movement=moved,
    )
    look = {
        "rows": found.n,
        "units": stand.units,
        "violations": [c.violations for c in judged],
        "verdicts": [c.verdict for c in judged],
    }
    named = {_key(i, c.set): s for i, (c, s) in enumerate(zip(judged, standings, strict=True))}
    return report, (past or Past({})).then(look, seen, named)


def _key(index: int, name: str) -> str:
    """One set may be constrained twice."""
    return f"{index}: {name}"


def _stand(
    opened: Samples,
    match: Match,
    found: Census,
    asked: _Asked,
    sets: Mapping[str, UnsafeSet],
    repeats: Repeats,
    moved: Movement | None,
) -> tuple[Census, Stand]:
    """What the bound is taken from: the samples, or independent clouds beside them."""
    tuned_with = asked.scenario.audit.tuned_with
    sources = [opened]
    if asked.clouds is not None:
        clouds = open_samples(asked.clouds, None, header_of(asked.clouds, asked.header, opened.source))
        beside = match_columns(clouds, asked.scenario.columns, asked.scenario.unsafe)
        if beside.unit != "cloud":
            raise BadInput(
                Fault("must say which row is of which cloud, in an array `replica`", clouds.source)
            )
        counting = Counting()
        found, match, sources = census(counting.passing(beside.blocks(clouds)), sets), beside, [clouds]
        repeats, moved, opened = counting.result(), movement(clouds.moved, None), clouds
    units = next(iter(found.regions.values())).by_unit if found.regions else None
    count = found.n if match.unit == "sample" or units is None else units.units
    coupled = opened.coupled if asked.coupled is None else asked.coupled
    if any(s.tuned or (s.seed is not None and s.seed in tuned_with) for s in sources):
        return found, Stand(match.unit, count, f"samples used in tuning: {UNCLAIMED}")
    if (
        match.unit == "cloud" and count == 1
    ):  # of one cloud there is no second one to tell how fractions scatter
        return found, Stand("sample", found.n, f"coupled cloud: {UNCLAIMED}")
    if coupled and match.unit != "cloud":
        return found, Stand(match.unit, count, f"coupled cloud: {UNCLAIMED}")
    if moved is not None and moved.frozen:
        return found, Stand(match.unit, count, f"frozen run: {UNCLAIMED}")
    if not units_by_nature(repeats, lambda: match.blocks(opened), match.unit):
        what = copied(
            repeats.rows, repeats.distinct, repeats.exact, repeats.units, repeats.distinct_units, match.unit
        )
        return found, Stand(match.unit, count, f"copies, {what}: {UNCLAIMED}")
    return found, Stand(match.unit, count, None)


def _counted(found: Census, unit: Unit) -> tuple[int, dict[str, int]]:
    """How many there are, and how many of them are inside: rows, or paths that are ever inside."""
    counts = {
        name: r.violations if unit != "path" or r.by_unit is None else r.by_unit.touched()
        for name, r in found.regions.items()
    }
    paths = [r.by_unit.units for r in found.regions.values() if r.by_unit is not None]
    return paths[0] if unit == "path" and paths else found.n, counts


def _evidence(
    found: Census, region: RegionCensus | None, by_unit: UnitCounts | None, unit: Unit, sequential: bool
) -> Evidence:
    """What one region's counts say; of all regions together where `region` is None."""
    if unit in ("cloud", "chain") and by_unit is not None:
        return Betting(by_unit.fractions())
    k, n = (found.inside_any if region is None else region.violations), found.n
    if unit == "path" and by_unit is not None:
        k, n = by_unit.touched(), by_unit.units
    return Sequential(k, n) if sequential else Fixed(k, n)


def _union(
    bounded: Census, found: Census, own: Unit, stand: Stand, sequential: bool, confidence: float
) -> UnionReport | None:
    if len(found.regions) < 2:
        return None
    evidence = _evidence(bounded, None, bounded.any_by_unit, stand.unit, sequential)
    by_path = found.any_by_unit if own == "path" else None
    k, n = (found.inside_any, found.n) if by_path is None else (by_path.touched(), by_path.units)
    return UnionReport(
        tuple(found.regions), k, k / n, evidence.upper(confidence), two_sided(evidence, confidence)
    )


def _regions(scenario: "Scenario", names: Sequence[str], makers: Nested | None) -> dict[str, UnsafeSet]:
    try:
        regions = build_sets(scenario.unsafe, names, makers)
    except SpecificationError as error:
        message = f"{error} (the samples' columns: {', '.join(names)})"
        raise BadInput(Fault(message, key=".".join(["unsafe", *map(str, error.path)]))) from error
    sets = [c.set for c in scenario.constraints]
    missing = [
        Fault(f"no region is named '{name}'", key=f"constraints.{i}.set")
        for i, name in enumerate(sets)
        if name not in regions
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
        raise BadInput(
            f"the trace must hold fraction [steps, {m}] for {m} constraint(s), a step or more; got "
            f"{fraction.shape}"
        )
    after = scenario.audit.after_step
    return [trace_facts(step, fraction[:, i], c.beta, n, after) for i, c in enumerate(scenario.constraints)]


def _aim(asked: _Asked, *, claimed: bool) -> str:
    """That the filter of the recorded run aimed below the tolerance, where it did: what is judged is the
    tolerance.
    """
    from lem_safe.scenario import leaves_room

    scenario = asked.scenario
    if asked.trace is None:
        return ""
    lower = [
        f"{100 * a:.3g} % in {c.set} (tolerated {100 * c.beta:.3g} %)"
        for c, a in zip(scenario.constraints, scenario.aimed(), strict=True)
        if a < c.beta
    ]
    why = leaves_room(scenario.filter, claimed=claimed)
    return (
        f" The filter aimed at {', '.join(lower)}{why}; what is tolerated is what is judged." if lower else ""
    )


def _beside(asked: _Asked, stand: Stand) -> str:
    if asked.clouds is None or stand.unclaimed:
        return ""
    return (
        f" They are those of {stand.units:,} clouds beside the samples, whose counts they are not: both "
        "must come from one procedure."
    )
