"""A cloud that is spread over processes, as its filters see it (`Whole`)."""

from collections.abc import Sequence

from jaxtyping import Float, Int, Shaped

from barriers.arrays import Tensor, torch
from barriers.filters.whole import Joined, Whole, packed, unpacked
from lem_safe.processes.wire import Wire


class Spread(Whole):
    """The parts of a cloud, one in each process of a wire. sizes: how many particles each has.

    What is asked in one call is exchanged as one row of numbers: float64 sums, int64 counts.
    """

    spread = True

    def __init__(self, wire: Wire, sizes: Sequence[int]):
        self.wire, self.sizes, self.particles = wire, tuple(sizes), sum(sizes)

    def size(self, x: Shaped[Tensor, "*r n d"]) -> int:
        return self.particles

    def sums(self, *parts: Float[Tensor, "..."]) -> tuple[Tensor, ...]:
        return unpacked(self.wire.sum(packed(parts, torch.float64)), parts)

    def total(self, *counts: Int[Tensor, "..."]) -> tuple[Tensor, ...]:
        return unpacked(self.wire.sum(packed(counts, torch.int64)), counts)

    def before(self, counts: Int[Tensor, "*k"]) -> Int[Tensor, "*k"]:
        each = self.wire.alike(counts.reshape(-1))
        earlier = torch.stack(each)[: self.wire.rank].sum(0)
        return earlier.reshape(counts.shape)

    def largest(self, value: Shaped[Tensor, "*k"]) -> Shaped[Tensor, "*k"]:
        if value.dtype == torch.bool:
            return self.wire.largest(value.to(torch.uint8)) > 0
        return self.wire.largest(value)

    def joined(self, *rows: Shaped[Tensor, "n ..."]) -> Joined:
        sent = torch.cat([_bytes(each) for each in rows], 1)
        found = self.wire.every(sent)
        start = sum(len(part) for part in found[: self.wire.rank])
        columns = torch.cat(found).split([_width(each) for each in rows], 1)
        pairs = zip(columns, rows, strict=True)
        own = slice(start, start + len(sent))
        return Joined(tuple(_unpacked(part, each) for part, each in pairs), own)


def _width(rows: Tensor) -> int:
    """The bytes of one row."""
    return rows.shape[1:].numel() * rows.element_size()


def _bytes(rows: Tensor) -> Tensor:
    """Rows of numbers as rows of bytes."""
    flat = rows.contiguous().view(-1)
    return flat.view(torch.uint8).view(len(rows), _width(rows))


def _unpacked(sent: Tensor, like: Tensor) -> Tensor:
    """The inverse of `_bytes`, of other rows of the same shape and type."""
    flat = sent.contiguous().view(-1).view(like.dtype)
    return flat.view(len(sent), *like.shape[1:])
