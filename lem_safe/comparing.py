"""Filters side by side on one scenario: the same energy, starts and noise, one table. `thinning` is what a filter has to beat (P.1).

Each is measured by what it let through (the largest fraction over all steps, and the last), by how far its cloud is from the exact KL
projection (P.1, P.2), and by what a step costs relative to no filter, all in one process. The projection is drawn from a grid in one or
two dimensions, and elsewhere from an unfiltered run with other noise, thinned; the floor is the distance between two clouds drawn from it.
A bound is told only where particles are independent and nothing was tuned on them (A.7), each constraint's at its share of the error (A.4).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from barriers.budget import budget
from barriers.projection import facts, thinned, thinned_to_budget
from lem_safe.auditor.bounds import upper_bound
from lem_safe.catalogue import loads, promise
from lem_safe.faults import BadInput, Fault, NumericalFailure
from lem_safe.files import write_json, write_npz, write_text
from lem_safe.keys import Key
from lem_safe.lyapunov.transport import wasserstein2
from lem_safe.progress import Progress, Silent
from lem_safe.projected import Base, Target
from lem_safe.report.compare import write_page
from lem_safe.report.findings import findings
from lem_safe.samplers import promise_under
from lem_safe.scenario import Scenario
from lem_safe.versions import versions

FILTERS = ("none", "penalty", "drift", "pointwise", "step", "gate", "reject", "project", "primal_dual", "thinning")
THINNING = ("every draw kept", "P.1: exact KL projection of finished samples, fewer of them; nothing is promised while sampling")
OVERLAPPING = (
    "in expectation",
    "P.1: exact KL projection of finished samples, fewer of them; sets overlap, so counts fluctuate around β",
)
FLOORS = (1, 3, 5)
"""Pairs of draws that tell what chance alone makes of W2."""


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
    kept = "" if e.filter != "thinning" else f" ({e.kept:,} kept)"
    bound = "none claimed" if e.upper_bound is None else f"{100 * e.upper_bound:.3g} %"
    distance = "" if e.distance is None else f"{e.distance:.3g}"
    over = " over" if e.over else ""
    return (
        e.filter, f"{_percent(e.beta)} {e.constraint}", _percent(e.largest) + over * (e.largest is not None),
        _percent(e.final) + kept + over * (e.largest is None), bound, distance, f"{e.cost:.2f}x", e.promise,
    )  # fmt: skip


def _percent(fraction: float | None) -> str:
    return "" if fraction is None else f"{100 * fraction:.3g} %"
