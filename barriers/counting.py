"""How many particles are inside each set: of many balls, all at once.

The squared distances of n particles to m centres are one product of matrices, ‖x‖² − 2x·c + ‖c‖², whose
rounding is bounded. It finds the few that may be inside; these are decided as `contains` decides them, and
the set itself is asked where float64 does not suffice. So the count is exact, for the coordinates as saved.

A run counts each cloud after its step, and a filter may count the same cloud before the next one: what the
run found (`counted`) is kept of the last few clouds, as of runs turn about, while a cloud's tensor is still
the same one, unchanged. So is
what a filter found of a proposal (`keep`), which most often is the cloud that the run counts next.
"""

from collections.abc import Sequence
from typing import NamedTuple
from weakref import ref

import numpy as np
from jaxtyping import Bool, Float, Int

from barriers.arrays import Tensor, torch
from barriers.columns import columns_of
from barriers.pairs import near_balls
from barriers.sets.ball import Ball
from barriers.sets.base import UnsafeSet
from barriers.sets.pull import Pulled

MANY = 4096
"""Of fewer pairs of a particle and a ball, each set counts for itself."""
CLOUDS = 16
"""So many clouds that are still there are remembered."""
FAR = 1e15
"""Up to this size of the numbers of a ball no square overflows."""


class _Cloud(NamedTuple):
    """A cloud as it was when these sets were asked about it."""

    x: "ref[Tensor]"
    version: int
    sets: tuple["ref[UnsafeSet]", ...]

    @classmethod
    def of(cls, sets: Sequence[UnsafeSet], x: Tensor) -> "_Cloud | None":
        """None of a tensor that does not tell whether it was changed."""
        return None if x.is_inference() else cls(ref(x), x._version, tuple(map(ref, sets)))

    def still(self, x: Tensor) -> bool:
        """Whether x is this cloud, unchanged."""
        return self.x() is x and self.version == x._version

    def asked(self, sets: Sequence[UnsafeSet], x: Tensor) -> bool:
        """Whether x is this cloud, unchanged, and these are the sets."""
        if not self.still(x) or len(self.sets) != len(sets):
            return False
        return all([a() is s for a, s in zip(self.sets, sets, strict=True)])


class _Proposed(NamedTuple):
    """Which particles of a proposal were inside, and which rows of the cloud are others."""

    cloud: _Cloud
    inside: Bool[np.ndarray, "n m"]
    rows: Int[np.ndarray, "k"] | None

    def numbers(self, sets: Sequence[UnsafeSet], x: Float[Tensor, "n d"]) -> list[int] | None:
        """How many particles of the cloud are inside each set; None where membership may depend on the rows
        that are asked about together.
        """
        numbers = counts_of(self.inside)
        if self.rows is None:
            return numbers
        if not all(map(_is_ball, sets)):
            return None
        others = x.index_select(0, torch.from_numpy(self.rows))
        was = counts_of(self.inside[self.rows])
        now = [int(np.count_nonzero(s.contains(others).numpy(force=True))) for s in sets]
        return [n - a + b for n, a, b in zip(numbers, was, now, strict=True)]


_last: list[tuple[_Cloud, Int[Tensor, "m"]]] = []
_proposed: list[_Proposed] = []


def keep(sets: Sequence[UnsafeSet], x: Float[Tensor, "n d"], inside: Bool[np.ndarray, "n m"]) -> None:
    """Keeps which particles of a cloud are inside for `counted`, if that is asked about the same cloud next:
    for a filter that writes to no cloud.
    """
    cloud = _Cloud.of(sets, x)
    _proposed[:] = [] if cloud is None else [_Proposed(cloud, inside, None)]


def keep_changed(
    before: Float[Tensor, "n d"], after: Float[Tensor, "n d"], rows: Int[np.ndarray, "k"]
) -> None:
    """Keeps the same of a cloud that differs in these rows alone, of which the sets are asked again."""
    for kept in _proposed:
        if kept.cloud.still(before) and kept.rows is None:
            cloud = kept.cloud._replace(x=ref(after), version=after._version)
            _proposed[:] = [kept._replace(cloud=cloud, rows=rows)]


