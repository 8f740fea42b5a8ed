"""The multiplier of one constraint: what bisection finds, of each cloud as if it were alone, in few steps."""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pytest
import torch
from torch import Tensor

from barriers.chances import Chances
from barriers.filters import BarrierStep, one_constraint, one_set, several
from barriers.filters.one_constraint import Bracket, Numbers, column, if_flat, least, means_by
from barriers.filters.one_set import AIM
from barriers.filters.predictive import PredictiveFilter
from barriers.filters.push import against, depth, narrowed, normal_profile
from barriers.filters.whole import HERE
from barriers.functionals import MassBarrier
from barriers.noise import Noise
from barriers.predicted import chance
from barriers.sets import Ball, Box, HalfSpace
from barriers.sets.base import UnsafeSet
from barriers.surrogates import Exponential, Hinge, Sigmoid, SoftHinge, Surrogate
from lem_safe.keys import Key

F64, β, h = torch.float64, 0.05, 0.01
SETS = {
    "half-space": HalfSpace([1.0, 0.5], 0.3),
    "ball": Ball([0.0, 0.0], 0.5),
    "box": Box([-0.4, -0.2], [0.3, 0.5]),
    "either": Ball([0.0, 0.0], 0.5) | HalfSpace([0.0, 1.0], 1.0),
}
SMOOTHINGS = [Sigmoid(0.1), Sigmoid(0.2, 0.1), Hinge(0.3), SoftHinge(0.3), Exponential(0.4)]


class Point(NamedTuple):
    """A made-up cloud: its multiplier, and by how much it violates its constraint."""

    at: Tensor
    violation: Tensor


def clouds(r: int, n: int = 20) -> Tensor:
    return 0.6 * Key(7).normal(torch.empty(r, n, 2, dtype=F64)) + torch.tensor([1.1, 0.0], dtype=F64)


def solved(
    f: Callable[[Tensor], Tensor], shapes: Tensor, first: float = 0.0, aim: float = 1e-9
) -> tuple[Tensor, Tensor, int]:
    """μ and violation for f(μ, shape) of each shape, and how often it was evaluated."""
    calls = 0

    def evaluated(which: Numbers | None, multipliers: Numbers) -> tuple[Point, Callable[[], Numbers]]:
        nonlocal calls
        calls += 1
        own, μ = shapes if which is None else shapes[which], torch.from_numpy(multipliers)[:, None]
        with torch.enable_grad():
            x = μ.detach().requires_grad_()
            y = f(x, own)
            (slope,) = torch.autograd.grad(y.sum(), x)
        return Point(μ, y.detach()), lambda: -slope[:, 0].numpy()

    start, falls = evaluated(None, np.zeros(len(shapes)))
    μ, found = least(evaluated, start, falls(), np.full(len(shapes), first), aim)
    assert np.array_equal(found.at[:, 0], μ)
    return found.at, found.violation, calls - 1


MAPS = {
    "exponential": (lambda x, a: (-a * x).exp() - 0.2, lambda a: math.log(5) / a),
    "a late cliff": (lambda x, a: torch.sigmoid(2 * (a - x)) - 0.1, lambda a: a + math.log(9) / 2),
    "a line": (lambda x, a: 1 - x / a, lambda a: a),
    "a square root": (lambda x, a: 1 - (x / a + 1e-4).sqrt(), lambda a: a * (1 - 1e-4)),
}


@pytest.mark.parametrize("name", MAPS)
@pytest.mark.parametrize("first", [0.0, 0.3, 40.0])
def test_the_root_is_found_whatever_is_tried_first(name: str, first: float) -> None:
    f, root = MAPS[name]
    shapes = torch.tensor([[0.5], [1.0], [2.0], [3.0]], dtype=F64)
    μ, violation, _ = solved(f, shapes, first)
    expected = shapes.clone().apply_(root)
    assert float(violation.max()) <= 0
    assert torch.allclose(μ, expected, rtol=1e-6)


def test_each_is_what_it_is_alone() -> None:
    f, _ = MAPS["a late cliff"]
    shapes = torch.linspace(0.5, 4, 30, dtype=F64)[:, None]
    together = solved(f, shapes)[0]
    assert torch.equal(together, torch.cat([solved(f, a[None])[0] for a in shapes]))


def test_where_nothing_reaches_it_the_least_violation_is_taken() -> None:
    """No slope at all; a plateau above 0; and beside them one that is solved."""
    shapes = torch.tensor([[0.0], [1.0], [2.0]], dtype=F64)

    def f(x: Tensor, a: Tensor) -> Tensor:
        return torch.where(a == 0, 1 + 0 * x, torch.where(a == 1, 0.5 + (-x).exp(), 1 - x))

    μ, violation, calls = solved(f, shapes)
    assert float(μ[0]) == 0 and float(violation[0]) == 1
    assert 0.5 <= float(violation[1]) < 0.51
    assert -1e-8 < float(violation[2]) <= 0
    assert calls <= one_constraint.ITERATIONS + 1


