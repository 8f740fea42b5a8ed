"""Columns that are typed, of Arrow, pandas and numpy, as the numbers that stand for their cells, and what
they hold: the same as a text file of the same table would give.
"""

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import Any

import numpy as np
from jaxtyping import Float

from barriers.tables import WANTED, Coder, Holding, kind_of_cells
from barriers.tables.cell_kinds import utc_text
from barriers.tables.coder import REMEDY
from lem_safe.errors import BadInput, Fault

MISSING_TYPES = ("NAType", "NaTType", "NoneType")


def written(cell: Any) -> str | None:
    """A cell as a text file has it; None for a missing one.

    >>> written(True), written(3), written(float("nan")), written(datetime(2020, 1, 31))
    ('True', '3', None, '2020-01-31T00:00:00')
    """
    if isinstance(cell, str):
        return cell
    if type(cell).__name__ in MISSING_TYPES or (isinstance(cell, float | np.floating) and np.isnan(cell)):
        return None
    if isinstance(cell, datetime):
        return utc_text(cell)
    if isinstance(cell, date):
        return cell.isoformat()
    if isinstance(cell, np.datetime64):
        return None if np.isnat(cell) else str(cell)
    return repr(cell.item() if isinstance(cell, np.generic) else cell) if _plain(cell) else str(cell)


def _plain(cell: Any) -> bool:
    return isinstance(cell, bool | int | float | np.generic)


def coded(cells: Sequence[Any], coder: Coder, place: tuple[str, str, int]) -> Float[np.ndarray, "b"]:
    """The numbers of cells of any type. place: the column's name, the table's, and how many rows come before
    these. BadInput at the first that is no value of its kind.
    """
    texts = [written(cell) for cell in cells]
    values, bad = coder.codes(texts)
    if bad.any():
        raise _no_value(texts[int(bad.argmax())], coder, place, int(bad.argmax()))
    return values


def coded_dates(at: np.ndarray, coder: Coder, place: tuple[str, str, int]) -> Float[np.ndarray, "b"]:
    """The same of an array of numpy's datetime64, of any unit."""
    ticks = at.astype("datetime64[us]")
    values = ticks.astype(np.int64).astype(np.float64)
    there = ~np.isnat(at)
    bad = there & ((ticks.astype(at.dtype) != at) | (values.astype(np.int64) != ticks.astype(np.int64)))
    if bad.any():
        raise _no_value(str(at[int(bad.argmax())]), coder, place, int(bad.argmax()))
    return np.where(there, values, np.nan)


def _no_value(text: str | None, coder: Coder, place: tuple[str, str, int], row: int) -> BadInput:
    name, source, start = place
    what = f"row {start + row + 1}, column '{name}': '{(text or '')[:40]}' is not {WANTED[coder.kind]}"
    return BadInput(Fault(f"{what}; {coder.remedy or REMEDY}", source))


def coded_arrow(column: Any, coder: Coder, place: tuple[str, str, int]) -> Float[np.ndarray, "b"]:
    """The numbers of an Arrow column."""
    import pyarrow as pa

    if pa.types.is_temporal(column.type) and coder.kind == "date" and not pa.types.is_time(column.type):
        plain = column.cast(pa.timestamp("ms")) if pa.types.is_date(column.type) else column
        return coded_dates(np.asarray(plain.to_numpy(zero_copy_only=False)), coder, place)
    return coded(column.to_pylist(), coder, place)


def held_by(kind: Any, cells: Iterable[Any]) -> Holding:
    """What an Arrow type holds; where it is text, what its first cells look like."""
    import pyarrow as pa

    kind = kind.value_type if pa.types.is_dictionary(kind) else kind
    if pa.types.is_boolean(kind):
        return Holding("boolean", True)
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return Holding("number", True)
    if pa.types.is_date(kind) or pa.types.is_timestamp(kind):
        return Holding("date", True)
    return Holding(kind_of_cells(map(written, cells)))
