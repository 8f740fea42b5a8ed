"""Filters side by side on one scenario: the same energy, starts and noise, one table. `thinning` is what a filter has to beat (P.1).

Each is measured by what it let through (the largest fraction over all steps, and the last), by how far its cloud is from the exact KL
projection (P.1, P.2), and by what a step costs relative to no filter, all in one process. The projection is drawn from a grid in one or
two dimensions, and elsewhere from an unfiltered run with other noise, thinned; the floor is the distance between two clouds drawn from it.
A bound is told only where particles are independent and nothing was tuned on them (A.7), each constraint's at its share of the error (A.4).
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from barriers.budget import budget
from barriers.projection import facts, thinned, thinned_to_budget, tilt
from lem_safe.auditor.bounds import upper_bound
from lem_safe.build import Problem, build, start
from lem_safe.catalogue import loads, promise
from lem_safe.chain import Course, follow
from lem_safe.faults import BadInput, Fault, NumericalFailure
from lem_safe.files import write_json, write_npz, write_text
from lem_safe.keys import Key
from lem_safe.lyapunov.transport import wasserstein2
from lem_safe.progress import Progress, Silent
from lem_safe.report.compare import write_page
from lem_safe.report.findings import findings
from lem_safe.samplers import promise_under
from lem_safe.scenario import Scenario
from lem_safe.versions import versions

FILTERS = ("none", "penalty", "drift", "pointwise", "step", "gate", "reject", "project", "primal_dual", "thinning")
THINNING = ("every draw kept", "P.1: exact KL projection of finished samples, fewer of them; nothing is promised while sampling")
OVERLAPPING = ("in expectation", "P.1: exact KL projection of finished samples, fewer of them; sets overlap, so counts fluctuate around β")
PAIRED, GRID, EDGE = 1000, 400, 1e-4
"""Points of one W2; cells along an axis of the grid; the mass that may lie on its outermost cells."""
COPIES = 200_000
"""Of all atoms together, where several sets are tilted at once."""
FLOORS = (1, 3, 5)
"""Pairs of draws that tell what chance alone makes of W2."""
OTHER = "projection"
"""The stream of the run that the projection is thinned from."""


@dataclass(frozen=True)
class Entry:
    """One filter over all seeds; refused says why it could not run, and then the numbers are None.

    Of several constraints the one nearest to, or furthest over, its tolerance is told. over: whether any held more than its budget at some
    step (for thinning: in the end). cost: seconds a step over those of no filter. kept: draws left, of the samples. weight: a penalty's,
    where it was guessed.
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
    distance: float | None = None
    cost: float | None = None
    kept: int | None = None
    over: bool | None = None
    weight: float | None = None


