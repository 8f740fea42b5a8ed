"""The particles that the push of the predictive filter can move at all, within a few standard deviations of a
boundary: the search for its multipliers is over these alone.

With g = r(p)∇p (Q.6) the push of a particle t standard deviations from a boundary is e^{−1.02t²} of the
largest: 10⁻¹¹ at t = 5. The others keep their chance, whose mean is a constant of the search.
"""

from copy import copy
from typing import Any, NamedTuple, TypeVar

import torch
from jaxtyping import Float, Int
from torch import Tensor

from barriers.filters.ahead import Ahead
from barriers.filters.base import Mean

NEGLIGIBLE = 1e-10
"""A push of at most this share of the largest is none."""
FEWEST, MOST = 1024, 0.5
"""Of fewer particles, or where more than this share is near, all of them are searched over."""


class Nearby(NamedTuple):
    """Some rows of one cloud [1, n, ...], their share of all, and the mean chance of the others, as a part of
    the mean over all.
    """

    rows: Int[Tensor, "k"]
    share: Float[Tensor, "1"]
    others: Float[Tensor, "1 m"]

    def mean(self, mean: Mean) -> Mean:
        """The part of these rows in the mean over all, from their values."""
        return lambda values: self.share * mean(values)

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


def nearby(ahead: Ahead, push: Float[Tensor, "q n m d"], mean: Mean) -> Nearby | None:
    """The rows with a push that counts; None where all rows should be searched over."""
    if push.shape[0] != 1 or push.shape[1] < FEWEST:
        return None
    size = push[0].abs().amax((-1, -2))
    near = size > NEGLIGIBLE * size.amax()
    share = mean(near[:, None].double())
    if not 0 < float(share) < MOST:
        return None
    others = mean(torch.where(near[None, :, None], 0.0, ahead.chance))
    return Nearby(near.nonzero()[:, 0], share, others)


Filter = TypeVar("Filter")


def with_other(chosen: Filter, **settings: Any) -> Filter:
    """The same filter with these settings replaced."""
    other = copy(chosen)
    vars(other).update(settings)
    return other
