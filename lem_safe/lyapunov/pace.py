"""How often a run is looked at, and at how many particles, so that all looks are a small part of its work."""

import math
from collections.abc import Callable
from typing import NamedTuple

LOOKS, SELDOM = 40, 20
"""By default a run is looked at about LOOKS times, but not more often than every SELDOM steps, and seldomer
where that is dear.
"""
SHARE = 1 / 20
"""The most that all looks of a run may cost by default, as a part of its steps' work; the count may be off,
and a tenth is promised.
"""
FEW, FEWEST = 64, 16
"""Particles of a look: where FEW are too dear, looks become seldomer, and where one look at FEW is, it is of
as few as FEWEST.
"""
COUNTING = 3
"""Looks that the counting itself is taken to cost; the rest of it is in the margin between SHARE and a tenth.
"""


class Pace(NamedTuple):
    """Steps between looks, particles a look, and what one costs, in steps."""

    every: int
    samples: int
    cost: float


def pace(steps: int, most: int, cost: Callable[[int], float]) -> Pace:
    """How often to look in a run of so many steps, at `most` particles at the most, where a look at s of them
    costs as much as cost(s) steps.

    About LOOKS looks, at least SELDOM steps apart, at FEW particles, or twice as many, and twice again, while
    all looks, and the counting, cost at most SHARE of the steps. Where FEW are too dear for that, seldomer;
    at last only the one look at the end, of FEWEST particles, which a run always has, however short.
    """
    usual, s = max(SELDOM, math.ceil(steps / LOOKS)), min(FEWEST, most)
    spare, each = SHARE * steps, cost(s)
    while s < most:
        looks, more = COUNTING + (math.ceil(steps / usual) if s >= FEW else 1), min(2 * s, most)
        if (
            looks * 2 * each > spare or looks * (dearer := cost(more)) > spare
        ):  # only what may be affordable is counted: that costs a look
            break
        s, each = more, dearer
    affordable = max(1, math.floor(spare / each) - COUNTING)
    return Pace(max(usual, math.ceil(steps / affordable)), s, each)
