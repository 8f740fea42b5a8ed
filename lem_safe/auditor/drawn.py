"""Rows in memory that keep the dependence marks of their file, so that an audit of them claims no more than
one of the file.

A slice, a sum or a concatenation no longer consists of the original clouds: the result of any numpy operation
on coupled rows is treated as one coupled cloud, for which no bound is claimed (A.2). np.asarray removes the
marks.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray


class Drawn(np.ndarray):
    """An array [n, d] with the marks of its file: `coupled`, the `replica` of each row where there are
    clouds, the `seed`, how many `moved`.
    """

    coupled: bool
    replica: NDArray[np.int64] | None
    seed: int | None
    moved: float | None

    def __new__(
        cls,
        x: NDArray[Any],
        coupled: bool = False,
        replica: NDArray[Any] | None = None,
        seed: int | None = None,
        moved: float | None = None,
    ) -> "Drawn":
        self = np.array(x).view(cls)
        self.coupled, self.seed, self.moved = coupled, seed, moved
        self.replica = None if replica is None else np.array(replica, dtype=np.int64)
        return self

    def __array_finalize__(self, made_of: Any) -> None:
        self.coupled, self.replica, self.seed = _dependent(made_of), None, getattr(made_of, "seed", None)
        self.moved = getattr(made_of, "moved", None)

    def __array_wrap__(self, array: Any, context: Any = None, return_scalar: bool = False) -> Any:
        """A plain number where numpy would return one."""
        return array[()] if array.ndim == 0 else super().__array_wrap__(array, context, return_scalar)

    def __array_function__(self, function: Any, types: Any, arguments: Any, named: Any) -> Any:
        """Keeps the marks where numpy would return a plain array, as for concatenations."""
        made = super().__array_function__(function, types, arguments, named)
        if type(made) is np.ndarray and made.ndim == 2 and any(map(_dependent, _arrays(arguments))):
            return Drawn(made, coupled=True)
        return made

    def __reduce__(self) -> Any:
        plain: tuple[Any, ...] = tuple(np.ndarray.__reduce__(self))
        return plain[0], plain[1], (plain[2], self.coupled, self.replica, self.seed, self.moved)

    def __setstate__(self, state: Any) -> None:
        whole, self.coupled, self.replica, self.seed, self.moved = state
        super().__setstate__(whole)

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> "Drawn":
        """The rows of a samples.npz: `x` and its marks."""
        seed, moved = arrays.get("seed"), arrays.get("moved")
        return cls(
            arrays["x"],
            bool(arrays.get("coupled", False)),
            arrays.get("replica"),
            None if seed is None else int(seed),
            None if moved is None else float(moved),
        )


def _dependent(rows: Any) -> bool:
    return bool(getattr(rows, "coupled", False)) or getattr(rows, "replica", None) is not None


def _arrays(arguments: Any) -> Iterator[Any]:
    """All arrays in nested lists and tuples."""
    for item in arguments:
        if isinstance(item, list | tuple):
            yield from _arrays(item)
        else:
            yield item


class Numbers:
    """The unit of each row, in memory, with the interface of a file reader."""

    def __init__(self, values: NDArray[np.int64]):
        self._values = values

    def blocks(self, size: int) -> Iterator[NDArray[np.int64]]:
        """Blocks of `size` entries."""
        return (self._values[start : start + size] for start in range(0, len(self._values), size))
