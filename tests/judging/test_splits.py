"""Parts of equal size, and measures beside their floor."""

import numpy as np
import pytest
from judged import mixed, table

from lem_safe.judging.splits import beside, size_of, splits


@pytest.mark.parametrize(
    ("real", "samples", "most", "h"), [(10, 99, 99, 5), (11, 3, 99, 3), (99, 99, 7, 7), (1, 5, 5, 0)]
)
def test_parts_are_as_large_as_all_three_allow(real: int, samples: int, most: int, h: int) -> None:
    assert size_of(real, samples, most) == h


def test_the_parts_of_the_real_rows_are_disjoint() -> None:
    real, samples = table(np.arange(20)), table(np.arange(100, 130))
    for part in splits(real, samples, 10, 8, np.random.default_rng(0)):
        rows = [set(t.values[:, 0]) for t in part]
        assert [len(r) for r in rows] == [8, 8, 8] and not rows[0] & rows[1]
        assert rows[0] | rows[1] <= set(range(20)) and rows[2] <= set(range(100, 130))


def test_the_same_seed_gives_the_same_parts() -> None:
    real, samples = mixed(50, 0), mixed(40, 1)
    a, b = (list(splits(real, samples, 2, 10, np.random.default_rng(5))) for _ in range(2))
    for x, y in zip(a, b, strict=True):
        for s, t in zip(x, y, strict=True):
            np.testing.assert_array_equal(s.values, t.values)
    assert not list(splits(table([1.0]), samples, 3, 10, np.random.default_rng(0)))


def test_beyond_is_four_deviations_of_a_split_on_the_side_that_is_judged() -> None:
    floor = [1.0, 1.1, 0.9]
    near, far = [1.3, 1.4, 1.2], [1.5, 1.6, 1.4]
    assert beside([near, floor], 10).within and not beside([far, floor], 10).within
    assert beside([far, floor], 10, "below").within
    low = [0.5, 0.6, 0.4]
    assert beside([low, floor], 10).within and not beside([low, floor], 10, "below").within
    assert not beside([low, floor], 10, "both").within and not beside([far, floor], 10, "both").within
    assert beside([far, floor], 10, "above", 0.2).within
    assert beside([[], []], 0) is None and beside([[1.0], [np.nan]], 3) is None
