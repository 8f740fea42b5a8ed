"""How near samples are to real rows, to see copies (J.5).

    d²(x, y) = Σ_ordered (x − y)²/2σ²  +  Σ_categories 1[x ≠ y],

σ the real standard deviation: of two unrelated rows each ordered column adds 1 on average, and a category at
most 1. A cell that is missing in one row alone adds 1, in both nothing. Copies are rows equal in every cell.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from lem_safe.judging.table import Table

PERMUTATIONS = 10
BLOCK = 4_000_000
"""Distances in memory at a time."""


@dataclass(frozen=True)
class Metric:
    """The scales of a table's columns: each ordered one by its standard deviation, and what is constant by
    its size.
    """

    centre: Float[np.ndarray, "d"]
    scale: Float[np.ndarray, "d"]

    def squared(self, x: Table, y: Table) -> Float[np.ndarray, "n m"]:
        """d² of every pair of rows."""
        ordered = x.ordered
        a, b = ((t.values[:, ordered] - self.centre) / self.scale for t in (x, y))
        m, w = ((~np.isnan(z)).astype(np.float64) for z in (a, b))
        a, b = np.nan_to_num(a), np.nan_to_num(b)
        found = (a * a) @ w.T + m @ (b * b).T - 2 * a @ b.T
        if not (m.all() and w.all()):
            found += m @ (1 - w).T + (1 - m) @ w.T
        for i in np.flatnonzero(~ordered):
            u, v = (np.nan_to_num(t.values[:, i], nan=-1.0) for t in (x, y))
            found += u[:, None] != v[None, :]
        return np.maximum(np.round(found, 9), 0.0)


def metric_of(real: Table) -> Metric:
    """The metric of the real rows."""
    values = real.values[:, real.ordered]
    if not values.size:
        return Metric(np.zeros(values.shape[1]), np.ones(values.shape[1]))
    there = ~np.isnan(values)
    n = np.maximum(there.sum(0), 1)
    centre = np.where(there, values / n, 0.0).sum(0)
    away = np.where(there, values - centre, 0.0)
    size = np.abs(away).max(0)
    unit = np.where(size > 0, size, 1.0)
    sd = unit * np.sqrt(((away / unit) ** 2).sum(0) / n)
    known = sd > 1e-14 * np.abs(centre)
    scale = np.where(known & (sd > 0), np.sqrt(2) * sd, np.where(centre != 0, np.abs(centre), 1.0))
    return Metric(centre, scale)


def nearest(x: Table, y: Table, metric: Metric) -> Float[np.ndarray, "n"]:
    """The distance of every row of x to its nearest row of y."""
    return np.sqrt(np.concatenate([d.min(1) for d in _blocks(x, y, metric)]))


def shares_nearer(
    x: Table, trained: Table, held: Table, metric: Metric, rng: np.random.Generator
) -> tuple[float, Float[np.ndarray, "p"]]:
    """The share of x that is nearer to the first of two tables of equal size than to the second, ties counted
    half; and the same of PERMUTATIONS random partings of all these rows, which is what chance makes of it.
    """
    both = Table(trained.columns, np.concatenate([trained.values, held.values]), trained.source)
    own = np.arange(len(both)) < len(trained)
    sides = [own, *(rng.permutation(own) for _ in range(PERMUTATIONS))]
    counts = np.zeros(len(sides))
    for d in _blocks(x, both, metric):
        counts += [_nearer(d, side) for side in sides]
    found = counts / len(x)
    return float(found[0]), found[1:]


def _nearer(d: Float[np.ndarray, "n m"], side: Bool[np.ndarray, "m"]) -> float:
    near, far = d[:, side].min(1), d[:, ~side].min(1)
    return float((near < far).sum() + (near == far).sum() / 2)


def _blocks(x: Table, y: Table, metric: Metric) -> Iterator[Float[np.ndarray, "b m"]]:
    """d² of some rows of x at a time."""
    size = max(1, BLOCK // max(1, len(y)))
    for start in range(0, len(x), size):
        yield metric.squared(x.rows(np.arange(start, min(start + size, len(x)))), y)


def copies(x: Table, y: Table) -> int:
    """How many rows of x are equal to some row of y, in every cell."""
    return int(np.isin(_keys(x), _keys(y)).sum())


def repeats(x: Table) -> int:
    """How many rows of x are equal to an earlier one."""
    return len(x) - len(np.unique(_keys(x)))


def _keys(table: Table) -> np.ndarray:
    """Rows as comparable values, all missing cells alike and −0 as 0."""
    values = np.where(np.isnan(table.values), np.nan, table.values) + 0.0
    return np.ascontiguousarray(values).view(np.dtype((np.void, values.shape[1] * 8))).ravel()
