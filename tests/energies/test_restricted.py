"""An energy under given values (E.26), against the conditional distributions of normal mixtures."""

from collections.abc import Callable

import pytest
import torch

from barriers.coordinates import identity
from barriers.subspace import restricted
from lem_safe.energies.gaussian import Gaussian
from lem_safe.energies.gaussian_mixture import GaussianMixture
from lem_safe.energies.mixture_on_subspace import base_of, on_subspace
from lem_safe.energies.restricted import Restricted
from lem_safe.energies.row_mixture import RowMixture

COVARIANCES = [
    [[0.4, 0.1, 0.0], [0.1, 0.3, 0.1], [0.0, 0.1, 0.5]],
    [[0.5, -0.2, 0.1], [-0.2, 0.6, 0.0], [0.1, 0.0, 0.2]],
]
MEANS, WEIGHTS, VALUE = [[1.0, 0.0, -0.5], [-0.8, 0.6, 0.3]], [2.0, 1.0], 0.4


def mixture() -> GaussianMixture:
    return GaussianMixture(MEANS, covariances=COVARIANCES, weights=WEIGHTS)


def conditional() -> GaussianMixture:
    """The distribution of columns 0 and 2 given column 1, by the textbook's formulas."""
    m, Σ = torch.tensor(MEANS, dtype=torch.float64), torch.tensor(COVARIANCES, dtype=torch.float64)
    a, free = VALUE - m[:, 1], [0, 2]
    gain = Σ[:, free, 1] / Σ[:, 1, 1, None]
    means = m[:, free] + gain * a[:, None]
    spread = Σ[:, free][:, :, free] - gain[:, :, None] * Σ[:, free, 1][:, None, :]
    density = torch.tensor(WEIGHTS).double() * (-0.5 * a**2 / Σ[:, 1, 1]).exp() / Σ[:, 1, 1].sqrt()
    return GaussianMixture(means.tolist(), covariances=spread.tolist(), weights=density.tolist())


def held(base: RowMixture) -> RowMixture:
    found = restricted(identity(3), {1: VALUE})
    return on_subspace(base, found.origin, found.directions)


def test_energy_gradient_and_laplacian_are_those_of_the_conditional_distribution():
    found = restricted(identity(3), {1: VALUE})
    energy, known = Restricted(mixture(), found.origin, found.directions), conditional()
    y = torch.randn(200, 2, dtype=torch.float64)
    value, gradient = energy.value_and_gradient(y)
    other, slope = known.value_and_gradient(y)
    assert float((value - other).std()) < 1e-12  # up to a constant
    assert torch.allclose(gradient, slope, atol=1e-12)
    assert torch.allclose(energy.laplacian(y), known.laplacian(y), atol=1e-10)
    V = torch.tensor([[1.0], [2.0]], dtype=torch.float64)
    assert torch.allclose(energy.laplacian(y, V), known.laplacian(y, V), atol=1e-10)


def check_the_mixture_on_a_subspace_is_the_conditional_one() -> None:
    base = base_of(mixture())
    assert base is not None
    mine, known = held(base), conditional()
    y = torch.randn(200, 2, dtype=torch.float64)
    assert torch.allclose(mine(y), known(y), atol=1e-10)  # normalised, so without a constant


def check_draws_have_its_moments() -> None:
    base = base_of(mixture())
    assert base is not None
    g = torch.Generator().manual_seed(3)
    n = 40_000
    u, ξ = torch.rand(n, generator=g).double(), torch.randn(n, 2, generator=g).double()
    y = held(base).draws(u, ξ, torch.zeros(n, 0).double())
    exact = conditional().sample(torch.Generator().manual_seed(4), n)
    error = ((y.var(0) + exact.var(0)) / n).sqrt()
    assert bool(((y.mean(0) - exact.mean(0)).abs() < 4 * error).all())
    assert torch.allclose(y.T.cov(), exact.T.cov(), atol=0.03)


def test_the_mixture_on_a_subspace_is_the_conditional_one():
    check_the_mixture_on_a_subspace_is_the_conditional_one()


def test_draws_have_its_moments():
    check_draws_have_its_moments()


def _even(base: RowMixture, *_: object) -> RowMixture:
    return RowMixture(torch.ones(len(base.weights)), base.means, base.factors, base.tables, ())


def test_weights_that_forget_how_likely_the_value_is_are_found(monkeypatch: pytest.MonkeyPatch):
    honest: Callable[..., RowMixture] = on_subspace
    monkeypatch.setitem(globals(), "on_subspace", lambda *a: _even(honest(*a)))
    with pytest.raises(AssertionError):
        check_the_mixture_on_a_subspace_is_the_conditional_one()


def test_the_floor_of_curvature_holds_on_the_subspace():
    whole = Gaussian([0.0, 0.0, 0.0], covariance=COVARIANCES[0])
    found = restricted(identity(3), {1: 0.3})
    floor = Restricted(whole, found.origin, found.directions).curvature_floor()
    free = torch.linalg.inv(torch.tensor(COVARIANCES[0]).double())[[0, 2]][:, [0, 2]]
    assert floor is not None
    assert floor <= float(torch.linalg.eigvalsh(free)[0]) + 1e-12


def test_no_base():
    assert base_of(Gaussian([0.0], 1.0)) is None
    assert base_of(Restricted(Gaussian([0.0, 1.0], 1.0), torch.zeros(2), torch.eye(2)[:, :1])) is None
