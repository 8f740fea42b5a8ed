"""Rows of numbers read one block at a time, whatever the file's size: the interface of every reader.

Memory is that of one block. A file is read again from its beginning whenever its blocks are requested again.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from numpy.typing import NDArray

from barriers.tables import Coder, Holding
from lem_safe.errors import BadInput, Fault
from lem_safe.inputs import must_be_readable

BLOCK = 65536
"""Rows in memory at a time."""

Coders = Mapping[int, Coder]
"""How columns are read that are no plain numbers, by their positions."""

Stream = Callable[[Sequence[int], int], Iterator[NDArray[Any]]]
"""stream(chosen columns, rows at a time): blocks [b, chosen] in file order, of any real type."""


def _numbers(chosen: Sequence[int]) -> list[Holding]:
    return [Holding("number", True) for _ in chosen]


def _settled(expected: Sequence[str] | None) -> None:
    return None


class Rows(NamedTuple):
    """What is known before the rows are read: their number (None where only reading determines it), their
    width and names.

    settle: raises BadInput where the names may be a row of numbers, and the expected names do not show that
    they are names. coded: the stream where some columns are read by coders; None where all are numbers.
    holds: what columns hold. parts: of rows in several files, the number of each file from 0, its name and
    its rows, in the columns of all; None where they are in one. held_in: how many files there are.
    """

    total: int | None
    width: int
    columns: tuple[str, ...] | None
    stream: Stream
    settle: Callable[[Sequence[str] | None], None] = _settled
    coded: Callable[[Sequence[int], int, Coders], Iterator[NDArray[Any]]] | None = None
    holds: Callable[[Sequence[int]], list[Holding]] = _numbers
    parts: "Callable[[], Iterator[tuple[int, str, Rows]]] | None" = None
    held_in: int = 1

    def files(self, source: str) -> "Iterator[tuple[int, str, Rows]]":
        """The files one after the other: the number of each from 0, its name, its rows."""
        yield from [(0, source, self)] if self.parts is None else self.parts()

    def read(self, chosen: Sequence[int], size: int, coders: Coders, source: str) -> Iterator[NDArray[Any]]:
        """The blocks, some columns read by their coders; BadInput where the source holds only numbers."""
        if not any(i in coders for i in chosen):
            yield from self.stream(chosen, size)
        elif self.coded is not None:
            yield from self.coded(chosen, size, coders)
        else:
            words = [coder.kind for i, coder in coders.items() if i in chosen and coder.kind != "number"]
            if words:
                way = "audit the table that they were made from, or write the rule about numbers"
                raise BadInput(
                    Fault(f"holds only numbers, and a rule is about {words[0]} cells; {way}", source)
                )
            yield from self.stream(chosen, size)


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
