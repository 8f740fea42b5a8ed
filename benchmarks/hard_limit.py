"""The budget that `step` uses with a smoothing under either limit, and how far its law is from the hard KL
projection, beside `gate` and `step` without a smoothing (D.7).

    python -m benchmarks hard_limit
    python tests/docs/test_filters_page.py

used: the mean over the second part of the run of the count over the budget ⌊βn⌋, the least of the sets.
total variation, KL: of the law of the signed distances, in cells, from that of the projection. What tilts a
law here is a function of the distances, so nothing else differs. `limit`: the same for the law of infinitely
many particles, e^{−μφ} times the unfiltered one, with E φ = κβ or, under the hard limit, the share u·β
inside; for one set.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from scipy.optimize import brentq
from torch import Tensor

from barriers.budget import budget
from barriers.filters import FILTERS
from barriers.filters.base import insides
from barriers.filters.hard_limit import USE
from barriers.projection import thinned, tilt
from barriers.sets import Ball, HalfSpace, UnsafeSet
from barriers.surrogates import Hinge, Sigmoid
from lem_safe.energies import Gaussian, GaussianMixture
from lem_safe.energies.base import Energy
from lem_safe.keys import Key
from lem_safe.samplers import Langevin

F64 = torch.float64
DRAWS, STEPS, SETTLING, EVERY = 400_000, 1600, 600, 10
NORMAL = Gaussian([0.0], 1.0)
HEXAGON = GaussianMixture(
    [[1.5 * math.cos(math.pi * k / 3), 1.5 * math.sin(math.pi * k / 3)] for k in range(6)], 0.5
)
SMOOTHINGS = {"sigmoid .1": Sigmoid(0.1), "hinge .3": Hinge(0.3)}
EDGES = {
    1: np.round(np.arange(-1.0, 1.01, 0.1), 10),
    2: np.array([-0.6, -0.3, -0.15, 0, 0.15, 0.3, 0.6, 1.2]),
}
"""Where the cells of each distance end, with one set and with two."""


class Problem(NamedTuple):
    """What is sampled, and what is tolerated; `draws` of it are independent."""

    name: str
    energy: Energy
    draws: Callable[[Key, int], Tensor]
    sets: Sequence[UnsafeSet]
    betas: Sequence[float]
    n: int = 2000
    h: float = 0.01


def normal(d: int) -> Callable[[Key, int], Tensor]:
    """Draws of a standard normal distribution."""
    return lambda key, n: key.normal(torch.empty(n, d, dtype=F64))


def hexagon(key: Key, n: int) -> Tensor:
    """Draws of six modes at the corners of a hexagon."""
    corner = (6 * key.fold("mode").uniform(torch.empty(n, dtype=F64))).long().clamp(max=5)
    return HEXAGON.means.double()[corner] + 0.5 * key.normal(torch.empty(n, 2, dtype=F64))


ABOVE, BELOW = HalfSpace([1.0], 1.0), HalfSpace([-1.0], -1.0)
PROBLEMS = (
    Problem("N(0, 1), x ≥ 1", NORMAL, normal(1), [ABOVE], [0.05]),
    Problem("N(0, 1), x ≥ 1", NORMAL, normal(1), [ABOVE], [0.05], n=200),
    Problem("N(0, 1), x ≥ 1", NORMAL, normal(1), [ABOVE], [0.01], n=200),
    Problem("N(0, 1), x ≥ 1", NORMAL, normal(1), [ABOVE], [0.05], h=0.002),
    Problem("N(0, 1), x ≥ 1", NORMAL, normal(1), [ABOVE], [0.15]),
    Problem("N(0, 1), x ≥ 1", NORMAL, normal(1), [ABOVE], [0.15], n=200, h=0.05),
    Problem("N(0, 1), x < 1", NORMAL, normal(1), [BELOW], [0.04]),
    Problem("N(0, 1), x < 1", NORMAL, normal(1), [BELOW], [0.2], h=0.05),
    Problem("hexagon, ball", HEXAGON, hexagon, [Ball([1.5, 0.0], 0.6)], [0.04]),
    Problem(
        "two balls",
        Gaussian([0.0, 0.0], 1.0),
        normal(2),
        [Ball([-0.5, 0.0], 0.8), Ball([0.5, 0.0], 0.8)],
        [0.08, 0.05],
    ),
    Problem(
        "half-space, d = 10",
        Gaussian([0.0] * 10, 1.0),
        normal(10),
        [HalfSpace([1.0] + [0.0] * 9, 1.0)],
        [0.05],
    ),
)


def filters(problem: Problem) -> dict[str, Any]:
    """The filters that are compared, by name."""
    context = {"sets": problem.sets, "betas": problem.betas}
    stepping = {**context, "step_size": problem.h}
    made = {"gate": FILTERS["gate"](**context), "step": FILTERS["step"](**stepping)}
    for name, φ in SMOOTHINGS.items():
        for limit in ("surrogate", "hard"):
            made[f"step, {name}, {limit}"] = FILTERS["step"](**stepping, smoothing=φ, limit=limit)
    return made


def cells(sets: Sequence[UnsafeSet], x: Tensor) -> np.ndarray:
    """The cell of each particle: of the distance to each set."""
    edges = EDGES[len(sets)]
    found = np.zeros(len(x), dtype=np.int64)
    for s in sets:
        found = found * (len(edges) + 1) + np.searchsorted(edges, s(x).numpy())
    return found


def distance(p: np.ndarray, q: np.ndarray) -> tuple[float, float]:
    """Total variation and KL of p from q."""
    some = p > 0
    kl = float((p[some] * np.log(p[some] / np.maximum(q[some], 1e-12))).sum())
    return float(np.abs(p - q).sum() / 2), kl


def of_infinitely_many(
    problem: Problem, x: Tensor, name: str, masses: Callable[[np.ndarray], np.ndarray]
) -> Any:
    """Total variation and KL of the law that a smoothing has in the limit; None for several sets."""
    smoothing = next((φ for key, φ in SMOOTHINGS.items() if key in name), None)
    if smoothing is None or len(problem.sets) > 1:
        return None
    φ = smoothing.value(problem.sets[0](x)).numpy()
    inside, β = problem.sets[0].contains(x).numpy(), problem.betas[0]
    counted, goal = (inside, USE * β) if name.endswith("hard") else (φ, float(smoothing.level) * β)

    def weights(μ: float) -> np.ndarray:
        w = np.exp(-μ * φ)
        return w / w.sum()

    def excess(μ: float) -> float:
        return float(weights(μ) @ counted) - goal

    μ = brentq(excess, 0.0, 200.0) if excess(0.0) > 0 else 0.0
    return distance(masses(weights(μ)), masses(projected(problem, x)))


def projected(problem: Problem, x: Tensor) -> np.ndarray:
    """The weights of the projection of unfiltered draws (G.4)."""
    inside = insides(problem.sets, x)
    patterns, which = torch.unique(inside, dim=0, return_inverse=True)
    masses = torch.bincount(which).double() / len(x)
    found = tilt(patterns.double(), torch.tensor(problem.betas, dtype=F64), masses).weights
    return (found / masses / len(x))[which].numpy()


def run(problem: Problem, chosen: Any, x: Tensor) -> tuple[np.ndarray, np.ndarray, float]:
    """The clouds that are compared, the count over the budget by step and set, and the largest of these."""
    sampler, key = Langevin(problem.energy, problem.h, None, chosen), Key(3)
    most = np.array([budget(β, len(x)) for β in problem.betas])
    state, used, seen = sampler.init(x), [], []
    for k in range(STEPS):
        state, _ = sampler.step(key.fold(k), state)
        if k >= SETTLING:
            used.append(insides(problem.sets, state.x).sum(0).numpy() / most)
            if k % EVERY == 0:
                seen.append(cells(problem.sets, state.x))
    return np.concatenate(seen), np.array(used).mean(0), float(np.max(used))


def measure() -> list[dict[str, Any]]:
    """Printed as they are found."""
    rows: list[dict[str, Any]] = []
    for problem in PROBLEMS:
        x = problem.draws(Key(1), DRAWS)
        kept = thinned(
            insides(problem.sets, x),
            [β / 2 for β in problem.betas],
            Key(2).uniform(torch.empty(DRAWS, dtype=F64)),
        )
        where, number = cells(problem.sets, x), (len(EDGES[len(problem.sets)]) + 1) ** len(problem.sets)

        def masses(w: np.ndarray, where: np.ndarray = where, number: int = number) -> np.ndarray:
            return np.bincount(where, w, number)

        truth = masses(projected(problem, x))
        for name, chosen in filters(problem).items():
            seen, used, largest = run(problem, chosen, x[kept][: problem.n])
            tv, kl = distance(np.bincount(seen, minlength=number) / len(seen), truth)
            limit = of_infinitely_many(problem, x, name, masses)
            about = {"problem": problem.name, "beta": list(problem.betas), "n": problem.n, "h": problem.h}
            found = {"filter": name, "used": float(used.min()), "largest": largest, "tv": tv, "kl": kl}
            rows.append({**about, **found, "limit": limit})
            print(rows[-1], flush=True)
    return rows


def table(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Markdown lines for docs/filters.md: the use of the budget and the distances, by problem and filter."""
    names = list(dict.fromkeys(r["filter"] for r in rows))
    groups: dict[str, dict[str, Mapping[str, Any]]] = {}
    for r in rows:
        β = ", ".join(f"{b:g}" for b in r["beta"]).replace("0.", ".")
        groups.setdefault(f"{r['problem']}; β {β}, n {r['n']:,}, h {r['h']:g}", {})[r["filter"]] = r
    head = ["problem", *(f"`{n.split(',')[0]}`{n[len(n.split(',')[0]) :]}" for n in names)]
    return [
        f"| {' | '.join(head)} |",
        "| --- |" + " --: |" * len(names),
        *(f"| {name} | {' | '.join(_cell(row[n]) for n in names)} |" for name, row in groups.items()),
    ]


def _cell(row: Mapping[str, Any]) -> str:
    """used; total variation and KL; in the limit."""
    limit = "" if row["limit"] is None else f" ({row['limit'][0]:.3f})"
    return f"{row['used']:.3f}; {row['tv']:.3f}{limit}; {row['kl']:.4f}"
