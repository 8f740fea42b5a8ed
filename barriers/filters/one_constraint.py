"""The multiplier of a single constraint, for each of several clouds: the root of a function of one number,
between a value that is too small and one that is large enough.

A step goes to where the cubic through the last two points, with their slopes, has its root (as a function of
the violation: inverse interpolation); where that leaves the interval to where the tangent has it, or else to
the middle. Newton's method takes about twice as many, and the slowest of many clouds decides.

What is done with one number for each cloud is done in numpy, whose operations on so few numbers take a third
of the time of torch's.
"""

from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

import numpy as np
from jaxtyping import Bool, Float, Int

from barriers.arrays import Tensor, torch
from barriers.derivatives import array_of
from barriers.filters.iterates import ITERATIONS
from barriers.filters.some_clouds import put_back, some
from barriers.filters.whole import Whole
from barriers.surrogates import Profile

ROUNDS = 3
"""Steps of Halley's method towards the multiplier of a flat boundary; it is a first guess."""
NEAR = 4.0
"""A violation within −NEAR·aim and 0 is that of the least multiplier."""

Numbers = Float[np.ndarray, "q"]
"""One number for each cloud."""


Found = TypeVar("Found", bound=Any)
Evaluate = Callable[[Int[np.ndarray, "q"] | None, Numbers], tuple[Found, Callable[[], Numbers]]]
"""What some of the clouds (None: all of them) are with these multipliers, a named tuple whose `violation`,
[q, 1] or numbers, is to become 0, and what computes by how much that falls per unit of the multiplier.
"""


TooFar = Callable[[Any], Bool[np.ndarray, "q"]]
"""Which clouds are not looked at further, as they are, since what is found is not used as it is."""


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
    falls: Numbers,
    μ: Numbers,
    aim: float,
    too_far: TooFar | None = None,
) -> tuple[Numbers, Found]:
    """The least multiplier of each cloud with a violation of at most 0, and what the cloud is with it; where
    none is found, that with the least violation.

    start: the clouds with the multiplier 0, all of them violated; falls: by how much per unit. μ: the first
    to try.
    """
    at, falling = evaluate(None, μ)
    if not unsettled(at, aim, too_far).any():
        return μ, at
    return continued(evaluate, start, falls, (μ, at, falling), aim, too_far)


def unsettled(at: Any, aim: float, too_far: TooFar | None = None) -> Bool[np.ndarray, "q"]:
    """Which clouds are not at their limits yet, and are to be looked at further."""
    over = numbers(at.violation)
    out: np.ndarray = (over > 0) | (over < -NEAR * aim)
    return out & ~too_far(at) if too_far is not None and out.any() else out


@np.errstate(all="ignore")
def continued(
    evaluate: Evaluate[Found],
    start: Found,
    falls: Numbers,
    tried: tuple[Numbers, Found, Callable[[], Numbers]],
    aim: float,
    too_far: TooFar | None = None,
) -> tuple[Numbers, Found]:
    """`least`, after a first trial: the multipliers, what the clouds are with them, and what computes by how
    much that falls.
    """
    μ, at, falling = tried
    over, going = numbers(at.violation), unsettled(at, aim, too_far)
    found, worst = start, numbers(start.violation).copy()
    bracket, chosen, left = Bracket.of(worst + aim, falls), np.zeros_like(μ), np.arange(len(μ))
    for _ in range(ITERATIONS):
        before = worst[left]
        better = (over <= 0) | ((before > 0) & (over < before))
        chosen[left], worst[left] = np.where(better, μ, chosen[left]), np.where(better, over, before)
        found = _kept(found, left, better, at)
        on = (going & np.isfinite(over)).nonzero()[0]
        if len(on) < len(left):
            left, μ, over, falls = left[on], μ[on], over[on], falling()[on]
            bracket = Bracket(*(part[on] for part in bracket))
        else:
            falls = falling()
        last = μ
        μ, bracket = bracket.next(last, over + aim, falls)
        if np.array_equal(μ, last):  # none is left, or nothing is left to try
            break
        at, falling = evaluate(left, μ)
        over = numbers(at.violation)
        going = unsettled(at, aim, too_far)
    return chosen, found


def _kept(found: Found, left: Int[np.ndarray, "k"], better: Bool[np.ndarray, "k"], at: Found) -> Found:
    """What was found, with that of the better ones of the clouds that are left."""
    if not better.any():
        return found
    device = at[0].device if isinstance(at[0], Tensor) else None
    if not better.all():
        places = torch.from_numpy(better.nonzero()[0]).to(device)
        left, at = left[better], some(at, places)
    return put_back(found, torch.from_numpy(left).to(device), at)


@np.errstate(all="ignore")
def if_flat(
    profile: Callable[[Tensor], Profile],
    s: Float[Tensor, "q n"],
    slope: Float[Tensor, "q n"],
    over: Numbers,
    means: Callable[[Float[Tensor, "k q n"]], Float[np.ndarray, "k q"]],
    aim: float = 0.0,
) -> tuple[Numbers, Numbers]:
    """The multiplier with which the mean of φ over each cloud falls by `over`, if φ is that of s + cμ at
    every particle (Q.7): it is, beside a flat boundary, as particles are moved along its normal.

    slope: by how much each φ falls per unit of μ, at 0; its mean is returned too. means: those of several
    functions over each cloud. aim: steps that are expected to be within this are the last.
    """
    φ = profile(s)
    c = torch.where(φ.first < 0, slope / -φ.first, 0.0)
    squared = c * c
    value, falls, second = means(torch.stack([φ.value, slope, squared * φ.second]))
    limit = value - over
    μ, done = _halley(np.zeros_like(over), over, -falls, second, aim)
    for _ in range(ROUNDS):
        if done.all():
            break
        φ = profile(torch.addcmul(s, c, column(μ, s)))
        value, first, second = means(torch.stack([φ.value, c * φ.first, squared * φ.second]))
        better, near = _halley(μ, value - limit, first, second, aim)
        μ, done = np.where(done, μ, better), done | near
    return np.where(np.isfinite(μ), μ, 0.0), falls


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


def numbers(values: Float[Tensor, "*k q 1"] | Numbers) -> Float[np.ndarray, "*k q"]:
    """One number for each cloud, or several, without a copy where they are in this process."""
    if isinstance(values, np.ndarray):
        return values
    transformed = torch._C._functorch.is_functorch_wrapped_tensor(values)  # by torch.func: it has no memory
    found: np.ndarray = array_of(values) if transformed else values.numpy(force=True)
    return found[..., 0]


def column(values: Numbers, like: Tensor) -> Float[Tensor, "q 1"]:
    """One number for each cloud, beside the particles of such clouds."""
    return torch.from_numpy(values).to(device=like.device, dtype=like.dtype)[:, None]


def means_by(whole: Whole) -> Callable[[Tensor], np.ndarray]:
    """The means of several functions over each cloud, [k, q, n] to [k, q]."""
    return lambda values: numbers(whole.mean(values[..., None]))
