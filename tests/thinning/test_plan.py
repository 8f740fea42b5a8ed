"""How many rows of each pattern stay, against every choice there is."""

import itertools
import math
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from barriers.budget import budget
from lem_safe.thinning.plan import FEW, planned

BETAS = (0.0, 1e-9, 0.07, 0.1, 1 / 3, 0.29, 0.5, 0.999)


def fits(kept: np.ndarray, patterns: np.ndarray, betas: list[float]) -> bool:
    total = int(kept.sum())
    return total > 0 and all(
        int(kept @ own) <= budget(β, total) for own, β in zip(patterns.T, betas, strict=True)
    )


def choices(patterns: np.ndarray, counts: np.ndarray, betas: list[float]) -> Iterator[np.ndarray]:
    """Every count of rows per pattern that keeps all rows outside and meets the budgets."""
    outside = ~patterns.any(1)
    each = [[n] if out else range(n + 1) for n, out in zip(counts.tolist(), outside, strict=True)]
    for kept in itertools.product(*each):
        if fits(np.array(kept), patterns, betas):
            yield np.array(kept)


def kl(kept: np.ndarray, counts: np.ndarray) -> float:
    p, q = kept / kept.sum(), counts / counts.sum()
    return float(sum(a * math.log(a / b) for a, b in zip(p, q, strict=True) if a > 0))


def drawn(rng: np.random.Generator, m: int, most: int) -> tuple[np.ndarray, np.ndarray, list[float]]:
    patterns = np.array(list(itertools.product([False, True], repeat=m)))
    counts = rng.integers(0, most, len(patterns))
    counts[0] = rng.integers(1, 25)
    there = counts > 0
    return patterns[there], counts[there], [float(rng.choice(BETAS)) for _ in range(m)]


@pytest.mark.parametrize("seed", range(40))
def test_disjoint_sets_keep_as_many_rows_as_any_choice(seed: int) -> None:
    rng = np.random.default_rng(seed)
    patterns = np.concatenate([np.zeros((1, 3), dtype=bool), np.eye(3, dtype=bool)])
    counts = rng.integers(1, [25, 8, 8, 8])
    betas = [float(rng.choice(BETAS)) for _ in range(3)]
    kept = planned(patterns, counts, betas, rng.random(4)).kept
    every = list(choices(patterns, counts, betas))
    assert fits(kept, patterns, betas)
    assert all((kept >= other).all() for other in every)


def test_overlapping_sets_are_nearest_but_for_rounding_and_no_row_can_be_added() -> None:
    nearest = 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        patterns, counts, betas = drawn(rng, 2, 8)
        plan = planned(patterns, counts, betas, rng.random(len(counts)))
        every = list(choices(patterns, counts, betas))
        assert any((plan.kept == other).all() for other in every)
        more = [other for other in every if (other >= plan.kept).all() and other.sum() > plan.kept.sum()]
        assert not more
        assert np.abs(plan.kept - counts * plan.tilted.keep).max() < 2
        nearest += kl(plan.kept, counts) <= min(kl(other, counts) for other in every) + 1e-12
    assert nearest >= 54


@pytest.mark.parametrize("outside", [0, 1, 5])
def test_many_rows_are_the_projection(outside: int) -> None:
    patterns = np.array(list(itertools.product([False, True], repeat=3)))
    counts = np.array([outside * 1000, 9000, 7000, 3001, 20_000, 1234, 777, 5000])
    betas = [0.5, 0.4, 1 / 3]
    there = counts > 0
    plan = planned(patterns[there], counts[there], betas, np.linspace(0, 0.9, there.sum()))
    real = counts[there] * plan.tilted.keep
    assert fits(plan.kept, patterns[there], betas)
    assert np.abs(plan.kept - real).max() < 3
    assert 0 <= kl(plan.kept, counts[there]) - kl(real, counts[there]) < 1e-4
    spent = np.abs(plan.kept @ patterns[there] - np.array(betas) * plan.kept.sum()) < 2
    assert (spent == (plan.tilted.multipliers > 1e-9)).all() and spent.any()


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_every_budget_is_met_whatever_overlaps(data: st.DataObject) -> None:
    m = data.draw(st.integers(1, 5))
    rows = data.draw(st.sets(st.integers(1, 2**m - 1), min_size=1, max_size=12))
    patterns = np.array([[bool(code >> k & 1) for k in range(m)] for code in [0, *sorted(rows)]])
    sizes = st.integers(1, 50) | st.integers(1, 10**7)
    counts = np.array(data.draw(st.lists(sizes, min_size=len(patterns), max_size=len(patterns))))
    betas = data.draw(st.lists(st.sampled_from(BETAS) | st.floats(0, 0.99), min_size=m, max_size=m))
    plan = planned(patterns, counts, betas, np.random.default_rng(0).random(len(patterns)))
    assert fits(plan.kept, patterns, betas)
    assert plan.kept[0] == counts[0] and (plan.kept <= counts).all() and (plan.kept >= 0).all()
    for i in np.flatnonzero(plan.kept < counts):
        more = plan.kept.copy()
        more[i] += 1
        assert not fits(more, patterns, betas)
    zero = patterns[:, [β == 0 for β in betas]].any(1)
    assert not plan.kept[zero].any()


