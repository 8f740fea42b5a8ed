"""A cloud spread over threads that stand for processes: the same exchanges, without starting any."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch
from torch import Tensor

from barriers.filters.whole import Whole
from lem_safe.processes.spread import Spread
from lem_safe.processes.wire import Wire

Result = TypeVar("Result")


class ThreadWire(Wire):
    """One of several threads, which meet at a barrier and see each other's tensors."""

    def __init__(self, rank: int, meeting: threading.Barrier, table: list[Tensor | None]):
        self.rank, self.size, self._meeting, self._table = rank, meeting.parties, meeting, table
        self.asked: list[int] = []

    def sum(self, row: Tensor) -> Tensor:
        return torch.stack(self._all(row)).sum(0)

    def largest(self, row: Tensor) -> Tensor:
        return torch.stack(self._all(row)).amax(0)

    def alike(self, rows: Tensor) -> list[Tensor]:
        return self._all(rows)

    def to_first(self, rows: Tensor) -> list[Tensor] | None:
        found = self._all(rows)
        return None if self.rank else found

    def from_first(self, parts: Sequence[Tensor] | None, like: Tensor) -> Tensor:
        raise NotImplementedError

    def _all(self, row: Tensor) -> list[Tensor]:
        self.asked.append(row.numel() * row.element_size())
        self._table[self.rank] = row.clone()
        self._meeting.wait()
        found = [part for part in self._table if part is not None]
        assert len(found) == self.size and len({part.dtype for part in found}) == 1
        self._meeting.wait()
        return found


def in_threads(sizes: Sequence[int], body: Callable[[Whole, slice], Result]) -> list[Result]:
    """What `body` returns in each of as many threads as there are parts, given its part's rows."""

    def one(wire: ThreadWire) -> Result:
        start = sum(sizes[: wire.rank])
        return body(Spread(wire, sizes), slice(start, start + sizes[wire.rank]))

    return in_wires(len(sizes), one)


def in_wires(size: int, body: Callable[[ThreadWire], Result]) -> list[Result]:
    """What `body` returns in each of so many threads, given its wire."""
    meeting, table = threading.Barrier(size, timeout=20), list[Tensor | None]([None] * size)
    grad = torch.is_grad_enabled()

    def one(rank: int) -> Result:
        with torch.set_grad_enabled(grad):
            try:
                return body(ThreadWire(rank, meeting, table))
            except BaseException:
                meeting.abort()
                raise

    with ThreadPoolExecutor(size) as pool:
        return list(pool.map(one, range(size)))
