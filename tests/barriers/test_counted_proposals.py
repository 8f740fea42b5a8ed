"""What a filter found of a proposal is not counted again; of moves that it took back, those particles are."""

from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from barriers import remembered
from barriers.counting import counted
from barriers.filters import Gate
from barriers.filters.base import FilterInfo, insides
from barriers.filters.chains import StepChain
from barriers.remembered import keep, keep_changed, keep_returned
from barriers.sets import Ball, HalfSpace
from barriers.sets.base import UnsafeSet
from lem_safe.errors import NumericalFailure
from lem_safe.keys import Key
from lem_safe.progress import Silent
from lem_safe.registry import loads
from lem_safe.runs.problem import build
from lem_safe.runs.recorded_chain import RecordedChain
from lem_safe.runs.starting import start

SETS = {
    "a ball": "a: {kind: ball, center: [1.0, 0.0], radius: 0.5}",
    "a plane": "a: {kind: half_space, normal: [1.0, 0.2], offset: 0.6}",
    "two balls": "a: {kind: ball, center: [1, 0], radius: 0.6}, b: {kind: ball, center: [0, 1], radius: 0.7}",
    "both": "a: {kind: ball, center: [1, 0], radius: 0.6}, b: {kind: half_space, normal: [0, 1], offset: .5}",
}
FILTERS = {"gate": "{kind: gate}", "step": "{kind: step}", "tilt": "{kind: tilt, multipliers: %s}"}


def chain(sets: str, kind: str, n: int = 100, beta: float = 0.05, seed: int = 3) -> RecordedChain:
    names = [name for name in "ab" if f"{name}:" in sets]
    text = f"""
    version: 1
    name: counts
    energy: {{kind: gaussian, mean: [0.0, 0.0], std: 0.6}}
    unsafe: {{{sets}}}
    constraints: [{", ".join(f"{{set: {name}, beta: {beta}}}" for name in names)}]
    sampler: {{kind: langevin, samples: {n}, steps: 40, step_size: 0.04,
              init: {{kind: gaussian, mean: [-1.0, 0.0], std: 0.4}}}}
    filter: {FILTERS[kind].replace("%s", str([1.0] * len(names)))}
    """
    problem = build(loads(text), progress=Silent())
    course = problem.course("counts", 40, filtered=True)
    return RecordedChain(course, Key(seed), start(problem, Key(seed)))


def recounted(sets: Sequence[UnsafeSet], x: Tensor) -> list[int]:
    return [int(s.contains(x.clone()).sum()) for s in sets]


def differences(made: RecordedChain, steps: int = 30) -> int:
    """At how many steps the trace differs from a count of the cloud by itself."""
    wrong = 0
    with torch.no_grad():
        for k in range(steps):
            made.advance()
            told = np.round(made.trace["fraction"][k] * len(made.state.x)).astype(int).tolist()
            wrong += told != recounted(made.course.sets, made.state.x)
    return wrong


@settings(max_examples=12, deadline=None)
@given(n=st.integers(1, 300), seed=st.integers(0, 99), beta=st.sampled_from([0.0, 0.01, 0.2]))
@pytest.mark.parametrize("kind", FILTERS)
@pytest.mark.parametrize("sets", SETS)
def test_the_trace_is_a_count_of_the_cloud(sets: str, kind: str, n: int, seed: int, beta: float) -> None:
    assert differences(chain(SETS[sets], kind, n, beta, seed), 12) == 0


