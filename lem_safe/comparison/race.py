"""One filter's row of a comparison: its chains, its regions, its bound and its price, and what all filters
share.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Float

from barriers.arrays import torch
from barriers.budget import budget
from barriers.filters import last_of
from barriers.projection import facts, thinned, thinned_to_budget
from lem_safe.bounds.betting import mean_upper_bound
from lem_safe.bounds.clopper_pearson import upper_bound
from lem_safe.comparison.kl_projection import Base, Target
from lem_safe.comparison.result import Entry, Held, Price
from lem_safe.distances.kl_price import Account, Seen, account, seen
from lem_safe.errors import BadInput, NumericalFailure
from lem_safe.keys import Key
from lem_safe.progress import Progress
from lem_safe.registry import loads
from lem_safe.runs.pilot import piloted
from lem_safe.runs.problem import build
from lem_safe.samplers import promise_under
from lem_safe.scenario import Scenario

THINNING = (
    "every draw kept",
    "P.1: exact KL projection of finished samples, fewer of them; nothing is promised while sampling",
)
OVERLAPPING = (
    "in expectation",
    "P.1: exact KL projection of finished samples, fewer of them; sets overlap, so counts fluctuate around β",
)


def oracle_weight(base: Base, betas: Sequence[float]) -> float:
    """The multiplier of the hard projection, from the unfiltered run's second half: the guess of a penalty's
    weight (P.2). A set that held every particle has none.
    """
    half = base.fraction[:, base.fraction.shape[1] // 2 :].mean((0, 1))
    found = [facts(float(p), β).multiplier for p, β in zip(half, betas, strict=True) if β > 0 and p < 1]
    return max([1.0, *(μ for μ in found if np.isfinite(μ))])


@dataclass(frozen=True)
class Race:
    """What all filters share: the aim, the unfiltered chains of every seed with their memberships, the
    projection, and distances to it by chance.
    """

    scenario: Scenario
    aimed: tuple[float, ...]
    plain: Sequence[Base]
    free: Seen
    target: Target
    floors: dict[int, tuple[float, float]]
    progress: Progress

    def entry(self, name: str) -> tuple[Entry, Float[np.ndarray, "t"] | None]:
        """A row of the table, and the fraction of its first seed at every step, for the cloud with the
        largest one.
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
            over=any(_exceeds(r, k, ended) for r in runs),
        )

    def _account(self, runs: Sequence[Base]) -> Account:
        """The KL account of the final clouds; all rows use the same unfiltered clouds, as they drew the same
        noise.
        """
        problem = runs[0].problem
        ours = seen(problem.sets, torch.cat([r.x for r in runs]))
        return account(ours, self.free, problem.betas, self.scenario.audit.confidence)

    def chance(self, n: int) -> tuple[float, float]:
        """The distance of n draws by chance alone."""
        if n not in self.floors:
            self.floors[n] = self.target.floor(n)
        return self.floors[n]

    def _finished(self, name: str) -> tuple[Sequence[Base], float | None]:
        """The chain of every seed, and the guessed weight, if any."""
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
        return sampled(self.scenario, spec, [base.seed for base in self.plain], self.progress), guessed

    def _thinned(self, base: Base) -> Base:
        """Every cloud thinned separately, so that clouds remain independent."""
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
        """The upper bound on the fraction in set k, the unit it counts and their number; None where no bound
        is claimed.
        """
        audit = self.scenario.audit
        if tuned or any(r.seed in audit.tuned_with for r in runs):
            return None, None, None
        each = 1 - (1 - audit.confidence) / len(self.scenario.constraints)
        if ended or runs[0].problem.couples:
            clouds = np.concatenate([r.final[:, k] for r in runs])
            return (
                (mean_upper_bound(clouds, each), "clouds", len(clouds))
                if len(clouds) > 1
                else (None, None, None)
            )
        inside = torch.cat([r.inside[:, k] for r in runs])
        return upper_bound(int(inside.sum()), len(inside), each), "samples", len(inside)


def sampled(
    scenario: Scenario, spec: Mapping[str, Any], seeds: Sequence[int], progress: Progress
) -> list[Base]:
    """The scenario with another filter, built once and sampled with each seed, without the requirements of
    its audit.
    """
    problem = build(
        loads(scenario.to_yaml(), {"filter": dict(spec), "audit.require": "passed"}), progress=progress
    )
    problem, _ = piloted(problem, progress)
    return [Base.run(problem, seed, progress) for seed in seeds]


def _overlap(base: Base) -> bool:
    return bool((base.inside.sum(1) > 1).any())


def _held(run: Base, ended: bool) -> Float[np.ndarray, "r m"]:
    """The largest fraction of each cloud in each set over the checked steps; that of the final cloud where no
    steps were taken.
    """
    return run.final if ended else run.judged.max(1)


def _worst(runs: Sequence[Base], ended: bool) -> int:
    betas = np.array(runs[0].problem.betas)
    largest = np.concatenate([_held(r, ended) for r in runs]).max(0)
    return int(np.argmax(largest / np.maximum(betas, 1e-12)))


def _exceeds(run: Base, k: int, ended: bool) -> bool:
    """Whether some cloud had more than ⌊βn⌋ particles in set k (A.1)."""
    β, held = run.problem.betas[k], _held(run, ended)[:, k]
    return any(round(float(fraction) * n) > budget(β, n) for fraction, n in zip(held, run.sizes, strict=True))
