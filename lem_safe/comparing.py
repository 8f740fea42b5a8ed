"""Filters side by side on one scenario: the same energy, starts and noise, one table. `thinning` is what a filter has to beat (P.1).

Each is measured by what it let through (the largest fraction over the judged steps, and the last), by how far its cloud is from the exact KL
projection (P.1, P.2), and by what a step costs relative to no filter, all in one process. Every filter aims at what the scenario's own aims
at. A seed names starts and noise, not the energy, which is the scenario's own, so seeds and `audit.replicas` are independent clouds of one law.
A bound is told where nothing was tuned on the draws (A.7), each constraint's at its share of the error (A.4): of samples where particles
are independent, and elsewhere of two clouds or more (A.5).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float

from barriers.budget import budget
from barriers.projection import facts, thinned, thinned_to_budget
from lem_safe.bounds.betting import mean_upper_bound
from lem_safe.bounds.clopper_pearson import upper_bound
from lem_safe.build import build
from lem_safe.catalogue import loads, promise
from lem_safe.faults import BadInput, Fault, NumericalFailure
from lem_safe.files import write_json, write_npz, write_text
from lem_safe.keys import Key
from lem_safe.percentages import level, percent
from lem_safe.progress import Progress, Silent
from lem_safe.projected import Base, Target, projection_of
from lem_safe.report.compare import write_page
from lem_safe.report.findings import by_chance, findings
from lem_safe.samplers import promise_under
from lem_safe.scenario import Scenario
from lem_safe.versions import versions

FILTERS = ("none", "penalty", "drift", "pointwise", "step", "gate", "reject", "project", "primal_dual", "thinning")
THINNING = ("every draw kept", "P.1: exact KL projection of finished samples, fewer of them; nothing is promised while sampling")
OVERLAPPING = (
    "in expectation",
    "P.1: exact KL projection of finished samples, fewer of them; sets overlap, so counts fluctuate around β",
)


@dataclass(frozen=True)
class Entry:
    """One filter over all seeds; refused says why it could not run, and then the numbers are None.

    Of several constraints the one nearest to, or furthest over, its tolerance is told. over: whether any cloud held more than its budget at some
    judged step (for thinning: in the end). The bound is taken from `units` many of what `unit` names. chance: mean and standard deviation of
    the distance from so many draws of the projection itself. cost: seconds a step over those of no filter. kept: draws left, of the samples.
    weight: a penalty's, where it was guessed.
    """

    filter: str
    promise: str
    because: str
    refused: str | None = None
    constraint: str | None = None
    beta: float | None = None
    largest: float | None = None
    final: float | None = None
    upper_bound: float | None = None
    unit: str | None = None
    units: int | None = None
    distance: float | None = None
    chance: tuple[float, float] | None = None
    cost: float | None = None
    kept: int | None = None
    over: bool | None = None
    weight: float | None = None


@dataclass(frozen=True)
class Comparison:
    """The table; `floor` is what chance alone makes of the distance from a whole cloud, its mean and standard deviation.

    samples: of a cloud, of which every seed has `clouds`. aim: what every filter aims at, constraint by constraint, where that is not β.
    """

    scenario: str
    seeds: int
    samples: int
    steps: int
    projection: str
    floor: tuple[float, float]
    entries: tuple[Entry, ...]
    fractions: Mapping[str, Float[np.ndarray, "t"]]
    confidence: float = 0.95
    clouds: int = 1
    after_step: int = 0
    aim: Mapping[str, float] | None = None
    measure: str = "W2"

    def to_dict(self) -> dict[str, Any]:
        return {
            "schema_version": 1, "scenario": self.scenario, "seeds": self.seeds, "samples": self.samples, "steps": self.steps,
            "projection": self.projection, "floor": {"mean": self.floor[0], "std": self.floor[1]},
            "measure": self.measure, "clouds": self.clouds, "after_step": self.after_step, "aim": self.aim and dict(self.aim),
            "confidence": self.confidence, "entries": [vars(entry) for entry in self.entries], **versions(),
        }  # fmt: skip

    def __str__(self) -> str:
        heads = (
            "filter",
            "tolerated",
            "largest",
            "final",
            "bound",
            "W2" if self.measure == "W2" else "distance",
            "cost",
            "promise",
        )
        rows = [heads, *(_cells(entry) for entry in self.entries)]
        widths = [max(len(row[i]) for row in rows) for i in range(len(heads))]
        table = "\n".join("  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)).rstrip() for row in rows)
        said = "\n".join(findings(self.to_dict()))
        size = f"{self.seeds} seed{'s' * (self.seeds != 1)}" + f" of {self.clouds} clouds" * (self.clouds > 1)
        aimed = ", ".join(f"{percent(a)} in {name}" for name, a in (self.aim or {}).items())
        chance = by_chance(self.to_dict())
        return (
            f"{self.scenario}: {size}, {self.samples:,} samples, {self.steps:,} steps\n\n"
            f"{table}\n\n{said}\n\n"
            + f"Steps from {self.after_step:,} on are judged. " * (self.after_step > 1)
            + f"Every filter aims at {aimed}, as the scenario's own does. " * bool(aimed)
            + f"{self.measure[:1].upper()}{self.measure[1:]}: to the exact KL projection ({self.projection}); {chance} is chance alone. "
            f"Bound: {level(self.confidence)} confidence, of samples where particles are independent, else of two clouds or more. "
            "Cost: a step, relative to none."
        )


def compare(
    scenario: Scenario,
    filters: Sequence[str] | None = None,
    *,
    seeds: int = 1,
    out: Path | None = None,
    progress: Progress | None = None,
) -> Comparison:
    """Runs filters on the scenario with the same seeds; `out` gets compare.json, fractions.npz, the page and its picture.

    filters: names of FILTERS or the kind of the scenario's own; by default all of these. Raises BadInput for a name that is no filter.
    A filter that these sets do not admit is told, and the others go on.
    """
    progress = progress or Silent()
    chosen = tuple(dict.fromkeys(known(scenario) if filters is None else filters))
    must_be_known(chosen, scenario)
    aimed = scenario.aimed()
    plain = _runs(scenario, {"kind": "none"}, [scenario.seed + k for k in range(seeds)], progress)
    try:
        target = projection_of(plain, plain[0].problem.betas, progress)
    except ValueError as error:
        raise BadInput(Fault(f"nothing can be compared with the projection: {error}", key="constraints")) from error
    race = _Race(scenario, aimed, plain, target, {}, progress)
    entries, fractions = [], {}
    for name in chosen:
        entry, fraction = race.entry(name)
        entries.append(entry)
        if fraction is not None:
            fractions[name] = fraction
    first, names = plain[0], plain[0].problem.names
    result = Comparison(
        scenario.name, seeds, first.sizes[0], first.fraction.shape[1], target.kind, race.chance(len(first.x)), tuple(entries), fractions,
        scenario.audit.confidence, len(first.sizes), scenario.audit.after_step,
        dict(zip(names, aimed, strict=True)) if aimed != first.problem.betas else None, target.measure,
    )  # fmt: skip
    if out is not None:
        write(result, out)
    return result


def known(scenario: Scenario) -> tuple[str, ...]:
    """What can be compared on a scenario: FILTERS, and the scenario's own where that is another one, as a chain is."""
    return tuple(dict.fromkeys((*FILTERS, str(scenario.filter["kind"]))))


