"""The smoothed drift filter on clouds side by side is that of each cloud alone."""

from typing import Any

import pytest
import torch

from barriers.filters import one_row_clouds
from barriers.filters.ensemble import EnsembleFilter
from barriers.functionals import MassBarrier, smooth_mass
from barriers.qp import Infeasible
from barriers.qp.one_row import nearest
from barriers.sets import Ball, Box, HalfSpace
from barriers.surrogates import Sigmoid, SoftHinge
from lem_safe.keys import Key

SETS = {
    "a ball": Ball([0.8, 0.0], 0.5),
    "a half-space": HalfSpace([1.0, 0.3], 0.2),
    "all but a ball": ~Ball([0.0, 0.0], 1.5),
    "a box": Box([0.2, -0.3], [0.9, 0.8]),
}


ROUNDING = {torch.float32: 3e-5, torch.float64: 1e-12}
"""torch rounds a sigmoid differently at the end of an array, which the bound on the speed makes larger."""


def chosen(name: str = "a ball", speed: float | None = 4.0, raising: bool = False) -> EnsembleFilter:
    φ = SoftHinge(0.3) if name == "a box" else Sigmoid(0.1)
    barrier = smooth_mass([SETS[name]], [φ], [0.05])
    return EnsembleFilter(barrier, speed=speed, on_infeasible="raise" if raising else "relax")


def clouds(r: int, n: int, dtype: torch.dtype, spread: float = 0.6) -> torch.Tensor:
    centres = torch.linspace(-1.5, 0.8, r, dtype=dtype)[:, None, None] * torch.tensor([1.0, 0.0], dtype=dtype)
    return spread * Key(5).normal(torch.empty(r, n, 2, dtype=dtype)) + centres


def difference(filter_: EnsembleFilter, x: torch.Tensor) -> float:
    """The largest between clouds side by side and each alone, relative to the drift: of the drift, the report
    and the memory.
    """
    drift = -2 * x + 1
    u, memory, info = filter_.apply(x, drift, filter_.init(x))
    worst = 0.0
    for r, cloud in enumerate(x):
        alone = filter_.apply(cloud, drift[r], filter_.init(cloud))
        pairs = [(u[r], alone[0]), *((a[r], b) for a, b in zip(info, alone[2], strict=True))]
        assert memory.active is not None and torch.equal(memory.active[r], alone[1].active[0])
        for a, b in pairs:
            assert a.dtype == b.dtype
            gap = (a - b).abs() / (1 + b.abs())
            worst = max(worst, float(torch.where(a.isnan() & b.isnan(), 0.0, gap).max()))
    return worst


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("name", SETS)
@pytest.mark.parametrize("n", [1, 3, 20, 300])
@pytest.mark.parametrize("speed", [None, 0.5, 8.0])
def test_each_is_what_it_is_alone(name: str, n: int, dtype: torch.dtype, speed: float | None) -> None:
    assert difference(chosen(name, speed), clouds(9, n, dtype)) < ROUNDING[dtype]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("name", SETS)
def test_a_hundred_are_what_each_is_alone(name: str, dtype: torch.dtype) -> None:
    assert difference(chosen(name), clouds(100, 300, dtype)) < ROUNDING[dtype]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("name", SETS)
