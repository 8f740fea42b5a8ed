"""Reweighting and thinning against closed forms, the conditions that define the projection, and a law of two
numbers.
"""

import math

import cvxpy as cp
import numpy as np
import pytest
import torch
from torch import Tensor

from barriers.projection import facts, keep_probabilities, thinned, thinned_to_budget, tilt
from lem_safe.keys import Key

N = 40_000


def gaussian(n: int = N, seed: int = 0) -> Tensor:
    return Key(seed).normal(torch.empty(n, dtype=torch.float64))


def uniforms(n: int = N, seed: int = 9) -> Tensor:
    return Key(seed).uniform(torch.empty(n, dtype=torch.float64))


def exactly(values: object) -> Tensor:
    """Numbers as float64."""
    return torch.tensor(values, dtype=torch.float64)


@pytest.mark.parametrize(("p", "β"), [(0.158655, 0.05), (0.101563, 0.03), (0.5, 0.499), (0.9, 1e-6)])
def test_facts_are_those_of_the_two_cell_law(p: float, β: float) -> None:
    """Scaling the inside by β/p and the outside by (1−β)/(1−p): the multiplier is the log of their ratio, KL
    and TV are sums of two terms.
    """
    found, inner, outer = facts(p, β), β / p, (1 - β) / (1 - p)
    assert found.multiplier == pytest.approx(math.log(outer / inner), rel=1e-12)
    assert found.kl == pytest.approx(
        p * inner * math.log(inner) + (1 - p) * outer * math.log(outer), abs=1e-12
    )
    assert found.tv == pytest.approx((p * abs(inner - 1) + (1 - p) * abs(outer - 1)) / 2, abs=1e-15)


def test_facts_at_the_ends() -> None:
    assert facts(0.02, 0.05) == (0.0, 0.0, 0.0)
    assert facts(0.2, 0.0) == (math.inf, pytest.approx(-math.log(0.8)), 0.2)


def test_one_set_is_kept_by_the_printed_probability() -> None:
    inside = (gaussian() >= 1)[:, None]
    p, β = float(inside.double().mean()), 0.05
    keep = keep_probabilities(inside, [β])
    assert torch.allclose(
        keep[inside[:, 0]], exactly(β * (1 - p) / ((1 - β) * p)), rtol=1e-9, atol=0
    )  # (P.1)
    assert (keep[~inside[:, 0]] == 1).all()


def test_the_reweighting_of_an_indicator_is_the_closed_form() -> None:
    inside = (gaussian() >= 1).double()
    found = tilt(inside[:, None], exactly([0.05]))
    expected = facts(float(inside.mean()), 0.05)
    assert float(found.multipliers) == pytest.approx(expected.multiplier, rel=1e-9)
    assert found.kl == pytest.approx(expected.kl, rel=1e-9)
    assert 0.5 * float((found.weights - 1 / N).abs().sum()) == pytest.approx(expected.tv, rel=1e-9)


def test_thinned_draws_have_the_projected_law() -> None:
    """N(0, 1) with ρ(x ≥ 1) ≤ .05: five cells of the line, each within 4 standard errors of ρ_U rescaled
    inside and outside.
    """
    n = 400_000
    x = gaussian(n)
    kept = x[thinned((x >= 1)[:, None], [0.05], uniforms(n))]
    edges = torch.tensor([-1.0, 0.0, 1.0, 1.7], dtype=torch.float64)
    found = torch.bincount(torch.bucketize(kept, edges, right=True), minlength=5) / len(kept)
    cdf = torch.special.ndtr(edges)
    cells = torch.diff(torch.cat([torch.zeros(1).double(), cdf, torch.ones(1).double()]))
    p = float(1 - cdf[2])
    expected = torch.where(torch.arange(5) >= 3, cells * 0.05 / p, cells * 0.95 / (1 - p))
    assert ((found - expected).abs() < 4 * (expected * (1 - expected) / len(kept)).sqrt()).all()
    unthinned = torch.bincount(torch.bucketize(x, edges, right=True), minlength=5) / n
    assert (
        (unthinned - expected).abs() > 4 * (expected * (1 - expected) / n).sqrt()
    ).all()  # the planted fault: no thinning


def test_disjoint_sets_fill_like_vessels() -> None:
    """Scaling the free part up by c may push a set over that was within: the exact c is found by hand
    here.
    """
    inside = torch.zeros(1000, 3, dtype=torch.bool)
    inside[:400, 0], inside[400:496, 1], inside[496:500, 2] = (
        True,
        True,
        True,
    )  # masses .4, .096, .004; limits .1, .1, .1
    keep = keep_probabilities(inside, [0.1, 0.1, 0.1])
    c = (1 - 0.2) / (1 - 0.496)  # sets 0 and 1 bind: .096 · .9/.6 > .1
    assert torch.allclose(keep[:400], exactly(0.1 / 0.4 / c), rtol=1e-9)
    assert torch.allclose(keep[400:496], exactly(0.1 / 0.096 / c), rtol=1e-9)
    assert (keep[496:] >= 1 - 1e-9).all()


