"""Subset simulation: an *estimate* of a probability too small to count, 1e-4 to 1e-6 and below. It is not a
bound and certifies nothing (R.1).

P(s ≤ 0) = P(s ≤ b₁) Π P(s ≤ b_{j+1} | s ≤ b_j). Each factor is the counted share of a level's samples within
the next one (S.1): about `keep` where s is continuous, and any value where samples tie, as with integers or a
flat s. Samples of a level come from Markov chains started at all of those within it, by any kernel reversible
for the distribution; moves that leave {s ≤ b_j} are refused.

The error is estimated from descent: every sample has one ancestor in the start, and samples of different
ancestors are independent. With m_i of the m samples that end in the region descended from ancestor i, and N_j
samples at level j,

    δ² = 1 − (1 − Σ (m_i/m)²) Π N_j/(N_j − 1),

which is (1 − p)/(pN) where there is one level, and holds for any correlation within a chain. The bias is of
order 1/n. Regions that its chains do not reach are missed: of several separate parts it may find only one.
[@au2001estimation; @lee2018variance]
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from jaxtyping import Bool, Float, Int

from barriers.arrays import Tensor, torch
from lem_safe.bounds.clopper_pearson import upper_bound
from lem_safe.keys import Key
from lem_safe.metropolis import Site, langevin_move

Level = Callable[[Float[Tensor, "n d"]], Float[Tensor, "n"]]
"""A signed distance, or any function that is ≤ 0 inside and decreases towards the region."""

Move = Callable[[Key, Float[Tensor, "n d"]], Float[Tensor, "n d"]]
"""One step of a kernel that is reversible for the distribution; each row moves independently."""

CONFIDENCE = 0.95
"""The bound reported where the start, whose samples are independent, has none inside: about 3/n."""
FEW = 5
"""The number of ancestors below which the error is known only to its order of magnitude."""


@dataclass(frozen=True)
class SubsetEstimate:
    """An estimated probability with its relative standard error.

    levels: the distances of the nested levels, the last one 0 if reached. reached: whether any sample was in
    the region itself; otherwise probability is 0. at_most: an approximate upper value, the estimate plus two
    standard errors. ancestors: how many samples of the start the last ones descend from.
    """

    probability: float
    relative_error: float
    levels: tuple[float, ...]
    reached: bool
    at_most: float
    ancestors: int

    def __str__(self) -> str:
        if not self.reached:
            n = len(self.levels) + 1
            return (
                f"not reached in {n} level{'s' * (n > 1)}: below about {self.at_most:.2g} (estimate, "
                "not a bound)"
            )
        error = f"{self.probability:.3g} ± {self.probability * self.relative_error:.1g} (one standard error)"
        few = (
            f"; from {self.ancestors} of the starting samples alone: an order of magnitude"
            if self.ancestors < FEW
            else ""
        )
        return f"estimate, not a bound: {error}{few}"


def metropolis(value_and_gradient: Callable[[Tensor], tuple[Tensor, Tensor]], step_size: float) -> Move:
    """Metropolis-adjusted Langevin for exp(−U) (E.8): exact for every step size, U in nats."""
    if not step_size > 0:
        raise ValueError(f"metropolis: step_size must be > 0; got {step_size}")

    def site(x: Tensor) -> tuple[Site, Tensor]:
        U, gradient = value_and_gradient(x)
        return Site(x, U, -gradient), x

    def move(key: Key, x: Tensor) -> Tensor:
        here, one = site(x)[0], torch.ones_like(x[:, 0])
        noise, uniforms = key.fold("noise").normal(x), key.fold("accept").uniform(one)
        verdict, y = langevin_move(here, site, step_size, one, noise, uniforms)
        return torch.where(verdict.accepted[:, None], y, x)

    return move


def subset_simulation(
    key: Key,
    start: Float[Tensor, "n d"],
    level: Level,
    move: Move,
    *,
    keep: float = 0.1,
    moves: int = 10,
    most: int = 20,
) -> SubsetEstimate:
    """Estimates the probability of {level ≤ 0} under the distribution of which `start` holds n independent
    samples.

    keep: the approximate probability of each level given the previous one. moves: steps of the kernel between
    the samples of a chain. most: the largest number of levels. Raises ValueError unless keep·n and 1/keep are
    whole numbers, at least 2, and where `level` is NaN for a sample of `start`.
    """
    n = start.shape[0]
    seeds = _seeds(n, keep)
    if moves < 1 or most < 1:
        raise ValueError(f"subset_simulation: moves and most must be >= 1; got {moves} and {most}")
    cloud = _of_start(start, level)
    probability, pairs, levels = 1.0, 0.0, list[float]()
    for j in range(most):
        pairs -= math.log1p(-1 / len(cloud.s))
        inside = cloud.s <= 0
        b = _next(cloud.s, seeds) if int(inside.sum()) < seeds and j < most - 1 else 0.0
        if b <= 0:
            break
        levels.append(b)
        within = cloud.s <= b
        probability *= _share(within)
        cloud = _restricted(key.fold(j), cloud.rows(within), level, move, b, n, moves)
    found = cloud.rows(inside)
    if len(found.s) > 0:
        probability *= _share(inside)
        error, ancestors = _error(found.ancestor, pairs)
        return SubsetEstimate(
            probability, error, (*levels, 0.0), True, probability * (1 + 2 * error), ancestors
        )
    error, ancestors = _error(cloud.ancestor, pairs)
    most_likely = probability * (1 + 2 * error) if levels else upper_bound(0, n, CONFIDENCE)
    return SubsetEstimate(0.0, math.inf, tuple(levels), False, min(1.0, most_likely), ancestors)


def _seeds(n: int, keep: float) -> int:
    """How many of n samples each level keeps; ValueError where chains of one length do not make n again."""
    seeds, length = round(keep * n), round(1 / keep) if 0 < keep < 1 else 0
    if seeds * length != n or seeds < 2 or length < 2:
        raise ValueError(
            f"subset_simulation: keep * samples and 1 / keep must be whole, 2 or more; got keep {keep} of "
            f"{n} samples"
        )
    return seeds


class _Samples(NamedTuple):
    """Samples of a level, s there, and which sample of the start each descends from."""

    x: Float[Tensor, "n d"]
    s: Float[Tensor, "n"]
    ancestor: Int[Tensor, "n"]

    def rows(self, which: Tensor) -> "_Samples":
        return _Samples(*(part[which] for part in self))


def _of_start(start: Float[Tensor, "n d"], level: Level) -> _Samples:
    """The samples of the start, each its own ancestor; ValueError where the level of one is NaN."""
    s = level(start)
    if bool(s.isnan().any()):
        raise ValueError(
            f"subset_simulation: a level must be a number; it is NaN for {int(s.isnan().sum())} of "
            f"{start.shape[0]} samples of the start"
        )
    return _Samples(start, s, torch.arange(start.shape[0], device=start.device))


def _next(s: Float[Tensor, "n"], seeds: int) -> float:
    """A level that separates the samples, as near to the first `seeds` of them as ties allow; 0 where no
    value above 0 separates them (S.1).
    """
    values, counts = s.unique(return_counts=True)
    apart = (counts.cumsum(0)[:-1].double() / seeds).log().abs()
    apart = apart.where(values[:-1] > 0, torch.inf)
    if len(values) < 2 or not bool(apart.isfinite().any()):
        return 0.0
    i = int(apart.argmin())
    low, high = float(values[i]), float(values[i + 1])
    middle = low + (high - low) / 2
    return middle if low <= middle < high else low


def _share(within: Bool[Tensor, "n"]) -> float:
    """The factor of a level: the counted share, which may differ from the requested one (S.1)."""
    return float(within.double().mean())


def _restricted(
    key: Key, seeds: _Samples, level: Level, move: Move, b: float, n: int, moves: int
) -> _Samples:
    """Chains of equal length from the distribution on {level ≤ b}: n samples, or the next larger multiple of
    the number of chains.
    """
    x, s = seeds.x, seeds.s
    length = math.ceil(n / len(s))
    kept, levels = [], []
    for i in range(length):
        for step in range(moves):
            y = move(key.fold(i, step), x)
            t = level(y)
            within = t <= b
            x, s = torch.where(within[:, None], y, x), torch.where(within, t, s)
        kept.append(x)
        levels.append(s)
    return _Samples(torch.cat(kept), torch.cat(levels), seeds.ancestor.repeat(length))


def _error(ancestor: Int[Tensor, "m"], pairs: float) -> tuple[float, int]:
    """δ, and the number of ancestors of m samples. pairs: Σ log N_j/(N_j − 1)."""
    share = ancestor.unique(return_counts=True)[1].double() / len(ancestor)
    return math.sqrt(max(0.0, 1 - math.exp(pairs) * (1 - float(share.square().sum())))), len(share)
