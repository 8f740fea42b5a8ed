"""Protected rows from a file: text, a .npy or .npz, its columns in the order of the coordinates wherever it
names them.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float64
from torch import Tensor

from barriers.tables import TableFormat, csv_blocks, csv_head, is_text, only_of_text, pair


def read_points(path: Path, columns: Sequence[str], form: TableFormat) -> Float64[Tensor, "m d"]:
    """The rows of a file over `columns`: by name, or by position where the file or the scenario has no names
    of its own.

    form: what is known of a file of text. Raises ValueError for what is no table of numbers, and where names
    do not say which column is which.
    """
    try:
        if form.of_text and not is_text(path):
            raise ValueError(only_of_text(form, path.suffix))
        if is_text(path):
            rows = _csv(path, columns, form)
        elif path.suffix in (".npy", ".npz"):
            rows = _numpy(path, columns)
        else:
            raise ValueError("the name must end in .npy, .npz, or for text in .csv, .tsv, .txt, .dat, .data")
        return torch.as_tensor(np.asarray(rows, dtype=np.float64))
    except (OSError, KeyError, ValueError, TypeError) as error:
        raise ValueError(
            f"NearPoints: points must be a readable table of numbers; {path}: {error}"
        ) from error


def _csv(path: Path, columns: Sequence[str], form: TableFormat) -> np.ndarray:
    head = csv_head(path, form).settled(columns)
    return np.concatenate(list(csv_blocks(head, _order(head.names, columns, head.width))))


def _numpy(path: Path, columns: Sequence[str]) -> np.ndarray:
    loaded = np.load(path, allow_pickle=False)
    if isinstance(loaded, np.ndarray):
        return loaded
    with loaded:
        x, names = loaded["x"], loaded["columns"] if "columns" in loaded.files else None
    if names is None:
        return x
    if names.ndim != 1 or names.dtype.kind != "U" or names.shape != x.shape[1:]:
        raise ValueError(f"'columns' must be {x.shape[1:]} names; got {names.dtype} {names.shape}")
    return x[:, _order([str(name) for name in names], columns, x.shape[1])]


def _order(names: Sequence[str] | None, columns: Sequence[str], width: int) -> list[int]:
    pairing = pair(names, columns)
    return list(range(width)) if pairing is None else pairing.order
