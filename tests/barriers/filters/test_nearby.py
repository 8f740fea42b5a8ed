"""The search for multipliers over the particles near a boundary finds what a search over all of them does."""

import math

import pytest
import torch

from barriers import pairs, predicted, shell
from barriers.filters import nearby, several_sets
from barriers.filters.predictive import PredictiveFilter
from barriers.filters.whole import HERE
from barriers.noise import Noise
from barriers.predicted import chance
from barriers.sets import Ball, Box, HalfSpace
from barriers.sets.base import UnsafeSet
from barriers.squares import squared_norm
from lem_safe.keys import Key

F64 = torch.float64
BALLS = [Ball([1.0, 0.0], 0.4), Ball([-1.0, 0.5], 0.3)]
RING = [
    Ball([0.9 * math.cos(2 * math.pi * i / 16), 0.9 * math.sin(2 * math.pi * i / 16)], 0.15)
    for i in range(16)
]
CASES = {
    "one ball": [BALLS[0]],
    "two balls": BALLS,
    "one ball and a box": [BALLS[0], Box([0.2, 0.8], [0.6, 1.2])],
    "a half-space": [HalfSpace([1.0, 0.3], 1.2)],
}


def cloud(n: int = 4000, d: int = 2, dtype: torch.dtype = F64) -> torch.Tensor:
    return Key(3).normal(torch.empty(n, d, dtype=dtype))


