"""Remarks on rows before an energy is learned from them: codes for missing values, too few rows.

A code such as −9999 is one value that several rows share (one row is enough where it consists of nines, or is
the end of a range of integers), separated from all others of its column except other such values: farther
than FAR of their standard deviations from their middle and farther than ALONE of them from the nearest. The
spread of the others is that of their quartiles, IQR/1.349, or where that is 0 their standard deviation. A
density has no such value, so an energy would learn a mode there, at the expense of the rest.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from lem_safe.data.images import ImageSource
from lem_safe.data.source import Dataset, DataSource
from lem_safe.formatting import percent

FAR, ALONE = 10.0, 5.0
FEWEST, CODES = 3, 4
"""The fewest rows that share a code; the largest number of codes of a column."""
EACH = 10
"""Rows per column below which there is a remark that they are few."""


TABLE_EACH = 60
"""Rows per column of a table with ranks below which there is a remark about correlations."""


class Code(NamedTuple):
    """One value that seems to be a code for a missing one: its column, its number of rows, and its distance
    from the others, in their standard deviations.
    """

    column: str
    value: float
    rows: int
    distance: float
    low: float
    high: float


class Concern(NamedTuple):
    """One remark about the rows: as a sentence, and briefly for samples that are later found far from the
    data. column: the column it is about; None if it is about all.
    """

    text: str
    brief: str
    column: str | None


def concerns(source: DataSource, rows: Dataset) -> tuple[Concern, ...]:
    """All remarks; none for images, whose columns are pixels."""
    if isinstance(source, ImageSource):
        return ()
    n, d = rows.values.shape[0], modelled(rows)
    values = rows.values.numpy()
    said = [_left_out(rows.dropped, n)] if rows.dropped else []
    repeats = rows.codec is not None or rows.components is not None  # a codec models them; paths share points
    plain = [] if repeats else list(enumerate(rows.columns))
    found = [code for i, name in plain for code in codes(name, values[:, i])]
    said += [_coded(c, n) for c in found]
    if n < EACH * d:
        what = "column" if rows.components is None else "component"
        text = (
            f"data: {n:,} rows are few for {d:,} {what}s, {n / d:.3g} rows per {what} where {EACH} or more "
            f"are advised: the energy may be far from the data; use more rows or fewer {what}s"
        )
        said.append(Concern(text, f"the data have few rows for so many {what}s", None))
    elif rows.codec is not None and n < TABLE_EACH * d:
        text = (
            f"data: {n:,} rows for {d:,} columns, {n / d:.3g} per column: below {TABLE_EACH} rows, "
            "correlations of samples may differ by more than 0.1 from the data's; use more rows or fewer "
            "columns"
        )
        said.append(Concern(text, "the data have few rows for correlations of so many columns", None))
    return tuple(said)


def modelled(rows: Dataset) -> int:
    """How many columns an energy of these rows has to learn: principal components where it is learned in
    those, and of a table those that are neither computed nor constant; one at least.
    """
    if rows.codec is not None:
        return max(
            1, sum(not field.formula and field.codes > 1 or field.moves for field in rows.codec.fields)
        )
    return rows.components or rows.values.shape[1]


def _left_out(dropped: int, n: int) -> Concern:
    """Rows that missed a value."""
    share = percent(dropped / (n + dropped))
    brief = f"{dropped:,} of {n + dropped:,} rows ({share}) miss a value and were left out"
    text = f"data: {brief} (missing: drop): the energy is learned from the {n:,} others"
    return Concern(text, brief, None)


def _coded(c: Code, n: int) -> Concern:
    """A value that seems to be a code for a missing one."""
    brief = (
        f"{c.rows:,} of {n:,} rows ({percent(c.rows / n)}) {'is' if c.rows == 1 else 'are'} exactly "
        f"{c.value:g}, {c.distance:,.0f} standard deviations from the others ({c.low:g} to {c.high:g})"
    )
    text = (
        f"data: column '{c.column}': {brief}: a code for a missing value? The energy would learn it as a "
        "mode; remove these rows, or leave the column out with columns:"
    )
    return Concern(text, f"the likely cause: {brief}", c.column)


def codes(name: str, values: Float[np.ndarray, "n"]) -> list[Code]:
    """The codes of one column, the farthest first."""
    found: list[Code] = []
    rest = np.sort(values)
    while len(found) < CODES and len(rest) > 2 * FEWEST:
        seen = [*_at_the_low_end(name, rest), *_mirrored(_at_the_low_end(name, -rest[::-1]))]
        if not seen:
            break
        code = max(seen, key=lambda c: c.distance)
        found.append(code)
        rest = rest[rest != code.value]
    return found


def _at_the_low_end(name: str, values: Float[np.ndarray, "k"]) -> list[Code]:
    """The codes among the smallest distinct values, sorted, all separated from the others."""
    found: list[Code] = []
    least, counts = np.unique(values, return_counts=True)
    for k in range(1, min(CODES, len(least) - 1) + 1):
        others = values[int(counts[:k].sum()) :]
        if k > 1 and len(others) <= len(values) / 2:
            break
        low, middle, high = (float(q) for q in np.quantile(others, [0.25, 0.5, 0.75]))
        spread = (high - low) / 1.349 or float(others.std())
        gap, nearest = float(others[0] - least[k - 1]), float(middle - least[k - 1])
        step = float(np.median(np.diff(least[k:]))) if 1 < k < len(least) - 1 else 0.0
        alone = gap > ALONE * max(spread, step)
        if len(others) < FEWEST or not spread > 0 or nearest <= FAR * spread or not alone:
            continue
        found = [
            Code(name, value, rows, (middle - value) / spread, float(others[0]), float(others[-1]))
            for value, rows in zip(least[:k].tolist(), counts[:k].tolist(), strict=True)
            if rows >= FEWEST or _usual(value)
        ]
    return found


def _mirrored(found: list[Code]) -> list[Code]:
    return [c._replace(value=-c.value, low=-c.high, high=-c.low) for c in found]


def _usual(value: float) -> bool:
    """Whether programs use this value for a missing one: nines from 999 on, the ends of integers, ±1e20 and
    larger.
    """
    size = abs(value)
    nines = size.is_integer() and 999 <= size < 1e15 and set(str(int(size))) == {"9"}
    ends = size in {2.0**k - e for k in (15, 16, 31, 32, 63, 64) for e in (0, 1)}
    return nines or ends or size >= 1e20