def test_what_is_within_its_tolerances_stays_whole() -> None:
    patterns, counts = np.array([[False], [True]]), np.array([95, 5])
    assert planned(patterns, counts, [0.05], np.zeros(2)).kept.tolist() == [95, 5]
    assert planned(patterns, np.array([950, 51]), [0.05], np.zeros(2)).kept.tolist() == [950, 50]


def test_many_small_patterns_lose_rows_at_random_not_in_their_order() -> None:
    patterns = np.array([[bool(code >> k & 1) for k in range(10)] + [True] for code in range(1024)])
    patterns = np.concatenate([np.zeros((1, 11), dtype=bool), patterns])
    counts, betas = np.array([4096] + [1] * 1024), [0.999] * 10 + [0.05]
    kept = np.array(
        [planned(patterns, counts, betas, np.random.default_rng(s).random(1025)).kept[1:] for s in range(40)]
    )
    assert len(patterns) > FEW and (kept.sum(1) == budget(0.05, 4096 + int(kept[0].sum()))).all()
    share = kept.mean()
    assert abs(kept[:, :512].mean() - share) < 4 * math.sqrt(share * (1 - share) / (40 * 512))
    assert kept.any(0).sum() > 1000


@pytest.mark.parametrize(
    ("patterns", "betas", "why"),
    [
        ([[True]], [0.0], "no particle was outside"),
        ([[True, False], [False, True]], [0.4, 0.4], "no weights"),
    ],
)
def test_what_cannot_be_met_is_an_error(patterns: list[list[bool]], betas: list[float], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        planned(np.array(patterns), np.full(len(patterns), 5), betas, np.zeros(len(patterns)))


def test_without_a_row_outside_whole_rows_may_be_too_coarse() -> None:
    patterns = np.array([[True, False], [False, True]])
    assert planned(patterns, np.array([100, 3]), [0.55, 0.5], np.zeros(2)).kept.tolist() == [3, 3]
    with pytest.raises(ValueError, match="in whole rows"):
        planned(patterns, np.array([1, 5]), [0.3, 0.7], np.zeros(2))


@pytest.mark.parametrize(
    ("patterns", "counts", "betas"),
    [
        ([[0, 0, 0], [0, 1, 0], [0, 0, 1], [1, 0, 1]], [2425, 36, 201408, 160], [5e-12, 1 / 3, 1e-9]),
        ([[0, 0, 0], [1, 0, 1], [1, 1, 1], [0, 1, 0]], [5056923, 25, 2092103, 11], [0.1, 5e-324, 2.4e-12]),
        ([[0, 0], [0, 1], [1, 1]], [22, 46, 6657399], [0.84, 3.5e-10]),
    ],
)
def test_tiny_tolerances_are_met_too(
    patterns: list[list[int]], counts: list[int], betas: list[float]
) -> None:
    """Multipliers of hundreds of nats, which Newton's method reaches from where each set alone would be."""
    there, given = np.array(patterns, dtype=bool), np.array(counts)
    plan = planned(there, given, betas, np.zeros(len(given)))
    assert fits(plan.kept, there, betas) and plan.kept[0] == given[0]