@pytest.mark.parametrize("seed", range(5))
def test_overlapping_limits_are_the_projection_of_cvxpy(seed: int) -> None:
    rng = np.random.default_rng(seed)
    z = rng.normal(size=(80, 2))
    φ = np.stack([z[:, 0] > 0.2, z[:, 1] > 0.2, z.sum(1) > 0.5, z[:, 0] < 3], 1).astype(float)
    limits = np.array([0.2, 0.1, 0.25, 1.1])
    w = cp.Variable(80)
    cp.Problem(cp.Maximize(cp.sum(cp.entr(w))), [cp.sum(w) == 1, φ.T @ w <= limits]).solve(solver=cp.CLARABEL)
    found = tilt(torch.from_numpy(φ), torch.from_numpy(limits))
    assert np.abs(found.weights.numpy() - w.value).max() < 1e-6
    assert found.multipliers[3] == 0


def test_smooth_tilts_satisfy_the_conditions_that_define_them() -> None:
    x = gaussian()
    φ = torch.stack([torch.sigmoid((x - 1) / 0.2), x, -x], 1)
    limits = torch.tensor([0.05, -0.3, 2.0], dtype=torch.float64)
    weights, μ, kl = tilt(φ, limits)
    slack = limits - weights @ φ
    assert (μ >= 0).all() and (slack > -1e-9).all() and (slack * μ).abs().max() < 1e-9
    gibbs = torch.softmax(-(φ @ μ), 0)
    assert torch.allclose(weights, gibbs, rtol=1e-9)
    assert kl == pytest.approx(
        float(-(μ @ limits)) - math.log(float((-(φ @ μ)).exp().mean())), rel=1e-9
    )  # strong duality


def test_the_tilt_of_gaussian_draws_finds_the_exact_multiplier() -> None:
    """E σ((x − 1)/.2) ≤ .05 on N(0, 1): μ = 2.49084 by quadrature; 4 standard errors by the delta method."""
    n = 400_000
    φ = torch.sigmoid((gaussian(n) - 1) / 0.2)
    w, μ, _ = tilt(φ[:, None], exactly([0.05]))
    spread = (
        float((n * w.square() * (φ - 0.05).square()).sum().sqrt())
        / float(w @ (φ - 0.05).square())
        / math.sqrt(n)
    )
    assert abs(float(μ) - 2.490845) < 4 * spread < 0.1


def test_slack_limits_change_nothing() -> None:
    found = tilt(gaussian()[:, None], exactly([1.0]))
    assert torch.equal(found.multipliers, torch.zeros(1).double()) and float(found.weights.std()) < 1e-18


@pytest.mark.parametrize("limits", [[-1e3, 2.0], [-0.5, -0.5]])
def test_limits_that_no_weights_meet_are_an_error(limits: list[float]) -> None:
    x = gaussian(500)
    with pytest.raises(ValueError, match="no weights of these draws meet"):
        tilt(torch.stack([x, -x], 1), exactly(limits))


def test_beta_zero_keeps_nobody_inside() -> None:
    x = gaussian(2000)
    inside = torch.stack([x >= 1, x <= 0], 1)
    keep = keep_probabilities(inside, [0.0, 0.3])
    assert (
        (keep[x >= 1] == 0).all()
        and 0 < float(keep[x <= 0].max()) < 1
        and (keep[(x > 0) & (x < 1)] == 1).all()
    )
    with pytest.raises(ValueError, match="nothing can stay"):
        keep_probabilities(torch.ones(5, 1, dtype=torch.bool), [0.0])


def brute(counts: list[int], outside: int, betas: list[float]) -> int:
    """The most that can stay, by trying every pair of counts."""
    best = 0
    for a in range(counts[0] + 1):
        for b in range(counts[1] + 1):
            total = outside + a + b
            if a <= math.floor(betas[0] * total + 1e-9) and b <= math.floor(betas[1] * total + 1e-9):
                best = max(best, total)
    return best


@pytest.mark.parametrize("seed", range(20))
def test_the_exact_budget_is_met_and_wastes_nothing(seed: int) -> None:
    rng = np.random.default_rng(seed)
    counts, outside = rng.integers(0, 40, 2).tolist(), int(rng.integers(1, 100))
    betas = [round(float(b), 2) for b in rng.uniform(0, 0.3, 2)]
    inside = torch.zeros(sum(counts) + outside, 2, dtype=torch.bool)
    inside[: counts[0], 0], inside[counts[0] : sum(counts), 1] = True, True
    inside = inside[torch.from_numpy(rng.permutation(len(inside)))]
    stays = thinned_to_budget(inside, betas, uniforms(len(inside), seed))
    assert int(stays.sum()) == brute(counts, outside, betas)
    assert (inside[stays].double().sum(0) <= exactly(betas) * int(stays.sum()) + 1e-9).all()
    assert stays[~inside.any(1)].all()


def test_plain_thinning_fails_a_census_about_half_the_time_and_the_exact_budget_never() -> None:
    inside = (gaussian(4000) >= 1)[:, None]
    over, never = 0, 0
    for seed in range(60):
        u = uniforms(4000, seed)
        kept, exact = inside[thinned(inside, [0.05], u)], inside[thinned_to_budget(inside, [0.05], u)]
        over += float(kept.double().mean()) > 0.05
        never += float(exact.double().mean()) > 0.05
    assert 12 <= over <= 48 and never == 0


def test_overlapping_sets_have_no_exact_budget() -> None:
    with pytest.raises(ValueError, match="disjoint"):
        thinned_to_budget(torch.ones(5, 2, dtype=torch.bool), [0.1, 0.1], uniforms(5))


def test_one_beta_a_set() -> None:
    with pytest.raises(ValueError, match="one beta"):
        keep_probabilities(torch.zeros(5, 2, dtype=torch.bool), [0.1])
