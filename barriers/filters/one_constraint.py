"""The multiplier of a single constraint, for each of several clouds: the root of a function of one number,
between a value that is too small and one that is large enough.

A step goes to where the cubic through the last two points, with their slopes, has its root (as a function of
the violation: inverse interpolation); where that leaves the interval to where the tangent has it, or else to
the middle. Newton's method takes about twice as many, and the slowest of many clouds decides.

What is done with one number for each cloud is done in numpy, whose operations on so few numbers take a third
of the time of torch's.
"""

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol, TypeVar

import numpy as np
from jaxtyping import Bool, Float, Int

from barriers.arrays import Tensor, torch
from barriers.filters.base import Mean
from barriers.filters.iterates import ITERATIONS
from barriers.filters.some_clouds import mixed, put_back, some
from barriers.surrogates import Profile

ROUNDS = 3
"""Steps of Halley's method towards the multiplier of a flat boundary; it is a first guess."""
NEAR = 4.0
"""A violation within −NEAR·aim and 0 is that of the least multiplier."""

Numbers = Float[np.ndarray, "q"]
"""One number for each cloud."""


class Violated(Protocol):
    """A record of some clouds, by how much each violates its constraint among it; a named tuple."""

    @property
    def violation(self) -> Float[Tensor, "q 1"]: ...


Found = TypeVar("Found", bound=Any)
Evaluate = Callable[[Int[Tensor, "q"] | None, Float[Tensor, "q 1"]], tuple[Found, Float[Tensor, "q 1"]]]
"""What some of the clouds (None: all of them) are with these multipliers, whose `violation` is to become 0,
and by how much the violation falls per unit of the multiplier.
"""


class Bracket(NamedTuple):
    """The last point of each cloud, its violation and 1/slope of it; the root is between low and high."""

    at: Numbers
    over: Numbers
    inverse: Numbers
    low: Numbers
    high: Numbers

    @classmethod
    def of(cls, over: Numbers, falls: Numbers) -> "Bracket":
        """At the multiplier 0, which is too small."""
        zero = np.zeros_like(over)
        return cls(zero, over, -1 / falls, zero, np.full_like(over, np.inf))

    def next(self, μ: Numbers, over: Numbers, falls: Numbers) -> tuple[Numbers, "Bracket"]:
        """What to try after μ; μ itself where nothing is left to try."""
        short, inverse = over > 0, -1 / falls
        low, high = np.where(short, μ, self.low), np.where(short, self.high, μ)
        back = self.over - over
        chord = ((self.at - μ) / back - inverse) / back
        cubic = ((self.inverse - inverse) / back - 2 * chord) / back
        tangent = μ - over * inverse
        step = tangent + over * over * (chord - cubic * self.over)
        bounded = high < np.inf
        near = np.where(bounded, high, 2 * tangent - μ)  # the cubic is not trusted far from its points
        step = np.where((step > low) & (step < near), step, tangent)
        middle = np.where(bounded, (low + high) / 2, 2 * low)
        step = np.where((step > low) & (step < high), step, middle)
        return step, Bracket(μ, over, inverse, low, high)


