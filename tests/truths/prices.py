"""The price of a tolerance (P.6) and what a filter paid (P.7), against closed forms, quadrature and
chance.
"""

import math

import numpy as np
import torch
from scipy.optimize import minimize
from scipy.stats import binom, chi2, norm

from barriers.projection import facts, tilt
from barriers.sets import Ball, HalfSpace, UnsafeSet
from lem_safe.distances import kl_price as price
from lem_safe.distances.kl_price import Seen, account, needed, seen
from truths.clouds import F64


def beyond(d: int, offset: float = 1.0) -> HalfSpace:
    return HalfSpace([1.0] + [0.0] * (d - 1), offset)


def normal(n: int, d: int, seed: int) -> torch.Tensor:
    return torch.randn(n, d, generator=torch.Generator().manual_seed(seed), dtype=F64)


def projected(region: UnsafeSet, p: float, beta: float, n: int, d: int, seed: int) -> torch.Tensor:
    """n exact draws of the projection of a standard normal distribution onto {ρ(𝒰) ≤ β}: draws thinned with
    the exact p (P.1).
    """
    x = normal(4 * n, d, seed)
    u = torch.rand(4 * n, generator=torch.Generator().manual_seed(seed + 1))
    return x[~region.contains(x) | (u < beta * (1 - p) / ((1 - beta) * p))][:n]


PLACES: tuple[tuple[int, UnsafeSet, float], ...] = (
    (1, beyond(1), float(norm.sf(1))),
    (20, beyond(20), float(norm.sf(1))),
    (20, Ball([0.0] * 20, math.sqrt(chi2.ppf(0.3, 20))), 0.3),
    (50, beyond(50, -1.0), float(norm.sf(-1))),
    (50, Ball([0.0] * 50, math.sqrt(chi2.ppf(0.2, 50))), 0.2),
)


def needed_in_any_dimension() -> None:
    """kl(β‖p), in 1, 20 and 50 dimensions (P.2): .0577 for x ≥ 1 and β = .05; the bound attains it, within 4
    of its standard errors.
    """
    assert abs(facts(float(norm.sf(1)), 0.05).kl - 0.0577) < 5e-5
    for d, region, p in PLACES:
        for β in (0.05, 0.0):
            found = needed(seen([region], normal(4000, d, d)), [β])
            exact = facts(p, β).kl
            assert found.nats is not None and found.error is not None
            assert abs(found.nats - exact) < 4 * found.error < 0.4 * exact


def errors_are_as_large_as_they_say() -> None:
    """Over 64 clouds the mean square of (found − exact)/error is 1, to 4 standard errors of it; of the gap of
    exact draws of the projection too.
    """
    region, p, squares, gaps = beyond(2), float(norm.sf(1)), [], []
    for seed in range(0, 640, 10):
        free, ours = (
            seen([region], normal(500, 2, seed)),
            seen([region], projected(region, p, 0.05, 3000, 2, seed + 3)),
        )
        found = account(ours, free, [0.05])
        assert (
            found.needed.nats is not None
            and found.needed.error is not None
            and found.gap is not None
            and found.gap_error is not None
        )
        squares.append(((found.needed.nats - facts(p, 0.05).kl) / found.needed.error) ** 2)
        gaps.append((found.gap / found.gap_error) ** 2)
    within = 4 * math.sqrt(2 / 64)
    assert abs(np.mean(squares) - 1) < within and abs(np.mean(gaps) - 1) < within


def masses_of_patterns() -> None:
    """Three overlapping balls on a ring of eight modes: μ and KL of the masses by scipy, and from 6,000 draws
    (G.4).
    """
    centres = torch.tensor(
        [[2 * math.cos(k * math.pi / 4), 2 * math.sin(k * math.pi / 4)] for k in range(8)], dtype=F64
    )
    sets, β = (
        [Ball([2.0, 0.0], 1.0), Ball([1.4, 1.4], 1.0), Ball([0.0, 2.0], 1.0)],
        np.array([0.02, 0.05, 0.03]),
    )
    axis = torch.linspace(-4.5, 4.5, 901, dtype=F64)
    grid = torch.cartesian_prod(axis, axis)
    mass = sum((-(grid - c).square().sum(1) / (2 * 0.5**2)).exp() for c in centres)
    patterns, index = torch.unique(
        torch.stack([s.contains(grid) for s in sets], 1).double(), dim=0, return_inverse=True
    )
    q = torch.zeros(len(patterns), dtype=F64).index_add_(0, index, mass / mass.sum())
    assert len(patterns) >= 6  # they overlap
    dual = lambda μ: float(np.log(q.numpy() @ np.exp(-patterns.numpy() @ μ)) + μ @ β)  # noqa: E731
    exact = minimize(
        dual, np.ones(3), bounds=[(0, None)] * 3, method="L-BFGS-B", options={"ftol": 1e-15, "gtol": 1e-10}
    )
    found = tilt(patterns, torch.from_numpy(β), q)
    assert np.allclose(found.multipliers, exact.x, atol=1e-5) and abs(found.kl + exact.fun) < 1e-9
    which = torch.randint(8, (6000,), generator=torch.Generator().manual_seed(5))
    least = needed(seen(sets, centres[which] + 0.5 * normal(6000, 2, 6)), list(β))
    assert (
        least.nats is not None
        and least.error is not None
        and abs(least.nats + exact.fun) < 4 * least.error < 0.2 * least.nats
    )


