"""The chances of particles of being inside sets after the noise (Q.5), of those pairs of a particle and a set
that are near each other (Q.8).

Of a pair further apart than BEYOND standard deviations of the noise nothing is computed: its chance is less
than one in 10¹⁷, in float32 less than the rounding of any other. Balls are compared with all particles at
once, by a product of matrices whose rounding is bounded: what it cannot decide is taken as near. Numbers of
pairs are stored coordinate by coordinate, since most operations along short rows take ten times as long.
"""

from collections.abc import Sequence
from functools import lru_cache
from itertools import accumulate
from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Float, Int

from barriers.arrays import Tensor, torch
from barriers.columns import columns_of, where_true
from barriers.noise import Noise, beyond, in_shell, reach_of
from barriers.predicted import Chance, chance
from barriers.sets.ball import Ball
from barriers.sets.base import UnsafeSet
from barriers.sets.pull import Pulled

LEAST = {torch.float32: 1e-9}
"""A chance below this is that of a pair too far apart, of a set that is no ball; 1e-17 in other dtypes."""
WANDER = 0.25
"""How many standard deviations a particle may be moved before its pairs are searched for again."""
ROUNDING = {"highest": 1.0, "high": 2.0**13, "medium": 2.0**16}
"""Errors of a product of matrices of float32, in multiples of its precision, as torch is set."""


class Near(NamedTuple):
    """Pairs of a particle and a ball, set by set, as far as they are the same for all chances: what is added
    to a squared distance, and the reach and the standard deviation along the radius.
    """

    particle: Int[Tensor, "p"]
    sizes: tuple[int, ...]
    offset: Float[Tensor, "d p"]
    tiny: Float[Tensor, "p"]
    reach: Float[Tensor, "p"]
    deviation: Float[Tensor, "p"]

    def chances(self, change: Float[Tensor, "d r"] | None = None) -> "Pairs":
        """The chances of being inside, after these changes of the particles."""
        offset = self.offset
        offset = offset if change is None else offset + change.index_select(1, self.particle)
        ρ = ((offset * offset).sum(0) + self.tiny).sqrt()
        p, slope = in_shell(ρ, self.reach, self.deviation)
        return Pairs(self.particle, self.sizes, Chance(p, lambda: offset * (slope() / ρ)), self)

    def among(self, which: Int[Tensor, "q"], place: Int[Tensor, "n"]) -> "Near":
        """These pairs, in ascending order, of particles that have other places."""
        offset, *others = (part.index_select(-1, which) for part in self[2:])
        particle = place.index_select(0, self.particle.index_select(0, which))
        return Near(particle, sizes_of(which, self.sizes), offset, *others)


class Pairs(NamedTuple):
    """Pairs of a particle and a set, set by set, in ascending order of the particles.

    sizes: how many pairs each set has. found: the chance of each, and its gradient, [d, p]. near: what other
    chances can be found from, where all are of balls.
    """

    particle: Int[Tensor, "p"]
    sizes: tuple[int, ...]
    found: Chance
    near: Near | None = None

    @property
    def chance(self) -> Float[Tensor, "p"]:
        """The chance of each pair."""
        return self.found.value

    @property
    def gradient(self) -> Float[Tensor, "d p"]:
        """Its gradient, coordinate by coordinate."""
        return self.found.gradient

    def sums(self) -> Float[Tensor, "m"]:
        """The sum of the chances of each set, in float64."""
        return of_each_set(self.chance.double(), self.sizes, "add")

    def of(self, sets: Sequence[int]) -> "Pairs":
        """The pairs of these sets alone, in ascending order."""
        if len(sets) == len(self.sizes):
            return self
        each = zip(
            *(part.split(self.sizes, -1) for part in (self.particle, self.chance, self.gradient)), strict=True
        )
        chosen = [pair for k, pair in enumerate(each) if k in sets]
        particle, p, gradient = (torch.cat(part, -1) for part in zip(*chosen, strict=True))
        return Pairs(particle, tuple(self.sizes[k] for k in sets), Chance(p, gradient))

    def places(self, n: int) -> Int[Tensor, "p"]:
        """The place of each pair in an array [m, n] of sets and particles."""
        each = self.particle.split(self.sizes)
        return torch.cat([own + k * n if k else own for k, own in enumerate(each)])


def of_each_set(
    values: Float[Tensor, "p"], sizes: Sequence[int], how: Literal["add", "maximum"]
) -> Float[Tensor, "m"]:
    """The sum or the largest of each set's numbers, which are consecutive and not negative; 0 of none."""
    if values.device.type != "cpu":
        each = [
            own.sum() if how == "add" else own.max() if len(own) else own.sum()
            for own in values.split(list(sizes))
        ]
        return torch.stack(each)
    numbers, counts = values.numpy(force=True), np.array(sizes)
    some, found = counts > 0, np.zeros(len(counts), dtype=numbers.dtype)
    found[some] = getattr(np, how).reduceat(numbers, (counts.cumsum() - counts)[some])
    return torch.from_numpy(found)


