"""Remarks on rows before an energy is learned from them: codes for missing values, too few rows.

A code such as −9999 is one value that several rows share (one row is enough where it consists of nines, or is
the end of a range of integers), separated from all others of its column except other such values: farther
than FAR of their standard deviations from their middle and farther than ALONE of them from the nearest. The
spread of the others is that of their quartiles, IQR/1.349, or where that is 0 their standard deviation. A
density has no such value, so an energy would learn a mode there, at the expense of the rest.
"""

from typing import NamedTuple

from lem_safe.data.images import ImageSource
from lem_safe.data.source import Dataset, DataSource

FAR, ALONE = 10.0, 5.0
FEWEST, CODES = 3, 4
"""The fewest rows that share a code; the largest number of codes of a column."""
EACH = 10
"""Rows per column below which there is a remark that they are few."""


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
    n, d = rows.values.shape
    values = rows.values.numpy()
    said = [_left_out(rows.dropped, n)] if rows.dropped else []
    plain = list(enumerate(rows.columns)) if rows.codec is None else []  # a codec models repeated values
