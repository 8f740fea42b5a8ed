"""What every energy owes, whatever its kind: checked through each class's example, and for the compositions
built here.
"""

from collections.abc import Callable

import pytest
import torch
from exported_models import exported
from problems import on_a_mixture

from barriers.coordinates import Coordinates
from barriers.derivatives import autodiff_jet
from barriers.specification import construct
from lem_safe.energies import (
    ENERGIES,
    MLP,
    Conjunction,
    Disjunction,
    Energy,
    Fourier,
    Gaussian,
    Negation,
    Network,
    Residual,
    Shifted,
    Tempered,
    Tilted,
    Tractable,
    Transported,
    WeightedSum,
    in_coordinates,
)

L = torch.tensor([[1.5, 0.3], [-0.2, 0.6]], dtype=torch.float64)
M = torch.tensor([0.8, 0.1], dtype=torch.float64).diag() + 0.2


def from_table(kind: str) -> Energy:
    example = ENERGIES[kind].example
    assert example["kind"] == kind
    return build(example)


def build(spec) -> Energy:
    return construct(
        ENERGIES[spec["kind"]].constructor, spec, nested={Energy: lambda inner, _: build(inner)}, context={}
    )


def built(settings: Network) -> Energy:
    return settings.build(2, torch.Generator().manual_seed(3)).requires_grad_(False)


def network(activation: str = "silu") -> Energy:
    return built(MLP(hidden=12, depth=3, activation=activation, confinement=1.0))


def transported(activation: str = "silu") -> Transported:
    return Transported(network(activation), Coordinates(torch.tensor([0.4, -0.3]), L))


def composed() -> WeightedSum:
    return WeightedSum(
        [from_table("gaussian_mixture"), transported(), from_table("gaussian")], [1.0, 0.7, -0.2]
    )


def either() -> Disjunction:
    return Disjunction(
        [transported(), from_table("gaussian"), composed()], [1.0, 2.0, 1.0], log_normalizers=[1.3, 0.0, 2.0]
    )


def nested() -> Energy:
    """A tilt of (either, tempered, away from a moved trained one)."""
    away = Negation(Tempered(either(), 0.5), Shifted(transported("softplus"), [0.5, 0.2]), 0.3)
    return Tilted(WeightedSum([away, from_table("disjunction")], [0.8, 0.4]), [0.2, -0.1])


CASES: dict[str, Callable[[], Energy]] = {
    **{kind: (lambda kind=kind: from_table(kind)) for kind in ENERGIES},
    **{f"mlp {a}": (lambda a=a: network(a)) for a in ("silu", "softplus", "tanh")},
    **{f"residual {a}": (lambda a=a: built(Residual(12, 2, a, 1.0))) for a in ("silu", "softplus", "tanh")},
    "fourier mlp": lambda: built(Fourier(6, 1.5, MLP(12, 2, confinement=1.0))),
    "fourier residual": lambda: built(Fourier(6, 1.5, Residual(12, 2, "tanh", 1.0))),
    "on a mixture": lambda: on_a_mixture().double(),
    "transported": transported,
    "exported": exported,
    "composed": composed,
    "conjunction of trained": lambda: Conjunction([transported(), from_table("ring"), transported("tanh")]),
    "negation of trained": lambda: Negation(from_table("gaussian_mixture"), transported(), 0.2),
    "disjunction of trained": either,
    "nested": nested,
    "unwrapped": lambda: in_coordinates(composed(), transported().coordinates),
    "unwrapped nest": lambda: in_coordinates(nested(), transported().coordinates),
    "pulled": lambda: in_coordinates(composed(), Coordinates(torch.tensor([1.0, 0.0]), M)),
}


@pytest.fixture(params=CASES)
def energy(request) -> Energy:
    return CASES[request.param]()


