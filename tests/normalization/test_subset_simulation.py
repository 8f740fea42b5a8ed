"""Subset simulation: Gaussian half-spaces, whose tails are known to any depth."""

import math
from itertools import pairwise

import numpy as np
import pytest
import torch
from scipy.integrate import quad
from scipy.stats import norm, poisson

from lem_safe.keys import Key
from lem_safe.normalization.subset_simulation import metropolis, subset_simulation

pytestmark = pytest.mark.simulation

F64 = torch.float64


def gaussian(x):
    return x.square().sum(-1) / 2, x


def estimate(seed, tail, n=1000, moves=4, **options):
    a, key = float(-norm.ppf(tail)), Key(seed)
    start = key.fold("start").normal(torch.empty(n, 2, dtype=F64))
    direction = torch.tensor([0.6, 0.8], dtype=F64)
    return subset_simulation(
        key.fold("run"), start, lambda x: a - x @ direction, metropolis(gaussian, 0.5), moves=moves, **options
    )


def test_what_is_common_is_counted_directly():
    found = estimate(0, 0.3, n=4000)
    assert found.levels == (0.0,) and abs(found.probability - 0.3) < 4 * (0.3 * 0.7 / 4000) ** 0.5
    assert found.relative_error == pytest.approx(
        ((1 - found.probability) / (found.probability * 3999)) ** 0.5
    )


def test_a_region_out_of_reach_is_said_to_be():
    found = estimate(0, 1e-9, most=3)
    assert (
        not found.reached
        and found.probability == 0
        and found.relative_error == math.inf
        and len(found.levels) == 2
    )
    assert 0.01 < found.at_most < 0.02
    assert str(found) == "not reached in 3 levels: below about 0.013 (estimate, not a bound)"
    assert "estimate, not a bound" in str(estimate(0, 1e-2))


def sampled(seed, level, n=1000, moves=3, d=2, **options):
    key = Key(seed)
    start = key.fold("start").normal(torch.empty(n, d, dtype=F64))
    return subset_simulation(key.fold("run"), start, level, metropolis(gaussian, 0.5), moves=moves, **options)


def hinges(c):
    """P((X − 2)₊ + (Y − 2)₊ ≥ c) for independent standard normal X, Y."""
    both = quad(lambda h: norm.pdf(2 + h) * norm.sf(2 + c - h), 0, c)[0]
    return norm.sf(2 + c) + norm.cdf(2) * norm.sf(2 + c) + both


def poisson_of_a_normal(x):
    """A Poisson number of mean 3 made of the first column, by inversion."""
    return torch.from_numpy(poisson.ppf(norm.cdf(x[:, 0].numpy()), 3.0))


TIED = {
    "a tail to 1e-8": (lambda x: -float(norm.ppf(1e-8)) - x[:, 0], 1e-8),
    "integers": (lambda x: 4 - x[:, 0].floor(), norm.sf(4)),
    "a Poisson number": (lambda x: 15 - poisson_of_a_normal(x), poisson.sf(14, 3.0)),
    "flat but for two corners": (lambda x: 1.9 - (x - 2).clamp(min=0).sum(1), hinges(1.9)),
    "an atom at the boundary": (lambda x: (2.5 - x[:, 0]).clamp(min=0), norm.sf(2.5)),
    "a plateau on the way": (
        lambda x: 4 - x[:, 0].clamp(max=2.0) - (x[:, 0] - 3).clamp(min=0, max=2),
        norm.sf(5),
    ),
}
"""A level function and the exact probability that it is 0 or less."""


@pytest.mark.parametrize("name", TIED)
def test_exact_probabilities_whatever_ties(name):
    """Unbiased, and the error as large as it is said to be: the root mean square of z over 16 runs within 4
    of its own errors of 1 (S.1).
    """
    level, exact = TIED[name]
    found = [sampled(seed, level) for seed in range(16)]
    ratio = np.array([f.probability for f in found]) / exact
    stated = np.array([f.relative_error for f in found])
    size = math.sqrt((stated**2).mean())
    assert all(f.reached and f.levels[-1] == 0 for f in found)
    assert all(b > c for f in found for b, c in pairwise(f.levels))
    assert abs(ratio.mean() - 1) < 4 * size / 16**0.5
    assert abs(math.sqrt(((ratio - 1) ** 2).mean()) / size - 1) < 4 / 32**0.5


def test_levels_that_tie_are_counted():
    """A level is between two values, and its factor the share beyond it: 0 or 1 of a coin, the faces of a
    die.
    """
    coin = sampled(0, lambda x: torch.where(x[:, 0] > 0, -1.0, 1.0).double())
    assert coin.levels == (0.0,) and abs(coin.probability - 0.5) < 4 * 0.5 / 1000**0.5
    found = sampled(3, lambda x: 2 - (x[:, 0] / 1.5).floor(), moves=3)
    assert (
        found.levels == (1.5, 0.0) and abs(found.probability / norm.sf(3) - 1) < 4 * found.relative_error < 2
    )


def test_a_start_all_inside_is_certain():
    found = sampled(0, lambda x: -torch.ones(len(x), dtype=F64))
    assert found.reached and found.probability == 1 and found.relative_error == 0 and found.levels == (0.0,)


@pytest.mark.parametrize("value", [1.0, math.inf])
def test_a_start_all_tied_is_not_reached(value):
    """Nothing to go down by: what 1,000 samples without one inside support, about 3/n."""
    found = sampled(0, lambda x: torch.full((len(x),), value, dtype=F64))
    assert not found.reached and found.levels == () and found.at_most == pytest.approx(1 - 0.05 ** (1 / 1000))
    assert str(found) == "not reached in 1 level: below about 0.003 (estimate, not a bound)"


def test_a_plateau_without_an_end_is_not_reached():
    """A level that falls to 1 and no further: P(level ≤ 1) = .00135 is what is known, and no less."""
    found = sampled(1, lambda x: 1 + (3 - x[:, 0]).clamp(min=0))
    assert not found.reached and 0.00135 / 2 < found.at_most < 0.00135 * 3
    assert "nan" not in str(found) and "below about" in str(found)


def test_neighbouring_floats_are_two_levels():
    one, next_to = 1.0, math.nextafter(1.0, 2.0)
    found = sampled(0, lambda x: 1 + (x[:, 0] <= 1.3).double() * (next_to - one) - (x[:, 0] > 3).double())
    assert found.levels[0] == one and abs(found.probability / norm.sf(3) - 1) < 4 * found.relative_error


def test_a_level_that_is_nan_is_refused():
    with pytest.raises(ValueError, match="NaN for 1000 of 1000"):
        sampled(0, lambda x: x[:, 0] * math.nan)


def test_the_kernel_keeps_its_law():
    x = Key(0).normal(torch.empty(20_000, 1, dtype=F64))
    move = metropolis(gaussian, 0.9)
    for i in range(5):
        x = move(Key(1).fold(i), x)
    assert abs(float(x.var()) - 1) < 4 * (2 / 20_000) ** 0.5 and abs(float(x.mean())) < 4 / 20_000**0.5
    with pytest.raises(ValueError, match="step_size"):
        metropolis(gaussian, 0.0)


def test_numbers_that_do_not_fit_are_refused():
    for options in ({"n": 1005}, {"keep": 0.3}, {"keep": 1.0}, {"n": 10}, {"moves": 0}, {"most": 0}):
        with pytest.raises(ValueError, match="subset_simulation"):
            estimate(0, 1e-3, **options)