def beside(sets: Sequence[UnsafeSet], y: Float[Tensor, "n d"], noise: Noise) -> Pairs:
    """The pairs that are near each other, with the chance that y + Lξ is inside the set, and its gradient;
    under a metric along the columns of its factor.
    """
    balls = {} if noise.factor is not None else _balls(tuple(sets))
    near = _beside_balls(list(balls.values()), y, noise) if balls else None
    if near is not None and len(balls) == len(sets):
        return near
    found = [_beside_one(s, y, noise) for k, s in enumerate(sets) if k not in balls]
    of_balls = [] if near is None else [near.of([i]) for i in range(len(balls))]
    others, own = iter(found), iter(of_balls)
    parts = [next(own) if k in balls else next(others) for k in range(len(sets))]
    particle, p, gradient = (
        torch.cat(part, -1) for part in zip(*((q.particle, q.chance, q.gradient) for q in parts), strict=True)
    )
    return Pairs(particle, tuple(part.sizes[0] for part in parts), Chance(p, gradient))


def chance_along(unsafe: UnsafeSet, y: Float[Tensor, "n d"], noise: Noise) -> Chance:
    """The chance of every particle, with its gradient, under a metric along the columns of its factor."""
    found, factor = chance(unsafe, y, noise), noise.factor
    if factor is None:
        return found
    return Chance(found.value, lambda: found.gradient @ factor.to(found.gradient.dtype))


@lru_cache(maxsize=16)
def _balls(sets: tuple[UnsafeSet, ...]) -> dict[int, Ball]:
    """Those of the sets that are balls, by their places."""
    return {k: b for k, b in enumerate(map(ball_of, sets)) if b is not None}


@lru_cache(maxsize=64)
def ball_of(unsafe: UnsafeSet) -> Ball | None:
    """The ball that a set is, as its chance is computed; None where it is none."""
    while isinstance(unsafe, Pulled):
        unsafe = unsafe.level
    return unsafe if isinstance(unsafe, Ball) else None


def _beside_one(unsafe: UnsafeSet, y: Tensor, noise: Noise) -> Pairs:
    """Of any set, by the chances of all particles."""
    p, gradient = chance_along(unsafe, y, noise)
    rows = where_true(~(p < LEAST.get(y.dtype, 1e-17)))  # NaN is kept
    return Pairs(rows, (len(rows),), Chance(p[rows], gradient[rows].T))


def _beside_balls(balls: Sequence[Ball], y: Tensor, noise: Noise) -> Pairs:
    columns, c = columns_of(y), torch.stack([ball.center for ball in balls]).to(y)
    reaches = [reach_of(ball.radius, y.shape[1], noise) for ball in balls]
    within = [
        ball.radius + (beyond(y.dtype) + WANDER) * σ for ball, (_, σ) in zip(balls, reaches, strict=True)
    ]
    pairs, sizes = near_balls(c, within, columns)
    table = [(ball.tiny(y.dtype), *own) for ball, own in zip(balls, reaches, strict=True)]
    firsts = len(y) * torch.arange(len(balls), device=y.device)
    whole = torch.cat([c, y.new_tensor(table)], 1).T
    k = torch.arange(len(c), device=y.device).repeat_interleave(torch.tensor(sizes, device=y.device))
    particle, (*own, tiny, reach, σ) = pairs - firsts.index_select(0, k), whole.index_select(1, k)
    offset = columns.index_select(1, particle) - torch.stack(own)
    return Near(particle, sizes, offset, tiny, reach, σ).chances()


def near_balls(
    c: Float[Tensor, "b d"],
    within: Sequence[float],
    columns: Float[Tensor, "d n"],
    precision: torch.dtype | None = None,
) -> tuple[Int[Tensor, "p"], tuple[int, ...]]:
    """The places of the near pairs in an array [b, n] of centres and particles, and how many pairs each
    centre has: at least those within its distance: ‖y‖² − 2y·c + ‖c‖² ≤ within².

    precision: the coordinates are known to that of this dtype, theirs by default.
    """
    dtype, lengths = columns.dtype, c.new_tensor(within)
    ε = allowance(len(columns), dtype, precision or dtype)
    κ = (1 - ε) * (c * c).sum(1) - (1 + ε) * lengths * lengths - 64 * torch.finfo(dtype).tiny
    far = torch.addmm(-κ[:, None], 2 * c, columns) < (1 - ε) * (columns * columns).sum(0)
    pairs = where_true(~far.flatten())  # NaN is near
    return pairs, sizes_of(pairs, [columns.shape[1]] * len(c))


def allowance(d: int, dtype: torch.dtype, precision: torch.dtype) -> float:
    """More than the relative error of the squared distances, as matrices of this dtype are multiplied."""
    scale = ROUNDING[torch.get_float32_matmul_precision()] if dtype == torch.float32 else 1.0
    return 4 * (d + 4) * max(torch.finfo(dtype).eps * scale, torch.finfo(precision).eps)


def sizes_of(which: Int[Tensor, "p"], sizes: Sequence[int]) -> tuple[int, ...]:
    """How many of these places, in ascending order, are in each of consecutive pieces of such sizes."""
    ends = torch.searchsorted(which, torch.tensor([0, *accumulate(sizes)], device=which.device)).tolist()
    return tuple(after - before for before, after in zip(ends, ends[1:], strict=False))
