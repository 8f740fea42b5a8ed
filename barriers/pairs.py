"""The chances of particles of being inside sets after the noise (Q.5), of those pairs of a particle and a set
that are near each other (Q.8).

Of a pair further apart than BEYOND standard deviations of the noise nothing is computed: its chance is less
than one in 10¹⁷, in float32 less than the rounding of any other. Balls are compared with all particles at
once, by a product of matrices whose rounding is bounded: what it cannot decide is taken as near. Numbers of
pairs are stored coordinate by coordinate, since most operations along short rows take ten times as long.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache, partial
from itertools import accumulate
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from barriers.arrays import Tensor, torch
from barriers.columns import where_not_less
from barriers.noise import Noise
from barriers.predicted import Chance, chance
from barriers.sets.ball import Ball
from barriers.sets.base import UnsafeSet
from barriers.sets.pull import Pulled
from barriers.shell import Shell, shell
from barriers.small import columns_of, summed

LEAST = {torch.float32: 1e-9}
"""A chance below this is that of a pair too far apart, of a set that is no ball; 1e-17 in other dtypes."""
ROUNDING = {"highest": 1.0, "high": 2.0**13, "medium": 2.0**16}
"""Errors of a product of matrices of float32, in multiples of its precision, as torch is set."""


class Near(NamedTuple):
    """Pairs of a particle and a ball, set by set, as far as they are the same for all chances. starts: where
    the pairs of each set begin, and where the last end. shells: of each pair, or of all.
    """

    particle: Int[np.ndarray, "p"]
    starts: Int[np.ndarray, "s"]
    offset: Float[np.ndarray, "d p"]
    shells: Float[np.ndarray, "4 p"] | Float[np.ndarray, "4 1"]

    def chances(self, change: Float[np.ndarray, "d r"] | None = None) -> "Pairs":
        """The chances of being inside, after these changes of the particles."""
        offset = self.offset
        offset = offset if change is None else offset + change.take(self.particle, axis=1)
        own = Shell(*self.shells)
        ρ = summed(offset * offset)
        ρ += own.tiny
        np.sqrt(ρ, out=ρ)
        p, z = own.chance(ρ)
        return Pairs(self.particle, self.starts, p, partial(self._gradient, offset, ρ, z), self)

    def _gradient(
        self,
        offset: Float[np.ndarray, "d p"],
        ρ: Float[np.ndarray, "p"],
        z: Float[np.ndarray, "2 p"],
        at: Int[np.ndarray, "q"],
    ) -> Float[np.ndarray, "d q"]:
        slope = Shell(*_taken(self.shells, at)).slope(z.take(at, axis=1))
        slope /= ρ[at]
        found: np.ndarray = offset.take(at, axis=1) * slope
        return found

    def among(self, which: Int[np.ndarray, "q"], place: Int[np.ndarray, "n"]) -> "Near":
        """These pairs, in ascending order, of particles that have other places."""
        particle, starts = place[self.particle[which]], which.searchsorted(self.starts)
        return Near(particle, starts, self.offset.take(which, axis=1), _taken(self.shells, which))


@dataclass(frozen=True)
class Pairs:
    """Pairs of a particle and a set, set by set, in ascending order of the particles.

    starts: where the pairs of each set begin, and where the last end. gradient: of the chances of the pairs
    at these places, coordinate by coordinate. near: what other chances can be found from, where all are of
    balls.
    """

    particle: Int[np.ndarray, "p"]
    starts: Int[np.ndarray, "s"]
    chance: Float[np.ndarray, "p"]
    gradient: Callable[[Int[np.ndarray, "q"]], Float[np.ndarray, "d q"]]
    near: Near | None = None

    @cached_property
    def sums(self) -> Float[np.ndarray, "m"]:
        """The sum of the chances of each set, in float64."""
        return of_each_set(np.add, self.chance.astype(np.float64), self.starts)

    def of(self, sets: Int[np.ndarray, "a"]) -> tuple[Int[np.ndarray, "q"], Int[np.ndarray, "q"]]:
        """The places of the pairs of these sets, in ascending order, and which of the sets each is of."""
        sizes = np.diff(self.starts)[sets]
        places = [np.arange(self.starts[k], self.starts[k + 1]) for k in sets]
        return np.concatenate(places), np.repeat(np.arange(len(sets)), sizes)


def of_each_set(
    how: np.ufunc, values: Float[np.ndarray, "p"], starts: Int[np.ndarray, "s"]
) -> Float[np.ndarray, "m"]:
    """The sum or the largest of each set's numbers, which are consecutive and not negative; 0 of none."""
    begin, some = starts[:-1], starts[1:] > starts[:-1]
    if some.all():
        found: np.ndarray = how.reduceat(values, begin) if len(begin) else values[:0]
        return found
    found = np.zeros(len(begin), dtype=values.dtype)
    found[some] = how.reduceat(values, begin[some]) if some.any() else 0
    return found


def beside(sets: Sequence[UnsafeSet], y: Float[Tensor, "n d"], noise: Noise) -> Pairs:
    """The pairs that are near each other, with the chance that y + Lξ is inside the set, and its gradient;
    under a metric along the columns of its factor. Of particles in this memory.
    """
    balls = {} if noise.factor is not None else _balls(tuple(sets))
    near = _beside_balls(list(balls.values()), y, noise) if balls else None
    if near is not None and len(balls) == len(sets):
        return near
    parts, own = [], iter(range(len(balls)))
    for k, s in enumerate(sets):
        if k in balls and near is not None:
            i = next(own)
            at = np.arange(near.starts[i], near.starts[i + 1])
            parts.append((near.particle[at], near.chance[at], near.gradient(at)))
        else:
            parts.append(_beside_one(s, y, noise))
    particle, p, gradient = (np.concatenate(part, -1) for part in zip(*parts, strict=True))
    starts = np.array([0, *accumulate(len(part[0]) for part in parts)])
    return Pairs(particle, starts, p, lambda at: gradient.take(at, axis=1))


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


