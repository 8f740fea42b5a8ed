"""The obstacles of SafeDiffuser's planner [@xiao2023safediffuser] and a mixture of five normal distributions:
what each obstacle holds, by quadrature, and what filters leave of it.

With ρ = the mixture and parts that do not overlap, the projection onto ρ(part) ≤ β_k holds β_k in each part
and the rest of ρ, scaled to 1 − Σβ_k, outside. Masses: ∫ φ(x)[Φ(top) − Φ(bottom)] dx over the width of a set,
by Gauss–Legendre in the angle of x, where the edge has no root.
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch
from scipy.special import ndtr
from torch import Tensor

from barriers.filters import Gate, Reject, Tilt
from barriers.sets import AnyOf, Ball, Superellipse, UnsafeSet
from lem_safe.energies.gaussian_mixture import GaussianMixture
from lem_safe.keys import Key
from lem_safe.samplers import Mala
from truths.clouds import F64

MEANS = [[2.0, 2.0], [5.0, 4.0], [8.0, 2.0], [3.0, 7.0], [9.0, 7.0]]
NARROW = [
    ([4.8, 1.3], [1.0, 1.0]),
    ([4.8, 4.3], [1.0, 1.0]),
    ([2.3, 1.8], [1.0, 0.5]),
    ([7.8, 2.8], [1.8, 1.8]),
    ([6.9, 6.3], [1.0, 1.0]),
    ([9.3, 5.6], [1.0, 1.0]),
]
PARTS = [0.01039, 0.08705, 0.04718, 0.17119, 0.01720, 0.04182]
"""As given with the problem, to four digits: the quadrature below is up to 4e-5 larger, .000124 in all."""
BROAD_MASS, NARROW_MASS = 0.0592460, 0.3749533


def broad() -> list[UnsafeSet]:
    return [Ball([5.1, 4.3], 0.8), Superellipse([4.6, 1.3], [0.8, 0.8], 4.0)]


def narrow() -> list[UnsafeSet]:
    return [Superellipse(c, r, 4.0) for c, r in NARROW]


def mass(unsafe: UnsafeSet, center: list[float], radii: list[float], points: int = 200) -> float:
    """The mass of a set that is symmetric about an axis through its centre; its edge above each x is found by
    bisection of `contains`.
    """
    nodes, weights = np.polynomial.legendre.leggauss(points)
    angle = nodes * math.pi / 2
    x = center[0] + radii[0] * np.sin(angle)
    low, high = np.zeros(points), np.full(points, radii[1])
    for _ in range(50):
        middle = (low + high) / 2
        inside = unsafe.contains(torch.from_numpy(np.stack([x, center[1] + middle], 1))).numpy()
        low, high = np.where(inside, middle, low), np.where(inside, high, middle)
    density = np.zeros(points)
    for a, b in MEANS:
        across = np.exp(-((x - a) ** 2) / 2) / math.sqrt(2 * math.pi)
        density += across * (ndtr(center[1] + low - b) - ndtr(center[1] - low - b)) / len(MEANS)
    return float(weights @ (density * radii[0] * np.cos(angle)) * math.pi / 2)


def masses() -> tuple[list[float], list[float]]:
    """Of the broad and of the narrow set, part by part."""
    shapes = [([5.1, 4.3], [0.8, 0.8]), ([4.6, 1.3], [0.8, 0.8])]
    return (
        [mass(s, c, r) for s, (c, r) in zip(broad(), shapes, strict=True)],
        [mass(s, c, r) for s, (c, r) in zip(narrow(), NARROW, strict=True)],
    )


def draws(n: int, seed: int) -> Tensor:
    """Exact draws of the mixture."""
    key = Key(seed)
    modes = (key.fold("modes").uniform(torch.empty(n, dtype=F64)) * len(MEANS)).long()
    return torch.tensor(MEANS, dtype=F64)[modes] + key.normal(torch.empty(n, 2, dtype=F64))


def obstacles_hold_their_masses() -> None:
    """By quadrature, and by counting exact draws within 4 standard errors."""
    parts_broad, parts_narrow = masses()
    assert abs(sum(parts_broad) - BROAD_MASS) < 1e-7 and abs(sum(parts_narrow) - NARROW_MASS) < 1e-7
    assert max(abs(found - given) for found, given in zip(parts_narrow, PARTS, strict=True)) < 5e-5
    x = draws(200_000, 1)
    for sets, parts in ((broad(), parts_broad), (narrow(), parts_narrow)):
        inside = torch.stack([s.contains(x) for s in sets], 1).double()
        assert float(inside.sum(1).max()) == 1  # they do not overlap
        p = torch.tensor(parts, dtype=F64)
        assert bool(((inside.mean(0) - p).abs() < 4 * (p * (1 - p) / len(x)).sqrt()).all())


def _cells(x: Tensor, sets: list[UnsafeSet]) -> Tensor:
    """The set that each row is inside, or else the nearest of the five means."""
    nearest = len(sets) + torch.cdist(x, torch.tensor(MEANS, dtype=F64)).argmin(1)
    inside = torch.stack([s.contains(x) for s in sets], 1)
    return torch.where(inside.any(1), inside.double().argmax(1), nearest)


class Projection(NamedTuple):
    """The shares of all cells: β in each set, the rest as in the mixture, counted in exact draws outside."""

    shares: Tensor
    errors: Tensor


def _projection(sets: list[UnsafeSet], betas: list[float]) -> Projection:
    free = torch.bincount(_cells(draws(100_000, 2), sets), minlength=len(sets) + len(MEANS)).double()
    outside = free[len(sets) :] / free[len(sets) :].sum()
    rest = 1 - sum(betas)
    errors = rest * (outside * (1 - outside) / free[len(sets) :].sum()).sqrt()
    β = torch.tensor(betas, dtype=F64)
    return Projection(torch.cat([β, rest * outside]), torch.cat([torch.zeros_like(β), errors]))


def _assert_shares(x: Tensor, sets: list[UnsafeSet], of: Projection) -> None:
    found = torch.bincount(_cells(x, sets), minlength=len(of.shares)).double() / len(x)
    σ = (of.shares * (1 - of.shares) / len(x) + of.errors.square()).sqrt()
    assert bool(((found - of.shares).abs() <= 4 * σ).all()), ((found - of.shares) / σ).tolist()


def _moved(filter_: Any, x: Tensor, steps: int, each: Callable[[Tensor], None] = lambda x: None) -> Tensor:
    sampler = Mala(GaussianMixture(MEANS, 1.0), 0.4, step_filter=filter_)
    key, state = Key(7), sampler.init(x)
    for k in range(steps):
        state, _ = sampler.step(key.fold("step", k), state)
        each(state.x)
    return state.x


def _outside(sets: list[UnsafeSet], n: int) -> Tensor:
    x = draws(2 * n, 5)
    return x[~AnyOf(sets).contains(x)][:n]


def tilted_obstacles() -> None:
    """From draws of the mixture, 37 % of them inside, a tilt by the exact multipliers leads to the
    projection: a tolerance of its own in each of the six sets, and the shares around the five means.
    """
    sets, parts, betas = narrow(), masses()[1], [0.005, 0.02, 0.02, 0.02, 0.01, 0.02]
    odds = (1 - sum(betas)) / (1 - sum(parts))
    μ = [math.log(p * odds / β) for p, β in zip(parts, betas, strict=True)]
    _assert_shares(_moved(Tilt(sets, μ), draws(2500, 5), 200), sets, _projection(sets, betas))


def gated_obstacles() -> None:
    """From draws outside, the gate lets ⌊βn⌋ particles into the broad set, at no step more, and the rest is
    as in the mixture.
    """
    sets, n, β = [AnyOf(broad())], 3000, 0.02
    counts: list[int] = []
    x = _moved(
        Gate(sets, [β]), _outside(sets, n), 100, lambda x: counts.append(int(sets[0].contains(x).sum()))
    )
    assert max(counts) <= 60 and sum(counts[-50:]) / 50 >= 0.95 * 60
    inside = sets[0].contains(x)
    _assert_shares(x[~inside], sets, _projection(sets, [0.0]))


def rejected_obstacles() -> None:
    """From draws outside, no particle enters any of the six sets, and the rest is as in the mixture."""
    sets = narrow()
    x = _moved(Reject(sets), _outside(sets, 3000), 80)
    _assert_shares(x, sets, _projection(sets, [0.0] * 6))
