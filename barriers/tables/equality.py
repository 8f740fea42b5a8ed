"""Whether cells are values rounded as their column is."""

import numpy as np
from jaxtyping import Bool, Float64

from barriers.tables.cell_kinds import DAY

NINE_DIGITS = 1e-9
"""How far cells of a column without a fixed number of decimals may be off, for their size."""
NEARLY = 1 - 1e-6
"""A cell that is a whole unit off is none of a value's neighbours."""
DIGITS = 15
"""Decimal digits that float64 holds: a column with more has no fixed number of decimals."""
DATE_STEPS = (float(DAY), 60e6, 1e6, 1.0)
"""What dates are written to, in microseconds: days, minutes, seconds, or these."""


def same(
    values: Float64[np.ndarray, "n"], cells: Float64[np.ndarray, "n"], unit: float | None
) -> Bool[np.ndarray, "n"]:
    """Whether cells are values rounded up or down to a multiple of a unit, which is how programs that round,
    cut off or round twice write them; the same without a unit to nine digits. A missing cell is no value.

    >>> same(np.array([0.126, 0.126, 0.12, np.nan]), np.array([0.12, 0.14, 0.13, np.nan]), 0.01).tolist()
    [True, False, False, True]
    """
    with np.errstate(invalid="ignore"):
        size = np.abs(values) + np.abs(cells)
        slack = NINE_DIGITS * size if unit is None else unit * NEARLY
        near = np.abs(values - cells) <= slack
    return np.asarray(near | (np.isnan(values) & np.isnan(cells)))


def on_decimals(cells: Float64[np.ndarray, "n"], digits: int) -> bool:
    """Whether no cell has more decimals.

    >>> on_decimals(np.array([1.5, 0.25, np.nan]), 2), on_decimals(np.array([1.5, 0.25]), 1)
    (True, False)
    """
    there = cells[np.isfinite(cells)]
    return bool((np.round(there, digits) == there).all())


def on_steps(cells: Float64[np.ndarray, "n"], step: float) -> bool:
    """Whether all cells are multiples of a step."""
    return bool((cells[np.isfinite(cells)] % step == 0).all())
