"""The multiplier of a single constraint, for each of several clouds: the root of a function of one number,
between a value that is too small and one that is large enough.

A step goes to where the cubic through the last two points, with their slopes, has its root (as a function of
the violation: inverse interpolation); where that leaves the interval to where the tangent has it, or else to
the middle. Newton's method takes about twice as many, and the slowest of many clouds decides.
"""

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol, TypeVar

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

    at: Float[Tensor, "q 1"]
    over: Float[Tensor, "q 1"]
    inverse: Float[Tensor, "q 1"]
    low: Float[Tensor, "q 1"]
    high: Float[Tensor, "q 1"]

    @classmethod
    def of(cls, over: Float[Tensor, "q 1"], falls: Float[Tensor, "q 1"]) -> "Bracket":
        """At the multiplier 0, which is too small."""
        zero = torch.zeros_like(over)
        return cls(zero, over, -1 / falls, zero, torch.full_like(over, torch.inf))

    def next(
        self, μ: Float[Tensor, "q 1"], over: Float[Tensor, "q 1"], falls: Float[Tensor, "q 1"]
    ) -> tuple[Float[Tensor, "q 1"], "Bracket"]:
        """What to try after μ; μ itself where nothing is left to try."""
        short, inverse = over > 0, -1 / falls
        low, high = torch.where(short, μ, self.low), torch.where(short, self.high, μ)
        back = self.over - over
        chord = ((self.at - μ) / back - inverse) / back
        cubic = ((self.inverse - inverse) / back - 2 * chord) / back
        tangent = μ - over * inverse
        step = tangent + over * over * (chord - cubic * self.over)
        near = torch.where(
            high < torch.inf, high, 2 * tangent - μ
        )  # the cubic is not trusted far from its points
        step = torch.where((step > low) & (step < near), step, tangent)
        middle = torch.where(high < torch.inf, (low + high) / 2, 2 * low)
        step = torch.where((step > low) & (step < high), step, middle)
        return step, Bracket(μ, over, inverse, low, high)


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

    def unsettled() -> Bool[Tensor, "q"]:
        out = ((at.violation > 0) | (at.violation < -NEAR * aim))[:, 0]
        return out & ~too_far(at) if too_far is not None and bool(out.any()) else out

    going = unsettled()
    if not bool(going.any()):
        return μ, at
    bracket, chosen, found = Bracket.of(start.violation + aim, falls), torch.zeros_like(μ), start
    left = torch.arange(len(μ), device=μ.device)
    for _ in range(ITERATIONS):
        over, before = at.violation, found.violation[left]
        better = (over <= 0) | ((before > 0) & (over < before))
        own = at if bool(better.all()) else mixed(better[:, 0], at, some(found, left))
        chosen = chosen.index_copy(0, left, torch.where(better, μ, chosen[left]))
        found = put_back(found, left, own)
        on = (going & over.isfinite()[:, 0]).nonzero()[:, 0]
        left, last, over, falling = left[on], μ[on], over[on], falling[on]
        μ, bracket = some(bracket, on).next(last, over + aim, falling)
        if torch.equal(μ, last):  # none is left, or nothing is left to try
            break
        at, falling = evaluate(left, μ)
        going = unsettled()
    return chosen, found


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
    φ = profile(s)
    c = torch.where(φ.first < 0, slope / -φ.first, 0.0)
    squared = c * c
    falls, second = mean(slope), mean(squared * φ.second)
    μ, done = _halley(torch.zeros_like(over), over, -falls, second, aim)
    limit: Tensor | None = None
    for _ in range(ROUNDS):
        if bool(done.all()):
            break
        limit = mean(φ.value) - over if limit is None else limit
        φ = profile(torch.addcmul(s, c, μ.to(s)[:, None]))
        value, first, second = mean(φ.value), mean(c * φ.first), mean(squared * φ.second)
        better, near = _halley(μ, value - limit, first, second, aim)
        μ, done = torch.where(done, μ, better), done | near
    return μ.nan_to_num(nan=0.0, posinf=0.0), falls


def _halley(
    μ: Float[Tensor, "q 1"],
    f: Float[Tensor, "q 1"],
    first: Float[Tensor, "q 1"],
    second: Float[Tensor, "q 1"],
    aim: Float[Tensor, "1"] | float,
) -> tuple[Float[Tensor, "q 1"], Bool[Tensor, "q 1"]]:
    """Halley's step from μ, at most twice Newton's, and whether what it leaves of f, which is of the order of
    f times the square of how much of the slope the step bends, is the aim at most; of a slope with jumps that
    is unknown.
    """
    newton = f / first
    bent = newton * (second / first)
    step = newton / (1 - 0.5 * bent).clamp(min=0.5)
    return (μ - step).clamp(min=0), (bent != 0) & ((f * bent * bent).abs() <= aim)
