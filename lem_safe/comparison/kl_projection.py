"""A finished chain, and the exact KL projection of the distribution it samples, as points to measure
distances to (P.1, P.2).

In one or two dimensions the energy is tabulated on a grid, every pattern of memberships gets its mass, and
distances are W₂: with one set

    ρ*(A) = β/p ρ_U(A) inside,   (1−β)/(1−p) ρ_U(A) outside,                          p = ρ_U(𝒰) > β

and with several the tilt of (P.1). In more dimensions it consists of the draws of separate unfiltered runs,
weighted by that tilt, and distances are energy distances (P.5), which use all of them and have no floor.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from jaxtyping import Bool, Float

from barriers.arrays import Tensor, torch
from barriers.projection import keep_probabilities, tilt
from lem_safe.distances.energy_distance import chance, energy_distance
from lem_safe.distances.wasserstein import wasserstein2
from lem_safe.keys import Key
from lem_safe.progress import Progress
from lem_safe.runs.problem import Problem
from lem_safe.runs.replicas import follow_clouds
from lem_safe.runs.starting import start

PAIRED, GRID, EDGE = 1000, 400, 1e-4
"""Points of one W2; cells along an axis of the grid; the mass allowed in its outermost cells."""
MOST = 5000
"""Points on either side of an energy distance."""
FLOORS = (1, 3, 5, 7, 9)
"""Pairs of draws that measure W2 under chance alone."""
OTHER = "projection"
"""The random stream of the runs from which the projection is computed."""


@dataclass(frozen=True)
class Base:
    """One finished chain of a seed, of one cloud or of `audit.replicas` independent ones.

    x: the final clouds in sampler coordinates, concatenated, `sizes` rows each. fraction: of each cloud in
    each set at each step. seconds: per step of one cloud.
    """

    problem: Problem
    seed: int
    x: Float[Tensor, "n d"]
    sizes: tuple[int, ...]
    fraction: Float[np.ndarray, "r t m"]
    seconds: float

    @classmethod
    def run(cls, problem: Problem, seed: int, progress: Progress, stream: str = "chain") -> "Base":
        """Samples a problem; `stream` names its noise. Starts and noise depend on the seed alone, not on the
        filter.
        """
        scenario, kind = problem.scenario, problem.scenario.filter["kind"]
        course = problem.course(kind, scenario.sampler.steps, filtered=kind != "none")
        clouds, began = scenario.audit.replicas, time.perf_counter()

        def begin(r: int) -> tuple[Key, Tensor]:
            key = Key(seed) if r == 0 else Key(seed).fold("replica", r)
            return key.fold(stream), start(problem, key if stream == "chain" else key.fold(stream))

        done = follow_clouds(course, begin, clouds, progress=progress)
        fraction = done.trace.get("cloud_fraction", done.trace["fraction"][None])
        each = (time.perf_counter() - began) / fraction.shape[0] / fraction.shape[1]
        return cls(problem, seed, done.x, (len(done.x) // clouds,) * clouds, fraction, each)

    @property
    def inside(self) -> Bool[Tensor, "n m"]:
        """Membership of the final clouds."""
        return torch.stack([s.contains(self.x) for s in self.problem.sets], 1)

    @property
    def final(self) -> Float[np.ndarray, "r m"]:
        """The fraction of each final cloud in each set."""
        return np.stack(
            [part.double().mean(0).numpy(force=True) for part in self.inside.split(list(self.sizes))]
        )

    @property
    def judged(self) -> Float[np.ndarray, "r t m"]:
        """The fractions at the steps that `audit.after_step` counts, at least one."""
        return self.fraction[:, max(self.problem.scenario.audit.after_step - 1, 0) :]


class Target(Protocol):
    """The exact KL projection of a problem as weighted points in sampler coordinates; `measure` names the
    distance to it.
    """

    @property
    def points(self) -> Float[Tensor, "k d"]: ...

    @property
    def weights(self) -> Float[Tensor, "k"]: ...

    @property
    def kind(self) -> str: ...

    @property
    def measure(self) -> str: ...

    def distance(self, x: Float[Tensor, "n d"]) -> float:
        """The distance of a cloud of at least two points."""

    def floor(self, n: int) -> tuple[float, float]:
        """The distance of n draws of the projection itself, by chance alone: its mean and
        standard deviation.
        """


def projection_of(plain: Sequence[Base], betas: Sequence[float], progress: Progress) -> Target:
    """The projection of the distribution that unfiltered chains sample; ValueError where, as far as draws
    show, no distribution holds at most `betas`.
    """
    return (
        Grid.of(plain, betas)
        if plain[0].problem.coordinates.dimension <= 2
        else Reweighted.of(plain, betas, progress)
    )


@dataclass(frozen=True, eq=False)
class Grid:
    """The projection on a grid; draws are spread over their cells, `width` wide."""

    points: Float[Tensor, "k d"]
    weights: Float[Tensor, "k"]
    width: Float[Tensor, "d"]

    kind = f"a grid of {GRID} cells an axis"
    measure = "W2"

    @classmethod
    def of(cls, plain: Sequence[Base], betas: Sequence[float]) -> "Grid":
        """A grid as wide as the clouds, widened until almost none of the energy's distribution lies on its
        edge.
        """
        cloud, problem = torch.cat([b.x for b in plain]), plain[0].problem
        low, high = cloud.double().amin(0).cpu(), cloud.double().amax(0).cpu()
        margin = 0.25 * (high - low).clamp(min=1e-6)
        for _ in range(6):
            x, cells, edge = _cells_of(low - margin, high + margin)
            log = -torch.cat([problem.potential(rows.to(cloud)).double().cpu() for rows in x.split(65536)])
            p = torch.softmax(log, 0)
            if float(p[edge].sum()) <= EDGE:
                break
            margin = 2 * margin
        inside = torch.stack([s.contains(x.to(cloud.device)).cpu() for s in problem.sets], 1)
        return cls(x, projected(p, inside, betas), cells)

    def distance(self, x: Float[Tensor, "n d"]) -> float:
        n = min(PAIRED, len(x))
        rows = x.double().numpy(force=True)
        return wasserstein2(rows[np.random.default_rng(0).permutation(len(rows))[:n]], self.draw(0, n))

    def floor(self, n: int) -> tuple[float, float]:
        found = [wasserstein2(self.draw(k, min(PAIRED, n)), self.draw(k + 1, min(PAIRED, n))) for k in FLOORS]
        return float(np.mean(found)), float(np.std(found, ddof=1))

    def draw(self, seed: int, n: int) -> Float[np.ndarray, "n d"]:
        """n draws of the projection."""
        generator = Key(seed).fold("projection").generator()
        rows = torch.multinomial(self.weights, n, replacement=True, generator=generator)
        spread = torch.rand(n, self.points.shape[1], generator=generator, dtype=torch.float64) - 0.5
        return (self.points[rows] + spread * self.width).numpy()


@dataclass(frozen=True, eq=False)
class Reweighted:
    """The projection as the weighted draws of separate unfiltered runs, so that no filter is compared with
    its own noise.

    apart, apart_weights: those of the unfiltered chains that are compared, weighted in the same way, to
    measure chance.
    """

    points: Float[Tensor, "k d"]
    weights: Float[Tensor, "k"]
    apart: Float[Tensor, "k d"]
    apart_weights: Float[Tensor, "k"]

    kind = "unfiltered runs with other noise, every draw weighted by the projection's tilt"
    measure = "energy distance"

    @classmethod
    def of(cls, plain: Sequence[Base], betas: Sequence[float], progress: Progress) -> "Reweighted":
        """At most MOST points of either; each chain is sampled once more, with other noise."""
        others = [Base.run(base.problem, base.seed, progress, stream=OTHER) for base in plain]
        return cls(*_weighted(others, betas), *_weighted(plain, betas))

    def distance(self, x: Float[Tensor, "n d"]) -> float:
        rows = x.double().numpy(force=True)
        chosen = rows[np.random.default_rng(0).permutation(len(rows))[:MOST]]
        return energy_distance(chosen, self.points.numpy(), self.weights.numpy())

    def floor(self, n: int) -> tuple[float, float]:
        both = (
            torch.cat([self.points, self.apart]).numpy(),
            torch.cat([self.weights, self.apart_weights]).numpy(),
        )
        return chance(*both, min(n, len(self.apart)), len(self.points))


def _weighted(bases: Sequence[Base], betas: Sequence[float]) -> tuple[Tensor, Tensor]:
    """At most MOST draws of the unfiltered distribution, and the projection's weights, which sum to 1."""
    x, inside = torch.cat([b.x for b in bases]).double().cpu(), torch.cat([b.inside for b in bases]).cpu()
    weights = keep_probabilities(inside, betas)
    chosen = torch.from_numpy(np.random.default_rng(1).permutation(len(x))[:MOST])
    return x[chosen], weights[chosen] / weights[chosen].sum()


