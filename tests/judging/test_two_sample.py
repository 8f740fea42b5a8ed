"""The classifier two-sample test: the area under the curve, the folds, the score; and a judge that asks about
the rows it was fitted on, which must be seen.
"""

import numpy as np
import pytest
from judged import mixed, table

from lem_safe.judging import two_sample
from lem_safe.judging.classifiers import boosted, logistic
from lem_safe.judging.two_sample import FOLDS, auc, folds


def test_auc_is_the_share_of_pairs_in_order() -> None:
    rng = np.random.default_rng(0)
    scores, positive = rng.integers(0, 5, 60).astype(float), rng.random(60) < 0.4
    above = scores[positive][:, None] - scores[~positive]
    assert auc(scores, positive) == pytest.approx(((above > 0) + 0.5 * (above == 0)).mean())
    assert auc(scores, np.zeros(60, dtype=bool)) == 0.5


def test_every_row_is_asked_about_once_and_never_fitted_on_then() -> None:
    classes = np.repeat([0, 1], [23, 41])
    asked = []
    for fitted, held in folds(classes, np.random.default_rng(1)):
        assert not set(fitted) & set(held) and len(fitted) + len(held) == 64
        assert abs((classes[held] == 1).sum() - 41 / FOLDS) <= 1
        asked += held.tolist()
    assert sorted(asked) == list(range(64))


def by_the_first(rows, classes, others, seed):
    """A classifier that has nothing to learn: the first column itself."""
    scores = others.values[:, 0]
    return np.stack([1 - scores, scores], 1)


def test_the_score_is_that_of_the_folds() -> None:
    a, b = table(np.zeros(50)), table(np.ones(50))
    assert two_sample.two_sample(a, b, by_the_first, 0) == (1.0, 0.0)
    assert two_sample.two_sample(b, a, by_the_first, 0) == (0.0, 1.0)  # worse than chance is no difference
    assert two_sample.two_sample(a, a, by_the_first, 0) == (0.5, 1.0)


@pytest.mark.parametrize("learner", [boosted, logistic])
def test_a_shift_is_seen_and_equal_distributions_are_not(learner) -> None:
    far = two_sample.two_sample(mixed(300, 0), mixed(300, 1, shift=2.0), learner, 0)
    near = two_sample.two_sample(mixed(300, 0), mixed(300, 1), learner, 0)
    assert far.auc > 0.85 and far.score < 0.3
    assert abs(near.auc - 0.5) < 4 / np.sqrt(6 * 300) and near.score > 0.7


def test_a_judge_that_tests_what_it_fits_is_not_this_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """The planted fault: all rows in every fold. Then equal distributions look different."""
    monkeypatch.setattr(two_sample, "folds", lambda classes, rng: [(np.arange(len(classes)),) * 2] * FOLDS)
    assert two_sample.two_sample(mixed(150, 0), mixed(150, 1), boosted, 0).auc > 0.9


def test_columns_without_a_cell_and_constant_ones_are_no_hindrance() -> None:
    n = 40
    void = table(np.full(n, np.nan), np.ones(n), np.zeros(n), levels={2: 1})
    for learner in (boosted, logistic):
        assert two_sample.two_sample(void, void, learner, 0).auc == pytest.approx(0.5)
    only = table(np.full(n, np.nan))
    assert two_sample.two_sample(only, only, boosted, 0).auc == pytest.approx(0.5)
