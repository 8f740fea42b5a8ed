"""Metropolis-adjusted Langevin steps in a metric: exact in any units, quick where scales differ (E.25)."""

import math

import pytest
import torch
from torch import Tensor

import lem_safe
from barriers.filters import Gate
from barriers.sets import HalfSpace
from lem_safe.energies import Gaussian, GaussianMixture
from lem_safe.errors import BadInput
from lem_safe.keys import Key
from lem_safe.samplers import Langevin, Mala
from lem_safe.samplers.adaptation import Adaptation

pytestmark = pytest.mark.simulation

F64 = torch.float64
N = 4000
B = torch.tensor([[900.0, 0.0, 0.0], [-8.0, 0.1, 0.0], [0.002, 0.001, 0.0003]], dtype=F64)
"""A factor of a covariance of condition 1e13: units as different as kilometres and millimetres."""
STIFF = Gaussian([5.0, -3.0, 0.1], covariance=(B @ B.T).tolist())


def whitened(x: Tensor) -> Tensor:
    """The particles in coordinates where STIFF is N(0, I)."""
    return torch.linalg.solve_triangular(B, (x - torch.tensor([5.0, -3.0, 0.1], dtype=F64)).T, upper=False).T


def ended(sampler: Mala, x: Tensor, steps: int) -> tuple[Tensor, float]:
    state, chance = sampler.init(x), 0.0
    for k in range(steps):
        state, info = sampler.step(Key(1).fold(k), state)
        assert info.accepted is not None
        chance = float(info.accepted.mean())
    return state.x, chance


@pytest.mark.parametrize(("metric", "h"), [("hessian", 0.8), ("covariance", 0.2)])  # of a start twice as wide
def test_a_stiff_normal_distribution_settles_at_once(metric: str, h: float) -> None:
    x = torch.tensor([5.0, -3.0, 0.1], dtype=F64) + 2 * Key(0).normal(torch.empty(N, 3, dtype=F64)) @ B.T
    assert float(whitened(x).square().mean()) > 3.5
    y, chance = ended(Mala(STIFF, h, metric=metric), x, 40)  # type: ignore[arg-type]
    z = whitened(y)
    assert chance > 0.5
    assert bool((z.mean(0).abs() < 4 / math.sqrt(N)).all())
    assert bool(((z.T.cov() - torch.eye(3)).abs() < 4 * math.sqrt(2 / N)).all())


def test_the_warm_up_finds_a_step_size_that_is_relative_to_the_metric() -> None:
    x = torch.tensor([5.0, -3.0, 0.1], dtype=F64) + Key(0).normal(torch.empty(300, 3, dtype=F64)) @ B.T
    sampler = Mala(STIFF, 1e-3, Adaptation(150), metric="hessian")
    state = sampler.init(x)
    for k in range(160):
        state, info = sampler.step(Key(1).fold(k), state)
    assert 0.5 < float(info.step_size) < 3  # of a normal distribution in three dimensions


def test_the_identity_is_mala_itself() -> None:
    energy = GaussianMixture([[1.0, 0.0], [-1.0, 0.5]], 0.7)
    x = Key(4).normal(torch.empty(50, 2, dtype=F64))
    plain, with_metric = (
        ended(Mala(energy, 0.4, metric=metric), x, 8)[0] for metric in (None, [[1.0, 0.0], [0.0, 1.0]])
    )
    torch.testing.assert_close(plain, with_metric, rtol=1e-12, atol=1e-12)


def test_under_a_gate_its_distribution_is_the_projection() -> None:
    """A half-space of a normal distribution in bad units: its mean is that of the projection."""
    normal = torch.linalg.solve_triangular(B, torch.eye(3, dtype=F64), upper=False)[0]  # the first of z
    offset = float(normal @ torch.tensor([5.0, -3.0, 0.1], dtype=F64)) + 0.5
    gate = Gate([HalfSpace(normal.tolist(), offset)], [0.02])
    x = torch.tensor([5.0, -3.0, 0.1], dtype=F64) + Key(0).normal(torch.empty(N, 3, dtype=F64)) @ B.T
    y, _ = ended(Mala(STIFF, 1.0, step_filter=gate, metric="hessian"), x[whitened(x)[:, 0] < 0.45], 60)
    z, n = whitened(y), len(y)
    density, p = math.exp(-0.125) / math.sqrt(2 * math.pi), 0.5 * math.erfc(0.5 / math.sqrt(2))
    expected = 0.02 * density / p - 0.98 * density / (1 - p)
    assert abs(float(z[:, 0].mean()) - expected) < 4 * float(z[:, 0].std()) / math.sqrt(n)
    assert abs(float(z[:, 1].mean())) < 4 / math.sqrt(n)


def test_a_metric_that_cannot_be_is_refused() -> None:
    for metric, said in (
        ([[1.0]], "Mala: metric must be 3 x 3"),
        ([[1.0, 0, 0], [0, 1, 0], [0, 0, -1]], "Mala: metric must be positive definite"),
        ("identity", "Mala: metric must be covariance, hessian or a matrix"),
    ):
        with pytest.raises(ValueError, match=said):
            Mala(STIFF, 0.1, metric=metric)  # type: ignore[arg-type]
    with pytest.raises(BadInput, match="covariance needs particles that start spread"):
        Mala(STIFF, 0.1, metric="covariance").init(torch.zeros(5, 3, dtype=F64))


def test_a_function_that_was_not_called_yet_has_a_metric_too() -> None:
    energy = lem_safe.energy(lambda x: 0.5 * (x / torch.tensor([100.0, 0.1])).square().sum(1))
    x = Key(0).normal(torch.empty(2000, 2, dtype=F64)) * torch.tensor([150.0, 0.2])
    for metric in ("hessian", "covariance", [[1e-4, 0.0], [0.0, 100.0]]):
        y, chance = ended(Mala(energy, 0.4, metric=metric), x, 25)  # type: ignore[arg-type]
        z = y / torch.tensor([100.0, 0.1])
        assert chance > 0.4
        assert bool((z.square().mean(0) - 1).abs().max() < 4 * math.sqrt(2 / 2000))


def test_without_a_metric_the_same_is_hopeless() -> None:
    """What the metric is for: a step that is short enough for the stiffest direction leaves the others."""
    x = torch.tensor([5.0, -3.0, 0.1], dtype=F64) + 2 * Key(0).normal(torch.empty(500, 3, dtype=F64)) @ B.T
    plain, _ = ended(Mala(STIFF, 1e-8), x, 40)
    assert float(whitened(plain)[:, 0].square().mean()) > 3.5
    state, _ = (sampler := Langevin(STIFF, 1e-3)).step(Key(1), sampler.init(x))
    assert not float(whitened(state.x).square().mean()) < 1e3
