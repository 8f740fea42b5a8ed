"""Chances and counts of pairs of a particle and a set that are near each other: those of all pairs."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from barriers import counting, pairs, shell
from barriers.coordinates import identity
from barriers.counting import inside_each
from barriers.filters.predictive import PredictiveFilter
from barriers.noise import Noise, beyond
from barriers.pairs import beside
from barriers.predicted import chance
from barriers.sets import Ball, Box, HalfSpace
from barriers.sets.base import UnsafeSet
from barriers.sets.pull import pull
from lem_safe.keys import Key

F32, F64, σ = torch.float32, torch.float64, 0.1
RING = [
    Ball([1.5 * math.cos(2 * math.pi * i / 16), 1.5 * math.sin(2 * math.pi * i / 16)], 0.2) for i in range(16)
]
SETS: dict[str, list[UnsafeSet]] = {
    "one ball": [RING[0]],
    "one half-space": [HalfSpace([1.0, 0.5], 0.3)],
    "balls that overlap": [Ball([0.0, 0.0], 1.0), Ball([0.5, 0.0], 1.0), Ball([0.0, 0.0], 0.01)],
    "a half-space among balls": [RING[3], HalfSpace([1.0, 0.5], 0.3), RING[7]],
    "a box and a complement": [Box([-0.5, -0.2], [0.3, 0.4]), ~RING[2], RING[5]],
    "sixteen balls": RING,
}


def clouds(dtype: torch.dtype) -> dict[str, Tensor]:
    """Spread out, all near, none near, one particle, none, and exactly as far away as counts."""
    x = Key(3).normal(torch.empty(1500, 2, dtype=dtype))
    turns = torch.linspace(0, 6, 50, dtype=F64)[:, None]
    rim = torch.cat([turns.cos(), turns.sin()], 1) * (0.2 + beyond(dtype) * σ) + RING[0].center
    return {
        "spread out": x,
        "all near": 1e-3 * x + RING[0].center.to(dtype),
        "none near": x + 1e3,
        "at the margin": rim.to(dtype),
        "one": x[:1],
        "no particle": x[:0],
    }


def dense(sets: list[UnsafeSet], y: Tensor, noise: Noise) -> tuple[Tensor, Tensor]:
    each = [chance(s, y.double(), noise) for s in sets]
    gradient = torch.stack([found.gradient for found in each])
    factor = torch.eye(y.shape[1], dtype=F64) if noise.factor is None else noise.factor
    return torch.stack([found.value for found in each]), gradient @ factor


def scattered(sets: list[UnsafeSet], y: Tensor, noise: Noise) -> tuple[Tensor, Tensor]:
    found, (n, d), m = beside(sets, y, noise), y.shape, len(sets)
    p, gradient = np.zeros(m * n), np.zeros((m * n, d))
    everywhere, which_set = found.of(np.arange(m))
    at = n * which_set + found.particle
    assert len(np.unique(at)) == len(at)
    p[at], gradient[at] = found.chance, found.gradient(everywhere).T
    assert np.allclose(found.sums, p.reshape(m, n).sum(1), rtol=1e-12, atol=1e-12)
    return torch.from_numpy(p.reshape(m, n)), torch.from_numpy(gradient.reshape(m, n, d))


def must_agree(sets: list[UnsafeSet], y: Tensor, noise: Noise) -> None:
    tolerance = 1e-6 if y.dtype == F32 else 1e-14
    (p, gradient), (q, other) = scattered(sets, y, noise), dense(sets, y, noise)
    torch.testing.assert_close(p, q, rtol=0, atol=tolerance)
    torch.testing.assert_close(gradient, other, rtol=0, atol=30 * tolerance / noise.std)


@pytest.mark.parametrize("dtype", [F32, F64])
@pytest.mark.parametrize("name", SETS)
def test_pairs_have_the_chances_of_all(name: str, dtype: torch.dtype) -> None:
    for y in clouds(dtype).values():
        must_agree(SETS[name], y, Noise(σ))


def test_under_a_metric_and_in_more_columns() -> None:
    factor = torch.tensor([[1.0, 0.0], [0.4, 0.7]], dtype=F64)
    must_agree(SETS["a half-space among balls"], clouds(F64)["spread out"], Noise(σ, factor))
    y = Key(1).normal(torch.empty(200, 12, dtype=F64))
    must_agree([Ball([0.1 * i] * 12, 2.0) for i in range(4)], y, Noise(σ))


FAR_AWAY = [Ball([3e3, 3e3], 1.0), Ball([3e3, 3e3 + 2], 0.5)]


def far_away() -> Tensor:
    """Coordinates beside which float32 has the distances to 1e-3, and their squares to 1."""
    return 3e3 + Key(4).normal(torch.empty(3000, 2))


def test_far_from_the_origin_nothing_is_left_out() -> None:
    y = far_away()
    found = beside(FAR_AWAY, y, Noise(σ))
    expected = [float(chance(ball, y, Noise(σ)).value.double().sum()) for ball in FAR_AWAY]
    assert found.sums.tolist() == pytest.approx(expected, rel=1e-6)


def test_planted_fault_no_allowance_for_rounding(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pairs, "allowance", lambda *_: 0.0)
    monkeypatch.setattr(shell, "WANDER", 0.0)
    monkeypatch.setattr(pairs, "shell", shell.shell.__wrapped__)
    monkeypatch.setattr(pairs, "_as_found", pairs._as_found.__wrapped__)
    with pytest.raises(AssertionError):
        test_far_from_the_origin_nothing_is_left_out()


def test_planted_fault_a_margin_that_leaves_out_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shell, "beyond", lambda dtype: 2.0)
    monkeypatch.setattr(pairs, "shell", shell.shell.__wrapped__)
    monkeypatch.setattr(pairs, "_as_found", pairs._as_found.__wrapped__)
    with pytest.raises(AssertionError):
        must_agree(RING, clouds(F64)["spread out"], Noise(σ))


def test_what_is_no_number_is_near() -> None:
    """A chance that is NaN is not taken for 0."""
    y = torch.tensor([[math.nan, 0.0], [9.0, 9.0]])
    assert np.isnan(beside(RING, y, Noise(σ)).sums).all()


def on_the_rims(balls: list[Ball], dtype: torch.dtype) -> Tensor:
    """Particles on the boundaries, as exactly as the dtype has them, and one step inside and outside."""
    turns = torch.linspace(0, 6.2, 200, dtype=F64)[:, None]
    unit = torch.cat([turns.cos(), turns.sin()], 1)
    rims = torch.cat([ball.center + ball.radius * unit for ball in balls]).to(dtype)
    infinity = torch.tensor(math.inf, dtype=dtype)
    return torch.cat([rims, rims.nextafter(infinity), rims.nextafter(-infinity)])


COUNTED = {
    "a ring": RING,
    "far from the origin": FAR_AWAY,
    "axes": [Ball([0.0, 0.0], 1.0), Ball([2.0, 0.0], 1.0), Ball([0.0, 0.0], 5.0)],
    "small and large": [Ball([0.0, 0.0], 1e-17), Ball([0.0, 0.0], 1e17), Ball([1e17, 0.0], 1e17)],
    "a set that is no ball among them": [RING[0], HalfSpace([0.6, 0.8], 0.5), RING[8]],
}


def count_of_each(name: str, dtype: torch.dtype) -> tuple[list[int], list[int]]:
    sets = [pull(s, identity(2, F32)) if dtype == F64 and "ring" in name else s for s in COUNTED[name]]
    rims = on_the_rims([s for s in COUNTED[name] if isinstance(s, Ball)], dtype)
    odd = torch.tensor([[math.nan, 0.0], [math.inf, 0.0], [-math.inf, math.inf], [3e38, 0.0]], dtype=dtype)
    x = torch.cat([rims, odd, Key(2).normal(torch.empty(4000, 2, dtype=dtype)), rims[:1] * 0])
    return inside_each(sets, x).tolist(), [int(s.contains(x).sum()) for s in sets]


@pytest.mark.parametrize("dtype", [F32, F64])
@pytest.mark.parametrize("name", COUNTED)
def test_the_count_is_exact(name: str, dtype: torch.dtype) -> None:
    found, expected = count_of_each(name, dtype)
    assert found == expected
    assert max(expected) > 0


def test_planted_fault_rounding_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    """Values on a boundary as float64 has them, not as they are saved."""
    monkeypatch.setattr(counting, "_saved", lambda unsafe: None)
    found, expected = count_of_each("a ring", F64)
    assert found != expected


class Learned(HalfSpace):
    """A half-space with a parameter that is learned elsewhere."""

    def __init__(self) -> None:
        super().__init__([1.0, 0.0], 0.4)
        self.weight = torch.nn.Parameter(torch.ones(()))

    def forward(self, x: Tensor) -> Tensor:
        return self.weight * super().forward(x)


@pytest.mark.parametrize("n", [50, 1500])
@pytest.mark.parametrize("others", [[], [RING[0]]])
def test_a_parameter_that_is_learned_does_not_stop_a_filter(n: int, others: list[UnsafeSet]) -> None:
    """Grad mode is on, and no position has a graph."""
    sets = [Learned(), *others]
    chosen, x = PredictiveFilter(sets, [0.1] * len(sets), 0.01), Key(4).normal(torch.empty(n, 2))
    u, _, info = chosen.apply(x, -3 * x, chosen.init(x))
    assert bool(torch.isfinite(u).all()) and bool((info.shortfall == 0).all())
