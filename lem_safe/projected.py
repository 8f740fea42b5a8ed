"""A finished chain, and the exact KL projection of the law it samples, as points to measure distances to (P.1, P.2).

In one or two dimensions the energy is tabulated on a grid, and every pattern of memberships gets its mass: with one set

    ρ*(A) = β/p ρ_U(A) inside,   (1−β)/(1−p) ρ_U(A) outside,                          p = ρ_U(𝒰) > β

and with several the tilt of (P.1). In more dimensions it is an unfiltered run of its own, thinned.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from barriers.projection import thinned, tilt
from lem_safe.build import Problem, build, start
from lem_safe.chain import Course, follow
from lem_safe.keys import Key
from lem_safe.progress import Progress
from lem_safe.scenario import Scenario

PAIRED, GRID, EDGE = 1000, 400, 1e-4
"""Points of one W2; cells along an axis of the grid; the mass that may lie on its outermost cells."""
COPIES = 200_000
"""Of all atoms together, where several sets are tilted at once."""
OTHER = "projection"
"""The stream of the run that the projection is thinned from."""


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
    def inside(self) -> Bool[Tensor, "n m"]:
        """Membership of the final cloud."""
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
        return cls(x, projected(p, inside, base.problem.betas), cells, f"a grid of {GRID} cells an axis")

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


def projected(p: Tensor, inside: Tensor, betas: Sequence[float]) -> Tensor:
    """The law nearest to p, in KL, whose mass in every set is at most its β: p tilted by the memberships, pattern by pattern."""
    code, index = torch.unique(inside.long() @ (2 ** torch.arange(len(betas))), return_inverse=True)
    patterns = (code[:, None] >> torch.arange(len(betas))) & 1
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
        if p <= β:
            return mass
        inside = patterns[:, 0]  # 0 or 1, in float64, where numbers in torch.where would be float32
        return mass * (inside * (β / p) + (1 - inside) * ((1 - β) / (1 - p)))
    counts = torch.where(mass > 0, (mass * COPIES).round().clamp(min=1), 0.0).long()
    found = tilt(patterns.repeat_interleave(counts, 0), limits)
    return torch.softmax(mass.log() - patterns @ found.multipliers, 0)