@dataclass(frozen=True)
class Comparison:
    """The table; `floor` is the mean W2 between two draws of the projection, with its standard deviation."""

    scenario: str
    seeds: int
    samples: int
    steps: int
    projection: str
    floor: tuple[float, float]
    entries: tuple[Entry, ...]
    fractions: Mapping[str, Float[np.ndarray, "t"]]
    confidence: float = 0.95

    def to_dict(self) -> dict[str, Any]:
        return {
            "schema_version": 1, "scenario": self.scenario, "seeds": self.seeds, "samples": self.samples, "steps": self.steps,
            "projection": self.projection, "floor": {"mean": self.floor[0], "std": self.floor[1]},
            "confidence": self.confidence, "entries": [vars(entry) for entry in self.entries], **versions(),
        }  # fmt: skip

    def __str__(self) -> str:
        heads = ("filter", "tolerated", "largest", "final", "bound", "W2", "cost", "promise")
        rows = [heads, *(_cells(entry) for entry in self.entries)]
        widths = [max(len(row[i]) for row in rows) for i in range(len(heads))]
        table = "\n".join("  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)).rstrip() for row in rows)
        said = "\n".join(findings(self.to_dict()))
        return (
            f"{self.scenario}: {self.seeds} seed{'s' * (self.seeds != 1)}, {self.samples:,} samples, {self.steps:,} steps\n\n"
            f"{table}\n\n{said}\n\n"
            f"W2: to the exact KL projection ({self.projection}); {self.floor[0]:.3g} ± {self.floor[1]:.1g} is chance alone. "
            f"Bound: {100 * self.confidence:g} % confidence, where particles are independent. Cost: a step, relative to none."
        )


def compare(
    scenario: Scenario,
    filters: Sequence[str] = FILTERS,
    *,
    seeds: int = 1,
    out: Path | None = None,
    progress: Progress | None = None,
) -> Comparison:
    """Runs every filter on the scenario with the same seeds; `out` gets compare.json, fractions.npz, the page and its picture.

    Raises BadInput for a name that is no filter. A filter that these sets do not admit is told, and the others go on.
    """
    progress = progress or Silent()
    must_be_known(filters)
    plain = [Base.run(_variant(scenario, {"kind": "none"}, scenario.seed + k), progress) for k in range(seeds)]
    try:
        targets = [Target.of(base, progress) for base in plain]
    except ValueError as error:
        raise BadInput(Fault(f"nothing can be compared with the projection: {error}", key="constraints")) from error
    floors = [wasserstein2(*t.pair(k, t.points_of(len(b.x)))) for t, b in zip(targets, plain, strict=True) for k in FLOORS]
    entries, fractions = [], {}
    for name in dict.fromkeys(filters):
        entry, fraction = _entry(name, scenario, plain, targets, progress)
        entries.append(entry)
        if fraction is not None:
            fractions[name] = fraction
    first = plain[0]
    result = Comparison(
        scenario.name, seeds, first.x.shape[0], len(first.fraction), targets[0].kind, (float(np.mean(floors)), float(np.std(floors))),
        tuple(entries), fractions, scenario.audit.confidence,
    )  # fmt: skip
    if out is not None:
        write(result, out)
    return result


def must_be_known(filters: Sequence[str]) -> None:
    """Raises BadInput for a name that is no filter, and for no name at all."""
    unknown = [name for name in filters if name not in FILTERS]
    if unknown or not filters:
        what = f"'{unknown[0]}' cannot be compared" if unknown else "names no filter"
        raise BadInput(Fault(f"{what}; filters: {', '.join(FILTERS)}", key="--filters"))


def write(result: Comparison, out: Path) -> Path:
    """compare.json, fractions.npz, compare.html and figures/compare.png; returns the page's path."""
    (out / "figures").mkdir(parents=True, exist_ok=True)
    write_json(out / "compare.json", result.to_dict())
    write_npz(out / "fractions.npz", **result.fractions)
    write_text(out / "compare.html", write_page(result.to_dict(), result.fractions, out / "figures"))
    return out / "compare.html"


@dataclass(frozen=True)
class Base:
    """One finished chain: its problem, final cloud in sampler coordinates, fraction of each set at each step, seconds a step."""

    problem: Problem
    x: Tensor
    fraction: Float[np.ndarray, "t m"]
    seconds: float

    @classmethod
    def run(cls, scenario: Scenario, progress: Progress, stream: str = "chain") -> "Base":
        """Samples a scenario; `stream` names its noise. Starts and noise depend on the seed alone, not on the filter."""
        problem = build(scenario, progress=progress)
        key, kind = Key(scenario.seed), scenario.filter["kind"]
        course = Course(
            kind, problem.sampler(filtered=kind != "none"), problem.sets, problem.names, problem.betas, scenario.sampler.steps
        )
        x, began = start(problem, key if stream == "chain" else key.fold(stream)), time.perf_counter()
        done = follow(course, key.fold(stream), x, progress=progress)
        return cls(problem, done.x, done.trace["fraction"], (time.perf_counter() - began) / len(done.trace["fraction"]))

    @property
    def inside(self) -> Tensor:
        """Membership of the final cloud, [n, m]."""
        return torch.stack([s.contains(self.x) for s in self.problem.sets], 1)


@dataclass(frozen=True)
class Target:
    """The exact KL projection of a problem, as weighted points in sampler coordinates.

    jitter: the width of the cells over which a grid's points are spread; None for points that are draws themselves, each used once.
    """

    points: Float[Tensor, "k d"]
    weights: Float[Tensor, "k"]
    jitter: Float[Tensor, "d"] | None
    kind: str

    @classmethod
    def of(cls, base: Base, progress: Progress) -> "Target":
        """ValueError where no law meets every tolerance, as far as the draws tell."""
        return cls._grid(base) if base.problem.coordinates.dimension <= 2 else cls._thinned(base, progress)

    @classmethod
    def _grid(cls, base: Base) -> "Target":
        """A grid as wide as the cloud, and wider until next to nothing of the energy's law lies on its edge."""
        low, high = base.x.double().amin(0), base.x.double().amax(0)
        margin = 0.25 * (high - low).clamp(min=1e-6)
        for _ in range(6):
            x, cells, edge = _cells_of(low - margin, high + margin)
            log = -torch.cat([base.problem.potential(rows.to(base.x)).double().cpu() for rows in x.split(65536)])
            p = torch.softmax(log, 0)
            if float(p[edge].sum()) <= EDGE:
                break
            margin = 2 * margin
        inside = torch.stack([s.contains(x) for s in base.problem.sets], 1)
        return cls(x, _projected(p, inside, base.problem.betas), cells, f"a grid of {GRID} cells an axis")

    @classmethod
    def _thinned(cls, base: Base, progress: Progress) -> "Target":
        """A run of its own, so that no filter is compared with the noise it drew itself."""
        other = Base.run(base.problem.scenario, progress, stream=OTHER)
        uniforms = Key(base.problem.scenario.seed).fold(OTHER, "thinning").uniform(other.x[:, 0].double())
        points = other.x[thinned(other.inside, base.problem.betas, uniforms)].double().cpu()
        weights = torch.full((len(points),), 1 / max(len(points), 1), dtype=torch.float64)
        return cls(points, weights, None, "an unfiltered run with other noise, thinned")

    def points_of(self, n: int) -> int:
        """How many points a distance is between: as many as leave two draws apart where points are used once."""
        return min(PAIRED, n) if self.jitter is not None else min(PAIRED, n, len(self.points) // 2)

    def pair(self, seed: int, n: int) -> tuple[np.ndarray, np.ndarray]:
        """Two draws of n points each that have nothing in common but the law."""
        if self.jitter is not None:
            return self.draw(seed, n), self.draw(seed + 1, n)
        both = self.draw(seed, 2 * n)
        return both[:n], both[n:]

    def draw(self, seed: int, n: int) -> np.ndarray:
        """n draws of the projection, [n, d]."""
        generator = Key(seed).fold("projection").generator()
        if self.jitter is None:
            return self.points[torch.randperm(len(self.points), generator=generator)[:n]].numpy()
        rows = torch.multinomial(self.weights, n, replacement=True, generator=generator)
        spread = torch.rand(n, self.points.shape[1], generator=generator, dtype=torch.float64) - 0.5
        return (self.points[rows] + spread * self.jitter).numpy()


def _cells_of(low: Tensor, high: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The centres of a grid [k, d], the widths of its cells [d], and which are outermost [k]."""
    ends = zip(low.tolist(), high.tolist(), strict=True)
    axes = [torch.linspace(a, b, GRID, dtype=torch.float64) for a, b in ends]
    x = torch.cartesian_prod(*axes).reshape(-1, len(axes))
    number = torch.cartesian_prod(*(torch.arange(GRID) for _ in axes)).reshape(-1, len(axes))
    return x, torch.stack([a[1] - a[0] for a in axes]), ((number == 0) | (number == GRID - 1)).any(1)


def _projected(p: Tensor, inside: Tensor, betas: Sequence[float]) -> Tensor:
    """The law nearest to p, in KL, whose mass in every set is at most its β: p tilted by the memberships, pattern by pattern."""
    patterns, index = torch.unique(inside, dim=0, return_inverse=True)
    mass = torch.zeros(len(patterns), dtype=torch.float64).index_add_(0, index, p)
    tilted = _tilted_masses(mass, patterns.double(), torch.tensor(betas, dtype=torch.float64))
    return p * (tilted / mass.clamp(min=1e-300))[index]


def _tilted_masses(mass: Tensor, patterns: Tensor, limits: Tensor) -> Tensor:
    """The same for a few atoms. One set has its closed form (P.2); of several, each atom is given in proportion to its mass, as copies.

    Atoms in a set of β = 0 get nothing. ValueError where nothing is left.
    """
    possible = ~(patterns[:, limits == 0] > 0).any(1)
    if not bool((mass * possible).sum() > 0):
        raise ValueError("all of the law lies inside a set with beta 0")
    mass = mass * possible / (mass * possible).sum()
    patterns, limits = patterns[:, limits > 0], limits[limits > 0]
    if len(limits) == 0:
        return mass
    if len(limits) == 1:
        p, β = float(mass @ patterns[:, 0]), float(limits[0])
        if p >= 1:
            raise ValueError("all of the law lies inside the set")
        return mass if p <= β else mass * torch.where(patterns[:, 0] > 0, β / p, (1 - β) / (1 - p))
    counts = torch.where(mass > 0, (mass * COPIES).round().clamp(min=1), 0.0).long()
    found = tilt(patterns.repeat_interleave(counts, 0), limits)
    return torch.softmax(mass.log() - patterns @ found.multipliers, 0)


def _entry(
    name: str, scenario: Scenario, plain: Sequence[Base], targets: Sequence[Target], progress: Progress
) -> tuple[Entry, np.ndarray | None]:
    scope, because = _promise(name, scenario, plain)
    try:
        runs, weights = zip(*(_run(name, scenario, base, progress) for base in plain), strict=True)
    except (BadInput, NumericalFailure) as error:
        return Entry(name, scope, because, refused=str(error)), None
    ended = name == "thinning"
    k, β = _worst(runs, ended)
    final = np.concatenate([r.inside[:, k].numpy(force=True) for r in runs])
    used = runs[0].problem.filter
    independent = not ended and weights[0] is None and (used is None or not used.couples)
    each = 1 - (1 - scenario.audit.confidence) / len(plain[0].problem.names)
    distance = [_distance(r, t) for r, t in zip(runs, targets, strict=True)]
    entry = Entry(
        filter=name,
        promise=scope,
        because=because,
        constraint=plain[0].problem.names[k],
        beta=β,
        largest=None if ended else float(max(r.fraction[:, k].max() for r in runs)),
        final=float(final.mean()),
        upper_bound=upper_bound(int(final.sum()), len(final), each) if independent else None,
        distance=None if None in distance else float(np.mean([d for d in distance if d is not None])),
        cost=float(np.mean([r.seconds for r in runs]) / np.mean([b.seconds for b in plain])),
        kept=int(np.mean([r.x.shape[0] for r in runs])),
        over=any(_over(r, ended) for r in runs),
        weight=None if weights[0] is None else float(np.mean(weights)),
    )
    return entry, None if ended else runs[0].fraction[:, k]


def _promise(name: str, scenario: Scenario, plain: Sequence[Base]) -> tuple[str, str]:
    if name == "thinning":
        return OVERLAPPING if any(_overlap(base) for base in plain) else THINNING
    if name == "none" or scenario.sampler.kind == "langevin":
        return promise(name)
    remains = promise_under(scenario.sampler.kind, name)
    return remains.scope, remains.because


def _distance(run: Base, target: Target) -> float | None:
    """W2 from as many points of the run's cloud to as many of the projection; None where nothing is left to compare."""
    n = target.points_of(len(run.x))
    if n == 0:
        return None
    x = run.x.double().numpy(force=True)
    return wasserstein2(x[np.random.default_rng(0).permutation(len(x))[:n]], target.draw(0, n))


def _overlap(base: Base) -> bool:
    return bool((base.inside.sum(1) > 1).any())


def _run(name: str, scenario: Scenario, base: Base, progress: Progress) -> tuple[Base, float | None]:
    """The finished chain, and the weight where one was guessed."""
    if name == "none":
        return base, None
    if name == "thinning":
        uniforms = Key(base.problem.scenario.seed).fold("thinning").uniform(base.x[:, 0].double())
        choose = thinned if _overlap(base) else thinned_to_budget
        try:
            kept = choose(base.inside, base.problem.betas, uniforms)
        except ValueError as error:
            raise BadInput(str(error)) from error
        if not bool(kept.any()):
            raise BadInput("thinning: every draw is inside, so nothing can stay")
        return Base(base.problem, base.x[kept], base.fraction, base.seconds), None
    spec: dict[str, Any] = dict(scenario.filter) if scenario.filter["kind"] == name else {"kind": name}
    guessed = oracle_weight(base) if name == "penalty" and "weight" not in spec else None
    if guessed is not None:
        spec["weight"] = guessed
    return Base.run(_variant(scenario, spec, base.problem.scenario.seed), progress), guessed


def oracle_weight(base: Base) -> float:
    """The multiplier of the hard projection, from the unfiltered run's second half: what a penalty's weight would be guessed as (P.2)."""
    half = base.fraction[len(base.fraction) // 2 :].mean(0)
    found = [facts(float(p), β).multiplier for p, β in zip(half, base.problem.betas, strict=True) if β > 0]
    return max([1.0, *(μ for μ in found if np.isfinite(μ))])


def _variant(scenario: Scenario, spec: Mapping[str, Any], seed: int) -> Scenario:
    return loads(scenario.to_yaml(), {"filter": dict(spec), "seed": seed})


def _held(run: Base, ended: bool) -> Float[np.ndarray, "m"]:
    """The largest fraction of each set over the steps; of the final cloud where no steps were taken."""
    return run.inside.double().mean(0).numpy(force=True) if ended else run.fraction.max(0)


def _worst(runs: Sequence[Base], ended: bool) -> tuple[int, float]:
    betas = np.array(runs[0].problem.betas)
    largest = np.max([_held(r, ended) for r in runs], axis=0)
    k = int(np.argmax(largest / np.maximum(betas, 1e-12)))
    return k, float(betas[k])


def _over(run: Base, ended: bool) -> bool:
    """Whether some set held more than ⌊βn⌋ (A.1)."""
    n = run.x.shape[0]
    held = np.rint(_held(run, ended) * n)
    return any(count > budget(β, n) for count, β in zip(held, run.problem.betas, strict=True))


def _cells(e: Entry) -> tuple[str, ...]:
    if e.refused is not None:
        return (e.filter, "refused", "", "", "", "", "", e.refused.splitlines()[0][:90])
    percent = lambda v: "" if v is None else f"{100 * v:.3g} %"  # noqa: E731
    kept = "" if e.filter != "thinning" else f" ({e.kept:,} kept)"
    bound = "none claimed" if e.upper_bound is None else f"{100 * e.upper_bound:.3g} %"
    distance = "" if e.distance is None else f"{e.distance:.3g}"
    over = " over" if e.over else ""
    return (
        e.filter, f"{percent(e.beta)} {e.constraint}", percent(e.largest) + over * (e.largest is not None),
        percent(e.final) + kept + over * (e.largest is None), bound, distance, f"{e.cost:.2f}x", e.promise,
    )  # fmt: skip
