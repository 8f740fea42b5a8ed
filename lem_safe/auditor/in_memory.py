"""Tables in memory as rows, column by column: tables of pandas and Arrow, and structured arrays.

Columns that are not used may hold anything; a missing or masked cell in one that is used is NaN, and is
refused with its position. Tensors and masked arrays are read as numpy's own.
"""

from collections.abc import Callable, Iterator, Sequence
from datetime import date
from decimal import Decimal
from numbers import Real
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray

from barriers.arrays import Tensor, torch
from barriers.tables import CellKind, Coder, Holding, kind_of_cells
from lem_safe.auditor.rows import Coders, Rows
from lem_safe.data.coded import coded, coded_arrow, coded_dates, held_by, written
from lem_safe.data.names import placeholders
from lem_safe.data.parquet import cast_to_float64, must_be_numbers
from lem_safe.errors import BadInput, Fault

IN_MEMORY = "samples"
"""The name of samples that are in no file, in messages."""


def rows_by_column(source: Any) -> Rows | None:
    """The rows of a pandas or Arrow table or of a structured array, with its names; None for anything else.

    Raises BadInput for a table without rows or columns.
    """
    package = type(source).__module__.split(".")[0]
    if isinstance(source, np.ndarray) and source.dtype.names is not None and source.ndim == 1:
        names: Sequence[Any] = source.dtype.names
        return _rows(_Columns(len(source), list(names), lambda i: source[names[i]]))
    if package == "pandas" and np.ndim(source) == 2:
        labels = list(source.columns)
        if getattr(source.columns, "nlevels", 1) > 1:
            way = "join them, as in frame.columns = ['_'.join(map(str, c)) for c in frame.columns]"
            levels = f"names its columns by {source.columns.nlevels} levels (MultiIndex)"
            raise BadInput(Fault(f"{levels}, such as {labels[0]!r:.60}; {way}", IN_MEMORY))
        return _rows(_Columns(len(source), labels, lambda i: source.iloc[:, i]))
    if package == "pyarrow" and type(source).__name__ in ("Table", "RecordBatch"):
        titles = list(source.schema.names)
        return _rows(_Columns(source.num_rows, titles, lambda i: source.column(i), source.schema.types))
    return None


def of_tensor(tensor: Tensor) -> NDArray[Any]:
    """The numbers of a dense tensor on any device; real types other than float32 and float64 are widened."""
    if tensor.layout is not torch.strided or tensor.is_meta or tensor.is_quantized:
        what = f"{str(tensor.dtype).removeprefix('torch.')} {tuple(tensor.shape)}"
        raise BadInput(
            Fault(f"needs a dense tensor of numbers; got one that is sparse or empty, {what}", IN_MEMORY)
        )
    dense = tensor.detach().cpu().resolve_conj().resolve_neg()
    as_it_is = dense.is_complex() or dense.dtype in (torch.float32, torch.float64, torch.bool)
    return np.asarray((dense if as_it_is else dense.double()).numpy())


def filled(values: NDArray[Any]) -> NDArray[Any]:
    """The same array with NaN where it is masked."""
    if not isinstance(values, np.ma.MaskedArray):
        return values
    if not np.ma.getmaskarray(values).any() or values.dtype.kind not in "fiu":
        return values.data
    return np.asarray(np.ma.filled(values.astype(np.float64), np.nan))