def filtered(chosen: PredictiveFilter, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    memory = chosen.init(x)
    memory = memory._replace(predicted=0.8 * memory.computed)
    u, _, info = chosen.apply(x, -x, memory)
    return u, info.multipliers, info.mean


@pytest.mark.parametrize("sets", CASES.values(), ids=CASES)
@pytest.mark.parametrize("dtype", [torch.float32, F64])
def test_the_near_particles_decide(
    sets: list[Ball], dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen, x = PredictiveFilter(sets, [0.9] * len(sets), 0.002), cloud(dtype=dtype)
    near = filtered(chosen, x)
    monkeypatch.setattr(nearby, "FEWEST", 10**9)
    monkeypatch.setattr(predicted, "MANY", 10**9)
    whole = filtered(chosen, x)
    assert bool((whole[1] > 0).any())
    tolerance = 1e-8 if dtype == F64 else 2e-4
    for found, expected in zip(near, whole, strict=True):
        assert torch.allclose(found.double(), expected.double(), rtol=tolerance, atol=tolerance)


def test_each_constraint_has_its_own_particles() -> None:
    """Of one that hardly any particle is near, the largest push is tiny beside that of another."""
    push = torch.zeros(1, 2000, 2, 2, dtype=F64)
    push[0, :100, 0, 0], push[0, 100:150, 1, 1] = 1.0, 1e-12
    ahead = PredictiveFilter(BALLS, [0.01] * 2, 0.002)._ahead_of(
        cloud(2000)[None], torch.zeros(1, 2000, 2, dtype=F64), torch.zeros(1, 2), torch.zeros(1, 2)
    )
    found = nearby.nearby(ahead, push, HERE)
    assert found is not None and found.rows.tolist() == list(range(150))


def test_a_threshold_that_leaves_out_too_many_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    chosen, x = PredictiveFilter([BALLS[0]], [0.9], 0.002), cloud()
    right = filtered(chosen, x)[1]
    monkeypatch.setattr(nearby, "negligible", lambda dtype: 0.3)
    assert float((filtered(chosen, x)[1] / right - 1).abs()) > 0.05


def test_no_search_is_narrowed_where_most_particles_are_near() -> None:
    chosen, x = PredictiveFilter([Ball([0.0, 0.0], 1.0)], [0.01], 0.5), cloud()
    ahead = chosen._ahead_of(x[None], torch.zeros_like(x)[None], torch.zeros(1, 1), torch.zeros(1, 1))
    assert nearby.nearby(ahead, ahead.gradient, chosen.whole) is None


@pytest.mark.parametrize("d", [1, 2, 3, 20])
@pytest.mark.parametrize("radius", [0.05, 0.5, 3.0])
def test_a_chance_far_away_is_nothing(d: int, radius: float, monkeypatch: pytest.MonkeyPatch) -> None:
    ball, y = Ball([1.0] + [0.0] * (d - 1), radius), 2 * cloud(d=d)
    found = chance(ball, y, Noise(0.1))
    monkeypatch.setattr(predicted, "MANY", 10**9)
    whole = chance(ball, y, Noise(0.1))
    assert torch.allclose(found.value, whole.value, rtol=0, atol=1e-16)
    assert torch.allclose(found.gradient, whole.gradient, rtol=0, atol=1e-13)


@pytest.mark.parametrize("d", [0, 1, 2, 5, 6, 40])
def test_squared_norms_are_sums_of_squares(d: int) -> None:
    v = cloud(50, d).requires_grad_()
    assert torch.allclose(squared_norm(v), v.square().sum(-1), rtol=1e-15, atol=0)
    assert torch.allclose(torch.autograd.grad(squared_norm(v).sum(), v)[0], 2 * v)
    assert squared_norm(v.reshape(5, 10, d)).shape == (5, 10)


SEVERAL = {
    "balls that overlap": [BALLS[0], Ball([1.2, 0.3], 0.3)],
    "and a half-space": [BALLS[0], Ball([1.2, 0.3], 0.3), HalfSpace([1.0, -0.3], 1.2)],
    "sixteen balls": RING,
    "no particle near one": [BALLS[0], BALLS[1], Ball([90.0, 0.0], 1.0)],
}


def kept(sets: list[UnsafeSet], dtype: torch.dtype, share: float, scale: float = 1.0) -> list[torch.Tensor]:
    """Every limit a share of what is ahead: drift, multipliers and mean chances."""
    x = scale * cloud(dtype=dtype)
    ahead = PredictiveFilter(sets, [0.5] * len(sets), 0.002).init(x + 0.002 * -x).predicted
    chosen = PredictiveFilter(sets, ahead.clamp(min=1e-3).tolist(), 0.002)
    memory = chosen.init(x)
    u, _, info = chosen.apply(x, -x, memory._replace(predicted=share * ahead))
    assert bool((info.multipliers > 0).any())
    return [u, info.multipliers, info.mean, info.shortfall]


@pytest.mark.parametrize("dtype", [torch.float32, F64])
@pytest.mark.parametrize("name", SEVERAL)
@pytest.mark.parametrize(("share", "scale"), [(0.98, 1.0), (0.7, 1.0), (0.95, 0.3)])
def test_several_constraints_are_those_of_all_particles(
    name: str, dtype: torch.dtype, share: float, scale: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Near pairs alone, and all particles and sets: little is to be moved, or much, or nearly all is near.
    Both end anywhere within 4·AIM below the limits, on paths of their own, which multipliers show most.
    """
    near = kept(SEVERAL[name], dtype, share, scale)
    monkeypatch.setattr(nearby, "FEWEST", 10**9)
    monkeypatch.setattr(predicted, "MANY", 10**9)
    tolerance = 1e-4 if dtype == F64 else 5e-3
    for found, expected in zip(near, kept(SEVERAL[name], dtype, share, scale), strict=True):
        size = float(expected.abs().max())
        assert torch.allclose(found.double(), expected.double(), rtol=0, atol=tolerance * size + 1e-12)


def entered(shift: float = 0.1) -> list[torch.Tensor]:
    """A ball within its limit, into which particles are pushed out of another."""
    chosen = PredictiveFilter([BALLS[0], Ball([1.9, 0.0], 0.4)], [0.9] * 2, 0.01, rate=1e-9)
    x = 0.25 * cloud() + torch.tensor([1.2 + shift, 0.0], dtype=F64)
    memory = chosen.init(x)
    limits = torch.tensor([0.8, 1.0 + 1e-6], dtype=F64) * memory.predicted
    u, _, info = chosen.apply(x, 0 * x, memory._replace(predicted=limits))
    return [u, info.multipliers, info.mean, info.shortfall]


def test_a_set_that_is_entered_on_the_way_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """The second constraint becomes violated by what is done for the first."""
    near = entered()
    assert bool((near[1] > 0).all())
    monkeypatch.setattr(nearby, "FEWEST", 10**9)
    for found, expected in zip(near, entered(), strict=True):
        assert torch.allclose(found, expected, rtol=1e-6, atol=1e-6)


def test_planted_fault_pairs_that_are_never_searched_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    right = entered()
    monkeypatch.setattr(shell, "WANDER", -8.4)  # only what is inside now
    monkeypatch.setattr(pairs, "shell", shell.shell.__wrapped__)
    monkeypatch.setattr(pairs, "_as_found", pairs._as_found.__wrapped__)
    monkeypatch.setattr(several_sets, "WANDER", 1e9)
    assert float((entered()[2] - right[2]).abs().max()) > 1e-4
