"""Filters side by side on one scenario: the same energy, starts and noise, one table. `thinning` is what a
filter has to beat (P.1).

Each is measured by what it let through (the largest fraction over the judged steps, and the last), by how far
its cloud is from the exact KL projection (P.1, P.2), by the KL from the unfiltered distribution that it paid
beside the least that any method pays (P.6, P.7), and by what a step costs relative to no filter, all in one
process. Every filter aims at what the scenario's own aims at. A seed names starts and noise, not the energy,
which is the scenario's own, so seeds and `audit.replicas` are independent clouds of one law. A bound is told
where nothing was tuned on the draws (A.7), each constraint's at its share of the error (A.4): of samples
where particles are independent, and elsewhere of two clouds or more (A.5).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float

from barriers.budget import budget
from barriers.filters import last_of
from barriers.projection import facts, thinned, thinned_to_budget
from lem_safe.bounds.betting import mean_upper_bound
from lem_safe.bounds.clopper_pearson import upper_bound
from lem_safe.comparison.kl_projection import Base, Target, projection_of
from lem_safe.comparison.page import write_page
from lem_safe.comparison.result import Comparison, Entry, Held, Price
from lem_safe.distances.kl_price import Account, Seen, account, needed, seen
from lem_safe.errors import BadInput, Fault, NumericalFailure
from lem_safe.files import write_json, write_npz, write_text
from lem_safe.keys import Key
from lem_safe.progress import Progress, Silent
from lem_safe.registry import loads
from lem_safe.runs.problem import build, check_precision
from lem_safe.samplers import promise_under
from lem_safe.scenario import Scenario

FILTERS = (
    "none",
    "penalty",
    "drift",
    "pointwise",
    "step",
    "gate",
    "reject",
    "project",
    "primal_dual",
    "thinning",
)
THINNING = (
    "every draw kept",
    "P.1: exact KL projection of finished samples, fewer of them; nothing is promised while sampling",
)
OVERLAPPING = (
    "in expectation",
    "P.1: exact KL projection of finished samples, fewer of them; sets overlap, so counts fluctuate around β",
)


def compare(
    scenario: Scenario,
    filters: Sequence[str] | None = None,
    *,
    seeds: int = 1,
    out: Path | None = None,
    progress: Progress | None = None,
) -> Comparison:
    """Runs filters on the scenario with the same seeds; `out` gets compare.json, fractions.npz, the page and
    its picture.

    filters: names of FILTERS or the kind of the scenario's own; by default all of these. Raises BadInput for
    a name that is no filter. A filter that these sets do not admit is told, and the others go on.
    """
    progress = progress or Silent()
    chosen = tuple(dict.fromkeys(known(scenario) if filters is None else filters))
    must_be_known(chosen, scenario)
    check_precision(scenario, progress)
    aimed = scenario.aimed()
    plain = _runs(scenario, {"kind": "none"}, [scenario.seed + k for k in range(seeds)], progress)
    try:
        target = projection_of(plain, plain[0].problem.betas, progress)
    except ValueError as error:
        raise BadInput(
            Fault(f"nothing can be compared with the projection: {error}", key="constraints")
        ) from error
    free = seen(plain[0].problem.sets, torch.cat([b.x for b in plain]))
    race = _Race(scenario, aimed, plain, free, target, {}, progress)
    entries, fractions = [], {}
    for name in chosen:
        entry, fraction = race.entry(name)
        entries.append(entry)
        if fraction is not None:
            fractions[name] = fraction
    first, names = plain[0], plain[0].problem.names
    result = Comparison(
        scenario.name,
        seeds,
        first.sizes[0],
        first.fraction.shape[1],
        target.kind,
        race.chance(len(first.x)),
        tuple(entries),
        fractions,
        scenario.audit.confidence,
        len(first.sizes),
        scenario.audit.after_step,
        dict(zip(names, aimed, strict=True)) if aimed != first.problem.betas else None,
        target.measure,
        needed(free, first.problem.betas, scenario.audit.confidence),
    )
    if out is not None:
        write(result, out)
    return result


def known(scenario: Scenario) -> tuple[str, ...]:
    """What can be compared on a scenario: FILTERS, and the scenario's own where that is another one, as a
    chain is.
    """
    return tuple(dict.fromkeys((*FILTERS, str(scenario.filter["kind"]))))


def must_be_known(filters: Sequence[str], scenario: Scenario) -> None:
    """Raises BadInput for a name that is no filter, and for no name at all."""
    unknown = [name for name in filters if name not in known(scenario)]
    if unknown == ["chain"]:
        raise BadInput(
            Fault(
                "the scenario's own filter is no chain, so there is none to compare; write one there",
                key="--filters",
            )
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
    """The multiplier of the hard projection, from the unfiltered run's second half: what a penalty's weight
    would be guessed as (P.2).
    """
    half = base.fraction[:, base.fraction.shape[1] // 2 :].mean((0, 1))
    found = [facts(float(p), β).multiplier for p, β in zip(half, betas, strict=True) if β > 0]
    return max([1.0, *(μ for μ in found if np.isfinite(μ))])


@dataclass(frozen=True)
class _Race:
    """What all filters share: what they aim at, the unfiltered chains of every seed and how the sets see
    them, the projection, what chance makes of distances to it.
    """

    scenario: Scenario
    aimed: tuple[float, ...]
    plain: Sequence[Base]
    free: Seen
    target: Target
    floors: dict[int, tuple[float, float]]
    progress: Progress

    def entry(self, name: str) -> tuple[Entry, Float[np.ndarray, "t"] | None]:
        """A row of the table, and the fraction of its first seed at every step, of the cloud that held
        most.
        """
        scope, because = self._promise(name)
        try:
            runs, weight = self._finished(name)
        except (BadInput, NumericalFailure) as error:
            return Entry(name, scope, because, refused=str(error)), None
        ended = name == "thinning"
        tuned = weight is not None
        regions = tuple(
            self._held(runs, k, tuned=tuned, ended=ended) for k in range(len(runs[0].problem.names))
        )
        k = _worst(runs, ended)
        distances = [self.target.distance(r.x) for r in runs if len(r.x) > 1]
        bound, unit, units = self._bound(runs, k, tuned=tuned, ended=ended)
        entry = Entry(
            filter=name,
            promise=scope,
            because=because,
            constraint=regions[k].set,
            beta=regions[k].beta,
            largest=regions[k].largest,
            final=regions[k].final,
            upper_bound=bound,
            unit=unit,
            units=units,
            distance=float(np.mean(distances)) if distances else None,
            chance=self.chance(max(len(r.x) for r in runs)) if distances else None,
            cost=float(np.mean([r.seconds for r in runs]) / np.mean([b.seconds for b in self.plain])),
            kept=int(np.mean([len(r.x) for r in runs])),
            over=any(held.over for held in regions),
            weight=weight,
            regions=regions,
            price=Price.of(self._account(runs)),
        )
        return entry, None if ended else runs[0].fraction[..., k].max(0)

    def _held(self, runs: Sequence[Base], k: int, *, tuned: bool, ended: bool) -> Held:
        problem = runs[0].problem
        return Held(
            set=problem.names[k],
            beta=problem.betas[k],
            largest=None if ended else float(max(r.judged[..., k].max() for r in runs)),
            final=float(torch.cat([r.inside[:, k] for r in runs]).double().mean()),
            upper_bound=self._bound(runs, k, tuned=tuned, ended=ended)[0],
            over=any(_over(r, k, ended) for r in runs),
        )

    def _account(self, runs: Sequence[Base]) -> Account:
        """What the final clouds paid; every row of the same unfiltered clouds, as they drew the same
        noise.
        """
        problem = runs[0].problem
        ours = seen(problem.sets, torch.cat([r.x for r in runs]))
        return account(ours, self.free, problem.betas, self.scenario.audit.confidence)

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
            guessed = spec["weight"] = float(
                np.mean([oracle_weight(base, self.aimed) for base in self.plain])
            )
        return _runs(self.scenario, spec, [base.seed for base in self.plain], self.progress), guessed

    def _thinned(self, base: Base) -> Base:
        """Every cloud thinned for itself, so that clouds stay independent."""
        choose = thinned if _overlap(base) else thinned_to_budget
        uniforms = Key(base.seed).fold("thinning").uniform(base.x[:, 0].double())
        parts = zip(
            base.x.split(list(base.sizes)),
            base.inside.split(list(base.sizes)),
            uniforms.split(list(base.sizes)),
            strict=True,
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
        own = self.scenario.filter
        last = str(last_of(own if own["kind"] == name else {"kind": name})["kind"])
        kept = promise_under(self.scenario.sampler.kind, last)
        because = kept.because if last == name else f"its last filter, {last}, promises: {kept.because}"
        return kept.scope, because

    def _bound(
        self, runs: Sequence[Base], k: int, *, tuned: bool, ended: bool
    ) -> tuple[float | None, str | None, int | None]:
        """The upper bound on the fraction in set k, and what it counts how many of; None where nothing is
        claimed.
        """
        audit, used = self.scenario.audit, runs[0].problem.filter
        if tuned or any(r.seed in audit.tuned_with for r in runs):
            return None, None, None
        each = 1 - (1 - audit.confidence) / len(self.scenario.constraints)
        if ended or (used is not None and used.couples):
            clouds = np.concatenate([r.final[:, k] for r in runs])
            return (
                (mean_upper_bound(clouds, each), "clouds", len(clouds))
                if len(clouds) > 1
                else (None, None, None)
            )
        inside = torch.cat([r.inside[:, k] for r in runs])
        return upper_bound(int(inside.sum()), len(inside), each), "samples", len(inside)


def _runs(
    scenario: Scenario, spec: Mapping[str, Any], seeds: Sequence[int], progress: Progress
) -> list[Base]:
    """The scenario with another filter, built once, sampled with each seed; what its audit would ask for is
    not asked here.
    """
    problem = build(
        loads(scenario.to_yaml(), {"filter": dict(spec), "audit.require": "passed"}), progress=progress
    )
    return [Base.run(problem, seed, progress) for seed in seeds]


def _overlap(base: Base) -> bool:
    return bool((base.inside.sum(1) > 1).any())


def _held(run: Base, ended: bool) -> Float[np.ndarray, "r m"]:
    """The largest fraction of each cloud in each set over the judged steps; of the final cloud where no steps
    were taken.
    """
    return run.final if ended else run.judged.max(1)


def _worst(runs: Sequence[Base], ended: bool) -> int:
    betas = np.array(runs[0].problem.betas)
    largest = np.concatenate([_held(r, ended) for r in runs]).max(0)
    return int(np.argmax(largest / np.maximum(betas, 1e-12)))


def _over(run: Base, k: int, ended: bool) -> bool:
    """Whether some cloud held more than ⌊βn⌋ of set k (A.1)."""
    β, held = run.problem.betas[k], _held(run, ended)[:, k]
    return any(round(float(fraction) * n) > budget(β, n) for fraction, n in zip(held, run.sizes, strict=True))
