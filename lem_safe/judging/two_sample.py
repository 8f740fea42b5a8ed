"""The classifier two-sample test: can a classifier tell samples from real rows (J.3)?

Every row is judged by a classifier that was fitted on other rows (cross-validation in K folds). With AUC_k
the area under the curve in fold k,

    score = 1 − mean_k (2·max(AUC_k, ½) − 1),

which is 1 where the two cannot be told apart and 0 where they always can.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from lem_safe.judging.classifiers import Learner
from lem_safe.judging.table import Table

FOLDS = 5
FEWEST = 25
"""Rows of each table below which there is no test."""


class Detection(NamedTuple):
    """The mean area under the curve over the folds, and the score."""

    auc: float
    score: float


def two_sample(a: Table, b: Table, learner: Learner, seed: int) -> Detection:
    """The test of two tables of at least FOLDS rows each."""
    rows = Table(a.columns, np.concatenate([a.values, b.values]), a.source)
    classes = np.repeat([0, 1], [len(a), len(b)])
    found = []
    for fitted, held in folds(classes, np.random.default_rng(seed)):
        said = learner(rows.rows(fitted), classes[fitted], rows.rows(held), seed)[:, 1]
        found.append(auc(said, classes[held] == 1))
    each = np.array(found)
    return Detection(float(each.mean()), float(1 - (2 * np.maximum(each, 0.5) - 1).mean()))


def folds(
    classes: Int[np.ndarray, "n"], rng: np.random.Generator
) -> Iterator[tuple[Int[np.ndarray, "f"], Int[np.ndarray, "h"]]]:
    """The rows to fit on and the rows to ask about, FOLDS times; each class has its share in each fold."""
    fold = np.empty(len(classes), dtype=np.int64)
    for one in np.unique(classes):
        places = np.flatnonzero(classes == one)
        fold[rng.permutation(places)] = np.arange(len(places)) % FOLDS
    for k in range(FOLDS):
        yield np.flatnonzero(fold != k), np.flatnonzero(fold == k)


def auc(scores: Float[np.ndarray, "n"], positive: Bool[np.ndarray, "n"]) -> float:
    """The probability that a positive row has the higher score, ties counted half; ½ without both."""
    from scipy.stats import rankdata

    k = int(positive.sum())
    if k in (0, len(scores)):
        return 0.5
    ranks = rankdata(scores)
    return float((ranks[positive].sum() - k * (k + 1) / 2) / (k * (len(scores) - k)))
