"""How columns go together, two at a time, as one matrix (J.2): of ordered columns Spearman's rank
correlation, in [−1, 1]; of categories Cramér's V; of a category and an ordered column the correlation ratio
of its ranks. V and the ratio are corrected for their bias, which grows with the number of levels, and are in
[0, 1].

A missing cell of a category is a level of its own; of ordered columns the rows count in which both are there.
"""

from itertools import combinations

import numpy as np
from jaxtyping import Float, Int
from scipy.stats import rankdata

from lem_safe.judging.table import Table

Matrix = Float[np.ndarray, "d d"]


def associations(table: Table) -> Matrix:
    """The matrix of all columns, 1 on its diagonal; 0 where one of the two does not vary."""
    found = np.eye(len(table.columns))
    ordered, rest = np.flatnonzero(table.ordered), np.flatnonzero(~table.ordered)
    ranks = _ranks(table.values[:, ordered])
    found[np.ix_(ordered, ordered)] = _correlations(ranks)
    codes = {i: _codes(table.values[:, i]) for i in rest}
    for i in rest:
        found[i, ordered] = found[ordered, i] = _ratios(codes[i], ranks)
    for i, j in combinations(rest, 2):
        found[i, j] = found[j, i] = cramers_v(codes[i], codes[j])
    np.fill_diagonal(found, 1.0)
    return found


def correlations(table: Table) -> Matrix:
    """Pearson's correlations of the ordered columns; 0 for the others."""
    found = np.zeros((len(table.columns),) * 2)
    ordered = np.flatnonzero(table.ordered)
    found[np.ix_(ordered, ordered)] = _correlations(table.values[:, ordered])
    return found


def cramers_v(x: Int[np.ndarray, "n"], y: Int[np.ndarray, "n"]) -> float:
    """Cramér's V of levels numbered from 0, corrected for its bias; 0 where one does not
    vary.
    """
    n = len(x)
    table = np.bincount(x * (int(y.max()) + 1) + y, minlength=(int(x.max()) + 1) * (int(y.max()) + 1))
    counts = table.reshape(int(x.max()) + 1, -1).astype(np.float64)
    counts = counts[counts.sum(1) > 0][:, counts.sum(0) > 0]
    r, k = counts.shape
    if n < 2 or min(r, k) < 2:
        return 0.0
    expected = np.outer(counts.sum(1), counts.sum(0)) / n
    φ2 = float(((counts - expected) ** 2 / expected).sum()) / n
    φ2 = max(0.0, φ2 - (k - 1) * (r - 1) / (n - 1))
    rows, columns = (m - (m - 1) ** 2 / (n - 1) for m in (r, k))
    least = min(rows, columns) - 1
    return float(min(1.0, np.sqrt(φ2 / least))) if least > 0 else 0.0


def _codes(values: Float[np.ndarray, "n"]) -> Int[np.ndarray, "n"]:
    """Levels numbered from 0 without gaps, missing cells as one more."""
    return np.unique(np.nan_to_num(values, nan=-1.0), return_inverse=True)[1].astype(np.int64)


def _ranks(values: Float[np.ndarray, "n k"]) -> Float[np.ndarray, "n k"]:
    """Mean ranks in each column among the cells that are there."""
    if not values.size:
        return values
    return rankdata(values, axis=0, nan_policy="omit").astype(np.float64)


def _correlations(values: Float[np.ndarray, "n k"]) -> Float[np.ndarray, "k k"]:
    """Pearson's correlations over the rows in which both columns are there; 0 where one does not vary."""
    there = ~np.isnan(values)
    x = np.where(there, values, 0.0)
    x /= np.abs(x).max(0, initial=1e-300)
    x -= np.where(there, x.sum(0) / np.maximum(there.sum(0), 1), 0.0)
    size = np.abs(x).max(0, initial=0.0)
    x = np.where(size > 1e-14, x / np.maximum(size, 1e-300), 0.0)
    m = there.astype(np.float64)
    n, sums, squares = m.T @ m, x.T @ m, (x * x).T @ m
    n = np.maximum(n, 1.0)
    covariance = x.T @ x / n - sums * sums.T / n**2
    variance = squares / n - (sums / n) ** 2
    varies = (variance > 1e-12) & (variance.T > 1e-12)
    root = np.sqrt(np.where(varies, variance * variance.T, 1.0))
    return np.clip(np.where(varies, covariance / root, 0.0), -1.0, 1.0)


def _ratios(codes: Int[np.ndarray, "n"], ranks: Float[np.ndarray, "n k"]) -> Float[np.ndarray, "k"]:
    """The correlation ratio of each column of ranks given the level: the root of the share of the variance
    between levels, 1 − (1 − η²)(n − 1)/(n − levels), or 0 where that is negative.
    """
    there = ~np.isnan(ranks)
    x = np.where(there, ranks, 0.0)
    levels = int(codes.max()) + 1
    found = np.zeros(ranks.shape[1])
    for j in range(ranks.shape[1]):
        counts = np.bincount(codes, there[:, j], levels)
        n, some = counts.sum(), int((counts > 0).sum())
        if n <= some or some < 2:
            continue
        centred = np.where(there[:, j], x[:, j] - x[:, j].sum() / n, 0.0)
        total = (centred**2).sum()
        between = np.bincount(codes, centred, levels) ** 2 / np.maximum(counts, 1)
        if total > 0:
            found[j] = np.sqrt(max(0.0, 1 - (1 - between.sum() / total) * (n - 1) / (n - some)))
    return found
