"""Tables in memory as rows, column by column: tables of pandas and Arrow, and structured arrays.

Columns that are not used may hold anything; a missing or masked cell in one that is used is NaN, and is
refused with its position. Tensors and masked arrays are read as numpy's own.
"""

from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from numbers import Real
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from lem_safe.auditor.rows import Rows
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
        return _rows(len(source), list(names), lambda i: _numbers(source[names[i]], str(names[i])))
    if package == "pandas" and np.ndim(source) == 2:
        labels = list(source.columns)
        if getattr(source.columns, "nlevels", 1) > 1:
            way = "join them, as in frame.columns = ['_'.join(map(str, c)) for c in frame.columns]"
            levels = f"names its columns by {source.columns.nlevels} levels (MultiIndex)"
            raise BadInput(Fault(f"{levels}, such as {labels[0]!r:.60}; {way}", IN_MEMORY))
        return _rows(len(source), labels, lambda i: _numbers(source.iloc[:, i], str(labels[i])))
    if package == "pyarrow" and type(source).__name__ in ("Table", "RecordBatch"):
        titles = list(source.schema.names)

        def column(i: int) -> Float[np.ndarray, "n"]:
            must_be_numbers([(titles[i], source.schema.types[i])], IN_MEMORY)
            return cast_to_float64(source.column(i))

        return _rows(source.num_rows, titles, column)
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


def _rows(n: int, labels: Sequence[Any], column: Callable[[int], Float[np.ndarray, "n"]]) -> Rows:
    if not n or not labels:
        raise BadInput(Fault(f"holds no samples: its shape is {(n, len(labels))}", IN_MEMORY))

    def stream(chosen: Sequence[int], size: int) -> Iterator[NDArray[Any]]:
        values = [column(i) for i in chosen]
        for start in range(0, n, size):
            yield np.stack([v[start : start + size] for v in values], 1)

    unnamed = labels == list(range(len(labels)))  # pandas' default column labels
    return Rows(n, len(labels), None if unnamed else tuple(placeholders([*map(str, labels)])), stream)


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
