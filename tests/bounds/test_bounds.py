"""The bounds against closed forms, scipy's own binomial law, and exact coverage."""

import math
from decimal import Decimal
from fractions import Fraction

import pytest
from scipy.stats import beta as beta_law
from scipy.stats import binom

from barriers.budget import budget
from lem_safe.bounds.clopper_pearson import (
    interval,
    lower_bound,
    samples_needed,
    smallest_beta,
    upper_bound,
)


def test_known_truths():
    low, high = interval(250, 5000, 0.95)
    assert (round(low, 5), round(high, 5)) == (0.04412, 0.05641)
    assert upper_bound(0, 5000, 0.95) == pytest.approx(5.990e-4, abs=5e-8)
    assert upper_bound(0, 5000, 0.95) == pytest.approx(smallest_beta(5000, 0.95), rel=1e-10)


@pytest.mark.parametrize(("k", "n"), [(0, 7), (1, 7), (6, 7), (7, 7), (40, 5000)])
def test_against_the_beta_quantiles(k, n):
    upper = 1.0 if k == n else beta_law.ppf(0.9, k + 1, n - k)
    lower = 0.0 if k == 0 else beta_law.ppf(0.1, k, n - k + 1)
    assert upper_bound(k, n, 0.9) == pytest.approx(upper, rel=1e-9)
    assert lower_bound(k, n, 0.9) == pytest.approx(lower, rel=1e-9)


@pytest.mark.parametrize("p", [0.001, 0.003, 0.01, 0.05, 0.3])
@pytest.mark.parametrize("n", [20, 300, 2000])
def test_exact_coverage_is_at_least_nominal(p, n):
    weights = binom.pmf(range(n + 1), n, p)
    above = sum(w for k, w in enumerate(weights) if upper_bound(k, n, 0.95) >= p)
    below = sum(w for k, w in enumerate(weights) if lower_bound(k, n, 0.95) <= p)
    ends = [interval(k, n, 0.95) for k in range(n + 1)]
    both = sum(w for (low, high), w in zip(ends, weights, strict=True) if low <= p <= high)
    assert above >= 0.95 and below >= 0.95 and both >= 0.95
    if n * p > 60:
        return  # there the normal approximation begins to do
    wald = sum(w for k, w in enumerate(weights) if k / n + 1.645 * math.sqrt(k / n * (1 - k / n) / n) >= p)
    assert wald < 0.95  # the planted fault: the normal approximation does not cover


def test_budget_is_not_rounded_up_or_down():
    assert [budget(b, 100) for b in (0.07, 0.29, 0.57, 0.58)] == [7, 29, 57, 58]
    assert [int(b * 100) for b in (0.29, 0.57, 0.58)] == [
        28,
        56,
        57,
    ]  # what binary arithmetic would have said
    assert budget(1e-4, 9_999) == 0 and budget(1e-4, 10_000) == 1
    assert budget("0.01", 5) == budget(Decimal("0.01"), 5) == 0 and budget(Fraction(1, 3), 3) == 1
    for bad in (1, 1.5, -0.1):
        with pytest.raises(ValueError, match="0 <= beta < 1"):
            budget(bad, 10)


def test_samples_needed_is_the_first_size_that_decides():
    n = samples_needed(0.01, 0.003, 0.95)
    assert upper_bound(0.003 * n, n, 0.95) <= 0.01 < upper_bound(0.003 * (n - 1), n - 1, 0.95)
    n = samples_needed(0.01, 0.02, 0.95)
    assert lower_bound(0.02 * n, n, 0.95) > 0.01 >= lower_bound(0.02 * (n - 1), n - 1, 0.95)
    assert samples_needed(0.01, 0.0, 0.95) == math.ceil(math.log(0.05) / math.log(0.99))
    assert samples_needed(0.01, 0.01, 0.95) is None and samples_needed(0.0, 0.0, 0.95) is None
