"""The analytic energies against closed forms, and what their constructors refuse."""

import math
import time

import pytest
import torch

from lem_safe.energies import MLP, Gaussian, GaussianMixture, WeightedSum

X = torch.tensor([[0.3, -1.2], [2.0, 0.1], [-0.4, 0.4]], dtype=torch.float64)


def test_gaussian_is_torchs_own():
    Σ = torch.tensor([[2.0, 0.6], [0.6, 0.5]], dtype=torch.float64)
    m = torch.tensor([1.0, -0.5], dtype=torch.float64)
    expected = -torch.distributions.MultivariateNormal(m, Σ).log_prob(X)
    torch.testing.assert_close(Gaussian([1.0, -0.5], covariance=Σ.tolist())(X), expected)


@pytest.mark.parametrize("std", [0.7, [0.7, 1.3]])
def test_mixture_is_torchs_own(std):
    """Weights are normalised, std is shared: against torch.distributions."""
    D = torch.distributions
    means = torch.tensor([[1.0, 0.0], [0.0, 2.0], [-1.0, -1.0]], dtype=torch.float64)
    scale = torch.as_tensor(std, dtype=torch.float64).expand(3, 2)
    weights = torch.tensor([0.5, 0.25, 0.25], dtype=torch.float64)
    expected = D.MixtureSameFamily(D.Categorical(weights), D.Independent(D.Normal(means, scale), 1)).log_prob(X)
    torch.testing.assert_close(GaussianMixture(means.tolist(), std=std, weights=[2, 1, 1])(X), -expected)


def test_mixture_draws_have_the_moments():
    """Mean Σw m and covariance Σw(Σ + mmᵀ) − m̄m̄ᵀ, within 5 standard errors."""
    first, second = [[1.0, 0.5], [0.5, 1.0]], [[0.2, 0.0], [0.0, 0.3]]
    mixture = GaussianMixture([[2.0, 0.0], [0.0, 1.0]], covariances=[first, second], weights=[1, 3])
    x = mixture.sample(torch.Generator().manual_seed(0), 50_000)
    covariance = torch.tensor([[0.25 * 5 + 0.75 * 0.2 - 0.25, 0.125 - 0.375], [-0.25, 0.25 + 0.75 * 1.3 - 0.5625]])
    assert ((x.mean(0) - torch.tensor([0.5, 0.75])).abs() < 5 * x.std(0) / 50_000**0.5).all()
    assert ((torch.cov(x.T) - covariance).abs() < 0.03).all()


def test_far_tails_stay_finite():
    """A thousand standard deviations out, where every component underflows, U is the nearest component's."""
    mixture = GaussianMixture([[2.0, 0.0], [-2.0, 0.0]], std=0.5)
    value, gradient = mixture.value_and_gradient(torch.tensor([[500.0, 0.0]]))
    assert math.isclose(float(value), 0.5 * 996**2 + math.log(2) + math.log(2 * math.pi * 0.25), rel_tol=1e-6)
    assert math.isclose(float(gradient[0, 0]), 1992, rel_tol=1e-6)


def test_weighted_sum_is_the_sum():
    a, b = Gaussian([0.0, 0.0], std=1.0), GaussianMixture([[1.0, 0.0], [0.0, 1.0]], std=0.6)
    energy = WeightedSum([a, b], [1.0, -0.35])
    torch.testing.assert_close(energy(X), a(X) - 0.35 * b(X))
    torch.testing.assert_close(energy.value_and_gradient(X)[1], a.value_and_gradient(X)[1] - 0.35 * b.value_and_gradient(X)[1])


def test_mixture_gradient_is_fast():
    """5,000 particles, 8 modes: about 0.3 ms; the limit leaves room for a busy machine, an autograd pass would not fit in it."""
    modes = [[2 * math.cos(k * math.pi / 4), 2 * math.sin(k * math.pi / 4)] for k in range(8)]
    mixture, x = GaussianMixture(modes, std=0.5), torch.randn(5000, 2, generator=torch.Generator().manual_seed(0))

    def once() -> float:
        began = time.perf_counter()
        mixture.value_and_gradient(x)
        return time.perf_counter() - began

    assert min(once() for _ in range(50)) < 1.5e-3


def test_network_is_confined():
    """Far out along any ray U grows like ½κr²: e^{−U} is integrable whatever the weights (E.4)."""
    energy = MLP(hidden=8, depth=2, confinement=0.1).build(3, torch.Generator().manual_seed(0)).requires_grad_(False)
    rays = torch.nn.functional.normalize(torch.randn(200, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64))
    assert ((energy(1e5 * rays) / (0.05 * 1e10) - 1).abs() < 1e-3).all()


def test_network_cut_into_blocks_is_the_network(monkeypatch):
    from lem_safe.energies import network

    energy = MLP(hidden=8, depth=2).build(2, torch.Generator().manual_seed(0)).requires_grad_(False)
    whole, trace = energy.value_and_gradient(X), energy.laplacian(X)
    monkeypatch.setattr(network, "ROWS", 2)
    for part, expected in zip(energy.value_and_gradient(X), whole, strict=True):
        torch.testing.assert_close(part, expected)
    with torch.no_grad():
        torch.testing.assert_close(energy.laplacian(X), trace)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Gaussian([0.0, 0.0]), "exactly one of std, covariance; got neither"),
        (lambda: Gaussian([0.0], std=1.0, covariance=[[1.0]]), "exactly one of std, covariance; got std and covariance"),
        (lambda: Gaussian([0.0, 0.0], std=-1.0), "std must be > 0"),
        (lambda: Gaussian([0.0, 0.0], std=[1.0, 2.0, 3.0]), "std must be a number or 2 numbers"),
        (lambda: Gaussian([0.0, float("nan")], std=1.0), "mean must be finite"),
        (lambda: Gaussian([0.0, 0.0], covariance=[[1.0, 2.0], [2.0, 1.0]]), "positive definite; its smallest eigenvalue is -1"),
        (lambda: Gaussian([0.0, 0.0], covariance=[[1.0, 0.2], [0.1, 1.0]]), "symmetric"),
        (lambda: Gaussian([0.0, 0.0], covariance=[[1.0, 0.2]]), "2 x 2"),
        (lambda: GaussianMixture([[0.0, 0.0], [1.0]], std=1.0), "same number of columns"),
        (lambda: GaussianMixture([[0.0], [1.0]], std=1.0, weights=[1.0]), "weights must have one entry a component: 2; got 1"),
        (lambda: GaussianMixture([[0.0], [1.0]], std=1.0, weights=[1.0, 0.0]), "weights must be > 0"),
        (lambda: WeightedSum([Gaussian([0.0], std=1.0), Gaussian([0.0, 0.0], std=1.0)], [1, 1]), "share one dimension"),
        (lambda: WeightedSum([Gaussian([0.0], std=1.0)], [math.inf]), "a weight must be finite"),
        (lambda: MLP(confinement=0.0), "confinement must be > 0"),
        (lambda: MLP(activation="relu"), "activation must be one of silu, softplus, tanh"),  # type: ignore[arg-type]
    ],
)
def test_refuses(make, message):
    with pytest.raises(ValueError) as caught:
        make()
    assert message in str(caught.value)
