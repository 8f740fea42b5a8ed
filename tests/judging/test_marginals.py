"""Columns one at a time: KS, TV, missing cells, the range and what chance makes of it."""

import numpy as np
import pytest
from judged import table
from scipy.stats import ks_2samp

from lem_safe.judging.marginals import (
    distances,
    ks_distance,
    missing,
    outside,
    outside_by_chance,
    spread_ratios,
    total_variation,
    whole,
)


def test_ks_of_two_uniform_grids_is_their_shift() -> None:
    x = (np.arange(1024) + 0.5) / 1024
    assert ks_distance(x, x + 0.25) == pytest.approx(0.25)
    assert ks_distance(x, x) == 0 and ks_distance(x, x + 5) == 1


@pytest.mark.parametrize("decimals", [0, 1, 8])
def test_ks_is_scipys_with_ties_and_unequal_sizes(decimals: int) -> None:
    rng = np.random.default_rng(decimals)
    x, y = rng.normal(size=200).round(decimals), rng.normal(0.3, 1, size=77).round(decimals)
    assert ks_distance(x, y) == pytest.approx(ks_2samp(x, y).statistic, abs=1e-12)


def test_total_variation_by_hand() -> None:
    assert total_variation(np.array([0.0, 0, 1, 1]), np.array([0.0, 1, 1, 2]), 3) == pytest.approx(0.25)
    assert total_variation(np.zeros(3), np.ones(7), 2) == 1


def test_distances_leave_out_missing_cells() -> None:
    a = table([1.0, np.nan, 2.0], [0, 1, np.nan], [np.nan] * 3, [np.nan] * 3, levels={1: 2})
    b = table([2.0, 1.0, np.nan], [1, 0, 0], [np.nan] * 3, [1.0, 2.0, 3.0], levels={1: 2})
    np.testing.assert_allclose(distances(a, b), [0, 1 / 6, 0, 1])
    np.testing.assert_allclose(missing(a), [1 / 3, 1 / 3, 1, 1])


def test_outside_counts_cells_beyond_the_range_and_new_categories() -> None:
    real = table([0.0, 1.0], [0, 1], levels={1: 3})
    samples = table([0.0, 1.0, 1.1, -3.0, np.nan], [0, 2, 2, np.nan, np.nan], levels={1: 3})
    np.testing.assert_allclose(outside(real, samples), [0.5, 2 / 3])


def test_the_range_of_independent_cells_is_left_as_often_as_beta_says() -> None:
    rng, m, n, runs = np.random.default_rng(0), 30, 20, 3000
    real, new = rng.normal(size=(runs, m)), rng.normal(size=(runs, n))
    found = ((new < real.min(1)[:, None]) | (new > real.max(1)[:, None])).mean(1)
    said = outside_by_chance(table(real[0]), table(new[0]), runs, rng)[:, 0]
    error = np.hypot(found.std(), said.std()) / np.sqrt(runs)
    assert abs(found.mean() - said.mean()) < 4 * error and abs(said.mean() - 2 / (m + 1)) < 4 * error
    assert said.std() == pytest.approx(found.std(), rel=0.1)


def test_new_categories_occur_as_often_as_single_ones_say() -> None:
    rng, m, runs = np.random.default_rng(1), 100, 400
    shares = rng.dirichlet(np.full(60, 0.5))
    found, said = [], []
    for _ in range(runs):
        real, new = rng.choice(60, m, p=shares), rng.choice(60, m, p=shares)
        a, b = table(real, levels={0: 60}), table(new, levels={0: 60})
        found.append(outside(a, b)[0])
        said.append(outside_by_chance(a, b, 20, rng).mean())
    assert abs(np.mean(found) - np.mean(said)) < 4 * np.std(found) / np.sqrt(runs) + 0.002


def test_spread_ratios_have_no_unit_and_none_where_nothing_varies() -> None:
    x = np.random.default_rng(2).normal(size=50)
    real = table(x, x * 1e300, np.ones(50), np.zeros(50), levels={3: 1})
    samples = table(2 * x, x * 0.5e300, x, np.zeros(50), levels={3: 1})
    ratios = spread_ratios(real, samples)
    np.testing.assert_allclose(ratios[:2], [2, 0.5])
    assert np.isnan(ratios[2:]).all()


def test_whole_numbers_are_counted() -> None:
    found = whole(table([1.0, 2.0, np.nan], [1.0, 1.5, 3.0], [0, 1, 1], levels={2: 2}))
    np.testing.assert_allclose(found[:2], [1, 2 / 3])
    assert np.isnan(found[2])
