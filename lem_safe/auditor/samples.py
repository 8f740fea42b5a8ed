"""Samples as a stream of float64 blocks, whatever they came in, their columns in the order the geometry expects.

A .npy file is mapped, never read whole, so its size does not matter. Values are used as saved: widened to float64, never rounded.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from lem_safe.data.tables import read_table
from lem_safe.faults import BadInput, Fault

BLOCK = 65536
"""Rows that are in memory at a time."""


@dataclass(frozen=True)
class Samples:
    """n rows of d numbers; `columns` names them where the source does, `source` names the source in messages."""

    values: Float[np.ndarray, "n d"]
    columns: tuple[str, ...] | None
    source: str
    coupled: bool = False
    """Whether the file itself says that its samples are one filtered cloud (A.2), as a run's samples.npz does."""

    def blocks(self, order: Sequence[int], size: int = BLOCK) -> Iterator[Float[Tensor, "b d"]]:
        """The rows in file order, `size` at a time, columns in the given order; BadInput at the first number not finite."""
        in_place = list(order) == list(range(self.values.shape[1]))
        for start in range(0, self.values.shape[0], size):
            part = self.values[start : start + size]
            block = np.array(part if in_place else part[:, order], dtype=np.float64)
            if not np.isfinite(block).all():
                row, column = (int(i) for i in np.argwhere(~np.isfinite(block))[0])
                name = self.columns[order[column]] if self.columns else order[column]
                place = f"row {start + row + 1}, column {name}"
                raise BadInput(
                    Fault(f"{place}: {block[row, column]} is not a finite number; repair or remove the row", self.source)
                )
            yield torch.from_numpy(block)


def open_samples(source: "str | PathLike[str] | np.ndarray | Tensor | Samples", columns: Sequence[str] | None = None) -> Samples:
    """The samples of a file (.npz, .npy, .csv, .parquet), an array or a tensor; `columns` names those of an array."""
    if isinstance(source, Samples):
        return source
    if isinstance(source, torch.Tensor):
        tensor = source.detach().cpu()
        return _array((tensor if tensor.dtype in (torch.float32, torch.float64) else tensor.double()).numpy(), columns, "samples")
    if isinstance(source, np.ndarray):
        return _array(source, columns, "samples")
    path = Path(source)
    mapped = _mapped(path) if path.suffix == ".npy" else None
    if mapped is not None:
        return _array(mapped, columns, str(path))
    table = read_table(path)
    return replace(
        _array(table.values, table.columns or columns, str(path)), coupled=path.suffix == ".npz" and _says_coupled(path)
    )


def match_columns(
    samples: Samples, columns: Sequence[str] | None, specs: Mapping[str, Any]
) -> tuple[list[int], tuple[str, ...], str]:
    """Which column of the samples comes first, second, …; the names that rules may use for them; and how they were matched.

    The samples' own names come first. Where they are the scenario's, in whatever order, columns are matched by name; otherwise by
    position, and a rule may use either name. Raises BadInput where the number of columns differs, or where a name stands for
    one column here and another there.
    """
    d = samples.values.shape[1]
    expected = tuple(columns) if columns else tuple(f"x{i}" for i in range(d))
    own = samples.columns
    if d != len(expected):
        have, want = f"{d} columns" + (f" ({_listed(own)})" if own else ""), f"{len(expected)} ({_listed(expected)})"
        raise BadInput(Fault(f"has {have}, the scenario has {want}; save those columns, one row a sample", samples.source))
    if own is None or own == expected:
        return list(range(d)), expected, "name" if own else "position"
    if sorted(own) == sorted(expected):
        return [own.index(name) for name in expected], expected, "name"
    moved = [name for i, name in enumerate(expected) if name in own and own.index(name) != i]
    if moved:
        raise BadInput(
            Fault(
                f"columns ({_listed(own)}) do not fit the scenario's ({_listed(expected)}): '{moved[0]}' is in another place, "
                "and not every name is known; rename the columns or put them in the scenario's order",
                samples.source,
            )
        )
    words = set(re.findall(r"[^\W\d]\w*", " ".join(_strings(specs))))
    names = tuple(theirs if theirs in words and mine not in words else mine for mine, theirs in zip(own, expected, strict=True))
    return list(range(d)), names, "position"


def _says_coupled(path: Path) -> bool:
    with np.load(path, allow_pickle=False) as archive:
        return "coupled" in archive.files and bool(archive["coupled"])


def _array(values: np.ndarray, columns: Sequence[str] | None, source: str) -> Samples:
    if values.ndim != 2 or values.dtype.kind not in "fiu":
        raise BadInput(Fault(f"needs numbers in an array of shape [samples, columns]; got {values.dtype} {values.shape}", source))
    n, d = values.shape
    if n == 0 or d == 0:
        raise BadInput(Fault(f"holds no samples: its shape is {values.shape}", source))
    if columns is not None and len(columns) != d:
        raise BadInput(Fault(f"has {d} columns but {len(columns)} names were given ({_listed(columns)})", source))
    if columns is not None and len(set(columns)) < d:
        raise BadInput(Fault(f"a column name occurs twice in ({_listed(columns)}); rename one", source))
    return Samples(values, tuple(columns) if columns is not None else None, source)


def _mapped(path: Path) -> np.ndarray | None:
    """The array of a .npy file without reading it, or None where only `read_table` can say what is wrong."""
    try:
        array: np.ndarray = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    return array if array.ndim == 2 and array.dtype.kind in "fiu" and array.size else None


def _strings(spec: Any) -> Iterable[str]:
    if isinstance(spec, str):
        yield spec
    elif isinstance(spec, Mapping):
        for value in spec.values():
            yield from _strings(value)
    elif isinstance(spec, Sequence):
        for value in spec:
            yield from _strings(value)


def _listed(names: Sequence[str], most: int = 8) -> str:
    return ", ".join(names[:most]) + (", …" if len(names) > most else "")
