"""Trained on samples, tested on real rows: what a model of one column learns from samples, beside what it
learns from as many real rows; both are asked about the same held-out real rows (J.4).

A category, or a number with two values, is classified (AUC, of several classes the mean over the pairs of one
against the rest, weighted by their shares; and accuracy); another number is predicted (R²).
"""

from dataclasses import replace
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from lem_safe.judging.classifiers import LEVELS, TREES, boosted, regressed
from lem_safe.judging.table import Table
from lem_safe.judging.two_sample import auc

FEWEST = 25
"""Rows below which no model is trained."""


class Utility(NamedTuple):
    """How well held-out real rows are predicted: AUC and accuracy, or R²; None where not measured."""

    auc: float | None
    accuracy: float | None
    r2: float | None

    @property
    def main(self) -> float:
        """AUC or R²."""
        return next(value for value in (self.auc, self.r2) if value is not None)


def classified(table: Table, target: int) -> bool:
    """Whether the target is predicted as a class: a category, or a number with two values."""
    values = table.values[:, target]
    return not table.columns[target].ordered or len(np.unique(values[~np.isnan(values)])) <= 2


def utility(
    rows: Table, tested: Table, target: int, seed: int, *, classes: bool, trees: int = TREES
) -> Utility | None:
    """A model fitted on `rows` and tested on `tested`, of rows whose target is there; None where too few are,
    or the target does not vary.
    """
    (x, y), (z, t) = (_parted(table, target) for table in (rows, tested))
    if min(len(y), len(t)) < FEWEST or len(np.unique(y)) < 2 or len(np.unique(t)) < 2:
        return None
    if not classes:
        said = regressed(x, y, z, seed, trees)
        return Utility(None, None, r_squared(t, said))
    levels, y = np.unique(y, return_inverse=True)
    if len(levels) > LEVELS:
        return None
    shares = boosted(x, y, z, seed, trees)
    right = levels[shares.argmax(1)] == t
    return Utility(_one_against_rest(shares, levels, t), float(right.mean()), None)


def r_squared(truth: Float[np.ndarray, "n"], said: Float[np.ndarray, "n"]) -> float:
    """1 − the mean square of the errors over the variance."""
    return float(1 - ((truth - said) ** 2).sum() / ((truth - truth.mean()) ** 2).sum())


def _one_against_rest(
    shares: Float[np.ndarray, "n c"], levels: Float[np.ndarray, "c"], truth: Float[np.ndarray, "n"]
) -> float:
    """The AUC of each class that occurs against the rest, weighted by their shares; of two, that of one."""
    there = np.unique(truth)
    weights, found = [], []
    for level in there:
        place = np.flatnonzero(levels == level)
        scores = shares[:, place[0]] if len(place) else np.zeros(len(truth))
        weights.append((truth == level).mean())
        found.append(auc(scores, truth == level))
    return float(np.average(found, weights=weights))


def _parted(table: Table, target: int) -> tuple[Table, Float[np.ndarray, "k"]]:
    """The other columns and the target, of the rows in which it is there."""
    there = ~np.isnan(table.values[:, target])
    others = [i for i in range(len(table.columns)) if i != target]
    columns = tuple(table.columns[i] for i in others)
    rest = replace(table, columns=columns, values=table.values[there][:, others])
    return rest, table.values[there, target]