class _Columns(NamedTuple):
    """The columns of a table in memory; with the types of those of Arrow."""

    n: int
    labels: Sequence[Any]
    column: Callable[[int], Any]
    types: Sequence[Any] | None = None

    def numbers(self, i: int) -> Float[np.ndarray, "n"]:
        """A column of numbers; BadInput where it holds something else."""
        if self.types is None:
            return _numbers(self.column(i), str(self.labels[i]))
        must_be_numbers([(str(self.labels[i]), self.types[i])], IN_MEMORY)
        return cast_to_float64(self.column(i))

    def coded(self, i: int, coder: Coder) -> Float[np.ndarray, "n"]:
        """A column of cells of any type, as the numbers that stand for them."""
        if coder.kind == "number":
            return self.numbers(i)
        column, place = self.column(i), (str(self.labels[i]), IN_MEMORY, 0)
        if self.types is not None:
            return coded_arrow(column, coder, place)
        if np.ndim(column) != 1:
            raise BadInput(Fault(f"column '{place[0]}' must hold one value a row", IN_MEMORY))
        values = _objects(column)
        return (
            coded_dates(values, coder, place)
            if values.dtype.kind == "M"
            else coded(list(values), coder, place)
        )

    def holds(self, chosen: Sequence[int]) -> list[Holding]:
        """What columns hold, by their types, else by their cells."""
        return [self._holds(i) for i in chosen]

    def _holds(self, i: int) -> Holding:
        column = self.column(i)
        if self.types is not None:
            return held_by(
                self.types[i], column.to_pylist() if held_by(self.types[i], ()).kind is None else ()
            )
        values = _objects(column)
        typed: dict[str, CellKind] = {
            "b": "boolean",
            "M": "date",
            "f": "number",
            "i": "number",
            "u": "number",
        }
        if values.dtype.kind in typed:
            return Holding(typed[values.dtype.kind], True)
        there = [cell for cell in values if written(cell) is not None]
        if there and all(isinstance(cell, bool | np.bool_) for cell in there):
            return Holding("boolean", True)
        return Holding(kind_of_cells(map(written, there)), bool(there) and isinstance(there[0], date))


def _objects(column: Any) -> NDArray[Any]:
    """The cells of a column: dates as numpy's own, in UTC, everything else as it is."""
    if isinstance(column, np.ma.MaskedArray):
        return np.asarray(np.ma.filled(column.astype(object), None))
    if isinstance(column, np.ndarray):
        return column
    if getattr(getattr(column, "dtype", None), "tz", None) is not None:
        column = column.dt.tz_convert("UTC").dt.tz_localize(None)
    return np.asarray(column)


def _rows(table: _Columns) -> Rows:
    n, labels = table.n, list(table.labels)
    if not n or not labels:
        raise BadInput(Fault(f"holds no samples: its shape is {(n, len(labels))}", IN_MEMORY))

    def coded(chosen: Sequence[int], size: int, coders: Coders) -> Iterator[NDArray[Any]]:
        values = [table.coded(i, coders[i]) if i in coders else table.numbers(i) for i in chosen]
        for start in range(0, n, size):
            yield np.stack([v[start : start + size] for v in values], 1)

    def stream(chosen: Sequence[int], size: int) -> Iterator[NDArray[Any]]:
        yield from coded(chosen, size, {})

    unnamed = labels == list(range(len(labels)))  # pandas' default column labels
    names = None if unnamed else tuple(placeholders([*map(str, labels)]))
    return Rows(n, len(labels), names, stream, coded=coded, holds=table.holds)


def _numbers(column: Any, name: str) -> Float[np.ndarray, "n"]:
    """One column as float64, NaN where a cell is missing; BadInput where it holds something else."""
    values = filled(column) if isinstance(column, np.ndarray) else np.asarray(column)
    if values.dtype.kind in "fiub" and values.ndim == 1:
        return values.astype(np.float64)
    if values.ndim != 1 or values.dtype.kind not in "OUSMm":
        kind = values.dtype if values.ndim == 1 else f"arrays of {values.dtype}"
        raise BadInput(Fault(f"column '{name}' must hold numbers; got {kind}", IN_MEMORY))
    cells = [np.nan if _missing(cell) else cell for cell in values]
    other = next((i for i, cell in enumerate(cells) if not _real(cell)), None)
    if other is not None:
        kind = f" of {values.dtype}" if values.dtype.kind in "Mm" else ""
        shown = f"{cells[other]!s:.40}" if kind else f"{cells[other]!r:.40}"
        message = f"column '{name}' must hold numbers; row {other + 1} holds {shown}{kind}"
        raise BadInput(Fault(message, IN_MEMORY))
    return np.array([_float(cell) for cell in cells])


def _real(cell: Any) -> bool:
    """Whether a cell is a real number: a duration is none, nor is the signalling NaN of a decimal."""
    real = isinstance(cell, Real) and not isinstance(cell, np.timedelta64)
    return real or (isinstance(cell, Decimal) and not cell.is_snan())


def _float(cell: Any) -> float:
    """The nearest float64, infinite beyond the largest."""
    try:
        return float(cell)
    except OverflowError:
        return float("inf") if cell > 0 else float("-inf")


def _missing(cell: Any) -> bool:
    """Whether a cell is None or one of pandas' missing values."""
    return cell is None or type(cell).__name__ in ("NAType", "NaTType")
