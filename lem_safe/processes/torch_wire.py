"""The wire of torch.distributed: gloo between processors, NCCL between devices."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import torch.distributed as dist

from barriers.arrays import Tensor, torch
from lem_safe.processes.wire import Traffic, Wire

Failed = Callable[[RuntimeError], Exception]
"""What to raise where an exchange has failed."""


class TorchWire(Wire):
    """The first `size` processes of a job. staged: whether numbers of a device go through main memory, since
    gloo alone connects the processes.
    """

    def __init__(self, rank: int, size: int, group: dist.ProcessGroup | None, staged: bool, failed: Failed):
        self.rank, self.size, self._group = rank, size, group
        self._staged, self._failed, self.traffic = staged, failed, Traffic()

    def sum(self, row: Tensor) -> Tensor:
        return self._reduced(row, dist.ReduceOp.SUM)

    def largest(self, row: Tensor) -> Tensor:
        return self._reduced(row, dist.ReduceOp.MAX)

    def alike(self, rows: Tensor) -> list[Tensor]:
        sent = self._ready(rows)
        found = [torch.empty_like(sent) for _ in range(self.size)]
        with self._asking(sent):
            dist.all_gather(found, sent, group=self._group)
        return [part.to(rows.device) for part in found]

    def to_first(self, rows: Tensor) -> list[Tensor] | None:
        lengths = [int(n) for n in self.sum(self._alone(len(rows)))]
        own = rows.detach().cpu().contiguous()
        sent = _bytes(own)
        with self._asking(sent if self.rank else sent[:0]):
            if self.rank:
                if len(sent):
                    dist.send(sent, dst=0, group=self._group)
                return None
            found = [own]
            for rank, n in enumerate(lengths[1:], 1):
                found.append(torch.empty(n, *own.shape[1:], dtype=own.dtype))
                if found[-1].numel():
                    dist.recv(_bytes(found[-1]), src=rank, group=self._group)
            return found

    def from_first(self, parts: Sequence[Tensor] | None, like: Tensor) -> Tensor:
        if self.rank:
            found = torch.empty(like.shape, dtype=like.dtype)
            with self._asking(found[:0]):
                if found.numel():
                    dist.recv(_bytes(found), src=0, group=self._group)
            return found.to(like.device)
        assert parts is not None, "process 0 has the parts"
        for rank, part in enumerate(parts[1:], 1):
            sent = _bytes(part.cpu().contiguous())
            with self._asking(sent):
                if len(sent):
                    dist.send(sent, dst=rank, group=self._group)
        return parts[0].to(like.device)

    def _reduced(self, row: Tensor, how: dist.ReduceOp.RedOpType) -> Tensor:
        sent = self._ready(row)
        sent = sent.clone() if sent is row else sent
        with self._asking(sent):
            dist.all_reduce(sent, op=how, group=self._group)
        return sent.to(row.device)

    def _ready(self, row: Tensor) -> Tensor:
        row = row.detach().contiguous()
        return row.cpu() if self._staged else row

    @contextmanager
    def _asking(self, sent: Tensor) -> Iterator[None]:
        self.traffic.counts(sent)
        try:
            yield
        except RuntimeError as error:
            raise self._failed(error) from error


def _bytes(rows: Tensor) -> Tensor:
    """The same memory as bytes."""
    return rows.view(-1).view(torch.uint8)
