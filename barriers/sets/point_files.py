"""Protected rows from a file: text, a .npy or a .npz, with its columns in the order of the coordinates where
they are named.
"""

import zlib
from collections.abc import Sequence
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from jaxtyping import Float64

from barriers.arrays import Tensor, torch
from barriers.regular_files import memory, must_be_regular
from barriers.tables import TableFormat, csv_blocks, csv_head, is_text, only_of_text, pair


def read_points(path: Path, columns: Sequence[str], form: TableFormat) -> Float64[Tensor, "m d"]:
    """The rows of a file over `columns`: by name, or by position where the file or the scenario has no names.

    form: what is known of a file of text. Raises ValueError for anything but a table of numbers, and where
    names do not match.
    """
    try:
        if form.of_text and not is_text(path):
            raise ValueError(only_of_text(form, path.suffix))
        must_be_regular(path, memory())
        if is_text(path):
            rows = _csv(path, columns, form)
        elif path.suffix in (".npy", ".npz"):
            rows = _numpy(path, columns)
        else:
            raise ValueError("the name must end in .npy, .npz, or for text in .csv, .tsv, .txt, .dat, .data")
        return torch.as_tensor(np.asarray(rows, dtype=np.float64))
    except (OSError, EOFError, KeyError, ValueError, TypeError, BadZipFile, zlib.error) as error:
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
