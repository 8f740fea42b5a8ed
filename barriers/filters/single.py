"""The search for the multiplier of one constraint on one cloud in this process (Q.6), in numbers rather than
tensors: of a small cloud nearly all of a step's time is in calls, not in arithmetic.

Of a large cloud only the particles near the boundary are looked at (`barriers.pairs`).
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from barriers.arrays import Tensor, torch
from barriers.chances import Chances, chances, mapped, near
from barriers.filters import nearby
from barriers.filters.flat import Flat, divided, stepped_alone
from barriers.filters.iterates import ITERATIONS
from barriers.filters.one_constraint import NEAR, ROUNDS
from barriers.filters.pushes import Pushes, along
from barriers.noise import Noise
from barriers.pairs import ball_of, beside
from barriers.sets.base import UnsafeSet
from barriers.small import FEW, MOST, Columns, as_columns, columns_of


class Ahead(NamedTuple):
    """The cloud ahead of the noise: the chances that are not negligible, the places of the particles they are
    of (None: all of them), and where these are; the sum of all chances.
    """

    found: Chances
    rows: Int[np.ndarray, "r"] | None
    y: Columns | None
    total: float


@dataclass(eq=False)
class Tried:
    """A multiplier, the change of the particles and the mean chance with it, by how much that is too large,
    and by how much it falls per unit of the multiplier, which is asked for where it is needed.
    """

    multiplier: float
    change: Float[np.ndarray, "d r"] | None
    mean: float
    violation: float
    falls: Callable[[], float]

    @cached_property
    def longest(self) -> float:
        """The largest change of a coordinate; 0 where nothing is changed, NaN where one is NaN."""
        if self.change is None or not self.change.size:
            return 0.0
        if self.change.size > MOST:
            return float(np.maximum(self.change.max(), -self.change.min()))
        return float(np.absolute(self.change).max())


def ahead_of(unsafe: UnsafeSet, y: Float[Tensor, "n d"], noise: Noise) -> Ahead:
    """The chances of all particles, or of those near the set."""
    if len(y) < nearby.FEWEST:
        at = as_columns(y)
        found = chances(unsafe, at, noise)
        return Ahead(found, None, at, total(found.value))
    ball = ball_of(unsafe) if noise.factor is None and y.shape[1] <= FEW else None
    if ball is not None:
        at = columns_of(y)
        rows = near(ball, at, noise)
        at = at.take(rows, axis=1)
        found = chances(unsafe, at, noise)
        return Ahead(found, rows, at, total(found.value))
    pairs = beside([unsafe], y, noise)
    p, everywhere = pairs.chance, np.arange(len(pairs.chance))
    return Ahead(Chances(p, lambda: pairs.gradient(everywhere)), pairs.particle, None, total(p))


def least_push(
    unsafe: UnsafeSet,
    y: Float[Tensor, "n d"],
    noise: Noise,
    ahead: Ahead,
    error: float,
    L: float,
    aim: float,
    farthest: float,
) -> tuple[Tried, Int[np.ndarray, "r"] | None]:
    """The least multiplier whose push takes the mean chance, with this error added, to L, or up to four times
    `aim` below it; and which particles it moves (None: all of them). Moves farther than `farthest` are not
    looked into further.
    """
    n, rows, at, others = len(y), ahead.rows, ahead.y, 0.0
    t, push, slope = Pushes.of(ahead.found)
    if rows is not None:
        size = np.absolute(push).max(0)
        counts = np.flatnonzero(size > nearby.negligible(y.dtype) * size.max()) if len(size) else rows
        t, push, slope, rows = (part.take(counts, axis=-1) for part in (t, push, slope, rows))
        others = ahead.total - total(ahead.found.value[counts])
        at = columns_of(y.index_select(0, torch.from_numpy(rows))) if at is None else at.take(counts, axis=1)
    assert at is not None, "the places of a whole cloud are known"
    mean = ahead.total / n + error
    falls = total(slope) / n
    start = Tried(0.0, None, mean, mean - L, lambda: falls)
    first = _first(t, slope, n, start, aim)
    tried = pushed(unsafe, at, noise, push, error, L, n, others)
    return least(tried, start, first, aim, lambda one: not one.longest <= farthest), rows


def pushed(
    unsafe: UnsafeSet,
    y: Float[np.ndarray, "d r"],
    noise: Noise,
    push: Float[np.ndarray, "d r"],
    error: float,
    L: float,
    n: int | None = None,
    others: float = 0.0,
) -> Callable[[float], Tried]:
    """What multiples of a push do; n: how many particles the cloud has, if more; others: their chances."""
    n = y.shape[1] if n is None else n

    def tried(μ: float) -> Tried:
        change = push * _in(push, -μ)
        found = chances(unsafe, y + mapped(change, noise), noise)
        mean = (total(found.value) + others) / n + error
        return Tried(μ, change, mean, mean - L, lambda: total(along(found.gradient, push)) / n)

    return tried


def least(
    tried: Callable[[float], Tried], start: Tried, first: float, aim: float, too_far: Callable[[Tried], bool]
) -> Tried:
    """`one_constraint.least` of a single cloud: the same numbers."""
    at = tried(first)
    return at if _settled(at, aim, too_far) else continued(tried, start, at, aim, too_far)


def _settled(at: Tried, aim: float, too_far: Callable[[Tried], bool]) -> bool:
    return not (at.violation > 0 or at.violation < -NEAR * aim) or too_far(at)


def continued(
    tried: Callable[[float], Tried], start: Tried, at: Tried, aim: float, too_far: Callable[[Tried], bool]
) -> Tried:
    """`one_constraint.continued` of a single cloud: the same numbers."""
    found, bracket = start, _Bracket(0.0, start.violation + aim, start.falls())
    for _ in range(ITERATIONS):
        if at.violation <= 0 or (found.violation > 0 and at.violation < found.violation):
            found = at
        if _settled(at, aim, too_far) or not math.isfinite(at.violation):
            break
        μ = bracket.next(at.multiplier, at.violation + aim, at.falls())
        if μ == at.multiplier:  # nothing is left to try
            break
        at = tried(μ)
    return found


class _Bracket:
    """`one_constraint.Bracket` of a single cloud."""

    def __init__(self, at: float, over: float, falls: float):
        self.at, self.over, self.inverse, self.low, self.high = at, over, divided(-1.0, falls), at, math.inf

    def next(self, μ: float, over: float, falls: float) -> float:
        """What to try after μ; μ itself where nothing is left to try."""
        inverse, low, high = divided(-1.0, falls), self.low, self.high
        low, high = (μ, high) if over > 0 else (low, μ)
        back = self.over - over
        chord = divided(divided(self.at - μ, back) - inverse, back)
        cubic = divided(divided(self.inverse - inverse, back) - 2 * chord, back)
        tangent = μ - over * inverse
        step = tangent + over * over * (chord - cubic * self.over)
        near = high if high < math.inf else 2 * tangent - μ
        step = step if low < step < near else tangent
        step = step if low < step < high else ((low + high) / 2 if high < math.inf else 2 * low)
        self.at, self.over, self.inverse, self.low, self.high = μ, over, inverse, low, high
        return step


def _first(
    t: Float[np.ndarray, "r"], slope: Float[np.ndarray, "r"], n: int, start: Tried, aim: float
) -> float:
    """The multiplier that a flat boundary would have (Q.7): by one of Halley's steps, or by several where one
    is not exact enough.
    """
    excess, flat = start.violation + aim, Flat(t, slope, n)
    bend, twist = flat.bends.tolist()
    μ, done = stepped_alone(0.0, excess, -start.falls(), bend, twist, aim)
    limit: float | None = None
    for _ in range(ROUNDS):
        if done:
            break
        limit = float(flat.value()) - excess if limit is None else limit
        value, slopes = flat.at(μ)
        falling, second, third = slopes.tolist()
        μ, done = stepped_alone(μ, float(value) - limit, falling, second, third, aim)
    return μ if math.isfinite(μ) else 0.0


def _in(like: np.ndarray, number: float) -> float:
    """The number, infinite where its size is too large for the dtype of an array, as in another array."""
    return math.copysign(math.inf, number) if abs(number) > np.finfo(like.dtype).max else number


def total(values: Float[np.ndarray, "n"]) -> float:
    """The sum, in float64."""
    return float(values.astype(np.float64, copy=False).sum())
