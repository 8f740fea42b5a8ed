"""Pairs of columns: against closed forms, scipy, and what independence gives."""

import numpy as np
import pytest
from judged import mixed, table
from scipy.stats import spearmanr

from lem_safe.judging.associations import associations, correlations, cramers_v


def test_ordered_columns_have_spearmans_correlation() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=300)
    y = np.exp(x + rng.normal(size=300)).round(1)
    found = associations(table(x, y, -y))
    assert found[0, 1] == pytest.approx(spearmanr(x, y).statistic)
    assert found[1, 2] == pytest.approx(-1) and (np.diag(found) == 1).all()
    assert correlations(table(x, y))[0, 1] == pytest.approx(np.corrcoef(x, y)[0, 1])


def test_missing_cells_leave_out_their_rows() -> None:
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(2, 200))
    y = x + y
    y[::3] = np.nan
    there = ~np.isnan(y)
    assert correlations(table(x, y))[0, 1] == pytest.approx(np.corrcoef(x[there], y[there])[0, 1])


@pytest.mark.parametrize("offset", [0.0, 1e6, 1.6e15, 1e300])
def test_correlations_do_not_depend_on_place_and_scale(offset: float) -> None:
    rng = np.random.default_rng(2)
    x, y = rng.normal(size=(2, 100))
    scale = max(1.0, offset * 1e-6)
    expected = np.corrcoef(x, x + y)[0, 1]
    found = correlations(table(offset + scale * x, x + y))[0, 1]
    assert found == pytest.approx(expected, abs=1e-6)


def test_cramers_v_by_its_formula() -> None:
    x = np.repeat([0, 0, 1, 1], [30, 10, 15, 45])
    y = np.repeat([0, 1, 0, 1], [30, 10, 15, 45])
    n, chi = 100, 100 * (30 * 45 - 10 * 15) ** 2 / (40 * 60 * 45 * 55)
    unbiased = chi / n - 1 / (n - 1)
    assert cramers_v(x, y) == pytest.approx(np.sqrt(unbiased / (2 - 1 / (n - 1) - 1)))
    assert cramers_v(x, 1 - x) == pytest.approx(1) and cramers_v(x, 0 * x) == 0


def test_cramers_v_of_independent_columns_has_no_bias_that_grows_with_levels() -> None:
    rng = np.random.default_rng(3)
    squares = [cramers_v(*rng.integers(0, 30, (2, 400))) ** 2 for _ in range(200)]
    assert np.mean(squares) < 0.01  # without the correction 29/400 = .07


def test_the_correlation_ratio_of_ranks() -> None:
    rng = np.random.default_rng(4)
    group = rng.integers(0, 3, 600)
    x = group + 0.0
    noise = rng.normal(size=600)
    found = associations(table(x, noise, group, levels={2: 3}))
    assert found[0, 2] == pytest.approx(1) and found[1, 2] < 0.15
    ranks = np.argsort(np.argsort(x + 2 * noise)).astype(float)
    η2 = sum((group == k).sum() * (ranks[group == k].mean() - ranks.mean()) ** 2 for k in range(3))
    η2 /= ((ranks - ranks.mean()) ** 2).sum()
    expected = np.sqrt(1 - (1 - η2) * 599 / 597)
    assert associations(table(x + 2 * noise, group, levels={1: 3}))[0, 1] == pytest.approx(expected)


def test_columns_that_do_not_vary_go_with_nothing() -> None:
    n = 20
    found = associations(table(np.ones(n), np.arange(n), np.full(n, np.nan), np.zeros(n), levels={3: 1}))
    assert (found == np.eye(4)).all()


def test_one_row_and_no_ordered_column() -> None:
    assert (associations(table([1.0], [0], levels={1: 1})) == np.eye(2)).all()
    assert associations(table([0, 1], [1, 0], levels={0: 2, 1: 2})).shape == (2, 2)


def test_the_matrix_is_symmetric_and_bounded() -> None:
    found = associations(mixed(500, 0))
    np.testing.assert_array_equal(found, found.T)
    assert (np.abs(found) <= 1).all() and found[0, 3] > 0.5