@pytest.fixture
def x() -> torch.Tensor:
    return 1.3 * torch.randn(64, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def test_gradient_is_the_derivative(energy, x):
    value, gradient = energy.value_and_gradient(x)
    jet = autodiff_jet(energy, x)
    torch.testing.assert_close(value, jet.value, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(gradient, jet.gradient, rtol=1e-10, atol=1e-11)


def test_gradient_is_a_difference(energy, x):
    """Central differences of `forward`, so that no derivative formula is trusted twice."""
    step = 1e-5
    _, gradient = energy.value_and_gradient(x)
    for i, e in enumerate(torch.eye(2, dtype=torch.float64) * step):
        difference = (energy(x + e) - energy(x - e)) / (2 * step)
        torch.testing.assert_close(gradient[:, i], difference, rtol=1e-6, atol=1e-7)


def test_laplacian_is_the_trace_of_the_hessian(energy, x):
    torch.testing.assert_close(energy.laplacian(x), autodiff_jet(energy, x).laplacian, rtol=1e-9, atol=1e-9)


def test_laplacian_along_directions(energy, x):
    """tr(VᵀHV) is the Laplacian of y ↦ U(x + Vy) at 0, also for a V that is not square."""
    for V in (L, L[:, :1]):
        y = torch.zeros(64, V.shape[1], dtype=torch.float64)
        expected = autodiff_jet(lambda y, V=V: energy(x + y @ V.T), y).laplacian
        torch.testing.assert_close(energy.laplacian(x, V), expected, rtol=1e-9, atol=1e-9)


def test_the_diagonal_of_the_hessian_is_its_trace_along_each_axis(energy, x):
    axes = torch.eye(2, dtype=torch.float64)
    each = [energy.laplacian(x, axes[:, j : j + 1]) for j in range(2)]
    found = energy.hessian_diagonal(x)
    torch.testing.assert_close(found, torch.stack(each, 1), rtol=1e-9, atol=1e-9)
    assert energy.hessian_diagonal(x.float()).dtype == torch.float32


def test_the_places_of_an_energy_are_those_of_its_alternatives(energy):
    """Together or one by one: the same points, and the same second derivatives at them."""
    found = [(points, bends) for place in energy.places() for points, bends in zip(*place, strict=True)]
    alternatives = energy.alternatives()
    assert len(found) == len(alternatives) > 0
    for (points, bends), (t, part) in zip(found, alternatives, strict=True):
        torch.testing.assert_close(points, part.typical_points(), rtol=1e-12, atol=1e-12)
        torch.testing.assert_close(bends, t * part.hessian_diagonal(points), rtol=1e-9, atol=1e-9)


def test_float32_agrees_with_float64(energy, x):
    value, gradient = energy.value_and_gradient(x)
    value32, gradient32 = energy.value_and_gradient(x.float())
    assert value32.dtype == gradient32.dtype == energy.laplacian(x.float()).dtype == torch.float32
    torch.testing.assert_close(value32.double(), value, rtol=2e-4, atol=2e-4)
    torch.testing.assert_close(gradient32.double(), gradient, rtol=2e-4, atol=2e-4)
    torch.testing.assert_close(
        energy.laplacian(x.float()).double(), energy.laplacian(x), rtol=1e-3, atol=1e-3
    )


def test_sampling_records_nothing(energy, x):
    value, gradient = energy.value_and_gradient(x.clone().requires_grad_())
    assert not value.requires_grad and not gradient.requires_grad


def circulation(
    gradient: Callable[[torch.Tensor], torch.Tensor], x: torch.Tensor, radius: float = 0.1
) -> torch.Tensor:
    """The mean antisymmetric part of the Jacobian in a disc about each x: ∮g·dx / πr², by Stokes; 64 nodes
    are exact but for rounding.
    """
    θ = torch.arange(64, dtype=torch.float64) * (2 * torch.pi / 64)
    normal, tangent = torch.stack([θ.cos(), θ.sin()], 1), torch.stack([-θ.sin(), θ.cos()], 1)
    g = gradient((x[:, None] + radius * normal).flatten(0, 1)).view(-1, 64, 2)
    return (g * tangent).sum(2).mean(1) * 2 / radius


def test_curl_is_rounding(energy, x):
    """The drift of an energy, composed or not, is a gradient: no circulation around any circle. A trillionth
    of a rotation is seen.
    """
    g = lambda y: energy.value_and_gradient(y)[1]  # noqa: E731
    rounding = 1e-12 * (1 + g(x).abs().max())
    assert circulation(g, x).abs().max() < rounding
    swirl = torch.tensor([[0.0, 1.0], [-1.0, 0.0]], dtype=torch.float64)
    assert circulation(lambda y: g(y) + 4 * rounding * y @ swirl, x).abs().min() > rounding


@pytest.mark.parametrize(
    "kind", [kind for kind, made in ENERGIES.items() if issubclass(made.constructor, Tractable)]
)
def test_normalised(kind):
    """log Z = 0, by quadrature over a square that holds all the mass."""
    grid = torch.linspace(-14, 14, 801, dtype=torch.float64)
    points = torch.cartesian_prod(grid, grid)
    assert abs(float((-from_table(kind)(points)).exp().sum() * (grid[1] - grid[0]) ** 2) - 1) < 1e-6


@pytest.mark.parametrize(
    "kind", [kind for kind, made in ENERGIES.items() if issubclass(made.constructor, Tractable)]
)
def test_draws_follow_the_energy(kind):
    """E_ρ[Lf] = 0 with L f = Δf − ∇U·∇f (E.3) over exact draws, for f = sin(a·x); and not for draws of half
    the size.
    """
    energy, n = from_table(kind), 40_000
    assert isinstance(energy, Tractable)
    x = energy.sample(torch.Generator().manual_seed(1), n)

    def z_score(x):
        a = torch.tensor([0.9, -0.6], dtype=torch.float64)
        _, gradient = energy.value_and_gradient(x)
        lf = -a.square().sum() * (x @ a).sin() - (gradient @ a) * (x @ a).cos()
        lg = 2 * a.square().sum() - 2 * (gradient @ a) * (x @ a)  # f = (a·x)²
        return max(float((s.mean() / s.std()).abs()) * n**0.5 for s in (lf, lg))

    assert z_score(x) < 4
    assert z_score(0.5 * x) > 4


def test_stein_identity_by_quadrature(energy):
    """E_ρ[Lf] = 0 (E.3) for f = x₀²x₁ + sin x₁, on a grid."""
    grid = torch.linspace(-25, 25, 501, dtype=torch.float64)
    x = torch.cartesian_prod(grid, grid)
    value, g = energy.value_and_gradient(x)
    p = (-value).softmax(0)
    lf = (
        2 * x[:, 1]
        - x[:, 1].sin()
        - g[:, 0] * 2 * x[:, 0] * x[:, 1]
        - g[:, 1] * (x[:, 0] ** 2 + x[:, 1].cos())
    )
    size = float((p * (g.square().sum(1) * (1 + x.square().sum(1)))).sum())
    assert float(p[(x.abs() > 24.9).any(1)].sum()) < 1e-8  # the grid holds it all
    assert abs(float((p * lf).sum())) < 1e-6 * (1 + size)


def test_unwrapping_costs_nothing():
    energy = transported()
    assert in_coordinates(energy, energy.coordinates) is energy.inner
    twin = Coordinates(energy.coordinates.offset, energy.coordinates.matrix)
    assert in_coordinates(energy, twin) is energy.inner


def test_casting_a_pulled_energy_leaves_the_coordinates_alone():
    coordinates = Coordinates(torch.tensor([1.0, 0.0]), M)
    in_coordinates(Gaussian([0.0, 0.0], std=1.0), coordinates).float()
    assert coordinates.matrix.dtype == torch.float64
