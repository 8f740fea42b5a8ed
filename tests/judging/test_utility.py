"""Trained on samples, tested on real rows."""

import numpy as np
import pytest
from judged import table

from lem_safe.judging.utility import classified, r_squared, utility


def rows(n: int, seed: int, signal: float = 3.0):
    """Two predictors, a class of one of them, a number of the other."""
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=(2, n))
    kind = (signal * x + rng.normal(size=n) > 0).astype(int) + 2 * 0
    return table(x, y, kind, signal * y + rng.normal(size=n), levels={2: 2})


def test_a_class_is_learned_from_samples_as_well_as_from_real_rows() -> None:
    found, other = (utility(rows(400, k), rows(300, 9), 2, 0, classes=True) for k in (0, 1))
    assert found.r2 is None and found.auc > 0.9 and found.accuracy > 0.8
    assert abs(found.auc - other.auc) < 0.05 and found.main == found.auc


def test_samples_without_the_dependence_teach_nothing() -> None:
    found = utility(rows(400, 0, signal=0.0), rows(300, 9), 2, 0, classes=True)
    assert abs(found.auc - 0.5) < 0.2


def test_a_number_is_predicted_and_r2_is_its_formula() -> None:
    found = utility(rows(400, 0), rows(300, 9), 3, 0, classes=False)
    assert found.auc is None and 0.7 < found.r2 < 1 and found.main == found.r2
    assert r_squared(np.array([0.0, 1, 2]), np.array([0.0, 1, 3])) == pytest.approx(0.5)


def test_several_classes_and_one_that_the_samples_lack() -> None:
    rng = np.random.default_rng(3)
    x = rng.normal(size=600)
    real = table(x, np.digitize(x, [-0.5, 0.5]), levels={1: 3})
    without = real.rows(np.flatnonzero(real.values[:, 1] < 2))
    assert utility(real, real, 1, 0, classes=True).auc > 0.99
    assert 0.5 < utility(without, real, 1, 0, classes=True).auc < 0.95


def test_what_is_a_class() -> None:
    t = table([0.0, 1, np.nan], [0.0, 1, 2], [0, 1, 0], levels={2: 2})
    assert [classified(t, i) for i in range(3)] == [True, False, True]


@pytest.mark.parametrize("n", [5, 400])
def test_too_few_rows_or_one_value_give_no_model(n: int) -> None:
    constant = table(np.arange(n), np.zeros(n), levels={1: 2})
    assert utility(constant, constant, 1, 0, classes=True) is None


def test_rows_without_the_target_are_left_out() -> None:
    t = rows(200, 0)
    t.values[::2, 2] = np.nan
    assert utility(t, rows(100, 1), 2, 0, classes=True).auc > 0.85
