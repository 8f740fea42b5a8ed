"""The particles that the push of the predictive filter can move at all, within a few standard deviations of a
boundary: the search for its multipliers is over these alone.

With g = r(p)∇p (Q.6) the push of a particle t standard deviations from a boundary is e^{−1.02t²} of the
largest: 10⁻¹¹ at t = 5. The others keep their chance, whose mean is a constant of the search.
"""

from copy import copy
from typing import Any, NamedTuple, TypeVar

from jaxtyping import Float, Int, Shaped

from barriers.arrays import Tensor, torch
from barriers.filters.ahead import Ahead
from barriers.filters.whole import Joined, Whole

NEGLIGIBLE = {torch.float32: 1e-8}
"""A push of at most this share of the largest of its constraint is none; 1e-10 in other dtypes."""
FEWEST, MOST = 1024, 0.5
"""Of fewer particles, or where more than this share is near, all of them are searched over."""


class Nearby(NamedTuple):
    """Some rows of one cloud [1, n, ...], and the mean chance of the others, as a part of the mean over
    all.
    """

    rows: Int[Tensor, "k"]
    others: Float[Tensor, "1 m"]

    def of(self, ahead: Ahead) -> Ahead:
        """These rows of what is ahead."""
        change, chance, gradient = (
            part[:, self.rows] for part in (ahead.change, ahead.chance, ahead.gradient)
        )
        return ahead._replace(change=change, chance=chance, gradient=gradient)

    def put_back(self, ahead: Ahead, found: Ahead) -> Ahead:
        """What is ahead, with what was found for these rows."""
        change, chance, gradient = (
            whole.index_copy(1, self.rows, part)
            for whole, part in (
                (ahead.change, found.change),
                (ahead.chance, found.chance),
                (ahead.gradient, found.gradient),
            )
        )
        return Ahead(change, found.mean, chance, gradient, found.violation)


class Among(Whole):
    """Some of the n particles of a cloud: means of what is 0 for the others."""

    def __init__(self, whole: Whole, n: int):
        self.whole, self.n, self.spread = whole, n, whole.spread

    def size(self, x: Shaped[Tensor, "*r n d"]) -> int:
        return self.n

    def sums(self, *parts: Float[Tensor, "..."]) -> tuple[Tensor, ...]:
        return self.whole.sums(*parts)

    def total(self, *counts: Int[Tensor, "..."]) -> tuple[Tensor, ...]:
        return self.whole.total(*counts)

    def before(self, counts: Int[Tensor, "*k"]) -> Int[Tensor, "*k"]:
        return self.whole.before(counts)

    def largest(self, value: Shaped[Tensor, "*k"]) -> Shaped[Tensor, "*k"]:
        return self.whole.largest(value)

    def joined(self, *rows: Shaped[Tensor, "n ..."]) -> Joined:
        return self.whole.joined(*rows)


def negligible(dtype: torch.dtype) -> float:
    """The share of the largest push that is none, for positions of this dtype."""
    return NEGLIGIBLE.get(dtype, 1e-10)


def nearby(ahead: Ahead, push: Float[Tensor, "q n m d"], whole: Whole) -> Nearby | None:
    """The rows with a push that counts; None where all rows should be searched over."""
    n = whole.size(ahead.chance)
    if push.shape[0] != 1 or n < FEWEST:
        return None
    size = push[0].abs().amax(-1)
    near = (size > negligible(push.dtype) * whole.largest(size.amax(0))).any(-1)
    count, others = whole.count(near[:, None])[0], torch.where(near[None, :, None], 0.0, ahead.chance)
    if not 0 < int(count) < MOST * n:
        return None
    return Nearby(near.nonzero()[:, 0], whole.mean(others))


Filter = TypeVar("Filter")


def with_other(chosen: Filter, **settings: Any) -> Filter:
    """The same filter with these settings replaced."""
    other = copy(chosen)
    vars(other).update(settings)
    return other