def must_be_known(filters: Sequence[str], scenario: Scenario) -> None:
    """Raises BadInput for a name that is no filter, and for no name at all."""
    unknown = [name for name in filters if name not in known(scenario)]
    if unknown == ["chain"]:
        raise BadInput(
            Fault("the scenario's own filter is no chain, so there is none to compare; write one there", key="--filters")
        )
    if unknown or not filters:
        what = f"'{unknown[0]}' cannot be compared" if unknown else "names no filter"
        raise BadInput(Fault(f"{what}; filters: {', '.join(known(scenario))}", key="--filters"))


def write(result: Comparison, out: Path) -> Path:
    """compare.json, fractions.npz, compare.html and figures/compare.png; returns the page's path."""
    (out / "figures").mkdir(parents=True, exist_ok=True)
    write_json(out / "compare.json", result.to_dict())
    write_npz(out / "fractions.npz", **result.fractions)
    write_text(out / "compare.html", write_page(result.to_dict(), result.fractions, out / "figures"))
    return out / "compare.html"


def oracle_weight(base: Base, betas: Sequence[float]) -> float:
    """The multiplier of the hard projection, from the unfiltered run's second half: what a penalty's weight would be guessed as (P.2)."""
    half = base.fraction[:, base.fraction.shape[1] // 2 :].mean((0, 1))
    found = [facts(float(p), β).multiplier for p, β in zip(half, betas, strict=True) if β > 0]
    return max([1.0, *(μ for μ in found if np.isfinite(μ))])


@dataclass(frozen=True)
class _Race:
    """What all filters share: what they aim at, the unfiltered chains of every seed, the projection, what chance makes of distances to it."""

    scenario: Scenario
    aimed: tuple[float, ...]
    plain: Sequence[Base]
    target: Target
    floors: dict[int, tuple[float, float]]
    progress: Progress

    def entry(self, name: str) -> tuple[Entry, Float[np.ndarray, "t"] | None]:
        """A row of the table, and the fraction of its first seed at every step, of the cloud that held most."""
        scope, because = self._promise(name)
        try:
            runs, weight = self._finished(name)
        except (BadInput, NumericalFailure) as error:
            return Entry(name, scope, because, refused=str(error)), None
        ended = name == "thinning"
        k, β = _worst(runs, ended)
        distances = [self.target.distance(r.x) for r in runs if len(r.x) > 1]
        bound, unit, units = self._bound(runs, k, tuned=weight is not None, ended=ended)
        entry = Entry(
            filter=name,
            promise=scope,
            because=because,
            constraint=runs[0].problem.names[k],
            beta=β,
            largest=None if ended else float(max(r.judged[..., k].max() for r in runs)),
            final=float(torch.cat([r.inside[:, k] for r in runs]).double().mean()),
            upper_bound=bound,
            unit=unit,
            units=units,
            distance=float(np.mean(distances)) if distances else None,
            chance=self.chance(max(len(r.x) for r in runs)) if distances else None,
            cost=float(np.mean([r.seconds for r in runs]) / np.mean([b.seconds for b in self.plain])),
            kept=int(np.mean([len(r.x) for r in runs])),
            over=any(_over(r, ended) for r in runs),
            weight=weight,
        )
        return entry, None if ended else runs[0].fraction[..., k].max(0)

    def chance(self, n: int) -> tuple[float, float]:
        """What chance alone makes of the distance from n draws."""
        if n not in self.floors:
            self.floors[n] = self.target.floor(n)
        return self.floors[n]

    def _finished(self, name: str) -> tuple[Sequence[Base], float | None]:
        """The chain of every seed, and the weight where one was guessed."""
        if name == "none":
            return self.plain, None
        if name == "thinning":
            return [self._thinned(base) for base in self.plain], None
        own = self.scenario.filter
        spec: dict[str, Any] = dict(own) if own["kind"] == name else {"kind": name}
        spec["aim"] = list(self.aimed)
        guessed = None
        if name == "penalty" and "weight" not in spec:
            guessed = spec["weight"] = float(np.mean([oracle_weight(base, self.aimed) for base in self.plain]))
        return _runs(self.scenario, spec, [base.seed for base in self.plain], self.progress), guessed

    def _thinned(self, base: Base) -> Base:
        """Every cloud thinned for itself, so that clouds stay independent."""
        choose = thinned if _overlap(base) else thinned_to_budget
        uniforms = Key(base.seed).fold("thinning").uniform(base.x[:, 0].double())
        parts = zip(
            base.x.split(list(base.sizes)), base.inside.split(list(base.sizes)), uniforms.split(list(base.sizes)), strict=True
        )
        try:
            kept = [x[choose(inside, self.aimed, u)] for x, inside, u in parts]
        except ValueError as error:
            raise BadInput(str(error)) from error
        if not all(map(len, kept)):
            raise BadInput("thinning: every draw is inside, so nothing can stay")
        return replace(base, x=torch.cat(kept), sizes=tuple(map(len, kept)))

    def _promise(self, name: str) -> tuple[str, str]:
        if name == "thinning":
            return OVERLAPPING if any(_overlap(base) for base in self.plain) else THINNING
        last: Mapping[str, Any] = self.scenario.filter if name == "chain" else {"kind": name}
        while last.get("filters"):
            last = last["filters"][-1]
        if last["kind"] == "none" or self.scenario.sampler.kind == "langevin":
            scope, because = promise(last["kind"])
        else:
            remains = promise_under(self.scenario.sampler.kind, last["kind"])
            scope, because = remains.scope, remains.because
        return scope, because if name != "chain" else f"its last filter, {last['kind']}, promises: {because}"

    def _bound(self, runs: Sequence[Base], k: int, *, tuned: bool, ended: bool) -> tuple[float | None, str | None, int | None]:
        """The upper bound on the fraction in set k, and what it counts how many of; None where nothing is claimed."""
        audit, used = self.scenario.audit, runs[0].problem.filter
        if tuned or any(r.seed in audit.tuned_with for r in runs):
            return None, None, None
        each = 1 - (1 - audit.confidence) / len(self.scenario.constraints)
        if ended or (used is not None and used.couples):
            clouds = np.concatenate([r.final[:, k] for r in runs])
            return (mean_upper_bound(clouds, each), "clouds", len(clouds)) if len(clouds) > 1 else (None, None, None)
        inside = torch.cat([r.inside[:, k] for r in runs])
        return upper_bound(int(inside.sum()), len(inside), each), "samples", len(inside)


def _runs(scenario: Scenario, spec: Mapping[str, Any], seeds: Sequence[int], progress: Progress) -> list[Base]:
    """The scenario with another filter, built once, sampled with each seed; what its audit would ask for is not asked here."""
    problem = build(loads(scenario.to_yaml(), {"filter": dict(spec), "audit.require": "passed"}), progress=progress)
    return [Base.run(problem, seed, progress) for seed in seeds]


def _overlap(base: Base) -> bool:
    return bool((base.inside.sum(1) > 1).any())


def _held(run: Base, ended: bool) -> Float[np.ndarray, "r m"]:
    """The largest fraction of each cloud in each set over the judged steps; of the final cloud where no steps were taken."""
    return run.final if ended else run.judged.max(1)


def _worst(runs: Sequence[Base], ended: bool) -> tuple[int, float]:
    betas = np.array(runs[0].problem.betas)
    largest = np.concatenate([_held(r, ended) for r in runs]).max(0)
    k = int(np.argmax(largest / np.maximum(betas, 1e-12)))
    return k, float(betas[k])


def _over(run: Base, ended: bool) -> bool:
    """Whether some set held more than ⌊βn⌋ of some cloud (A.1)."""
    betas, held = run.problem.betas, _held(run, ended)
    return any(
        round(float(fraction) * n) > budget(β, n)
        for row, n in zip(held, run.sizes, strict=True)
        for fraction, β in zip(row, betas, strict=True)
    )


def _cells(e: Entry) -> tuple[str, ...]:
    if e.refused is not None:
        return (e.filter, "refused", "", "", "", "", "", e.refused.splitlines()[0][:90])
    kept = "" if e.filter != "thinning" else f" ({e.kept:,} kept)"
    bound = "none claimed" if e.upper_bound is None else percent(e.upper_bound) + f" of {e.units} clouds" * (e.unit == "clouds")
    distance = "" if e.distance is None else f"{e.distance:.2g}"
    over = " over" if e.over else ""
    return (
        e.filter, f"{percent(e.beta)} {e.constraint}", percent(e.largest) + over * (e.largest is not None),
        percent(e.final) + kept + over * (e.largest is None), bound, distance, f"{e.cost:.2f}x", e.promise,
    )  # fmt: skip
