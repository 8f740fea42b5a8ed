"""The search for the multiplier of one constraint on one cloud in this process (Q.6), in numbers rather than
tensors: of a small cloud nearly all of a step's time is in calls, not in arithmetic.

Of a large cloud only the particles near the boundary are looked at (`barriers.pairs`).
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from barriers.arrays import Tensor, torch
from barriers.columns import where_true
from barriers.filters import nearby
from barriers.filters.flat import Flat, divided, stepped_alone
from barriers.filters.iterates import ITERATIONS
from barriers.filters.one_constraint import NEAR, ROUNDS
from barriers.filters.push import depth, narrowing
from barriers.noise import Noise
from barriers.pairs import beside, chance_along
from barriers.predicted import Chance
from barriers.sets.base import UnsafeSet
from barriers.squares import inner


class Ahead(NamedTuple):
    """The cloud ahead of the noise: the chances that are not negligible, and the particles they are of (None:
    all of them); the sum of all chances.
    """

    chance: Chance
    rows: Int[Tensor, "r"] | None
    total: float


class Tried(NamedTuple):
    """A multiplier, the change of the particles and the mean chance with it, by how much that is too large,
    and by how much it falls per unit of the multiplier, which is asked for where it is needed.
    """

    multiplier: float
    change: Float[Tensor, "r d"] | None
    mean: float
    violation: float
    falls: Callable[[], float]

    def longest(self) -> float:
        """The largest change of a coordinate; 0 where nothing is changed, NaN where one is NaN."""
        return float(self.change.abs().max()) if self.change is not None and self.change.numel() else 0.0


def ahead_of(unsafe: UnsafeSet, y: Float[Tensor, "n d"], noise: Noise) -> Ahead:
    """The chances of all particles, or of those near the set."""
    if len(y) < nearby.FEWEST:
        found = chance_along(unsafe, y, noise)
        return Ahead(found, None, _sum(found.value))
    pairs = beside([unsafe], y, noise)
    return Ahead(Chance(pairs.chance, lambda: pairs.gradient.T), pairs.particle, _sum(pairs.chance))


def least_push(
    unsafe: UnsafeSet,
    y: Float[Tensor, "n d"],
    noise: Noise,
    ahead: Ahead,
    error: float,
    L: float,
    aim: float,
    farthest: float,
) -> tuple[Tried, Int[Tensor, "r"] | None]:
    """The least multiplier whose push takes the mean chance, with this error added, to L, or up to four times
    `aim` below it; and which particles it moves (None: all of them). Moves farther than `farthest` are not
    looked into further.
    """
    n, rows = len(y), ahead.rows
    p, gradient = ahead.chance
    t = depth(p)
    r = narrowing(t)
    push, others = r[:, None] * gradient, 0.0
    if rows is not None:
        size = push.abs().amax(-1)
        counts = where_true(size > nearby.negligible(y.dtype) * size.amax()) if len(size) else rows
        t, p, gradient, push, rows = (part.index_select(0, counts) for part in (t, p, gradient, push, rows))
        others, y = ahead.total - _sum(p), y.index_select(0, rows)
    slope = inner(gradient, push)
    mean = ahead.total / n + error
    falls = _sum(slope) / n
    start = Tried(0.0, None, mean, mean - L, lambda: falls)
    first = _first(t, slope, n, start, aim)
    tried = pushed(unsafe, y, noise, push, error, L, n, others)
    return least(tried, start, first, aim, lambda at: not at.longest() <= farthest), rows


def pushed(
    unsafe: UnsafeSet,
    y: Float[Tensor, "r d"],
    noise: Noise,
    push: Float[Tensor, "r d"],
    error: float,
    L: float,
    n: int | None = None,
    others: float = 0.0,
) -> Callable[[float], Tried]:
    """What multiples of a push do; n: how many particles the cloud has, if more; others: their chances."""
    n = len(y) if n is None else n

    def tried(μ: float) -> Tried:
        change = push * _in(push, -μ)
        moved = change if noise.factor is None else change @ noise.factor.to(change.dtype).T
        found = chance_along(unsafe, y + moved, noise)
        mean = (_sum(found.value) + others) / n + error
        return Tried(μ, change, mean, mean - L, lambda: _sum(inner(found.gradient, push)) / n)

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


@np.errstate(all="ignore")
def _first(t: Tensor, slope: Tensor, n: int, start: Tried, aim: float) -> float:
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
        value, falling, second, third = flat.at(μ).tolist()
        μ, done = stepped_alone(μ, value - limit, falling, second, third, aim)
    return μ if math.isfinite(μ) else 0.0


def _in(like: Tensor, number: float) -> float:
    """The number, infinite where its size is too large for the dtype of a tensor, as in another tensor."""
    return math.copysign(math.inf, number) if abs(number) > torch.finfo(like.dtype).max else number


def _sum(values: Tensor) -> float:
    return float(values.sum(dtype=torch.float64))
