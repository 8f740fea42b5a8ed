"""`lem_safe.guard` in loops of other people: any moves, any container, and its refusals."""

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import lem_safe
from barriers.budget import budget
from lem_safe.sets import Ball, HalfSpace

WALL = Ball([1.0, 0.0], 0.8)
X = torch.full((40, 2), -3.0)
IN = torch.tensor([4.0, 3.0])
"""A move of X into the wall."""


def moved(x: torch.Tensor, seed: int) -> torch.Tensor:
    return torch.randn(x.shape, generator=torch.Generator().manual_seed(seed)).to(x.dtype)


@settings(max_examples=25, deadline=None)
@given(
    kind=st.sampled_from(["gate", "step", "reject"]),
    n=st.integers(1, 40),
    beta=st.floats(0, 0.99),
    scales=st.lists(st.floats(0.01, 100), min_size=1, max_size=8),
    seed=st.integers(0, 1000),
)
def test_no_moves_exceed_a_budget(kind: str, n: int, beta: float, scales: list[float], seed: int) -> None:
    regions = {"wall": WALL, "half": HalfSpace([0.0, 1.0], 0.5), "left": lambda x: x[:, 0] < -10}
    guard = lem_safe.guard(regions, beta=beta, kind="gate" if kind == "step" else kind, seed=seed)
    if kind == "step":
        guard = lem_safe.guard({k: regions[k] for k in ("wall", "half")}, beta=beta, kind=kind, step_size=0.1)
    x = X[:n]
    for k, scale in enumerate(scales):
        x = guard(x, scale * moved(x, seed + k))
        assert all(count <= budget(beta, n) for count in guard.counts.values())
    assert guard.counts["wall"] == int(WALL.contains(x).sum())


def test_arrays_come_back_as_they_came() -> None:
    tensors = [X, X.double(), X.reshape(40, 1, 2), X.bfloat16()]
    moves = [(x, x + IN.to(x.dtype)) for x in tensors]
    for x, proposal in [*moves, *((x.numpy(), y.numpy()) for x, y in moves[:2])]:
        guard = lem_safe.guard({"wall": WALL}, beta=0.1, seed=1)
        y = guard(x, proposal)
        assert type(y) is type(x) and y.dtype == x.dtype and y.shape == x.shape
        assert guard.counts == {"wall": 4}


def test_seed_and_call_decide_everything() -> None:
    def run(guard: Any, x: torch.Tensor, calls: range) -> torch.Tensor:
        for k in calls:
            x = guard(x, moved(x, k))
        return x

    first, second, other = (lem_safe.guard({"wall": WALL}, beta=0.1, seed=s) for s in (1, 1, 2))
    x = run(first, X, range(6))
    assert torch.equal(x, run(second, X, range(6))) and not torch.equal(x, run(other, X, range(6)))
    first.reset()
    halfway = run(first, X, range(3))
    state = first.state()
    assert torch.equal(run(first, halfway, range(3, 6)), x)
    first.reset(state)
    assert first.counts != {} and torch.equal(run(first, halfway, range(3, 6)), x)
    assert len(first.fractions) == 6 and "6 calls" in repr(first)


def test_a_start_over_budget_is_told_and_recovers() -> None:
    guard = lem_safe.guard({"wall": WALL}, beta=0.1)
    inside = X + IN
    with pytest.warns(UserWarning, match="wall holds 40 of 40 particles, tolerated 4"):
        guard(inside, inside)
    report = guard.report(guard(inside, X))
    assert report.constraints[0].violations == 0
    assert report.constraints[0].guarantee is not None and not report.constraints[0].guarantee.holds


def test_the_report_knows_the_calls_of_its_own_cloud() -> None:
    guard = lem_safe.guard({"wall": WALL}, beta=0.1)
    x = guard(X, X + IN)
    c = guard.report(x).constraints[0]
    assert c.max_fraction_over_steps == 0.1 and c.guarantee.holds and not c.bound_claimed
    assert guard.report(x + 1).constraints[0].max_fraction_over_steps is None
    free = lem_safe.guard({"wall": WALL}, beta=0.1, kind="tilt", multipliers=[3.0])
    apart = X + 0.1 * moved(X, 9)
    assert free.report(free(apart, apart + IN)).constraints[0].bound_claimed