@pytest.mark.parametrize("kind", FILTERS)
def test_planted_fault_the_particles_that_were_taken_back_are_not_asked(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert differences(chain(SETS["a ball"], kind)) == 0
    monkeypatch.setattr(
        "barriers.filters.base.keep_returned", lambda x, y, z, rows: keep_returned(x, y, z, rows[:0])
    )
    monkeypatch.setattr(
        "barriers.filters.one_mirror.keep_changed", lambda y, z, rows: keep_changed(y, z, rows[:0])
    )
    with pytest.raises(NumericalFailure, match="promises every step") if kind != "tilt" else nullcontext():
        assert differences(chain(SETS["a ball"], kind)) > 0


@pytest.mark.parametrize(("sets", "asked"), [("a ball", 1.0), ("a plane", 1.0), ("two balls", 2.0)])
def test_a_proposal_without_a_refusal_is_asked_once(
    sets: str, asked: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, times = chain(SETS[sets], "gate", beta=0.99), list[int]()
    for cls in (Ball, HalfSpace):
        inner = cls.contains
        monkeypatch.setattr(
            cls, "contains", lambda self, x, inner=inner: (times.append(len(x)), inner(self, x))[1]
        )
    with torch.no_grad():
        for _ in range(10):
            made.advance()
    assert len(times) == 10 * asked


class Writes:
    """A filter that breaks the protocol: it writes into the proposal, where torch does not notice."""

    hook, couples, promise = "step", False, Gate.promise

    def __init__(self) -> None:
        self.limits = torch.full((1,), torch.nan, dtype=torch.float64)

    def init(self, x: Tensor) -> None:
        return None

    def apply(self, x: Tensor, proposal: Tensor, *_: Any) -> tuple[Tensor, None, FilterInfo]:
        proposal.numpy()[:5] = [1.0, 0.0]
        return proposal, None, FilterInfo(self.limits, self.limits, torch.zeros(1, dtype=torch.float64))


def test_a_filter_of_ones_own_among_ours_is_counted_anew() -> None:
    made = chain(SETS["a ball"], "gate")
    sampler: Any = made.course.sampler
    sampler.step_filter = StepChain([sampler.step_filter, Writes()])
    made = RecordedChain(made.course, made.key, made.start)
    with torch.no_grad(), pytest.raises(NumericalFailure, match="promises every step"):
        for _ in range(10):
            made.advance()


def test_only_the_cloud_that_was_proposed_is_known() -> None:
    ball, x = Ball([0.0, 0.0], 1.0), Key(1).normal(torch.empty(50, 2))
    none = np.zeros((50, 1), dtype=bool)
    keep([ball], x, none)
    assert counted([ball], x).tolist() == [0]  # what was kept, which here is wrong
    assert counted([ball], x).tolist() == recounted([ball], x)  # and asked for once
    for other in (x.clone(), x[:-1], x.clone().mul_(1)):
        keep([ball], x, none)
        assert counted([ball], other).tolist() == recounted([ball], other)
    keep([ball], x, none)
    assert counted([Ball([0.0, 0.0], 1.0)], x).tolist() == recounted([ball], x)
    keep([ball], x, none)
    x.mul_(0.5)
    assert counted([ball], x).tolist() == recounted([ball], x)


def test_changed_rows_are_asked_of_balls_alone() -> None:
    """Of any other set membership may depend on which rows are asked about together."""
    x = Key(1).normal(torch.empty(50, 2))
    for unsafe in (Ball([0.0, 0.0], 1.0), HalfSpace([1.0, 0.0], 0.5)):
        y, rows = x.clone(), np.array([3, 17])
        y[rows] = 0.0
        keep([unsafe], x, insides([unsafe], x).numpy())
        keep_changed(x, y, rows)
        assert counted([unsafe], y).tolist() == recounted([unsafe], y)
    z = y.clone()
    keep([unsafe], x, insides([unsafe], x).numpy())
    keep_changed(x, y, rows)
    keep_changed(y, z, rows[:1])  # of two changes the first is no longer known
    assert counted([unsafe], z).tolist() == recounted([unsafe], z)


def test_returned_particles_are_where_the_run_had_found_them() -> None:
    """Of any set: nothing is asked again, and nothing is taken from the filter."""
    unsafe = HalfSpace([1.0, 0.0], 0.5)
    x, y = (Key(k).normal(torch.empty(50, 2)) for k in (1, 2))
    counted([unsafe], x)
    keep([unsafe], y, insides([unsafe], y).numpy())
    rows = np.arange(0, 50, 3)
    z = y.clone()
    z[rows] = x[rows]
    keep_returned(x, y, z, rows)
    seen = remembered.proposed([unsafe], z)
    assert seen is not None and seen.rows is None
    assert counted([unsafe], z).tolist() == recounted([unsafe], z)


@pytest.mark.parametrize("known", ["another cloud", "changed since", "other sets", "too large"])
def test_without_the_cloud_before_they_are_asked(known: str, monkeypatch: pytest.MonkeyPatch) -> None:
    unsafe = Ball([0.0, 0.0], 1.0)
    x, y = (Key(k).normal(torch.empty(50, 2)) for k in (1, 2))
    if known == "too large":
        monkeypatch.setattr(remembered, "MOST", 10)
    before = {"another cloud": x.clone(), "changed since": x}.get(known, x)
    counted([Ball([0.0, 0.0], 1.0) if known == "other sets" else unsafe], before)
    if known == "changed since":
        x.mul_(0.3)
    keep([unsafe], y, insides([unsafe], y).numpy())
    rows, z = np.arange(0, 50, 3), y.clone()
    z[rows] = x[rows]
    keep_returned(x, y, z, rows)
    seen = remembered.proposed([unsafe], z)
    assert seen is not None and seen.rows is not None
    assert counted([unsafe], z).tolist() == recounted([unsafe], z)


def test_a_view_of_all_rows_is_the_same_cloud() -> None:
    ball, x = Ball([0.0, 0.0], 1.0), Key(1).normal(torch.empty(60, 2))
    counted([ball], x)
    apart = x.view(3, 20, 2)
    assert remembered.counted([ball], apart.flatten(0, 1)) is not None
    assert remembered.counted([ball], x[20:]) is None and remembered.counted([ball], x.flip(0)) is None
    apart[0, 0] = 0.0  # written to through a view: every view tells
    assert remembered.counted([ball], x) is None


@pytest.mark.parametrize("kind", FILTERS)
def test_a_filter_that_spoils_its_own_memory_spoils_no_count(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = chain(SETS["a ball"], kind, beta=0.9)
    chosen: Any = made.course.sampler.step_filter
    inner = type(chosen).apply

    def spoilt(self: Any, *given: Any) -> Any:
        y, memory, info = inner(self, *given)
        memory.inside.fill_(False)
        return y, memory, info

    monkeypatch.setattr(type(chosen), "apply", spoilt)
    assert differences(made) == 0


def test_what_lies_beside_a_cloud_is_another_one() -> None:
    big = torch.randn(100, 2, generator=Key(1).generator())
    big[50:] *= 0.01
    base, ball = big[:50].detach(), Ball([0.0, 0.0], 1.0)
    counted([ball], base)
    beside = base.as_strided((50, 2), (2, 1), 100)
    assert remembered.counted([ball], beside) is None
