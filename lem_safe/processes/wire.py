"""What processes exchange: sums, the largest number, rows. All processes of a wire call the same, in the same
order.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

from barriers.arrays import Tensor, torch


@dataclass
class Traffic:
    """How often numbers were exchanged, and how many bytes this process handed over."""

    calls: int = 0
    bytes: int = 0

    def counts(self, sent: Tensor) -> None:
        self.calls += 1
        self.bytes += sent.numel() * sent.element_size()


class Wire(ABC):
    """rank, size: this process among those that take part."""

    rank: int
    size: int

    @abstractmethod
    def sum(self, row: Tensor) -> Tensor:
        """The sum over the processes, added in a fixed order; the same bits in each of them."""

    @abstractmethod
    def largest(self, row: Tensor) -> Tensor:
        """The largest over the processes."""

    @abstractmethod
    def alike(self, rows: Tensor) -> list[Tensor]:
        """The tensors of all processes, which have the same shape."""

    @abstractmethod
    def to_first(self, rows: Tensor) -> list[Tensor] | None:
        """The tensors of all processes, in process 0 and on the CPU; None in the others. Only their first
        axis may differ.
        """

    @abstractmethod
    def from_first(self, parts: Sequence[Tensor] | None, like: Tensor) -> Tensor:
        """This process's one of the tensors that process 0 has, in the shape of `like`."""

    def every(self, rows: Tensor) -> list[Tensor]:
        """The tensors of all processes; only their first axis may differ."""
        lengths = [int(n) for n in self.sum(self._alone(len(rows)))]
        most = max(lengths)
        padded = torch.cat([rows, rows.new_zeros(most - len(rows), *rows.shape[1:])])
        return [part[:n] for part, n in zip(self.alike(padded), lengths, strict=True)]

    def from_zero(self, row: Tensor) -> Tensor:
        """The numbers of process 0, in all of them."""
        return self.sum(row if self.rank == 0 else torch.zeros_like(row))

    def _alone(self, number: int) -> Tensor:
        """A number in this process's place, zeros in those of the others."""
        row = torch.zeros(self.size, dtype=torch.int64)
        row[self.rank] = number
        return row
