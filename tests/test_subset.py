"""Subset simulation: Gaussian half-spaces, whose tails are known to any depth."""

import math

import numpy as np
import pytest
import torch
from scipy.stats import norm

from lem_safe.keys import Key
from lem_safe.subset import metropolis, subset_simulation

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


@pytest.mark.parametrize("tail", [1e-4, 1e-6])
def test_known_tails_within_the_stated_error(tail):
    runs = 16
    found = [estimate(seed, tail) for seed in range(runs)]
    ratio = np.array([f.probability for f in found]) / tail
    stated = np.sqrt(np.mean([f.relative_error**2 for f in found]))
    assert abs(ratio.mean() - 1) < 4 * stated / runs**0.5  # no bias that shows
    assert abs(math.log(ratio.std(ddof=1) / stated)) < 4 / (2 * runs) ** 0.5 + 0.1  # the error is as large as it says
    assert all(f.reached and abs(len(f.levels) + math.log10(tail)) < 1.5 for f in found)
    assert all(b > c for f in found for b, c in zip(f.levels, f.levels[1:], strict=False))


def test_what_is_common_is_counted_directly():
    found = estimate(0, 0.3, n=4000)
    assert found.levels == (0.0,) and abs(found.probability - 0.3) < 4 * (0.3 * 0.7 / 4000) ** 0.5
    assert found.relative_error == pytest.approx(((1 - found.probability) / (found.probability * 4000)) ** 0.5)


def test_a_region_out_of_reach_is_said_to_be():
    found = estimate(0, 1e-9, most=3)
    assert not found.reached and found.probability == 0 and found.relative_error == math.inf and "not reached" in str(found)
    assert "estimate, not a bound" in str(estimate(0, 1e-2))


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