def counted(sets: Sequence[UnsafeSet], x: Float[Tensor, "n d"]) -> Int[Tensor, "m"]:
    """The number of rows that each set contains, kept for whoever asks about this cloud next: for a run,
    whose sets do not change, with a sampler that writes to no cloud but by torch's own operations.
    """
    known = next((kept.numbers(sets, x) for kept in _proposed if kept.cloud.asked(sets, x)), None)
    found = _count(sets, x) if known is None else torch.from_numpy(np.array(known))
    cloud = _Cloud.of(sets, x)
    _proposed.clear()
    if cloud is not None:
        alive = [kept for kept in _last if kept[0].x() is not None]
        _last[:] = [*alive[1 - CLOUDS :], (cloud, found)]
    return found


def inside_each(sets: Sequence[UnsafeSet], x: Float[Tensor, "n d"]) -> Int[Tensor, "m"]:
    """The number of rows that each set contains."""
    for cloud, found in reversed(_last):
        if cloud.asked(sets, x):
            return found.clone()
    return _count(sets, x)


def counts_of(chosen: Bool[np.ndarray, "n m"]) -> list[int]:
    """How many particles are chosen, in each column."""
    return [int(np.count_nonzero(chosen))] if chosen.shape[1] == 1 else chosen.sum(0).tolist()


def _count(sets: Sequence[UnsafeSet], x: Float[Tensor, "n d"]) -> Int[Tensor, "m"]:
    if len(sets) == 1:
        return sets[0].contains(x).sum()[None]
    balls = [k for k, s in enumerate(sets) if _is_ball(s)]
    if len(balls) < 2 or len(x) * len(balls) < MANY:
        return torch.stack([s.contains(x).sum() for s in sets])
    found = _inside_balls([sets[k] for k in balls], x)
    if len(balls) == len(sets):
        return found
    of_balls = dict(zip(balls, found.unbind(), strict=True))
    each = [of_balls[k] if k in of_balls else s.contains(x).sum() for k, s in enumerate(sets)]
    return torch.stack(each)


def _inside_balls(sets: Sequence[UnsafeSet], x: Tensor) -> Int[Tensor, "b"]:
    balls = [_original(s) for s in sets]
    c, radii = torch.stack([ball.center for ball in balls]), [ball.radius for ball in balls]
    if not float(c.abs().max()) + max(radii) < FAR:
        return torch.stack([s.contains(x).sum() for s in sets])
    precision = max((_saved(s) or x.dtype for s in sets), key=lambda dtype: torch.finfo(dtype).eps)
    pairs, _ = near_balls(c.to(x), radii, columns_of(x), precision)
    k, particle = pairs // len(x), pairs % len(x)
    rows, numbers = x.index_select(0, particle), torch.cat([c, c.new_tensor(radii)[:, None]], 1)
    own = numbers.index_select(0, k)
    surely, possibly = Ball.compared(rows.to(precision).double() - own[:, :-1], own[:, -1])
    if not torch.equal(surely, possibly):
        for i in (surely != possibly).nonzero()[:, 0].tolist():
            surely[i] = sets[int(k[i])].contains(rows[i, None])[0]
    return torch.bincount(k[surely], minlength=len(sets))


def _original(unsafe: UnsafeSet) -> Ball:
    """The ball whose membership a set has."""
    found = unsafe.original if isinstance(unsafe, Pulled) else unsafe
    assert isinstance(found, Ball)
    return found


def _saved(unsafe: UnsafeSet) -> torch.dtype | None:
    """The dtype that particles are cast to before a set is asked about them; None where they are not."""
    return unsafe.coordinates.saved_dtype if isinstance(unsafe, Pulled) else None


def _is_ball(unsafe: UnsafeSet) -> bool:
    """Whether a set is a ball over the particles' own coordinates."""
    found = unsafe.original if isinstance(unsafe, Pulled) and unsafe.coordinates.identity else unsafe
    return type(found) is Ball
