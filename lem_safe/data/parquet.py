"""Columns of a Parquet file as float64."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lem_safe.errors import BadInput, Fault


def must_be_numbers(kinds: Sequence[tuple[str, Any]], source: str) -> None:
    """Refuses columns, by name and arrow type, that do not contain numbers."""
    import pyarrow as pa

    numeric = (pa.types.is_integer, pa.types.is_floating, pa.types.is_boolean, pa.types.is_decimal)
    faults = [
        Fault(f"column '{name}' must hold numbers; got {kind}; choose others with columns:", source)
        for name, kind in kinds
        if not any(f(kind.value_type if pa.types.is_dictionary(kind) else kind) for f in numeric)
    ]
    if faults:
        raise BadInput(faults)


def cast_to_float64(column: Any) -> NDArray[np.float64]:
    """The numbers of one arrow column of numbers, NaN where one is missing; integers beyond 2**53 are
    rounded, as in numpy.
    """
    import pyarrow as pa

    plain = column.cast(column.type.value_type) if pa.types.is_dictionary(column.type) else column
    floats = plain.cast(pa.float64(), safe=False)
    arrays = floats.chunks if isinstance(floats, pa.ChunkedArray) else [floats]
    return np.concatenate([np.empty(0), *(array.to_numpy(zero_copy_only=False) for array in arrays)])
