"""Which rows stay: uniform choices of a fixed size, one row at a time, in blocks of any size."""

import itertools
import math
from collections import Counter

import numpy as np
import pytest

from lem_safe.errors import BadInput
from lem_safe.keys import Key
from lem_safe.thinning.choice import Counted, Flags, Single, flags, learning, uniforms
from lem_safe.thinning.membership import MISSING


def chosen(group: np.ndarray, wanted: list[int], seed: int, size: int) -> np.ndarray:
    counts = np.bincount(group[group != MISSING], minlength=len(wanted))
    choice = Counted(counts, np.array(wanted), Key(seed))
    blocks = (group[start : start + size] for start in range(0, len(group), size))
    kept = np.concatenate(list(flags(blocks, choice.of)))
    assert choice.done
    return kept


def test_every_choice_of_three_among_five_is_equally_likely() -> None:
    group, n = np.array([0, 1, 0, 0, 1, 0, 0]), 4000
    found = Counter(tuple(np.flatnonzero(chosen(group, [3, 2], seed, 3))) for seed in range(n))
    assert len(found) == math.comb(5, 3)
    expected = n / len(found)
    assert all(abs(k - expected) < 4 * math.sqrt(expected) for k in found.values())


@pytest.mark.parametrize("size", [1, 2, 7, 100, 10_000])
def test_the_choice_does_not_depend_on_the_size_of_a_block(size: int) -> None:
    group = np.random.default_rng(0).integers(-1, 4, 1000)
    wanted = [0, 50, 100, int((group == 3).sum())]
    kept = chosen(group, wanted, 5, size)
    assert np.bincount(group[kept], minlength=4).tolist() == wanted
    assert not kept[group == MISSING].any()
    assert (kept == chosen(group, wanted, 5, 333)).all() and (kept != chosen(group, wanted, 6, 333)).any()


def test_neither_the_first_rows_nor_the_last_are_preferred() -> None:
    group = np.zeros(400, dtype=np.int64)
    kept = np.array([chosen(group, [100], seed, 64) for seed in range(300)])
    halves = kept[:, :200].mean(), kept[:, 200:].mean()
    assert np.allclose(halves, 0.25, atol=4 * math.sqrt(0.25 * 0.75 / 60_000))
    pairs = (kept[:, :-1] & kept[:, 1:]).mean()
    exact = 0.25 * 99 / 399
    assert abs(pairs - exact) < 4 * math.sqrt(exact * (1 - exact) / (300 * 399))


def test_numbers_are_uniform_and_of_rows_and_seeds() -> None:
    u = uniforms(Key(1), 0, 100_000)
    assert (u >= 0).all() and (u < 1).all() and abs(u.mean() - 0.5) < 4 / math.sqrt(12 * len(u))
    assert (uniforms(Key(1), 500, 10) == u[500:510]).all() and len(np.unique(u)) == len(u)
    assert abs(np.corrcoef(u, uniforms(Key(2), 0, len(u)))[0, 1]) < 4 / math.sqrt(len(u))


def test_rows_one_by_one_stay_with_their_probability_and_none_that_was_learned_from() -> None:
    group, key = np.arange(90_000) % 3 - 1, Key(0)
    kept = np.concatenate(list(flags(iter(np.split(group, 9)), Single(np.array([1.0, 0.3]), key, 0.2).of)))
    learned = learning(key, 0, len(group), 0.2)
    assert not kept[learned].any() and not kept[group == MISSING].any()
    assert kept[(group == 0) & ~learned].all()
    share = kept[(group == 1) & ~learned].mean()
    assert abs(share - 0.3) < 4 * math.sqrt(0.3 * 0.7 / 24_000)


@pytest.mark.parametrize("takes", [[3, 4], [1] * 7, [7], [0, 7]])
def test_flags_come_as_many_at_a_time_as_asked_for(takes: list[int]) -> None:
    blocks = [np.array([True, False]), np.array([True] * 4), np.array([False])]
    held = Flags(iter(blocks), "s.csv")
    assert list(itertools.chain(*(held.take(n).tolist() for n in takes))) == [1, 0, 1, 1, 1, 1, 0]
    held.finish()
    with pytest.raises(BadInput, match="s.csv: changed while it was read"):
        held.take(1)
    with pytest.raises(BadInput, match="changed"):
        Flags(iter(blocks), "s.csv").finish()
