"""How often a table's own cells are what the formula of their column gives, as they are written."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float64

from barriers.arrays import torch
from barriers.tables.equality import same
from lem_safe.data.typed.codec import Codec
from lem_safe.data.typed.fields import Field

MOST = 0.01
"""The share of the rows, at most, in which a column that is computed may hold something else."""


class Equality(NamedTuple):
    """One computed column: in how many of the rows its cell is not the formula's value, rounded up or down to
    the digits of the column. first: such a row, counted from 1, its cell and the value; None where there is
    none. apart: the rows whose cell is the value rounded otherwise than it is written, to the nearest.
    """

    column: str
    formula: str
    rows: int
    differ: int
    first: tuple[int, str, str] | None = None
    apart: int = 0

    def in_words(self) -> str:
        """What is computed, and in how many rows it holds.

        >>> Equality("living", "above + basement", 10000, 2, (7, "12", "13")).in_words()
        'computed: living = above + basement, true in 9,998 of 10,000 rows'
        >>> Equality("third", "a / 3", 300, 0, None, 86).in_words()
        'computed: third = a / 3, true in all 300 rows up to rounding: 86 cells are not the value \
rounded to the nearest, which is written'
        """
        many = f"{self.rows - self.differ:,} of {self.rows:,}" if self.differ else f"all {self.rows:,}"
        said = f"computed: {self.column} = {self.formula}, true in {many} rows"
        if not self.apart:
            return said
        cells = "1 cell is not" if self.apart == 1 else f"{self.apart:,} cells are not"
        return f"{said} up to rounding: {cells} the value rounded to the nearest, which is written"

    def fault(self) -> str | None:
        """Why a column cannot be computed from the others; None where nearly all rows are equal."""
        if self.differ <= MOST * self.rows or self.first is None:
            return None
        row, cell, value = self.first
        return (
            f"column '{self.column}' is not {self.formula} in {self.differ:,} of {self.rows:,} rows, and at "
            f"most {100 * MOST:g} % may differ from what is computed; the first is row {row}, with "
            f"{cell or 'a missing cell'} where {value or 'no value'} is computed; mend the formula or the "
            "rows, or take the column out of derived and write a rule about it"
        )


def equalities(
    codec: Codec, values: Float64[np.ndarray, "n d"], numbers: np.ndarray | None = None
) -> list[Equality]:
    """Of every computed column; its inputs are the cells of the table. numbers: of the rows in their file,
    from 1.
    """
    cells = list(torch.from_numpy(values).unbind(-1))
    found = []
    for j in codec.computed.order:
        field = codec.fields[j]
        if not field.formula:
            continue
        exact = codec.computed.exact(j, cells).numpy()
        unit = unit_of(field)
        written = field.rounded(torch.from_numpy(exact)).numpy()
        differ = ~same(exact, values[:, j], unit)
        apart = ~differ & ~same(written, values[:, j], None if unit is None else unit / 2)
        first = None
        if differ.any():
            i = int(differ.argmax())
            row = i + 1 if numbers is None else int(numbers[i])
            first = (row, field.text(float(values[i, j])), field.text(float(written[i])))
        counts = len(values), int(differ.sum())
        found.append(Equality(field.name, field.formula, *counts, first, int(apart.sum())))
    return found


def unit_of(field: Field) -> float | None:
    """The distance of neighbouring values of a column; None where any number may be."""
    return field.step if field.digits is None else 10.0**-field.digits
