"""What is said of rows before an energy is learned from them: a code that stands for a missing value, too few
rows.

A code such as −9999 is one value that several rows share, outside all others of its column, farther than FAR
of their standard deviations from their middle and farther than ALONE of them from the nearest. The spread of
the others is that of their quartiles, IQR/1.349, or where that is 0 their standard deviation. A density has
no such place, so an energy learns a mode there, and what it learns of the rest is spread over the gap.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from lem_safe.data.images import ImageSource
from lem_safe.data.source import Dataset, DataSource
from lem_safe.formatting import percent

FAR, ALONE = 10.0, 5.0
FEWEST, CODES = 3, 4
"""Rows that share a code, at least; codes that a column may have."""
EACH = 10
"""Rows per column below which it is said that they are few."""


class Code(NamedTuple):
    """One value that seems to stand for a missing one: its column, in how many rows, how far from the others,
    in their standard deviations.
    """

    column: str
    value: float
    rows: int
    distance: float
    low: float
    high: float


def concerns(source: DataSource, rows: Dataset) -> tuple[str, ...]:
    """A sentence for each; nothing of pictures, whose columns are pixels."""
    if isinstance(source, ImageSource):
        return ()
    n, d = rows.values.shape
    values = rows.values.numpy()
    found = [code for i, name in enumerate(rows.columns) for code in codes(name, values[:, i])]
    said = [
        f"data: column '{c.column}': {c.rows:,} of {n:,} rows ({percent(c.rows / n)}) are exactly "
        f"{c.value:g}, {c.distance:,.0f} standard deviations "
        f"from the others ({c.low:g} to {c.high:g}): a code for a missing value? The energy would learn it "
        "as a mode; remove these rows, or leave "
        "the column out with columns:"
        for c in found
    ]
    if n < EACH * d:
        said.append(
            f"data: {n:,} rows are few for {d:,} columns, {n / d:.3g} rows per column where {EACH} or more "
            "are advised: the energy may be far from "
            "the data; use more rows or fewer columns"
        )
    return tuple(said)


def codes(name: str, values: Float[np.ndarray, "n"]) -> list[Code]:
    """The codes of one column, the farthest first."""
    found: list[Code] = []
    rest = np.sort(values)
    while len(found) < CODES and len(rest) > 2 * FEWEST:
        ends = [(float(v), rest[rest != v]) for v in (rest[0], rest[-1])]
        seen = [
            code
            for v, others in ends
            if (code := _code(name, v, len(rest) - len(others), others)) is not None
        ]
        if not seen:
            break
        code = max(seen, key=lambda c: c.distance)
        found.append(code)
        rest = rest[rest != code.value]
    return found


def _code(name: str, value: float, rows: int, others: Float[np.ndarray, "k"]) -> Code | None:
    """The code that an end of a column's values is, if it is one; others: sorted."""
    if not FEWEST <= rows <= len(others):
        return None
    low, middle, high = (float(q) for q in np.quantile(others, [0.25, 0.5, 0.75]))
    spread = (high - low) / 1.349 or float(others.std())
    gap = float(others[0] - value if value < others[0] else value - others[-1])
    if not spread > 0 or abs(value - middle) <= FAR * spread or gap <= ALONE * spread:
        return None
    return Code(name, value, rows, abs(value - middle) / spread, float(others[0]), float(others[-1]))
