"""The analytic energies against closed forms, and what their constructors refuse."""

import math
import time

import pytest
import torch

from barriers.derivatives import autodiff_jet
from lem_safe.energies import (
    MLP,
    Disjunction,
    Funnel,
    Gaussian,
    GaussianMixture,
    Quadratic,
    Ring,
    Shifted,
    StudentT,
    Tempered,
    Tilted,
    WeightedSum,
)

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
    expected = D.MixtureSameFamily(D.Categorical(weights), D.Independent(D.Normal(means, scale), 1)).log_prob(
        X
    )
    torch.testing.assert_close(GaussianMixture(means.tolist(), std=std, weights=[2, 1, 1])(X), -expected)


def test_mixture_draws_have_the_moments():
    """Mean Σw m and covariance Σw(Σ + mmᵀ) − m̄m̄ᵀ, within 5 standard errors."""
    first, second = [[1.0, 0.5], [0.5, 1.0]], [[0.2, 0.0], [0.0, 0.3]]
    mixture = GaussianMixture([[2.0, 0.0], [0.0, 1.0]], covariances=[first, second], weights=[1, 3])
    x = mixture.sample(torch.Generator().manual_seed(0), 50_000)
    covariance = torch.tensor(
        [[0.25 * 5 + 0.75 * 0.2 - 0.25, 0.125 - 0.375], [-0.25, 0.25 + 0.75 * 1.3 - 0.5625]]
    )
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
    torch.testing.assert_close(
        energy.value_and_gradient(X)[1], a.value_and_gradient(X)[1] - 0.35 * b.value_and_gradient(X)[1]
    )


def test_mixture_gradient_is_fast():
    """5,000 particles, 8 modes: about 0.3 ms; the limit leaves room for a busy machine, an autograd pass
    would not fit in it.
    """
    modes = [[2 * math.cos(k * math.pi / 4), 2 * math.sin(k * math.pi / 4)] for k in range(8)]
    mixture, x = (
        GaussianMixture(modes, std=0.5),
        torch.randn(5000, 2, generator=torch.Generator().manual_seed(0)),
    )

    def once() -> float:
        began = time.perf_counter()
        mixture.value_and_gradient(x)
        return time.perf_counter() - began

    assert min(once() for _ in range(50)) < 1.5e-3


def test_network_is_confined():
    """Far out along any ray U grows like ½κr²: e^{−U} is integrable whatever the weights (E.4)."""
    energy = (
        MLP(hidden=8, depth=2, confinement=0.1)
        .build(3, torch.Generator().manual_seed(0))
        .requires_grad_(False)
    )
    rays = torch.nn.functional.normalize(
        torch.randn(200, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    )
    assert ((energy(1e5 * rays) / (0.05 * 1e10) - 1).abs() < 1e-3).all()


def test_network_cut_into_blocks_is_the_network(monkeypatch):
    energy = MLP(hidden=8, depth=2).build(2, torch.Generator().manual_seed(0)).requires_grad_(False)
    whole, trace = energy.value_and_gradient(X), energy.laplacian(X)
    monkeypatch.setattr(energy.trunk, "fewest", 1)
    monkeypatch.setattr(energy.trunk, "swept", 16)
    assert energy.at_once(X) == 2
    for part, expected in zip(energy.value_and_gradient(X), whole, strict=True):
        torch.testing.assert_close(part, expected)
    with torch.no_grad():
        torch.testing.assert_close(energy.laplacian(X), trace)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Gaussian([0.0, 0.0]), "exactly one of std, covariance; got neither"),
        (
            lambda: Gaussian([0.0], std=1.0, covariance=[[1.0]]),
            "exactly one of std, covariance; got std and covariance",
        ),
        (lambda: Gaussian([0.0, 0.0], std=-1.0), "std must be > 0"),
        (lambda: Gaussian([0.0, 0.0], std=[1.0, 2.0, 3.0]), "std must be a number or 2 numbers"),
        (lambda: Gaussian([0.0, float("nan")], std=1.0), "mean must be finite"),
        (
            lambda: Gaussian([0.0, 0.0], covariance=[[1.0, 2.0], [2.0, 1.0]]),
            "positive definite; its smallest eigenvalue is -1",
        ),
        (lambda: Gaussian([0.0, 0.0], covariance=[[1.0, 0.2], [0.1, 1.0]]), "symmetric"),
        (lambda: Gaussian([0.0, 0.0], covariance=[[1.0, 0.2]]), "2 x 2"),
        (lambda: GaussianMixture([[0.0, 0.0], [1.0]], std=1.0), "same number of columns"),
        (
            lambda: GaussianMixture([[0.0], [1.0]], std=1.0, weights=[1.0]),
            "weights must have one entry a component: 2; got 1",
        ),
        (lambda: GaussianMixture([[0.0], [1.0]], std=1.0, weights=[1.0, 0.0]), "weights must be > 0"),
        (
            lambda: WeightedSum([Gaussian([0.0], std=1.0), Gaussian([0.0, 0.0], std=1.0)], [1, 1]),
            "share one dimension",
        ),
        (lambda: WeightedSum([Gaussian([0.0], std=1.0)], [math.inf]), "a weight must be finite"),
        (lambda: MLP(confinement=0.0), "confinement must be > 0"),
        (lambda: MLP(activation="relu"), "activation must be one of silu, softplus, tanh"),  # type: ignore[arg-type]
    ],
)
def test_refuses(make, message):
    with pytest.raises(ValueError) as caught:
        make()
    assert message in str(caught.value)


