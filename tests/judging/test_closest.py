"""Nearest rows and copies: the distance against a naive one, copies counted exactly, and memorised rows seen
where held-out rows are there.
"""

import numpy as np
import pytest
from judged import mixed, table

from lem_safe.judging.closest import copies, metric_of, nearest, repeats, shares_nearer
from lem_safe.judging.effort import BRIEF
from lem_safe.judging.near import distances, nearer


def naive(x, y, real) -> np.ndarray:
    found = np.zeros((len(x), len(y)))
    for i, column in enumerate(real.columns):
        u, v = x.values[:, i][:, None], y.values[:, i][None, :]
        one = np.isnan(u) ^ np.isnan(v)
        both = ~np.isnan(u) & ~np.isnan(v)
        σ = np.nanstd(real.values[:, i])
        far = (u - v) ** 2 / (2 * σ**2) if column.ordered else (u != v).astype(float)
        found += np.where(both, far, one)
    return found


def test_the_distance_is_that_of_its_formula() -> None:
    real, x, y = mixed(40, 0), mixed(30, 1), mixed(20, 2)
    metric = metric_of(real)
    np.testing.assert_allclose(metric.squared(x, y), naive(x, y, real), atol=2e-9)
    np.testing.assert_allclose(nearest(x, y, metric), np.sqrt(naive(x, y, real).min(1)), atol=1e-4)
    assert (nearest(x, x, metric) == 0).all()


def test_columns_that_do_not_vary_or_are_huge_are_no_hindrance() -> None:
    t = table(np.full(5, 7.0), np.zeros(5), np.arange(5) * 1e300, np.full(5, np.nan))
    d = metric_of(t).squared(t, t)
    assert np.isfinite(d).all() and (np.diag(d) == 0).all() and d[0, 4] > d[0, 1] > 0


def test_copies_are_counted_exactly() -> None:
    real = mixed(200, 0)
    new = mixed(100, 1)
    new.values[:17] = real.values[50:67]
    new.values[20:23] = new.values[23]
    assert copies(new, real) == 17 and repeats(new) == 3 and repeats(real) == 0
    assert copies(table([0.0, np.nan]), table([-0.0, np.nan])) == 2
    assert copies(table([1.0]), table([1.0 + 1e-15])) == 0


def test_memorised_rows_are_nearer_to_the_training_rows() -> None:
    trained, held = mixed(400, 0), mixed(400, 1)
    rng = np.random.default_rng(0)
    copied = trained.rows(rng.integers(0, 400, 200))
    copied.values[:, 0] += 0.01 * rng.normal(size=200)
    for samples, remembered in ((copied, True), (mixed(200, 2), False)):
        (measure,), why = nearer(trained, samples, held, BRIEF, 0)
        assert measure.within is not remembered and not why
        assert (measure.beside.found > 0.9) is remembered
        assert abs(measure.beside.floor - 0.5) < 4 * measure.beside.floor_sd


def test_ties_count_half() -> None:
    same = table(np.zeros(10))
    share, chance = shares_nearer(same, same, same, metric_of(same), np.random.default_rng(0))
    assert share == 0.5 and (chance == 0.5).all()


def test_without_rows_held_out_it_is_said_that_memory_is_not_seen() -> None:
    found, why = nearer(mixed(20, 0), mixed(20, 1), None, BRIEF, 0)
    assert not found and "--holdout FILE" in why[0]


def test_copies_are_too_near_and_another_place_too_far() -> None:
    real = mixed(300, 0)
    rng = np.random.default_rng(1)
    near, far, alike = real.rows(rng.integers(0, 300, 150)), mixed(150, 2, shift=6.0), mixed(150, 3)
    ours = [distances(real, t, BRIEF, 0, lambda: None)[0] for t in (near, far, alike)]
    assert [m.within for m in ours] == [False, False, True]
    assert ours[0].beside.found < ours[0].beside.floor < ours[1].beside.found


@pytest.mark.parametrize("n", [1, 2])
def test_one_or_two_rows(n: int) -> None:
    t = mixed(n, 0)
    assert len(distances(t, t, BRIEF, 0, lambda: None)) == n - 1
