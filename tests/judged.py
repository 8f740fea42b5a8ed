"""What tests of the judge have in common: tables by hand, and draws of mixed rows."""

import numpy as np

from lem_safe.judging.table import Column, Table


def table(*columns, levels=None, kinds=None, source="rows") -> Table:
    """A table of numbers; levels: by position, how many a column of categories has."""
    levels, kinds = levels or {}, kinds or {}
    made = tuple(
        Column(
            f"c{i}",
            kinds.get(i, "text" if i in levels else "number"),
            tuple(f"v{k}" for k in range(levels[i])) if i in levels else None,
        )
        for i in range(len(columns))
    )
    return Table(made, np.stack([np.asarray(c, dtype=np.float64) for c in columns], 1), source)


def mixed(n: int, seed: int, shift: float = 0.0) -> Table:
    """A number, whole numbers, a skewed one with missing cells, and two categories, all dependent."""
    rng = np.random.default_rng(seed)
    z = rng.normal(size=(n, 4))
    a = z[:, 0] + shift
    gaps = np.where(rng.random(n) < 0.1, np.nan, np.exp(0.5 * z[:, 0] + z[:, 2]))
    city = np.digitize(z[:, 0] + z[:, 3], [-1.0, 0.3])
    return table(
        a, rng.poisson(np.exp(0.3 * z[:, 1])), gaps, city, rng.integers(0, 4, n), levels={3: 3, 4: 4}
    )
