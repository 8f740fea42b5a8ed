"""Learners of scikit-learn on tables of mixed columns: gradient boosting, and logistic regression on standard
scores and one-hot codes. Each is fitted on some rows alone and asked about others.
"""

import warnings
from collections.abc import Callable
from dataclasses import replace
from importlib.util import find_spec
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from lem_safe.errors import BadInput
from lem_safe.judging.table import Column, Table

TREES = 100
"""Of gradient boosting, by default."""
LEVELS = 200
"""Levels of a category that a learner tells apart; the rarest are one (see `table.pooled`)."""

Features = Float[np.ndarray, "n k"]
Learner = Callable[[Table, Int[np.ndarray, "n"], Table, int], Float[np.ndarray, "m c"]]
"""learner(rows, classes, other rows, seed): the probability of each class for the other rows."""


def installed() -> bool:
    """Whether scikit-learn is."""
    return find_spec("sklearn") is not None


def must_be_installed() -> None:
    """Refuses to go on without scikit-learn."""
    if not installed():
        raise BadInput("the classifiers need scikit-learn: pip install 'lem-safe[data]'")


def boosted(
    rows: Table, classes: Int[np.ndarray, "n"], others: Table, seed: int, trees: int = TREES
) -> Float[np.ndarray, "m c"]:
    """Gradient boosting of trees; missing cells are a value of their own."""
    from sklearn.ensemble import HistGradientBoostingClassifier

    rows, others = _there(rows, others)
    with np.errstate(over="ignore"):
        model = HistGradientBoostingClassifier(**_settings(rows, seed, trees)).fit(rows.values, classes)
    return np.asarray(model.predict_proba(others.values))


def regressed(
    rows: Table, target: Float[np.ndarray, "n"], others: Table, seed: int, trees: int = TREES
) -> Float[np.ndarray, "m"]:
    """The same for numbers, by least squares."""
    from sklearn.ensemble import HistGradientBoostingRegressor

    rows, others = _there(rows, others)
    with np.errstate(over="ignore"):
        model = HistGradientBoostingRegressor(**_settings(rows, seed, trees)).fit(rows.values, target)
    return np.asarray(model.predict(others.values))


def logistic(
    rows: Table, classes: Int[np.ndarray, "n"], others: Table, seed: int
) -> Float[np.ndarray, "m c"]:
    """Logistic regression."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    x, y = _linear(rows, others)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model = LogisticRegression(max_iter=200, random_state=seed).fit(x, classes)
    return np.asarray(model.predict_proba(y))


def _there(rows: Table, others: Table) -> tuple[Table, Table]:
    """Both without the columns in which all cells of the first are missing, which trees cannot split; one
    column of zeros where that is all.
    """
    kept = np.flatnonzero(~np.isnan(rows.values).all(0))
    if not len(kept):
        only = (Column("none", "number"),)
        return replace(rows, columns=only, values=np.zeros((len(rows), 1))), replace(
            others, columns=only, values=np.zeros((len(others), 1))
        )
    columns = tuple(rows.columns[i] for i in kept)
    first, second = (replace(t, columns=columns, values=t.values[:, kept]) for t in (rows, others))
    return first, second


def _settings(rows: Table, seed: int, trees: int) -> dict[str, Any]:
    return {
        "max_iter": trees,
        "early_stopping": False,
        "categorical_features": ~rows.ordered,
        "random_state": seed,
    }


def _linear(rows: Table, others: Table) -> tuple[Features, Float[np.ndarray, "m k"]]:
    """Standard scores by the first table's moments, and one column for each level and for missing cells."""
    ours: list[np.ndarray] = []
    theirs: list[np.ndarray] = []
    for i, column in enumerate(rows.columns):
        x, y = rows.values[:, i], others.values[:, i]
        codes = np.arange(len(column.levels)) if column.levels is not None else ()
        for found, z in ((ours, x), (theirs, y)):
            gaps = np.isnan(z)
            if column.ordered:
                found.append(np.where(gaps, 0.0, _standard(z, x)))
            found += [z == code for code in codes]
            if np.isnan(x).any():
                found.append(gaps)
    return np.stack(ours, 1).astype(np.float64), np.stack(theirs, 1).astype(np.float64)


def _standard(z: Float[np.ndarray, "n"], x: Float[np.ndarray, "m"]) -> Float[np.ndarray, "n"]:
    """Standard scores by the moments of x, cut at 10; 0 where x does not vary or is missing."""
    x = x[~np.isnan(x)]
    if not len(x) or np.ptp(x) == 0:
        return np.zeros_like(z)
    scale = np.abs(x).max()
    return np.clip((z / scale - (x / scale).mean()) / (x / scale).std(), -10.0, 10.0)
