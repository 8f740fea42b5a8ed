"""One column at a time: the distance of two distributions, missing cells, and the range.

    KS = max |F_x − F_y| of ordered cells;   TV = ½ Σ |p_k − q_k| of categories,

both over the cells that are there (J.1). Of m independent real cells and one more of the same continuous
distribution, the mass beyond the range has the distribution Beta(2, m − 1), of mean 2/(m + 1); the mass of
categories that have not occurred is about N₁/m, N₁ the number of those that occurred once (J.6).
"""

import numpy as np
from jaxtyping import Float

from lem_safe.judging.table import Table

Values = Float[np.ndarray, "_"]


def ks_distance(x: Values, y: Values) -> float:
    """The largest difference of the two distribution functions of at least one number each, ties included."""
    x, y = np.sort(x), np.sort(y)
    at = np.concatenate([x, y])
    ours = np.searchsorted(x, at, side="right") / len(x)
    theirs = np.searchsorted(y, at, side="right") / len(y)
    return float(np.abs(ours - theirs).max())


def total_variation(x: Values, y: Values, levels: int) -> float:
    """Half the sum of the differences of the shares of the levels, of at least one cell each."""
    ours, theirs = (np.bincount(z.astype(int), minlength=levels) / len(z) for z in (x, y))
    return float(np.abs(ours - theirs).sum() / 2)


def distances(a: Table, b: Table) -> Float[np.ndarray, "d"]:
    """KS or TV of every column; 0 where all cells of both are missing, 1 where those of one are."""
    found = []
    for i, column in enumerate(a.columns):
        x, y = (z[~np.isnan(z)] for z in (a.values[:, i], b.values[:, i]))
        if not len(x) or not len(y):
            found.append(float(len(x) != len(y)))
        elif column.levels is None:
            found.append(ks_distance(x, y))
        else:
            found.append(total_variation(x, y, len(column.levels)))
    return np.array(found)


def missing(table: Table) -> Float[np.ndarray, "d"]:
    """The share of missing cells of every column."""
    return np.isnan(table.values).mean(0)


def outside(real: Table, samples: Table) -> Float[np.ndarray, "d"]:
    """The share of the samples' cells beyond the range of the real ones, or with a level that these do not
    have; of those that are there.
    """
    found = np.zeros(len(real.columns))
    for i, column in enumerate(real.columns):
        x, y = (z[~np.isnan(z)] for z in (samples.values[:, i], real.values[:, i]))
        if not len(x):
            continue
        if not len(y):
            found[i] = 1.0
        elif column.levels is None:
            found[i] = ((x < y.min()) | (x > y.max())).mean()
        else:
            found[i] = (~np.isin(x, y)).mean()
    return found


def outside_by_chance(
    real: Table, samples: Table, draws: int, rng: np.random.Generator
) -> Float[np.ndarray, "r d"]:
    """What `outside` is of samples from the distribution of the real rows (J.6), drawn `draws` times."""
    found = np.zeros((draws, len(real.columns)))
    for i, column in enumerate(real.columns):
        y = real.values[:, i]
        y = y[~np.isnan(y)]
        m, n = len(y), int((~np.isnan(samples.values[:, i])).sum())
        if not m or not n:
            continue
        if column.ordered:
            mass = rng.beta(2, m - 1, draws) if m > 1 else np.ones(draws)
        else:
            once = int((np.unique(y, return_counts=True)[1] == 1).sum())
            mass = np.minimum(rng.poisson(once, draws) / m, 1.0)
        found[:, i] = rng.binomial(n, mass) / n
    return found


def spread_ratios(real: Table, samples: Table) -> Float[np.ndarray, "d"]:
    """The samples' standard deviation over the real one, of ordered columns; NaN where the real cells do not
    vary, or where one table has none.
    """
    found = np.full(len(real.columns), np.nan)
    for i, column in enumerate(real.columns):
        x, y = (z[~np.isnan(z)] for z in (samples.values[:, i], real.values[:, i]))
        if column.ordered and len(x) and len(y) and np.ptp(y) > 0:
            scale = np.abs(y).max() or 1.0
            found[i] = (x / scale).std() / (y / scale).std()
    return found


def whole(table: Table) -> Float[np.ndarray, "d"]:
    """The share of whole numbers among the numbers of every column; NaN where it holds none."""
    found = np.full(len(table.columns), np.nan)
    for i, column in enumerate(table.columns):
        x = table.values[:, i]
        x = x[~np.isnan(x)]
        if column.kind == "number" and column.ordered and len(x):
            found[i] = (x == np.rint(x)).mean()
    return found
