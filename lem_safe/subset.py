"""Subset simulation: an *estimate* of a probability too small to count, 1e-4 to 1e-6 and below. It is no bound, and certifies nothing (R.1).

P(s ≤ 0) = P(s ≤ b₁) Π P(s ≤ b_{j+1} | s ≤ b_j): each factor is about `keep`, and each level b_j is where the smallest `keep` of the samples
lie. Samples of a level come from Markov chains started at those, by any kernel reversible for the law, a move being refused where it leaves
{s ≤ b_j}, which is the law restricted to it. The error is first order, δ² = Σ (1−p_j)/(p_j n)(1 + γ_j), with γ_j from the
correlation along the chains; the bias is of order 1/n. It misses what its chains do not reach: a region in several far parts may
be found in one of them only. [@au2001estimation]
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from lem_safe.keys import Key

Level = Callable[[Float[Tensor, "n d"]], Float[Tensor, "n"]]
"""A signed distance, or any function that is ≤ 0 inside and falls towards the region."""

Move = Callable[[Key, Float[Tensor, "n d"]], Float[Tensor, "n d"]]
"""One step of a kernel that is reversible for the law; each row moves by itself."""


@dataclass(frozen=True)
class SubsetEstimate:
    """An estimated probability with its relative standard error; `levels` are the distances it went down through.

    reached: whether the region itself was reached; else the probability is an estimate of something larger.
    """

    probability: float
    relative_error: float
    levels: tuple[float, ...]
    reached: bool

    def __str__(self) -> str:
        what = "estimate, not a bound" if self.reached else "the region was not reached: less than an estimated"
        return f"{what}: {self.probability:.3g} ± {self.probability * self.relative_error:.1g} (one standard error)"


def metropolis(value_and_gradient: Callable[[Tensor], tuple[Tensor, Tensor]], step_size: float) -> Move:
    """Metropolis-adjusted Langevin for exp(−U): exact for every step size, U in nats."""
    if not step_size > 0:
        raise ValueError(f"metropolis: step_size must be > 0; got {step_size}")

    def move(key: Key, x: Tensor) -> Tensor:
        u, g = value_and_gradient(x)
        y = x - step_size * g + math.sqrt(2 * step_size) * key.fold("noise").normal(x)
        v, k = value_and_gradient(y)
        there = (y - x + step_size * g).square().sum(-1) / (4 * step_size)
        back = (x - y + step_size * k).square().sum(-1) / (4 * step_size)
        accepted = key.fold("accept").uniform(u).log() < u - v + there - back
        return torch.where(accepted[:, None], y, x)

    return move


def subset_simulation(
    key: Key, start: Float[Tensor, "n d"], level: Level, move: Move, *, keep: float = 0.1, moves: int = 10, most: int = 20
) -> SubsetEstimate:
    """Estimates the probability of {level ≤ 0} under the law of which `start` holds n independent samples.

    keep: the probability of each level given the one before. moves: steps of the kernel between the samples of a chain. most: levels before it
    gives up. Raises ValueError unless keep·n and 1/keep are whole numbers, at least 2.
    """
    n = start.shape[0]
    seeds, length = round(keep * n), round(1 / keep) if 0 < keep < 1 else 0
    if seeds * length != n or seeds < 2 or length < 2:
        raise ValueError(
            f"subset_simulation: keep * samples and 1 / keep must be whole, 2 or more; got keep {keep} of {n} samples"
        )
    if moves < 1 or most < 1:
        raise ValueError(f"subset_simulation: moves and most must be >= 1; got {moves} and {most}")
    x, s = start, level(start)
    probability, variance, levels = 1.0, 0.0, list[float]()
    chains = s.reshape(1, n)  # at the first level every sample is a chain of its own
    for j in range(most):
        ranked = s.sort().values
        b = float((ranked[seeds - 1] + ranked[seeds]) / 2)
        if b <= 0 or j == most - 1:
            inside = chains <= 0
            p = float(inside.double().mean())
            probability *= p
            variance += _variance(inside, p, n)
            return SubsetEstimate(probability, math.sqrt(variance) if p > 0 else math.inf, (*levels, 0.0), p > 0)
        levels.append(b)
        variance += _variance(chains <= b, keep, n)
        probability *= keep
        order = s.argsort(stable=True)[:seeds]
        x, chains = _restricted(key.fold(j), x[order], level, move, b, length, moves)
        s = chains.flatten()
    raise AssertionError("the last level returns")


def _restricted(
    key: Key, seeds: Float[Tensor, "k d"], level: Level, move: Move, b: float, length: int, moves: int
) -> tuple[Float[Tensor, "n d"], Float[Tensor, "l k"]]:
    """Chains of `length` samples from the law on {level ≤ b}: all samples, and their levels, one chain a column."""
    x, s = seeds, level(seeds)
    kept, levels = [], []
    for i in range(length):
        for step in range(moves):
            y = move(key.fold(i, step), x)
            t = level(y)
            within = t <= b
            x, s = torch.where(within[:, None], y, x), torch.where(within, t, s)
        kept.append(x)
        levels.append(s)
    return torch.cat(kept), torch.stack(levels)


def _variance(inside: Tensor, p: float, n: int) -> float:
    """(1−p)/(pn) (1 + γ), γ from the correlation of the indicator along chains (R.1)."""
    if not 0 < p < 1:
        return 0.0
    length = inside.shape[0]
    z = inside.double() - p
    γ = sum(2 * (1 - lag / length) * float((z[lag:] * z[:-lag]).mean()) / (p * (1 - p)) for lag in range(1, length))
    return (1 - p) / (p * n) * max(1 + γ, 1.0)