@pytest.mark.parametrize("speed", [None, 0.5, 8.0])
def test_it_is_what_the_general_solver_finds(
    name: str, dtype: torch.dtype, speed: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    filter_, x = chosen(name, speed), clouds(9, 20, dtype)
    u, _, info = filter_.apply(x, 1 - 2 * x, filter_.init(x))
    monkeypatch.setattr("barriers.filters.ensemble.FEWEST", 0)
    general = filter_.apply(x, 1 - 2 * x, filter_.init(x))
    tolerance = 1e-5 if dtype == torch.float32 else 1e-12
    for a, b in zip((u, *info), (general[0], *general[2]), strict=True):
        assert float(((a - b).abs() / (1 + b.abs())).max()) < tolerance


def test_where_nothing_is_to_be_changed_the_drift_is_the_same_tensor() -> None:
    x = clouds(5, 20, torch.float64) - torch.tensor([9.0, 0.0], dtype=torch.float64)
    filter_, drift = chosen(), torch.zeros_like(x)
    assert filter_.apply(x, drift, filter_.init(x))[0] is drift


def test_far_inside_where_no_gradient_is_left() -> None:
    """The surrogate is flat: the general solver says by how much each cloud is short."""
    x = clouds(5, 20, torch.float32, 1e-3)
    filter_ = EnsembleFilter(smooth_mass([Ball([0.0, 0.0], 1e4)], [Sigmoid(0.01)], [0.05]), speed=4.0)
    assert difference(filter_, x) < 1e-6
    assert float(filter_.apply(x, 0 * x, filter_.init(x))[2].shortfall.min()) > 0


def test_a_position_that_is_not_finite_is_not_passed_over() -> None:
    x = clouds(5, 20, torch.float32)
    x[2, 3, 0] = torch.nan
    drift = torch.ones_like(x)  # towards the ball
    u, _, info = chosen(speed=None).apply(x, drift, chosen().init(x))
    assert bool(info.multipliers[2].isnan().all()) and bool(torch.isfinite(u).all())
    assert bool((u[2] == 1).all()) and not bool((u == 1).all())


def test_what_cannot_be_is_raised() -> None:
    x = clouds(5, 20, torch.float64)
    with pytest.raises(Infeasible):
        chosen(speed=1e-3, raising=True).apply(x, 3 + 0 * x, chosen().init(x))


def test_a_derivative_is_that_of_the_general_solver() -> None:
    x = clouds(4, 20, torch.float64).requires_grad_()
    u = chosen().apply(x, -2 * x, chosen().init(x))[0]
    (gradient,) = torch.autograd.grad(u.square().sum(), x)
    assert bool(torch.isfinite(gradient).all()) and float(gradient.abs().max()) > 0


class Doubled(MassBarrier):
    """Says twice what it observes."""

    def observed(self, mean: torch.Tensor) -> torch.Tensor:
        return 2 * super().observed(mean)


class Steeper(MassBarrier):
    """Twice the barrier, with twice the slope."""

    def barriers(self, mean: torch.Tensor) -> torch.Tensor:
        return 2 * super().barriers(mean)

    def jacobian(self, mean: torch.Tensor) -> torch.Tensor:
        return 2 * super().jacobian(mean)


@pytest.mark.parametrize("kind", [Doubled, Steeper])
def test_a_barrier_of_ones_own_is_asked(kind: type[MassBarrier]) -> None:
    x, found = clouds(5, 20, torch.float64), []
    for made in (kind, MassBarrier):
        filter_ = EnsembleFilter(made([SETS["a ball"]], [Sigmoid(0.1)], [0.05]))
        found.append(filter_.apply(x, 0 * x, filter_.init(x))[2])
    own, plain = found
    if kind is Doubled:
        assert torch.allclose(own.mean, 2 * plain.mean)
    else:
        assert torch.allclose(own.multipliers, plain.multipliers / 2)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_a_precision_that_numpy_lacks_is_left_to_the_general_solver(dtype: torch.dtype) -> None:
    x = clouds(3, 20, torch.float32).to(dtype)
    u, _, info = chosen(speed=None).apply(x, 0 * x, chosen().init(x))
    assert u.dtype == dtype and bool((info.multipliers > 0).any())


def pooled(jet: Any, *others: Any) -> Any:
    """The mean over all clouds for each of them."""
    mean = jet.value.mean(0, keepdim=True).expand(jet.value.shape).contiguous()
    return one_row_clouds.filtered(jet._replace(value=mean), *others)


def test_planted_fault_a_mean_over_all_clouds(monkeypatch: pytest.MonkeyPatch) -> None:
    assert difference(chosen(), clouds(9, 20, torch.float64)) < 1e-10
    monkeypatch.setattr("barriers.filters.ensemble.filtered", pooled)
    with pytest.raises(AssertionError):
        assert difference(chosen(), clouds(9, 20, torch.float64)) < 1e-3


def test_planted_fault_without_the_speed_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    x = clouds(9, 20, torch.float64)
    assert float(chosen(speed=0.5).apply(x, 0 * x, chosen().init(x))[0].abs().max()) <= 0.5
    monkeypatch.setattr(
        one_row_clouds, "nearest", lambda row, excess, speed, how: nearest(row, excess, 1e9, how)
    )
    assert float(chosen(speed=0.5).apply(x, 0 * x, chosen().init(x))[0].abs().max()) > 0.6