def test_a_tilt_learns_from_an_unfiltered_cloud() -> None:
    guard = lem_safe.guard({"half": HalfSpace([1.0, 0.0], 0.0)}, beta=0.1, kind="tilt")
    with pytest.raises(lem_safe.BadInput, match="multipliers: are missing.*guard.learn"):
        guard(X, X)
    cloud = torch.cat([X, -X])
    (μ,) = guard.learn(cloud)
    assert μ == pytest.approx(np.log(9), abs=1e-6)  # logit .5 − logit .1
    assert guard.learn(cloud, aim=0.2)[0] == pytest.approx(np.log(4), abs=1e-6)
    guard(X, -X)
    with pytest.raises(lem_safe.BadInput, match="gate has no multipliers"):
        lem_safe.guard({"wall": WALL}, beta=0.1).learn(X)


def test_derivatives_pass_where_they_exist() -> None:
    smooth = {"kind": "sigmoid", "width": 0.3}
    guard = lem_safe.guard({"wall": WALL}, beta=0.2, kind="step", step_size=0.1, smoothing=smooth)
    start = (X + moved(X, 0)).double()

    def end(shift: torch.Tensor) -> torch.Tensor:
        guard.reset()
        x = guard(start, start + shift)
        return guard(x, x + shift).square().sum()

    shift = torch.tensor([1.0, 0.0], dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad(end(shift), shift)
    with torch.no_grad():
        for j, e in enumerate(1e-5 * torch.eye(2, dtype=torch.float64)):
            assert float((end(shift + e) - end(shift - e)) / 2e-5) == pytest.approx(float(slope[j]), rel=1e-4)
    hard = lem_safe.guard({"wall": WALL}, beta=0.2)
    with pytest.raises(ValueError, match="gate: accepting or refusing a move is a jump"):
        hard(X, X.clone().requires_grad_())


def test_promises_say_what_a_changing_kernel_keeps() -> None:
    said = {
        kind: lem_safe.guard({"wall": WALL}, beta=0.1, kind=kind, step_size=0.1).promise
        for kind in ("gate", "step", "reject", "tilt")
    }
    assert all("changes at every call" in said[kind] for kind in ("gate", "step", "reject"))
    assert "nothing is promised of the fraction" in said["tilt"] and "KL projection" in said["gate"]


REFUSED: list[tuple[dict[str, Any], Any, str]] = [
    ({"kind": "drift"}, (X, X), "kind: must be one of gate, step, tilt, reject; got 'drift'"),
    ({"kind": "step"}, (X, X), "step_size: is missing: step needs h"),
    ({"kind": "step", "step_size": -1.0}, (X, X), "step_size: must be a number > 0"),
    ({"beta": 1.05}, (X, X), "beta: must be < 1"),
    ({"rate": 3}, (X, X), "unknown key 'rate'"),
    ({"columns": ["a"]}, (X, X), "columns: names 1 columns, the particles have 2"),
    ({}, (X, X[:3]), r"one shape, dtype and device; got \[40, 2\] float32 on cpu and \[3, 2\]"),
    ({}, (X, X.double()), "one shape, dtype and device"),
    ({}, (X[:, 0], X[:, 0]), "floating rows"),
    ({}, (X.long(), X.long()), "floating rows .* of int64"),
    ({}, ([[0.0]], [[0.0]]), "tensor or an array"),
    ({"unsafe": {"w": Ball([0.0], 1.0)}}, (X, X), "unsafe.w: has 1 dimensions where the particles have 2"),
    ({"unsafe": {"w": lambda x: x}}, (X, X), "unsafe.w: cannot be decided"),
    (
        {"unsafe": {"w": lambda x: x[:, 0] > 0}, "kind": "step", "step_size": 0.1},
        (X, X),
        "unsafe.w: the filter step needs its gradient",
    ),
]


@pytest.mark.parametrize(("change", "call", "said"), REFUSED)
def test_what_does_not_fit_is_refused_by_name(change: dict[str, Any], call: Any, said: str) -> None:
    options = {"unsafe": {"wall": WALL}, "beta": 0.1} | change
    with pytest.raises(lem_safe.BadInput, match=said):
        lem_safe.guard(options.pop("unsafe"), **options)(*call)


def test_a_lost_particle_is_named() -> None:
    bad = X.clone()
    bad[7] = torch.nan
    with pytest.raises(lem_safe.NumericalFailure, match="the proposal is not finite at particle 7"):
        lem_safe.guard({"wall": WALL}, beta=0.1)(X, bad)
