"""How often monitors record a run, and at how many particles, so that this is a small part of its cost."""

import math
from collections.abc import Callable
from typing import NamedTuple

LOOKS, SELDOM = 40, 20
"""By default a run is recorded about LOOKS times, at least SELDOM steps apart, and less often where recording
is expensive.
"""
SHARE = 1 / 20
"""The default upper limit of the monitors' cost, as a fraction of the steps' work. The documented limit is a
tenth, because the count is approximate.
"""
FEW, FEWEST = 64, 16
"""Particles per record: where FEW are too expensive, records become less frequent; where even one record of
FEW is, it uses as few as FEWEST.
"""
COUNTING = 3
"""The assumed cost of the counting itself, in records; the margin between SHARE and a tenth covers the rest.
"""


class Pace(NamedTuple):
    """Steps between records, particles per record, and the cost of one record in steps."""

    every: int
    samples: int
    cost: float


def pace(steps: int, most: int, cost: Callable[[int], float]) -> Pace:
    """How often to record a run of `steps` steps, and at how many particles, `most` at most.

    cost(s): the cost of recording s particles, in steps.

    About LOOKS records, at least SELDOM steps apart, of FEW particles, doubled while all records and the
    counting cost at most SHARE of the steps. Where FEW are too expensive, records become less frequent; at
    the least, one record of FEWEST particles at the end, which every run has.
    """
    usual, s = max(SELDOM, math.ceil(steps / LOOKS)), min(FEWEST, most)
    spare, each = SHARE * steps, cost(s)
    while s < most:
        looks, more = COUNTING + (math.ceil(steps / usual) if s >= FEW else 1), min(2 * s, most)
        if (
            looks * 2 * each > spare or looks * (dearer := cost(more)) > spare
        ):  # only what may be affordable is counted: counting costs one record
            break
        s, each = more, dearer
    affordable = max(1, math.floor(spare / each) - COUNTING)
    return Pace(max(usual, math.ceil(steps / affordable)), s, each)
