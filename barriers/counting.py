"""How many particles are inside each set: of many balls, all at once.

The squared distances of n particles to m centres are one product of matrices, ‖x‖² − 2x·c + ‖c‖², whose
rounding is bounded. It finds the few that may be inside; these are decided as `contains` decides them, and
the set itself is asked where float64 does not suffice. So the count is exact, for the coordinates as saved.

A run counts each cloud after its step, and a filter may count the same cloud before the next one: what the
run found (`counted`) is kept for the last cloud alone, a tensor that is still the same one, unchanged.
"""

from collections.abc import Sequence
from typing import NamedTuple
from weakref import ref

from jaxtyping import Float, Int

from barriers.arrays import Tensor, torch
from barriers.columns import columns_of
from barriers.pairs import near_balls
from barriers.sets.ball import Ball
from barriers.sets.base import UnsafeSet
from barriers.sets.pull import Pulled

MANY = 4096
"""Of fewer pairs of a particle and a ball, each set counts for itself."""
FAR = 1e15
"""Up to this size of the numbers of a ball no square overflows."""


class _Counted(NamedTuple):
    """A cloud that was counted, as it was then, and how many of it are inside each of these sets."""

    x: "ref[Tensor]"
    version: int
    sets: tuple["ref[UnsafeSet]", ...]
    found: Int[Tensor, "m"]

    def of(self, sets: Sequence[UnsafeSet], x: Tensor) -> bool:
        """Whether it is what is asked for."""
        return (
            self.x() is x
            and self.version == x._version
            and len(self.sets) == len(sets)
            and all(own() is s for own, s in zip(self.sets, sets, strict=True))
        )


_last: list[_Counted] = []


def counted(sets: Sequence[UnsafeSet], x: Float[Tensor, "n d"]) -> Int[Tensor, "m"]:
    """The number of rows that each set contains, kept for whoever asks about this cloud next: for a run,
    whose sets do not change, with a sampler that writes to no cloud but by torch's own operations.
    """
    found = _count(sets, x)
    _last[:] = [] if x.is_inference() else [_Counted(ref(x), x._version, tuple(map(ref, sets)), found)]
    return found


def inside_each(sets: Sequence[UnsafeSet], x: Float[Tensor, "n d"]) -> Int[Tensor, "m"]:
    """The number of rows that each set contains."""
    for last in _last:
        if last.of(sets, x):
            return last.found.clone()
    return _count(sets, x)


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