def _cells_of(low: Tensor, high: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The centres of a grid [k, d], the widths of its cells [d], and which are outermost [k]."""
    ends = zip(low.tolist(), high.tolist(), strict=True)
    axes = [torch.linspace(a, b, GRID, dtype=torch.float64) for a, b in ends]
    x = torch.cartesian_prod(*axes).reshape(-1, len(axes))
    number = torch.cartesian_prod(*(torch.arange(GRID) for _ in axes)).reshape(-1, len(axes))
    return x, torch.stack([a[1] - a[0] for a in axes]), ((number == 0) | (number == GRID - 1)).any(1)


def projected(p: Tensor, inside: Tensor, betas: Sequence[float]) -> Tensor:
    """The distribution nearest to p, in KL, whose mass in every set is at most its β: p tilted by the
    memberships, pattern by pattern.
    """
    code, index = torch.unique(inside.long() @ (2 ** torch.arange(len(betas))), return_inverse=True)
    patterns = (code[:, None] >> torch.arange(len(betas))) & 1
    mass = torch.zeros(len(patterns), dtype=torch.float64).index_add_(0, index, p)
    tilted = _tilted_masses(mass, patterns.double(), torch.tensor(betas, dtype=torch.float64))
    return p * (tilted / mass.clamp(min=1e-300))[index]


def _tilted_masses(mass: Tensor, patterns: Tensor, limits: Tensor) -> Tensor:
    """The same for a few atoms: for one set in closed form (P.2), for several the tilt of their masses (G.4).

    Atoms in a set of β = 0 get mass 0. ValueError where no mass is left.
    """
    possible = ~(patterns[:, limits == 0] > 0).any(1)
    if not bool((mass * possible).sum() > 0):
        raise ValueError("all of the distribution lies inside a set with beta 0")
    mass = mass * possible / (mass * possible).sum()
    patterns, limits = patterns[:, limits > 0], limits[limits > 0]
    if len(limits) == 0:
        return mass
    if len(limits) == 1:
        p, β = float(mass @ patterns[:, 0]), float(limits[0])
        if p >= 1:
            raise ValueError("all of the distribution lies inside the set")
        if p <= β:
            return mass
        inside = patterns[:, 0]  # 0 or 1 in float64, since numbers in torch.where would be float32
        return mass * (inside * (β / p) + (1 - inside) * ((1 - β) / (1 - p)))
    some = mass > 0
    found = tilt(patterns[some], limits, mass[some])
    return torch.softmax(mass.log() - patterns @ found.multipliers, 0)
