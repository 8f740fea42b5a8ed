"""Intervals of [0, 1] with open or closed ends, k for each row of a batch: their unions, intersections and
gaps.
"""

from collections.abc import Sequence
from typing import NamedTuple

from jaxtyping import Bool, Float

from barriers.arrays import Tensor, torch


class Spans(NamedTuple):
    """k intervals of [0, 1] for each segment; an interval without any t is empty."""

    low: Float[Tensor, "n k"]
    high: Float[Tensor, "n k"]
    low_open: Bool[Tensor, "n k"]
    high_open: Bool[Tensor, "n k"]

    def held(self) -> Bool[Tensor, "n k"]:
        """Which intervals are not empty."""
        return (self.low < self.high) | ((self.low == self.high) & ~self.low_open & ~self.high_open)

    def middle(self) -> Float[Tensor, "n"]:
        """The middle of each segment's longest interval; 0 where all are empty."""
        length = torch.where(self.held(), self.high - self.low, -1.0)
        longest = length.argmax(1, keepdim=True)
        middle = ((self.low + self.high) / 2).gather(1, longest)[:, 0]
        return torch.where(length.gather(1, longest)[:, 0] >= 0, middle, 0.0)


def closed(low: Float[Tensor, "n k"], high: Float[Tensor, "n k"]) -> Spans:
    """Intervals that include both ends."""
    return Spans(low, high, torch.zeros_like(low, dtype=torch.bool), torch.zeros_like(low, dtype=torch.bool))


def joined(parts: Sequence[Spans]) -> Spans:
    """All intervals of several."""
    return Spans(*(torch.cat(part, 1) for part in zip(*parts, strict=True)))


def stacked(parts: Sequence[Spans]) -> Spans:
    """The segments of several, concatenated and padded with empty intervals."""
    k = max((p.low.shape[1] for p in parts), default=1)
    padded = [joined([p, _empty(len(p.low), k - p.low.shape[1], p.low)]) for p in parts]
    return Spans(*(torch.cat(part) for part in zip(*padded, strict=True)))


def _empty(n: int, k: int, like: Tensor) -> Spans:
    return closed(like.new_ones(n, k), like.new_zeros(n, k))


def both(p: Spans, q: Spans) -> Spans:
    """The intersections of every interval of one with every interval of the other."""
    pl, ql = torch.broadcast_tensors(p.low[:, :, None], q.low[:, None])
    ph, qh = torch.broadcast_tensors(p.high[:, :, None], q.high[:, None])
    low_open = (p.low_open[:, :, None] & (pl >= ql)) | (q.low_open[:, None] & (ql >= pl))
    high_open = (p.high_open[:, :, None] & (ph <= qh)) | (q.high_open[:, None] & (qh <= ph))
    return Spans(
        *(part.flatten(1) for part in (torch.maximum(pl, ql), torch.minimum(ph, qh), low_open, high_open))
    )


def gaps(inside: Spans) -> Spans:
    """The rest of [0, 1], from left to right: k + 1 intervals."""
    held = inside.held()
    first = inside.low_open.long().argsort(dim=1, stable=True)
    order = first.gather(1, torch.where(held, inside.low, 2.0).gather(1, first).argsort(dim=1, stable=True))
    low, high, low_open, high_open, held = (part.gather(1, order) for part in (*inside, held))
    reach, covered = torch.zeros_like(low[:, 0]), torch.zeros_like(held[:, 0])
    gaps = []
    for j in range(low.shape[1]):
        there = held[:, j]
        gaps.append(
            (
                torch.where(there, reach, 1.0),
                torch.where(there, low[:, j], 0.0),
                covered & there,
                ~low_open[:, j] & there,
            )
        )
        further, same = there & (high[:, j] > reach), there & (high[:, j] == reach)
        covered = torch.where(further, ~high_open[:, j], covered | (same & ~high_open[:, j]))
        reach = torch.where(further, high[:, j], reach)
    gaps.append((reach, torch.ones_like(reach), covered, torch.zeros_like(covered)))
    return Spans(*(torch.stack(part, 1) for part in zip(*gaps, strict=True)))


def trimmed(found: Spans) -> Spans:
    """The nonempty intervals first, with no more columns than some segment needs."""
    held = found.held()
    k = max(int(held.sum(1).max()), 1) if held.numel() else 1
    if k >= held.shape[1]:
        return found
    order = (~held).long().argsort(dim=1, stable=True)[:, :k]
    kept = held.gather(1, order)
    low, high, low_open, high_open = (part.gather(1, order) for part in found)
    return Spans(torch.where(kept, low, 1.0), torch.where(kept, high, 0.0), low_open & kept, high_open & kept)
