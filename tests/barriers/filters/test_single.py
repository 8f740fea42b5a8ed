"""One constraint on one cloud is solved in numbers: with the bits that the same cloud has among others."""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pytest
import torch

from barriers.filters import single
from barriers.filters.one_constraint import least as least_of_many
from barriers.filters.predictive import PredictiveFilter
from barriers.filters.single import Tried, least
from barriers.sets import Ball, Box, HalfSpace
from barriers.sets.base import UnsafeSet
from lem_safe.keys import Key

F64 = torch.float64
SETS: dict[str, UnsafeSet] = {
    "a ball": Ball([1.0, 0.0], 0.4),
    "a half-space": HalfSpace([1.0, 0.3], 0.2),
    "a box": Box([0.2, 0.8], [0.6, 1.2]),
    "all but a ball": ~Ball([0.0, 0.0], 1.5),
}


def differences(unsafe: UnsafeSet, x: torch.Tensor, h: float, share: float, beta: float = 0.3) -> list[float]:
    """Between a cloud alone and the same one in a batch of three: the drift, the memory and the report."""
    chosen = PredictiveFilter([unsafe], [beta], h)
    memory = chosen.init(x)
    memory = memory._replace(
        predicted=share * memory.predicted, steps=memory.steps + 3, computed=0.9 * memory.computed
    )
    alone = chosen.apply(x, -x, memory)
    three = type(memory)(*(part.expand(3, *part.shape) for part in memory))
    batch = torch.stack([0.5 * x, x, x + 0.1])
    among = chosen.apply(batch, -batch, three)
    pairs = zip((alone[0], *alone[1], *alone[2]), (among[0], *among[1], *among[2]), strict=True)
    return [float((a - b[1]).abs().nan_to_num().max()) for a, b in pairs]


@pytest.mark.parametrize("dtype", [torch.float32, F64])
@pytest.mark.parametrize("name", SETS)
@pytest.mark.parametrize("n", [1, 20, 256])
def test_a_cloud_alone_has_the_bits_that_it_has_among_others(name: str, n: int, dtype: torch.dtype) -> None:
    x = Key(3).normal(torch.empty(n, 2, dtype=dtype))
    for h in (0.002, 0.01):
        for share in (0.95, 0.3):
            assert differences(SETS[name], x, h, share) == [0.0] * 9


@pytest.mark.parametrize("name", ["a ball", "a box"])
def test_a_large_cloud_alone_has_the_same_numbers_up_to_rounding(name: str) -> None:
    x = Key(3).normal(torch.empty(3000, 2, dtype=F64))
    assert max(differences(SETS[name], x, 0.01, 0.8)) < 1e-8


def test_planted_fault_another_first_multiplier(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(single, "_first", lambda t, slope, n, start, aim: start.violation / start.falls())
    x = Key(3).normal(torch.empty(256, 2, dtype=F64))
    assert differences(SETS["a ball"], x, 0.002, 0.8) != [0.0] * 9


class Point(NamedTuple):
    """A made-up cloud: its multiplier, and by how much it violates its constraint."""

    at: torch.Tensor
    violation: torch.Tensor


MAPS = {
    "exponential": lambda μ: math.exp(-0.7 * μ) - 0.2,
    "a late cliff": lambda μ: 1 / (1 + math.exp(-2 * (3 - μ))) - 0.1,
    "a line": lambda μ: 1 - μ / 2,
    "no slope": lambda μ: 1.0,
    "not a number": lambda μ: math.nan if μ > 0 else 1.0,
}


@pytest.mark.parametrize("name", MAPS)
@pytest.mark.parametrize("first", [0.0, 0.3, 40.0])
def test_the_root_is_that_of_many_clouds(name: str, first: float) -> None:
    f, aim = MAPS[name], 1e-9

    def slope(μ: float) -> float:
        return (f(μ) - f(μ + 1e-6)) / 1e-6

    def tried(μ: float) -> Tried:
        return Tried(μ, np.array([[μ]]), 0.0, f(μ), lambda: slope(μ))

    def evaluated(which: np.ndarray | None, μ: np.ndarray) -> tuple[Point, Callable[[], np.ndarray]]:
        at = Point(torch.from_numpy(μ), torch.tensor([[f(float(μ[0]))]], dtype=F64))
        return at, lambda: np.array([slope(float(μ[0]))])

    found = least(tried, tried(0.0), first, aim, lambda at: False)
    start, falls = evaluated(None, np.zeros(1))
    μ, _ = least_of_many(evaluated, start, falls(), np.full(1, first), aim)
    assert found.multiplier == float(μ[0])


@pytest.mark.parametrize("dtype", [torch.float32, F64])
@pytest.mark.parametrize("clouds", [(), (3,)])
def test_a_set_that_holds_everything_moves_nobody_to_nowhere(
    dtype: torch.dtype, clouds: tuple[int, ...]
) -> None:
    """Deep inside there is no push at all, and a multiple of none is none."""
    x = torch.randn(*clouds, 40, 2, dtype=dtype, generator=torch.Generator().manual_seed(0))
    for radius in (4.0, 30.0, 1e6):
        filter_ = PredictiveFilter([Ball([0.0, 0.0], radius)], [0.1], 0.01)
        with torch.no_grad():
            drift, after, info = filter_.apply(x, torch.zeros_like(x), filter_.init(x))
        assert bool(drift.isfinite().all()) and bool(after.predicted.isfinite().all())
        assert bool((info.shortfall > 0).all())


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("shape", [(30, 2), (2000, 2), (3, 30, 2)])
def test_positions_of_few_digits_are_filtered_in_single_precision(
    shape: tuple[int, ...], dtype: torch.dtype
) -> None:
    x = (0.3 * Key(7).normal(torch.empty(shape)) + torch.tensor([1.6, 0.0])).to(dtype)
    for sets in ([Ball([1.0, 0.0], 0.5)], [Ball([1.0, 0.0], 0.5), HalfSpace([0.0, 1.0], -0.8)]):
        chosen = PredictiveFilter(sets, [0.01] * len(sets), 0.01)
        memory = chosen.init(x)
        found, _, info = chosen.apply(x, -3 * x, memory)
        expected, _, told = chosen.apply(x.float(), (-3 * x).float(), memory)
        assert found.dtype == dtype and torch.equal(found, expected.to(dtype))
        assert torch.equal(info.multipliers.nan_to_num(), told.multipliers.nan_to_num())
        assert bool((info.multipliers != 0).any())
