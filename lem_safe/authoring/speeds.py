"""How fast numpy is on this machine, in some ten milliseconds: what an estimate of a run's time is made of
where nothing is timed with torch.

Each is the least of several takes. The product is small, so that numpy's library gives it to one thread, as
a run has one.
"""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np

from barriers.arrays import Tensor
from barriers.sets import UnsafeSet

Clock = Callable[[], float]
"""Seconds since some moment."""

WIDTH, NUMBERS, CALLS = 64, 1 << 14, 200
"""The rows and columns of the matrices that are multiplied; the numbers of an array; the calls at once."""
TAKES, FEW, ENOUGH = 20, 2, 0.002
"""How often each is timed, and a region; the seconds of one take of a region that are enough."""
FIRST = 64
"""Points that a region is asked about first; then four times as many, until that takes long enough."""


class Speeds(NamedTuple):
    """Seconds of one multiply-add of a product of float32 matrices, of one exponential in an array, and of a
    call for an array of a few numbers.
    """

    product: float
    number: float
    call: float

    @classmethod
    def here(cls, clock: Clock) -> "Speeds":
        """Those of this machine now."""
        random = np.random.default_rng(0)
        a, b = random.standard_normal((2, WIDTH, WIDTH), dtype=np.float32)
        x, few = random.standard_normal(NUMBERS, dtype=np.float32), np.zeros(8, dtype=np.float32)
        c, y = np.empty_like(a), np.empty_like(x)

        def called() -> None:
            for _ in range(CALLS):
                np.add(few, few, out=few)

        return cls(
            _least(lambda: np.matmul(a, b, out=c), clock) / WIDTH**3,
            _least(lambda: np.exp(x, out=y), clock) / NUMBERS,
            _least(called, clock) / CALLS,
        )


def of_membership(region: UnsafeSet, points: Tensor, clock: Clock) -> float:
    """The seconds per point of asking which points a region contains, as the number of points grows until
    that takes long enough.
    """
    size = min(FIRST, len(points))
    while True:
        took = _least(partial(region.contains, points[:size]), clock, FEW)
        if took >= ENOUGH or size == len(points):
            return took / size
        size = min(4 * size, len(points))


def _least(do: Callable[[], object], clock: Clock, takes: int = TAKES) -> float:
    """The seconds of the shortest of several takes; the first is not counted, as it may import something."""
    do()
    return min(_seconds(do, clock) for _ in range(takes))


def _seconds(do: Callable[[], object], clock: Clock) -> float:
    began = clock()
    do()
    return clock() - began