def test_neals_funnel_in_ten_dimensions():
    """The closed-form derivatives beyond the plane, along random directions too."""
    energy = Funnel(dimension=10, scale=1.0)
    x = energy.sample(torch.Generator().manual_seed(0), 50)
    jet = autodiff_jet(energy, x)
    torch.testing.assert_close(energy.value_and_gradient(x)[1], jet.gradient)
    torch.testing.assert_close(energy.laplacian(x), jet.laplacian)
    V = torch.randn(10, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    along = autodiff_jet(lambda y: energy(x + y @ V.T), torch.zeros(50, 3, dtype=torch.float64)).laplacian
    torch.testing.assert_close(energy.laplacian(x, V), along)


def test_student_t_is_torchs_own_in_one_dimension():
    x = torch.linspace(-30, 30, 7, dtype=torch.float64)[:, None]
    expected = -torch.distributions.StudentT(
        3.0, torch.tensor(0.5).double(), torch.tensor(2.0).double()
    ).log_prob(x[:, 0])
    torch.testing.assert_close(StudentT([0.5], std=2.0, degrees=3.0)(x), expected)


def test_ring_is_thin_at_its_radius():
    """Across the ring the curvature is 1/s², along it 0; the centre, where ‖x‖ has a kink, is smooth: ΔU =
    −d/2s².
    """
    ring = Ring([0.0, 0.0], radius=2.0, std=0.1)
    x = torch.tensor([[2.0, 0.0], [0.0, 0.0]], dtype=torch.float64)
    across, along = torch.eye(2, dtype=torch.float64).split(1)
    assert math.isclose(float(ring.laplacian(x, across.T)[0]), 100.0, rel_tol=1e-12)
    assert abs(float(ring.laplacian(x, along.T)[0])) < 1e-12
    assert math.isclose(float(ring.laplacian(x)[1]), -100.0, rel_tol=1e-12)


def test_disjunction_of_gaussians_is_the_mixture():
    """C.3: aligned and weighted, energies join to their mixture; without the log Z of an unnormalised one
    they do not.
    """
    mixture = GaussianMixture([[1.0, 0.0], [-1.0, 0.5]], std=0.6, weights=[3.0, 1.0])
    stiff = (torch.eye(2) / 0.36).tolist()
    log_z = math.log(2 * math.pi * 0.36)
    terms = [Gaussian([1.0, 0.0], std=0.6), Quadratic([-1.0, 0.5], stiff)]
    joined = Disjunction(terms, weights=[3.0, 1.0], log_normalizers=[0.0, log_z])
    torch.testing.assert_close(joined(X), mixture(X), rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(
        joined.value_and_gradient(X)[1], mixture.value_and_gradient(X)[1], rtol=1e-6, atol=1e-6
    )
    torch.testing.assert_close(joined.laplacian(X), mixture.laplacian(X), rtol=1e-6, atol=1e-6)
    careless = Disjunction(terms, weights=[3.0, 1.0], log_normalizers=[0.0, 0.0])
    assert (careless.value_and_gradient(X)[1] - mixture.value_and_gradient(X)[1]).abs().max() > 0.01


def test_conjunction_of_gaussians_is_their_product():
    """Precisions add: N(0, 1)·N(3, ½) is N(2, ⅓)."""
    both = WeightedSum([Gaussian([0.0], std=1.0), Gaussian([3.0], std=0.5**0.5)])
    expected = Gaussian([2.0], std=3**-0.5)
    x = torch.linspace(-3, 5, 9, dtype=torch.float64)[:, None]
    torch.testing.assert_close(both.value_and_gradient(x)[1], expected.value_and_gradient(x)[1])


def test_negation_keeps_what_theory_says():
    """C.4: near-B mass of U_B − λU_A by quadrature, .99495 at λ = .35 and .880 at λ = .5."""
    a = GaussianMixture([[3, 3], [3, -3], [-3, 3], [-3, -3]], std=0.3)
    b = GaussianMixture([[0, 4], [0, -4], [4, 0], [-4, 0]], std=0.3)
    grid = torch.linspace(
        -7.9963, 8.0037, 901, dtype=torch.float64
    )  # off centre: no point lies just on a boundary
    x = torch.cartesian_prod(grid, grid)
    near = (torch.cdist(x, b.means) < 1.5).any(1)
    for λ, expected, tolerance in ((0.35, 0.99495, 3e-4), (0.5, 0.880, 2e-3)):
        p = (-WeightedSum([b, a], [1.0, -λ])(x)).softmax(0)
        assert abs(float(p[near].sum()) - expected) < tolerance


def test_temperature_tilt_and_shift_of_a_gaussian():
    """N(0, s²) at temperature ε is N(0, εs²), tilted by a it is N(as², s²), shifted by b it is N(b, s²)."""
    x = torch.linspace(-3, 3, 7, dtype=torch.float64)[:, None]
    base = Gaussian([0.0], std=0.8)
    for adjusted, expected in (
        (Tempered(base, 2.0), Gaussian([0.0], std=0.8 * 2**0.5)),
        (Tilted(base, [1.5]), Gaussian([1.5 * 0.64], std=0.8)),
        (Shifted(base, [0.7]), Gaussian([0.7], std=0.8)),
    ):
        torch.testing.assert_close(adjusted.value_and_gradient(x)[1], expected.value_and_gradient(x)[1])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: Quadratic([0.0, 0.0], [[1.0, 0.0], [0.0, -1.0]]),
            "must not have a negative eigenvalue; its smallest is -1",
        ),
        (lambda: Quadratic([0.0], [[1.0, 0.0], [0.0, 1.0]]), "symmetric 1 x 1 matrix"),
        (lambda: Funnel(dimension=1), "dimension must be >= 2; got 1"),
        (lambda: Tempered(Gaussian([0.0], std=1.0), 0.0), "temperature must be > 0; got 0"),
        (
            lambda: Tilted(Gaussian([0.0], std=1.0), [1.0, 2.0]),
            "tilt must have one number a column: 1; got 2",
        ),
        (
            lambda: Disjunction([Gaussian([0.0], std=1.0)], weights=[1.0, 2.0]),
            "needs 1 weights and 1 log_normalizers",
        ),
        (lambda: Disjunction([Gaussian([0.0], std=1.0)], weights=[-1.0]), "weights must be > 0"),
        (lambda: WeightedSum([]), "at least one energy"),
        (lambda: WeightedSum([Gaussian([0.0], std=1.0), MLP()]), "a term must be an Energy; got MLP"),  # type: ignore[list-item]
    ],
)
def test_compositions_refuse(make, message):
    with pytest.raises(ValueError) as caught:
        make()
    assert message in str(caught.value)
