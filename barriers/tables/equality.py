"""Whether cells are values rounded as their column is."""

import numpy as np
from jaxtyping import Bool, Float64

NINE_DIGITS = 1e-9
"""How far cells of a column without a fixed number of decimals may be off, for their size."""
NEARLY = 1 - 1e-6
"""A cell that is a whole unit off is none of a value's neighbours."""
MOST = 9
"""Decimals beyond which a column is taken to have no fixed number of them."""


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


def decimals(cells: Float64[np.ndarray, "n"]) -> int | None:
    """The most decimals of any cell; None where one has more than MOST.

    >>> decimals(np.array([1.5, 0.25, np.nan])), decimals(np.array([1 / 3])), decimals(np.array([7.0]))
    (2, None, 0)
    """
    there = cells[np.isfinite(cells)]
    return next((d for d in range(MOST + 1) if bool((np.round(there, d) == there).all())), None)
