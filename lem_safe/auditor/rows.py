"""Rows of numbers read one block at a time, whatever the file's size: the interface of every reader.

Memory is that of one block. A file is read again from its beginning whenever its blocks are requested again.
"""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from numpy.typing import NDArray

from lem_safe.inputs import must_be_readable

BLOCK = 65536
"""Rows in memory at a time."""

Stream = Callable[[Sequence[int], int], Iterator[NDArray[Any]]]
"""stream(chosen columns, rows at a time): blocks [b, chosen] in file order, of any real type."""


def _settled(expected: Sequence[str] | None) -> None:
    return None


class Rows(NamedTuple):
    """What is known before the rows are read: their number (None where only reading determines it), their
    width and names.

    settle: raises BadInput where the names may be a row of numbers, and the expected names do not show that
    they are names.
    """

    total: int | None
    width: int
    columns: tuple[str, ...] | None
    stream: Stream
    settle: Callable[[Sequence[str] | None], None] = _settled


def rows_of_array(values: NDArray[Any], columns: Sequence[str] | None) -> Rows:
    """The rows of an array in memory or memory-mapped, [n, d]."""

    def stream(chosen: Sequence[int], size: int) -> Iterator[NDArray[Any]]:
        in_place = list(chosen) == list(range(values.shape[1]))
        for start in range(0, values.shape[0], size):
            part = values[start : start + size]
            yield part if in_place else part[:, chosen]

    return Rows(values.shape[0], values.shape[1], None if columns is None else tuple(columns), stream)


def must_be_file(path: Path) -> None:
    """Raises BadInput for a path that is not a readable file."""
    must_be_readable(path)