@np.errstate(all="ignore")
def least(
    evaluate: Evaluate[Found],
    start: Found,
    falls: Float[Tensor, "q 1"],
    μ: Float[Tensor, "q 1"],
    aim: Float[Tensor, "1"],
    too_far: Callable[[Found], Bool[Tensor, "q"]] | None = None,
) -> tuple[Float[Tensor, "q 1"], Found]:
    """The least multiplier of each cloud with a violation of at most 0, and what the cloud is with it; where
    none is found, that with the least violation.

    start: the clouds with the multiplier 0, all of them violated; falls: by how much per unit. μ: the first
    to try. too_far: clouds that are not looked at further, since what is found is not used as it is.
    """
    at, falling = evaluate(None, μ)
    close = float(aim)

    def unsettled() -> np.ndarray:
        over = numbers(at.violation)
        out = (over > 0) | (over < -NEAR * close)
        return out & ~too_far(at).numpy(force=True) if too_far is not None and out.any() else out

    going = unsettled()
    if not going.any():
        return μ, at
    device, last, found, least = μ.device, numbers(μ), start, numbers(start.violation).copy()
    bracket, chosen, left = Bracket.of(least + close, numbers(falls)), np.zeros_like(last), np.arange(len(μ))
    for _ in range(ITERATIONS):
        over, before = numbers(at.violation), least[left]
        better, places = (over <= 0) | ((before > 0) & (over < before)), torch.from_numpy(left).to(device)
        own = at
        if not better.all():
            own = mixed(torch.from_numpy(better).to(device), at, some(found, places))
        chosen[left], least[left] = np.where(better, last, chosen[left]), np.where(better, over, before)
        found = put_back(found, places, own)
        on = (going & np.isfinite(over)).nonzero()[0]
        left, last, over, slope = left[on], last[on], over[on], numbers(falling)[on]
        if len(on) < len(bracket.at):
            bracket = Bracket(*(part[on] for part in bracket))
        new, bracket = bracket.next(last, over + close, slope)
        if np.array_equal(new, last):  # none is left, or nothing is left to try
            break
        last = new
        at, falling = evaluate(torch.from_numpy(left).to(device), _column(last, device))
        going = unsettled()
    return _column(chosen, device), found


@np.errstate(all="ignore")
def if_flat(
    profile: Callable[[Tensor], Profile],
    s: Float[Tensor, "q n 1"],
    slope: Float[Tensor, "q n 1"],
    over: Float[Tensor, "q 1"],
    mean: Mean,
    aim: Float[Tensor, "1"] | float = 0.0,
) -> tuple[Float[Tensor, "q 1"], Float[Tensor, "q 1"]]:
    """The multiplier with which the mean of φ over each cloud falls by `over`, if φ is that of s + cμ at
    every particle (Q.7): it is, beside a flat boundary, as particles are moved along its normal.

    slope: by how much each φ falls per unit of μ, at 0; its mean is returned too. aim: steps that are
    expected to be within this are the last.
    """
    φ, close, excess = profile(s), float(aim), numbers(over)
    c = torch.where(φ.first < 0, slope / -φ.first, 0.0)
    squared, falls = c * c, mean(slope)
    second = numbers(mean(squared * φ.second))
    μ, done = _halley(np.zeros_like(excess), excess, -numbers(falls), second, close)
    limit: Numbers | None = None
    for _ in range(ROUNDS):
        if done.all():
            break
        limit = numbers(mean(φ.value)) - excess if limit is None else limit
        φ = profile(torch.addcmul(s, c, _column(μ, s.device).to(s.dtype)[:, None]))
        value, first, second = (numbers(mean(v)) for v in (φ.value, c * φ.first, squared * φ.second))
        better, near = _halley(μ, value - limit, first, second, close)
        μ, done = np.where(done, μ, better), done | near
    return _column(np.where(np.isfinite(μ), μ, 0.0), over.device), falls


def _halley(
    μ: Numbers, f: Numbers, first: Numbers, second: Numbers, aim: float
) -> tuple[Numbers, Bool[np.ndarray, "q"]]:
    """Halley's step from μ, at most twice Newton's, and whether what it leaves of f, which is of the order of
    f times the square of how much of the slope the step bends, is the aim at most; of a slope with jumps that
    is unknown.
    """
    newton = f / first
    bent = newton * (second / first)
    step = newton / np.maximum(1 - 0.5 * bent, 0.5)
    return np.maximum(μ - step, 0.0), (bent != 0) & (np.absolute(f * bent * bent) <= aim)


def numbers(column: Float[Tensor, "q 1"]) -> Numbers:
    """One number for each cloud, without a copy where they are in this process."""
    found: np.ndarray = column.numpy(force=True)[:, 0]
    return found


def _column(values: Numbers, device: torch.device) -> Float[Tensor, "q 1"]:
    return torch.from_numpy(values)[:, None].to(device)