def _beside_one(
    unsafe: UnsafeSet, y: Tensor, noise: Noise
) -> tuple[Int[np.ndarray, "p"], Float[np.ndarray, "p"], Float[np.ndarray, "d p"]]:
    """Of any set, by the chances of all particles."""
    p, gradient = chance_along(unsafe, y, noise)
    chances = p.numpy(force=True)
    rows = np.flatnonzero(~(chances < LEAST.get(y.dtype, 1e-17)))  # NaN is kept
    return rows, chances[rows], columns_of(gradient[torch.from_numpy(rows)])


class _Balls(NamedTuple):
    """Balls as pairs with them are found: their centres, and twice those; their shells, of each or of all;
    `κ` of `near_balls`.
    """

    centers: Float[np.ndarray, "d b"]
    twice: Float[Tensor, "b d"]
    shells: Float[np.ndarray, "4 b"] | Float[np.ndarray, "4 1"]
    κ: Float[Tensor, "b 1"]


def _beside_balls(balls: Sequence[Ball], y: Tensor, noise: Noise) -> Pairs:
    (n, d), columns = y.shape, columns_of(y)
    centers, radii = tuple(tuple(ball.center.tolist()) for ball in balls), tuple(b.radius for b in balls)
    ε = allowance(d, y.dtype, y.dtype)
    own = _as_found(centers, radii, noise.std, y.dtype, ε)
    found, starts = _near(own.twice, own.κ, torch.from_numpy(columns), ε)
    sizes = np.diff(starts)
    particle = found.numpy() - np.repeat(n * np.arange(len(balls)), sizes)
    offset = columns.take(particle, axis=1)
    offset -= np.repeat(own.centers, sizes, axis=1)
    table = own.shells if own.shells.shape[1] == 1 else np.repeat(own.shells, sizes, axis=1)
    return Near(particle, starts, offset, table).chances()


@lru_cache(maxsize=16)
def _as_found(
    centers: tuple[tuple[float, ...], ...],
    radii: tuple[float, ...],
    std: float,
    dtype: torch.dtype,
    ε: float,
) -> _Balls:
    """These balls, for positions of this dtype."""
    c = torch.tensor(centers, dtype=torch.float64).to(dtype)
    numbers = c.numpy(force=True)
    shells, within = zip(*(shell(r, c.shape[1], std, numbers.dtype) for r in radii), strict=True)
    table = np.array(shells, numbers.dtype).T
    table = table[:, :1] if len(set(shells)) == 1 else table
    return _Balls(np.array(numbers.T, order="C"), 2 * c, table, _limit(c, within, ε))


def _taken(shells: Float[np.ndarray, "4 p"], at: Int[np.ndarray, "q"]) -> Float[np.ndarray, "4 k"]:
    """The shells of these pairs."""
    return shells if shells.shape[1] == 1 else shells.take(at, axis=1)


def near_balls(
    c: Float[Tensor, "b d"],
    within: Sequence[float],
    columns: Float[Tensor, "d n"],
    precision: torch.dtype | None = None,
) -> tuple[Int[Tensor, "p"], Int[np.ndarray, "s"]]:
    """The places of the near pairs in an array [b, n] of centres and particles, and where those of each
    centre begin: at least those within its distance: ‖y‖² − 2y·c + ‖c‖² ≤ within².

    precision: the coordinates are known to that of this dtype, theirs by default.
    """
    ε = allowance(len(columns), columns.dtype, precision or columns.dtype)
    return _near(2 * c, _limit(c, within, ε), columns, ε)


def _limit(c: Float[Tensor, "b d"], within: Sequence[float], ε: float) -> Float[Tensor, "b 1"]:
    """κ = within² − ‖c‖², and what rounding allows."""
    centers = c.numpy(force=True)
    lengths = np.array(within, centers.dtype)
    κ = (1 + ε) * lengths * lengths - (1 - ε) * (centers * centers).sum(1) + 64 * torch.finfo(c.dtype).tiny
    return torch.from_numpy(κ).to(c.device)[:, None]


def _near(
    twice: Float[Tensor, "b d"], κ: Float[Tensor, "b 1"], columns: Float[Tensor, "d n"], ε: float
) -> tuple[Int[Tensor, "p"], Int[np.ndarray, "s"]]:
    inside = torch.addmm(κ, twice, columns)
    pairs = where_not_less(inside, (columns * columns).sum(0).mul_(1 - ε))  # NaN is near
    ends = columns.shape[1] * np.arange(len(twice) + 1)
    return pairs, pairs.numpy(force=True).searchsorted(ends)


def allowance(d: int, dtype: torch.dtype, precision: torch.dtype) -> float:
    """More than the relative error of the squared distances, as matrices of this dtype are multiplied."""
    scale = ROUNDING[torch.get_float32_matmul_precision()] if dtype == torch.float32 else 1.0
    return 4 * (d + 4) * max(torch.finfo(dtype).eps * scale, torch.finfo(precision).eps)
