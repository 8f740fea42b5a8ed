"""How many particles are inside each set: of many balls, all at once.

The squared distances of n particles to m centres are one product of matrices, ‖x‖² − 2x·c + ‖c‖², whose
rounding is bounded. It finds the few that may be inside; these are decided as `contains` decides them, and
the set itself is asked where float64 does not suffice. So the count is exact, for the coordinates as saved.

What a run has counted, and what a filter found of the same cloud, is not asked again: `barriers.remembered`.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float, Int

from barriers import remembered
from barriers.arrays import Tensor, torch
from barriers.columns import columns_of
from barriers.pairs import near_balls
from barriers.remembered import Members
from barriers.sets.ball import Ball
from barriers.sets.base import UnsafeSet
from barriers.sets.pull import Pulled

MANY = 4096
"""Of fewer pairs of a particle and a ball, each set counts for itself."""
FAR = 1e15
"""Up to this size of the numbers of a ball no square overflows."""


def counted(sets: Sequence[UnsafeSet], x: Float[Tensor, "n d"]) -> Int[Tensor, "m"]:
    """The number of rows that each set contains, kept for whoever asks about this cloud next: for a run,
    whose sets do not change, with a sampler that writes to no cloud but by torch's own operations.
    """
    inside = _proposed(sets, x)
    if inside is None and x.device.type == "cpu" and not _by_product(sets, x):
        inside = contained(sets, x)
    found = _count(sets, x) if inside is None else torch.from_numpy(np.array(counts_of(inside)))
    remembered.keep_counted(sets, x, found, inside)
    return found


def membership(sets: Sequence[UnsafeSet], x: Float[Tensor, "n d"]) -> Members:
    """Which rows each set contains, kept in the same way."""
    inside = _proposed(sets, x)
    inside = contained(sets, x) if inside is None else inside
    remembered.keep_counted(sets, x, None, inside)
    return inside


def inside_each(sets: Sequence[UnsafeSet], x: Float[Tensor, "n d"]) -> Int[Tensor, "m"]:
    """The number of rows that each set contains."""
    seen = remembered.counted(sets, x)
    if seen is None or seen.numbers is None:
        return _count(sets, x)
    return seen.numbers.clone()


def inside_one(sets: Sequence[UnsafeSet], x: Float[Tensor, "n d"]) -> int:
    """The number of rows that the only set contains."""
    seen = remembered.counted(sets, x)
    return int((_count(sets, x) if seen is None or seen.numbers is None else seen.numbers).item())


def members(sets: Sequence[UnsafeSet], x: Float[Tensor, "n d"]) -> Members:
    """Which rows each set contains, to be read only."""
    seen = remembered.counted(sets, x)
    return contained(sets, x) if seen is None or seen.inside is None else seen.inside


def contained(sets: Sequence[UnsafeSet], x: Float[Tensor, "n d"]) -> Members:
    """The same, whoever has asked before."""
    each = [s.contains(x).numpy(force=True) for s in sets]
    return each[0][:, None] if len(each) == 1 else np.stack(each, 1)


def counts_of(chosen: Bool[np.ndarray, "n m"]) -> list[int]:
    """How many particles are chosen, in each column."""
    return [int(np.count_nonzero(chosen))] if chosen.shape[1] == 1 else chosen.sum(0).tolist()


def _proposed(sets: Sequence[UnsafeSet], x: Float[Tensor, "n d"]) -> Members | None:
    """What a filter found of this cloud, the particles that it moved asked anew; None where membership may
    depend on the rows that are asked about together.
    """
    seen = remembered.proposed(sets, x)
    if seen is None or seen.inside is None or seen.rows is None:
        return None if seen is None else seen.inside
    if not all(map(_is_ball, sets)):
        return None
    inside = seen.inside.copy()
    inside[seen.rows] = contained(sets, x.index_select(0, torch.from_numpy(seen.rows)))
    return inside


def _by_product(sets: Sequence[UnsafeSet], x: Float[Tensor, "n d"]) -> bool:
    """Whether there are balls enough to be counted by a product of matrices."""
    balls = sum(map(_is_ball, sets)) if len(sets) > 1 else 0
    return balls > 1 and len(x) * balls >= MANY


def _count(sets: Sequence[UnsafeSet], x: Float[Tensor, "n d"]) -> Int[Tensor, "m"]:
    if not _by_product(sets, x):
        return torch.stack([s.contains(x).sum() for s in sets])
    balls = [k for k, s in enumerate(sets) if _is_ball(s)]
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
