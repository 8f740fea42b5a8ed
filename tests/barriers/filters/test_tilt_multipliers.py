"""The multipliers of a tilt are those that it has now, and what it reports is not what it works with."""

import pytest
import torch

from barriers.filters.tilt import Tilt
from barriers.sets import Ball, HalfSpace

OUTSIDE, INSIDE = torch.full((4, 2), 3.0), torch.zeros(4, 2)
SETS = {"one": [Ball([0.0, 0.0], 1.0)], "two": [Ball([0.0, 0.0], 1.0), HalfSpace([0.0, 1.0], 9.0)]}


@pytest.mark.parametrize("clouds", [False, True])
@pytest.mark.parametrize("sets", SETS)
def test_changed_multipliers_are_used(sets: str, clouds: bool) -> None:
    chosen = Tilt(SETS[sets], [0.0] * len(SETS[sets]))
    x, y = (part[None] if clouds else part for part in (OUTSIDE, INSIDE))
    u = torch.full(x.shape[:-1], 0.5)
    assert chosen.apply(x, y, 0.1, u)[0].equal(y)
    chosen.multipliers = (50.0,) * len(SETS[sets])
    assert chosen.apply(x, y, 0.1, u)[0].equal(x)


@pytest.mark.parametrize("clouds", [False, True])
def test_a_report_that_is_written_to_changes_nothing(clouds: bool) -> None:
    chosen = Tilt(SETS["one"], [1.0])
    x, y = (part[None] if clouds else part for part in (OUTSIDE, INSIDE))
    u = torch.full(x.shape[:-1], 0.5)  # e^−1 < .5
    for _ in range(2):
        z, _, info = chosen.apply(x, y, 0.1, u)
        assert z.equal(x) and info.multipliers.flatten().tolist() == [1.0]
        info.multipliers.clone().zero_()
        if not clouds:
            info.multipliers.zero_()
