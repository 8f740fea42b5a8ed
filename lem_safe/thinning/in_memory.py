"""Rows of anything in memory, taken out by a mask or a number of first rows, as the type that was given."""

from typing import Any

import numpy as np
from jaxtyping import Bool

from barriers.arrays import Tensor, torch


def selected(source: Any, stays: Bool[np.ndarray, "n"]) -> Any:
    """The rows of an array, a tensor, a pandas or Arrow table or a list that stay: of the same type, on the
    same device, with the same columns and index. Anything else is returned as an array.
    """
    if isinstance(source, Tensor):
        return source[torch.from_numpy(np.flatnonzero(stays)).to(source.device)]
    if isinstance(source, np.ndarray):
        return source[stays]
    package = type(source).__module__.split(".")[0]
    if package == "pandas":
        return source.iloc[np.flatnonzero(stays)]
    if package == "pyarrow":
        import pyarrow as pa

        return source.filter(pa.array(stays))
    if isinstance(source, list | tuple):
        return type(source)(row for row, kept in zip(source, stays.tolist(), strict=True) if kept)
    return np.asarray(source)[stays]
