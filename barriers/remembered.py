"""Which particles were found inside, while their cloud's tensor is still the same one, unchanged.

A run counts each cloud after its step (`barriers.counting`), and a filter may ask about the same cloud before
the next one: what the run found is kept of the last few clouds, as of runs turn about. So is what a filter
found of a proposal (`keep`), which most often is the cloud that the run counts next: as it is, or with some
particles moved back to where the run had found them (`keep_returned`). Whether a particle is inside was
always found by asking its set about the very place where it is.
"""

from collections.abc import Sequence
from typing import NamedTuple
from weakref import ref

import numpy as np
from jaxtyping import Bool, Float, Int

from barriers.arrays import Tensor
from barriers.sets.base import UnsafeSet

CLOUDS, MOST = 16, 2**22
"""So many clouds that are still there are remembered, and memberships of so many particles and sets."""

Members = Bool[np.ndarray, "n m"]
"""Which particles are inside each set."""
Sets = tuple["ref[UnsafeSet]", ...]


class Seen(NamedTuple):
    """A cloud as it was when these sets were asked about it, how many particles are inside each, and which;
    rows: those that were moved since.
    """

    x: "ref[Tensor]"
    version: int
    sets: Sets
    numbers: Int[Tensor, "m"] | None
    inside: Members | None
    rows: Int[np.ndarray, "k"] | None = None

    def still(self, x: Tensor) -> bool:
        """Whether x is this cloud, unchanged."""
        return not x.is_inference() and self.x() is _whole(x) and self.version == x._version

    def asked(self, sets: Sequence[UnsafeSet], x: Tensor) -> bool:
        """Whether x is this cloud, unchanged, and these are the sets."""
        if not self.still(x) or len(self.sets) != len(sets):
            return False
        return all([a() is s for a, s in zip(self.sets, sets, strict=True)])


_counted: list[Seen] = []
_proposed: list[Seen] = []


def keep(sets: Sequence[UnsafeSet], x: Float[Tensor, "n d"], inside: Members) -> None:
    """Keeps which particles of a proposal are inside, if the same cloud is counted next: for a filter that
    writes to no cloud.
    """
    _proposed[:] = _seen(sets, x, None, inside)


def keep_changed(
    before: Float[Tensor, "n d"], after: Float[Tensor, "n d"], rows: Int[np.ndarray, "k"]
) -> None:
    """Keeps the same of a cloud that differs in these rows alone, of which the sets have to be asked."""
    for kept in _proposed:
        if kept.still(before) and kept.rows is None:
            _proposed[:] = [kept._replace(x=ref(_whole(after)), version=after._version, rows=rows)]


def keep_returned(
    x: Float[Tensor, "n d"],
    before: Float[Tensor, "n d"],
    after: Float[Tensor, "n d"],
    rows: Int[np.ndarray, "k"],
) -> None:
    """The same where the particles in these rows are where they were in x."""
    keep_changed(before, after, rows)
    for kept in _proposed:
        known = next((seen.inside for seen in reversed(_counted) if _same(seen, kept, x)), None)
        if kept.still(after) and known is not None and kept.inside is not None:
            inside = kept.inside.copy()
            inside[rows] = known[rows]
            _proposed[:] = [kept._replace(inside=inside, rows=None)]


def proposed(sets: Sequence[UnsafeSet], x: Float[Tensor, "n d"]) -> Seen | None:
    """What is kept of this cloud as a proposal."""
    for kept in _proposed:
        if kept.asked(sets, x):
            return kept
    return None


def keep_counted(
    sets: Sequence[UnsafeSet],
    x: Float[Tensor, "n d"],
    numbers: Int[Tensor, "m"] | None,
    inside: Members | None,
) -> None:
    """Keeps what a run has found of a cloud; what was kept of a proposal is not needed any more."""
    _proposed.clear()
    alive = [seen for seen in _counted if seen.x() is not None]
    inside = None if inside is None or inside.size > MOST else inside
    _counted[:] = [*alive[1 - CLOUDS :], *_seen(sets, x, numbers, inside)]


def counted(sets: Sequence[UnsafeSet], x: Float[Tensor, "n d"]) -> Seen | None:
    """What a run has found of this cloud."""
    for seen in reversed(_counted):
        if seen.asked(sets, x):
            return seen
    return None


def _seen(sets: Sequence[UnsafeSet], x: Tensor, numbers: Tensor | None, inside: Members | None) -> list[Seen]:
    """Nothing of a tensor that does not tell whether it was changed."""
    if x.is_inference():
        return []
    return [Seen(ref(_whole(x)), x._version, tuple(map(ref, sets)), numbers, inside)]


def _same(seen: Seen, other: Seen, x: Tensor) -> bool:
    """Whether something is of x and of the sets of another one."""
    return seen.still(x) and [a() for a in seen.sets] == [a() for a in other.sets]


def _whole(x: Float[Tensor, "*r n d"]) -> Tensor:
    """The tensor whose rows, all of them and in their order, these are: x itself, or what it is a view of."""
    base = x._base
    if base is None or base.numel() != x.numel() or base.shape[-1:] != x.shape[-1:]:
        return x
    if base.dtype != x.dtype or base.is_neg() != x.is_neg() or base.data_ptr() != x.data_ptr():
        return x  # other numbers, in the same memory or beside it
    return base if base.is_contiguous() and x.is_contiguous() else x
