"""What a run has counted is not counted again, as long as it is the same cloud."""

import math
from collections.abc import Callable
from itertools import accumulate

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from barriers import remembered
from barriers.counting import counted, inside_each
from barriers.filters.predictive import PredictiveFilter
from barriers.pairs import of_each_set
from barriers.sets import Ball, HalfSpace
from barriers.sets.base import UnsafeSet
from lem_safe.keys import Key
from lem_safe.progress import Silent
from lem_safe.registry import loads
from lem_safe.runs.problem import build
from lem_safe.runs.recorded_chain import RecordedChain
from lem_safe.runs.starting import start
from lem_safe.samplers import Langevin


class Asked(Ball):
    """A ball that notes how often it is asked."""

    def __init__(self, radius: float = 1.0) -> None:
        super().__init__([0.0, 0.0], radius)
        self.times = 0

    def contains(self, x: Tensor) -> Tensor:
        self.times += 1
        return super().contains(x)


def cloud() -> Tensor:
    return Key(1).normal(torch.empty(50, 2))


def test_the_same_cloud_is_counted_once() -> None:
    ball, x = Asked(), cloud()
    found = counted([ball], x)
    inside_each([ball], x).add_(5)  # what is given away may be written to
    assert inside_each([ball], x).equal(found) and ball.times == 1


CHANGES: dict[str, Callable[[Tensor], Tensor]] = {
    "changed in place": lambda x: x.mul_(0.1),
    "a copy": lambda x: x.clone(),
    "a part": lambda x: x[1:],
    "transposed twice": lambda x: x.T.contiguous().T,
    "in another order": lambda x: x.view(2, -1).T,
    "other numbers in its memory": lambda x: torch._neg_view(x),
    "another": lambda x: 3 * x,
}


@pytest.mark.parametrize("name", CHANGES)
def test_any_other_cloud_is_counted(name: str) -> None:
    ball, x = Asked(), cloud()
    counted([ball], x)
    y = CHANGES[name](x)
    assert int(inside_each([ball], y)[0]) == int(Ball([0.0, 0.0], 1.0).contains(y).sum()) and ball.times == 2


def test_other_sets_are_asked() -> None:
    ball, other, x = Asked(), Asked(0.3), cloud()
    counted([ball], x)
    assert inside_each([other], x).tolist() == [int(other.contains(x).sum())]
    assert len(inside_each([ball, other], x)) == 2 and other.times > 1


def test_a_set_that_a_user_changes_between_two_questions_is_asked_again() -> None:
    """Only a run's own count is kept."""
    ball, x = Asked(), cloud()
    first = int(inside_each([ball], x)[0])
    ball.radius = 2.0
    assert int(inside_each([ball], x)[0]) > first


def test_a_tensor_of_inference_mode_has_no_version() -> None:
    with torch.inference_mode():
        x = cloud() + 0
        assert counted([Asked()], x).equal(inside_each([Asked()], x))


def test_nothing_is_held() -> None:
    ball, x = Asked(), cloud()
    counted([ball], x)
    last = remembered._counted[-1]
    assert last.x() is x
    del x
    assert last.x() is None


def asked_in_a_run(monkeypatch: pytest.MonkeyPatch, module: str = "lem_safe.samplers.langevin") -> float:
    """How often each cloud of a run is counted under drift, by a sampler of this module."""
    monkeypatch.setattr(Langevin, "__module__", module)
    text = """
    version: 1
    name: counts
    energy: {kind: ring}
    unsafe: {ball: {kind: ball, center: [1.0, 0.0], radius: 0.5}}
    constraints: [{set: ball, beta: 0.05}]
    sampler: {kind: langevin, samples: 100, steps: 20, step_size: 0.01}
    filter: {kind: drift}
    """
    problem, times = build(loads(text), progress=Silent()), list[int]()
    inner = Ball.contains
    with torch.no_grad():
        chain = RecordedChain(problem.course("counts", 20, filtered=True), Key(3), start(problem, Key(3)))
        monkeypatch.setattr(Ball, "contains", lambda self, x: (times.append(len(x)), inner(self, x))[1])
        for _ in range(10):
            chain.advance()
    return len(times) / 10


def test_a_run_counts_each_of_its_clouds_once(monkeypatch: pytest.MonkeyPatch) -> None:
    assert asked_in_a_run(monkeypatch) == pytest.approx(1.0)


def test_with_a_sampler_of_ones_own_it_counts_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    assert asked_in_a_run(monkeypatch, "another.package") == pytest.approx(2.0)


def test_planted_fault_the_count_of_the_cloud_before(monkeypatch: pytest.MonkeyPatch) -> None:
    """A count that is kept whatever is asked: the filter's error is then that of another cloud."""
    unsafe: UnsafeSet = ~Ball([0.0, 0.0], 1.5)
    chosen = PredictiveFilter([unsafe], [0.3], 0.01)

    def error() -> float:
        x = cloud()
        counted([unsafe], x)
        memory = chosen.init(x)
        memory = memory._replace(steps=memory.steps + 3)
        return float(chosen.apply(2 * x, 0 * x, memory)[1].error[0])

    honest = error()
    monkeypatch.setattr(remembered.Seen, "asked", lambda self, sets, x: True)
    assert abs(error() - honest) > 0.05


@settings(max_examples=60, deadline=None)
@given(sizes=st.lists(st.integers(0, 5), min_size=1, max_size=8), seed=st.integers(0, 9), bad=st.booleans())
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_numbers_of_each_set_are_put_together(
    sizes: list[int], seed: int, bad: bool, dtype: torch.dtype
) -> None:
    values = torch.rand(sum(sizes), dtype=dtype, generator=Key(seed).generator()).numpy()
    if bad and len(values):
        values[-1] = math.nan
    starts = np.array([0, *accumulate(sizes)])
    parts = np.split(values, starts[1:-1])
    for how in (np.add, np.maximum):
        found = of_each_set(how, values, starts)
        expected = [how.reduce(own) if len(own) else 0.0 for own in parts]
        assert found.dtype == values.dtype and np.allclose(found, expected, equal_nan=True)


def test_a_half_space_among_balls_is_counted_too() -> None:
    sets: list[UnsafeSet] = [Ball([0.0, 0.0], 1.0), HalfSpace([1.0, 0.0], 0.5)]
    x = cloud()
    assert counted(sets, x).tolist() == [int(s.contains(x).sum()) for s in sets]
