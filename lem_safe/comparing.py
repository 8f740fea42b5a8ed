"""Filters side by side on one scenario: the same energy, starts and noise, one table. `thinning` is what a filter has to beat (P.1).

Each is measured by what it let through (the largest fraction over all steps, and the last), by how far its cloud is from the exact KL
projection (B.1, P.2), and by what a step costs relative to no filter, all in one process. The projection is drawn from a grid in one or
two dimensions and by reweighting the unfiltered cloud elsewhere; the floor is the distance between two clouds drawn from it.
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
from barriers.projection import facts, thinned_to_budget, tilt
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
from lem_safe.scenario import Scenario
from lem_safe.versions import versions

FILTERS = ("none", "penalty", "drift", "pointwise", "step", "gate", "reject", "project", "primal_dual", "thinning")
THINNING = ("every draw kept", "P.1: exact KL projection of finished samples, fewer of them; nothing is promised while sampling")
PAIRED, GRID = 1000, 400
"""Points of one W2; cells along an axis of the grid."""


@dataclass(frozen=True)
class Entry:
    """One filter over all seeds; refused says why it could not run, and then the numbers are None.

    Of several constraints the one nearest to, or furthest over, its tolerance is told. cost: seconds a step over those of no filter.
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

    def to_dict(self) -> dict[str, Any]:
        return {
            "schema_version": 1, "scenario": self.scenario, "seeds": self.seeds, "samples": self.samples, "steps": self.steps,
            "projection": self.projection, "floor": {"mean": self.floor[0], "std": self.floor[1]},
            "entries": [vars(entry) for entry in self.entries], **versions(),
        }  # fmt: skip

    def __str__(self) -> str:
        heads = ("filter", "largest", "final", "bound", "W2", "cost", "promise")
        rows = [heads, *(_cells(entry) for entry in self.entries)]
        widths = [max(len(row[i]) for row in rows) for i in range(len(heads))]
        table = "\n".join("  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)).rstrip() for row in rows)
        worst = next((e for e in self.entries if e.beta is not None), None)
        tolerated = "" if worst is None or worst.beta is None else f", tolerated {100 * worst.beta:g} %"
        return (
            f"{self.scenario}: {self.seeds} seed{'s' * (self.seeds != 1)}, {self.samples:,} samples, {self.steps:,} steps{tolerated}\n\n"
            f"{table}\n\nW2: to the exact KL projection ({self.projection}); {self.floor[0]:.3g} ± {self.floor[1]:.1g} is chance alone. "
            "Cost: a step, relative to none."
        )  # fmt: skip


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
    unknown = [name for name in filters if name not in FILTERS]
    if unknown:
        raise BadInput(Fault(f"'{unknown[0]}' cannot be compared; filters: {', '.join(FILTERS)}", key="--filters"))
    plain = [Base.run(_variant(scenario, {"kind": "none"}, scenario.seed + k), progress) for k in range(seeds)]
    targets = [Target.of(base) for base in plain]
    floors = [wasserstein2(t.draw(k, PAIRED), t.draw(k + 1, PAIRED)) for t in targets for k in (1, 3, 5)]
    entries, fractions = [], {}
    for name in dict.fromkeys(filters):
        entry, fraction = _entry(name, scenario, plain, targets, progress)
        entries.append(entry)
        if fraction is not None:
            fractions[name] = fraction
    first = plain[0]
    result = Comparison(
        scenario.name, seeds, first.x.shape[0], len(first.fraction), targets[0].kind, (float(np.mean(floors)), float(np.std(floors))),
        tuple(entries), fractions,
    )  # fmt: skip
    if out is not None:
        write(result, out)
    return result


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
    def run(cls, scenario: Scenario, progress: Progress) -> "Base":
        problem = build(scenario, progress=progress)
        key, kind = Key(scenario.seed), scenario.filter["kind"]
        course = Course(
            kind, problem.sampler(filtered=kind != "none"), problem.sets, problem.names, problem.betas, scenario.sampler.steps
        )
        x, began = start(problem, key), time.perf_counter()
        done = follow(course, key.fold("chain"), x, progress=progress)
        return cls(problem, done.x, done.trace["fraction"], (time.perf_counter() - began) / len(done.trace["fraction"]))

    @property
    def inside(self) -> Tensor:
        """Membership of the final cloud, [n, m]."""
        return torch.stack([s.contains(self.x) for s in self.problem.sets], 1)


@dataclass(frozen=True)
class Target:
    """The exact KL projection of a problem, as weighted points in sampler coordinates; `jitter` spreads a grid's points over their cells."""

    points: Tensor
    weights: Tensor
    jitter: Tensor
    kind: str

    @classmethod
    def of(cls, base: Base) -> "Target":
        return cls._grid(base) if base.problem.coordinates.dimension <= 2 else cls._reweighted(base)

    @classmethod
    def _grid(cls, base: Base) -> "Target":
        low, high = base.x.double().amin(0), base.x.double().amax(0)
        margin = 0.25 * (high - low).clamp(min=1e-6)
        axes = [
            torch.linspace(float(a - m), float(b + m), GRID, dtype=torch.float64)
            for a, b, m in zip(low, high, margin, strict=True)
        ]
        x = torch.cartesian_prod(*axes).reshape(-1, len(axes))
        inside = torch.stack([s.contains(x) for s in base.problem.sets], 1)
        log = -torch.cat([base.problem.potential(rows.to(base.x.dtype)).double() for rows in x.split(65536)])
        p = torch.softmax(log, 0)
        cells = torch.stack([a[1] - a[0] for a in axes])
        return cls(x, _projected(p, inside, base.problem.betas), cells, f"a grid of {GRID} cells an axis")

    @classmethod
    def _reweighted(cls, base: Base) -> "Target":
        n = base.x.shape[0]
        weights = _projected(torch.full((n,), 1 / n, dtype=torch.float64), base.inside, base.problem.betas)
        return cls(
            base.x.double(), weights, torch.zeros(base.x.shape[1], dtype=torch.float64), "the unfiltered cloud, reweighted"
        )

    def draw(self, seed: int, n: int) -> np.ndarray:
        """n draws of the projection."""
        generator = Key(seed).fold("projection").generator()
        rows = torch.multinomial(self.weights, n, replacement=True, generator=generator)
        spread = torch.rand(n, self.points.shape[1], generator=generator, dtype=torch.float64) - 0.5
        return (self.points[rows] + spread * self.jitter).numpy(force=True)


def _projected(p: Tensor, inside: Tensor, betas: Sequence[float]) -> Tensor:
    """The law nearest to p, in KL, whose mass in every set is at most its β: p tilted by the memberships, pattern by pattern."""
    patterns, index = torch.unique(inside, dim=0, return_inverse=True)
    mass = torch.zeros(len(patterns), dtype=torch.float64).index_add_(0, index, p)
    tilted = _tilted_masses(mass, patterns.double(), torch.tensor(betas, dtype=torch.float64))
    return p * (tilted / mass.clamp(min=1e-300))[index]


def _tilted_masses(mass: Tensor, patterns: Tensor, limits: Tensor) -> Tensor:
    """The same for a few atoms. One set has its closed form (P.2); of several, each atom is given in proportion to its mass, as copies."""
    if len(limits) == 1:
        p, β = float(mass @ patterns[:, 0]), float(limits[0])
        return mass if p <= β else mass * torch.where(patterns[:, 0] > 0, β / p, (1 - β) / (1 - p))
    copies = 20_000
    counts = (mass * copies).round().clamp(min=1).long()
    found = tilt(patterns.repeat_interleave(counts, 0), limits)
    log = mass.clamp(min=1e-300).log() - patterns @ found.multipliers
    return torch.softmax(log, 0)


def _entry(
    name: str, scenario: Scenario, plain: Sequence[Base], targets: Sequence[Target], progress: Progress
) -> tuple[Entry, np.ndarray | None]:
    scope, because = THINNING if name == "thinning" else promise(name)
    try:
        runs = [_run(name, scenario, base, progress) for base in plain]
    except (BadInput, NumericalFailure) as error:
        return Entry(name, scope, because, refused=str(error)), None
    k, β = _worst(runs)
    final = np.concatenate([r.inside[:, k].numpy(force=True) for r in runs])
    used = runs[0].problem.filter
    independent = name != "thinning" and (used is None or not used.couples)
    distance = [wasserstein2(*_paired(r.x.double().numpy(force=True), t)) for r, t in zip(runs, targets, strict=True)]
    cost = float(np.mean([r.seconds for r in runs]) / np.mean([b.seconds for b in plain]))
    confidence = scenario.audit.confidence
    largest = None if name == "thinning" else float(max(r.fraction[:, k].max() for r in runs))
    entry = Entry(
        name, scope, because, None, plain[0].problem.names[k], β, largest, float(final.mean()),
        upper_bound(int(final.sum()), len(final), confidence) if independent else None,
        float(np.mean(distance)), cost, int(np.mean([r.x.shape[0] for r in runs])),
    )  # fmt: skip
    return entry, None if name == "thinning" else runs[0].fraction[:, k]


def _run(name: str, scenario: Scenario, base: Base, progress: Progress) -> Base:
    if name == "none":
        return base
    if name == "thinning":
        uniforms = Key(base.problem.scenario.seed).fold("thinning").uniform(base.x[:, 0].double())
        kept = thinned_to_budget(base.inside, base.problem.betas, uniforms)
        return Base(base.problem, base.x[kept], base.fraction, base.seconds)
    spec: dict[str, Any] = dict(scenario.filter) if scenario.filter["kind"] == name else {"kind": name}
    if name == "penalty" and "weight" not in spec:
        spec["weight"] = oracle_weight(base)
    return Base.run(_variant(scenario, spec, base.problem.scenario.seed), progress)


def oracle_weight(base: Base) -> float:
    """The multiplier of the hard projection, from the unfiltered run's second half: what a penalty's weight would be guessed as (P.2)."""
    half = base.fraction[len(base.fraction) // 2 :].mean(0)
    found = [facts(float(p), β).multiplier for p, β in zip(half, base.problem.betas, strict=True) if β > 0]
    return max([1.0, *(μ for μ in found if np.isfinite(μ))])


def _variant(scenario: Scenario, spec: Mapping[str, Any], seed: int) -> Scenario:
    return loads(scenario.to_yaml(), {"filter": dict(spec), "seed": seed})


def _worst(runs: Sequence[Base]) -> tuple[int, float]:
    betas = np.array(runs[0].problem.betas)
    largest = np.max([r.fraction.max(0) for r in runs], axis=0)
    k = int(np.argmax(largest / np.maximum(betas, 1e-12)))
    return k, float(betas[k])


def _paired(x: np.ndarray, target: Target) -> tuple[np.ndarray, np.ndarray]:
    n = min(PAIRED, len(x))
    return x[np.random.default_rng(0).permutation(len(x))[:n]], target.draw(0, n)


def _cells(e: Entry) -> tuple[str, ...]:
    if e.refused is not None:
        return (e.filter, "refused", "", "", "", "", e.refused.splitlines()[0][:90])
    percent = lambda v: "" if v is None else f"{100 * v:.3g} %"  # noqa: E731
    kept = "" if e.filter != "thinning" else f" ({e.kept:,} kept)"
    over = (
        " over"
        if e.largest is not None and e.beta is not None and e.largest > e.beta and budget(e.beta, 10**9) < e.largest * 1e9
        else ""
    )
    bound = "none claimed" if e.upper_bound is None else f"{100 * e.upper_bound:.3g} %"
    return (e.filter, percent(e.largest) + over, percent(e.final) + kept, bound, f"{e.distance:.3g}", f"{e.cost:.2f}x", e.promise)
