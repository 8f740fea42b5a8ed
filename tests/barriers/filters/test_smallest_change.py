"""The smallest multiple of a change: several at once find what one after the other does."""

import math
from collections.abc import Sequence

import pytest
import torch

from barriers.filters.smallest_change import PRECISION, Trials, smallest
from lem_safe.keys import Key


def searched(needed: float, most: float, at_once: int, *, holes: bool = False) -> tuple[float, int]:
    """The multiple found where all from `needed` on are fine (with holes: some below it too), and the number
    of calls.
    """
    calls = 0

    def tried(multiples: Sequence[float]) -> Trials:
        nonlocal calls
        calls += 1
        assert len(multiples) <= max(at_once, 1)
        c = torch.tensor(multiples, dtype=torch.float64)
        over = c < needed
        over &= ~((c * 1000).long() % 7 == 0) if holes else True
        worst = torch.where(over, (needed - c) * (1 + (c * 17).sin() ** 2), -1.0)
        return Trials(over.tolist(), worst.tolist())

    return smallest(tried, most, at_once), calls


@pytest.mark.parametrize("most", [1.0, 0.3, 50.0, 1e6])
@pytest.mark.parametrize("holes", [False, True])
def test_several_at_once_find_what_one_after_the_other_does(most: float, holes: bool) -> None:
    for needed in (Key(2).normal(torch.empty(30, dtype=torch.float64)) * 4).exp().tolist():
        one, calls = searched(needed, most, 1, holes=holes)
        for at_once in (0, 2, 3, 7, 31, 32, 100):
            assert searched(needed, most, at_once, holes=holes)[0] == one
        assert searched(needed, most, 31, holes=holes)[1] <= calls
        if not holes and needed <= most:
            assert needed <= one <= needed * (1 + 2 * PRECISION) or one <= math.ldexp(1.0, -29)


def test_where_none_will_do_the_best_is_taken() -> None:
    def tried(multiples: Sequence[float]) -> Trials:
        return Trials([True] * len(multiples), [abs(c - 64) for c in multiples])

    assert [smallest(tried, 1e6, k) for k in (1, 3, 31)] == [64.0] * 3


def test_31_at_once_need_few_calls() -> None:
    assert searched(0.37, 1e6, 31) == (searched(0.37, 1e6, 1)[0], 5)
    assert searched(0.37, 1e6, 1)[1] > 10


def test_where_the_first_multiple_or_little_more_is_the_smallest_one_call_does() -> None:
    for needed in (1.0, 1.0005):
        assert searched(needed, 1e6, 64) == (searched(needed, 1e6, 1)[0], 1)
    assert searched(0.37, 1e6, 64)[1] <= 4
    assert searched(0.3, 0.3, 64)[1] == 1