def paid_by_a_smooth_tilt() -> None:
    """ρ ∝ N(0,1) e^{−μφ(s)}, by quadrature: attained but for the bends of f, within 4 standard errors;
    membership alone tells less (P.7).
    """
    grid = np.linspace(-8, 8, 20_001)
    free = seen([beyond(1)], normal(6000, 1, 1))
    for width, μ in ((0.1, 2.0), (0.3, 1.5), (1.0, 2.0)):
        ρ = norm.pdf(grid) * np.exp(-μ / (1 + np.exp(-(width - (1 - grid)) / width)))
        ρ /= ρ.sum()
        exact = float(ρ @ np.log(ρ / norm.pdf(grid) * norm.pdf(grid).sum()))
        inside = float(ρ[grid >= 1].sum())
        x = np.interp(np.random.default_rng(2).random(6000), ρ.cumsum(), grid)
        found = account(seen([beyond(1)], torch.from_numpy(x)[:, None]), free, [0.05]).paid
        assert found is not None and abs(found.nats - exact) < 4 * found.error < 0.4 * exact
        assert (
            abs(found.membership - facts(float(norm.sf(1)), inside).kl) < 4 * found.error
            and found.membership <= found.nats
        )


def paid_in_any_dimension() -> None:
    """Draws of the hard projection paid what is needed, and nothing between them is more than 4 errors of the
    gap.
    """
    for d, region, p in PLACES[1:4]:
        free, ours = (
            seen([region], normal(4000, d, d)),
            seen([region], projected(region, p, 0.05, 4000, d, d + 7)),
        )
        found = account(ours, free, [0.05])
        assert found.paid is not None and found.gap is not None and found.gap_error is not None
        assert abs(found.paid.nats - facts(p, 0.05).kl) < 4 * found.paid.error
        assert abs(found.gap) < 4 * found.gap_error


def choice_adds_nothing() -> None:
    """Two clouds of one distribution are 0 apart: over 60 pairs the bound, before it is cut at 0, is not
    above it by more than 4 errors.
    """
    region, found = beyond(2), []
    for seed in range(0, 600, 10):
        ours, free = seen([region], normal(300, 2, seed)), seen([region], normal(300, 2, seed + 1))
        found.append(price._by_features(price._distance, ours, free).nats)
    assert np.mean(found) < 4 * np.std(found) / math.sqrt(60)


def certain_as_often_as_it_says() -> None:
    """P(at_least > kl(β‖p)) ≤ 5 % of clouds, by the binomial distribution; and more than 1 %, so that it is
    no empty promise.
    """
    n, p, β = 200, 0.2, 0.05

    def over(k: int) -> bool:
        inside = (torch.arange(n) < k)[:, None]
        return needed(Seen(inside, torch.zeros(n, 1, dtype=F64), n), [β]).at_least > facts(p, β).kl

    wrong = sum(binom.pmf(k, n, p) for k in range(30, 80) if over(k))
    assert 0.01 < wrong <= 0.05


def copies_are_not_counted() -> None:
    """Every row four times: the same numbers, with the errors of a quarter of the rows."""
    x = normal(1000, 2, 3)
    once, often = (needed(seen([beyond(2)], rows), [0.05]) for rows in (x, x.repeat(4, 1)))
    assert (
        once.nats is not None
        and often.nats is not None
        and once.error is not None
        and often.error is not None
    )
    assert abs(often.nats - once.nats) < once.error and abs(often.error / once.error - 1) < 0.02
    assert often.at_least == once.at_least