def test_planted_fault_steps_without_a_bracket(monkeypatch: pytest.MonkeyPatch) -> None:
    """Newton's method alone is thrown back from the flat side of a cliff, for ever."""
    f, root = MAPS["a late cliff"]
    shapes = torch.tensor([[2.0], [3.0]], dtype=F64)

    def tangent(self: Bracket, μ: Numbers, over: Numbers, falls: Numbers) -> tuple[Numbers, Bracket]:
        return (μ + over / falls).clip(min=0), self

    monkeypatch.setattr(Bracket, "next", tangent)
    assert float((solved(f, shapes)[0] - shapes.clone().apply_(root)).abs().min()) > 1


def test_a_flat_boundary_is_solved_in_closed_form() -> None:
    """One particle: Φ(t − bμ) = q at μ = (t − Φ⁻¹(q))/b."""
    t, b, q = (
        torch.tensor(v, dtype=F64)[:, None] for v in ([2.0, 0.5, -1.0], [1.0, 0.3, 2.0], [0.1, 0.05, 0.02])
    )
    p, slope = torch.special.ndtr(t), b * torch.exp(-t * t / 2) / math.sqrt(2 * math.pi)
    μ, falls = if_flat(normal_profile, -depth(p), slope, (p - q)[:, 0].numpy(), means_by(HERE))
    assert np.allclose(μ, ((t - torch.special.ndtri(q)) / b)[:, 0], rtol=1e-3)
    assert np.allclose(falls, slope[:, 0])


@pytest.mark.parametrize("φ", SMOOTHINGS, ids=lambda φ: type(φ).__name__)
def test_a_surrogate_of_a_flat_boundary_too(φ: Surrogate) -> None:
    """20 particles beside a half-space, moved along its normal by cμ, c = −φ'."""
    s = 0.15 * Key(1).normal(torch.empty(5, 20, dtype=F64))
    c = -φ.profile(s).first
    over = 0.4 * φ.value(s).mean(1)
    μ, _ = if_flat(φ.profile, s, c * c, over.numpy(), means_by(HERE))
    assert torch.allclose(φ.value(s + c * column(μ, s)).mean(1), 0.6 * φ.value(s).mean(1), rtol=2e-2)


@pytest.mark.parametrize("name", SETS)
def test_the_drift_filter_finds_what_bisection_finds(name: str) -> None:
    chosen, x = PredictiveFilter([SETS[name]], [β], h), clouds(40)
    memory = chosen.init(x)
    u, _, info = chosen.apply(x, -3 * x, memory)
    y = x - h * 3 * x
    L = β - math.exp(-5 * h) * (β - memory.predicted)
    checked = 0
    for r in ((info.multipliers > 0) & (info.shortfall == 0))[:, 0].nonzero()[:, 0].tolist():
        if float((u[r] + 3 * x[r]).abs().max()) * h > 3.9 * chosen.noise.std:
            continue  # its change is bounded
        p, g = chance(SETS[name], y[r], chosen.noise)
        push = narrowed(p[:, None], g[:, None])

        def mean(μ: float, start: Tensor = y[r], push: Tensor = push) -> float:
            z = start + against(push, torch.tensor([μ], dtype=F64))
            return float(chance(SETS[name], z, chosen.noise).value.mean())

        μ, limit = float(info.multipliers[r, 0]) * h, float(L[r])
        assert limit - 5 * AIM * β <= mean(μ) <= limit
        assert μ == pytest.approx(bisected(mean, limit - AIM * β), rel=5e-3)
        checked += 1
    assert checked > 3


def bisected(mean: Callable[[float], float], limit: float) -> float:
    low, high = 0.0, 1e-4
    while mean(high) > limit:
        low, high = high, 1.5 * high
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if mean(middle) > limit else (low, middle)
    return high


def test_few_evaluations_do(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 100 small clouds the slowest decides; by Newton's method it needed five to six."""
    x, calls = clouds(100).float(), list[int]()
    chosen = PredictiveFilter([SETS["ball"]], [β], h)
    inner = several.chances

    def counting(unsafe: UnsafeSet, y: np.ndarray, noise: Noise) -> Chances:
        calls.append(y.shape[1])
        return inner(unsafe, y, noise)

    monkeypatch.setattr(several.Pushed, "out_of_reach", lambda self, farthest: np.array([], dtype=int))
    for owner in (one_set, several):
        monkeypatch.setattr(owner, "chances", counting)
    memory = chosen.init(x)
    calls.clear()
    chosen.apply(x, 0 * x, memory)
    assert len(calls) <= 7
    assert calls[0] == 100 and sum(calls[2:]) < 0.5 * calls[1]


@pytest.mark.parametrize("φ", SMOOTHINGS, ids=lambda φ: type(φ).__name__)
def test_the_step_filter_reaches_its_floor_and_goes_no_further(φ: Surrogate) -> None:
    x = clouds(60) + torch.tensor([0.6, 0.0], dtype=F64)
    barrier = MassBarrier([SETS["ball"]], [φ], [β])
    chosen = BarrierStep(barrier)
    memory = chosen.init(x)
    B = barrier.barriers(memory.mean)
    z, after, info = chosen.apply(x, x - torch.tensor([0.5, 0.0], dtype=F64), h, torch.zeros(60, 20), memory)
    within, moved = (B >= 0)[:, 0], (info.multipliers > 0)[:, 0]
    floor = math.exp(-5 * h) * B
    left = (barrier.barriers(after.mean) - floor)[:, 0]
    assert bool((left[within] >= 0).all())
    assert bool((left[within & moved] < 1e-9).all()) and int((within & moved).sum()) > 5
