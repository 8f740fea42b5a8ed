"""Energies of rows under values of ordered columns: the conditional distribution (E.30)."""

import math

import pytest
import torch
from row_energies import SIZES, energy, mixture
from torch import Tensor

from lem_safe.data.typed import Field, Stretch, stretch_of
from lem_safe.data.typed.fields import Knots
from lem_safe.energies.row_given import Given, GivenRows
from lem_safe.energies.row_mixture import RowMixture
from lem_safe.keys import Key
from lem_safe.samplers.mixed import Mixed

RHO, N = 0.8, 10_000


def pair() -> RowMixture:
    """Two normal numbers of unit variance and correlation RHO."""
    factor = torch.tensor([[[1.0, 0.0], [RHO, (1 - RHO**2) ** 0.5]]], dtype=torch.float64)
    return RowMixture(torch.ones(1), torch.zeros(1, 2), factor, torch.zeros(0, 1), ())


def two() -> RowMixture:
    """Two components that the first number tells apart."""
    factors = torch.stack([torch.eye(2, dtype=torch.float64) * s for s in (0.5, 1.2)])
    means = torch.tensor([[-1.0, 3.0], [1.0, -2.0]], dtype=torch.float64)
    return RowMixture(torch.tensor([0.3, 0.7]), means, factors, torch.zeros(0, 2), ())


def drawn(made: GivenRows, n: int = N, steps: int = 0, fresh: float = 0.5) -> Tensor:
    """Draws of the base, and where the sampler takes them; ζ in the place of w."""
    g = torch.Generator().manual_seed(3)
    ξ = torch.randn(n, made.base.numbers, generator=g, dtype=torch.float64)
    u, v = torch.rand(n, 1 + made.codes, generator=g, dtype=torch.float64).tensor_split([1], 1)
    sampler = Mixed(made, 0.2, fresh)
    state = sampler.init(made.base.draws(u[:, 0], ξ, v))
    for k in range(steps):
        state, _ = sampler.step(Key(7).fold(k), state)
    return made.base.with_latent(state.x, made.base.placed(state.x)[0])


def normal(z: float) -> float:
    return math.exp(-z * z / 2) / math.sqrt(2 * math.pi)


@pytest.mark.parametrize("z", [0.4, -2.5])
def test_of_a_pair_of_normal_numbers_it_is_the_conditional_normal_distribution(z: float) -> None:
    x = drawn(GivenRows(pair(), {0: Stretch(z, z)}))
    sd = (1 - RHO**2) ** 0.5
    assert bool((x[:, 0] == z).all())
    assert abs(float(x[:, 1].mean()) - RHO * z) < 4 * sd / N**0.5
    assert abs(float(x[:, 1].var()) / sd**2 - 1) < 4 * (2 / N) ** 0.5


@pytest.mark.parametrize(("a", "b"), [(0.5, 1.5), (-8.0, -1.0), (1.2, 8.0), (-1.0, 0.3)])
def test_within_a_stretch_it_is_the_truncated_distribution(a: float, b: float) -> None:
    """E[z₁] = (φ(a) − φ(b))/(Φ(b) − Φ(a)), E[z₂] = ρE[z₁]."""
    stretch = Stretch(a, b)
    x = drawn(GivenRows(pair(), {0: stretch}))
    mean = (normal(a) - normal(b)) / stretch.mass
    assert bool(((x[:, 0] >= a) & (x[:, 0] <= b)).all())
    assert abs(float(x[:, 0].mean()) - mean) < 4 * float(x[:, 0].std()) / N**0.5
    assert abs(float(x[:, 1].mean()) - RHO * mean) < 4 * float(x[:, 1].std()) / N**0.5


def truth_of_two(a: float, b: float) -> float:
    """The share of the first component, given z₁ in [a, b]."""
    Φ = torch.special.ndtr
    ends = torch.tensor([a, b], dtype=torch.float64)
    mass = [
        w * float(Φ((ends[1] - m) / s) - Φ((ends[0] - m) / s))
        for w, m, s in ((0.3, -1.0, 0.5), (0.7, 1.0, 1.2))
    ]
    return mass[0] / sum(mass)


@pytest.mark.simulation
@pytest.mark.parametrize("fresh", [1.0, 0.5])
def test_components_are_weighted_by_their_mass_within_the_stretch(fresh: float) -> None:
    a, b = -2.0, 1.0
    share = truth_of_two(a, b)
    x = drawn(GivenRows(two(), {0: Stretch(a, b)}), steps=25, fresh=fresh)
    first = float((x[:, 1] > 1.2).double().mean())  # 4 to 5 standard deviations between the two
    spill = 0.7 * 0.004 + 0.0002
    assert abs(first - share) < 4 * (share * (1 - share) / N) ** 0.5 + spill * (1 - share)


@pytest.mark.simulation
def test_planted_faults_are_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    a, b = -2.0, 1.0
    share, off = truth_of_two(a, b), 6 * (0.25 / N) ** 0.5
    with monkeypatch.context() as patch:  # draws that are not tested
        patch.setattr(GivenRows, "excess", lambda self, x: torch.zeros_like(x[:, 0]))
        x = drawn(GivenRows(two(), {0: Stretch(a, b)}), steps=25, fresh=1.0)
        assert abs(float((x[:, 1] > 1.2).double().mean()) - share) > off
    with monkeypatch.context() as patch:  # components that keep their weights
        patch.setattr(
            Given, "log_shares", lambda self, ζ: self.mixture.weights.log().expand(len(ζ), -1).clone()
        )
        x = drawn(GivenRows(two(), {0: Stretch(0.9, 0.9)}))
        assert abs(float((x[:, 1] > 1.2).double().mean()) - truth_of_two(0.8999, 0.9001)) > off


@pytest.mark.simulation
def test_codes_and_the_network_follow_the_given_number() -> None:
    """A stretch of the number of a corrected mixture: the codes' shares by a sum over a grid."""
    made, (a, b) = energy(), (-1.0, 0.8)
    z = torch.linspace(a, b, 2001, dtype=torch.float64)
    codes = torch.cartesian_prod(torch.arange(3.0), torch.arange(2.0)).double()
    points = torch.cat([z.repeat_interleave(6)[:, None], codes.repeat(2001, 1)], 1)
    p = (-made(points)).exp().view(2001, 6).sum(0)
    x = drawn(GivenRows(made, {0: Stretch(a, b)}), steps=40)
    found = torch.stack([(x[:, 1:] == code).all(1).double().mean() for code in codes])
    truth = p / p.sum()
    assert float(((found - truth).abs() / (truth * (1 - truth) / N).sqrt()).max()) < 4
    assert SIZES == (3, 2) and mixture().sizes == SIZES


def test_gradient_and_laplacian_are_those_of_finite_differences() -> None:
    made = GivenRows(two(), {0: Stretch(-1.0, 2.0)})
    x = torch.randn(50, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    h, e = 1e-4, torch.eye(2, dtype=torch.float64)
    U = made(x)
    value, gradient = made.value_and_gradient(x)
    assert torch.allclose(value, U)
    V = torch.tensor([[1.0, 0.5], [-0.3, 2.0]], dtype=torch.float64)
    for i in range(2):
        assert torch.allclose(gradient[:, i], (made(x + h * e[i]) - made(x - h * e[i])) / (2 * h), atol=1e-6)
    for directions in (None, V):
        W = e if directions is None else directions
        bend = sum((made(x + h * v) - 2 * U + made(x - h * v)) / h**2 for v in W.T)
        assert torch.allclose(made.laplacian(x, directions), torch.as_tensor(bend), atol=1e-4)


def field(**more: object) -> Field:
    knots = Knots((0.0, 0.2, 0.5, 0.5, 0.8, 1.0), (0.0, 1.0, 1.0, 3.0, 3.0, 10.0))
    given = {"name": "x", "kind": "number", "knots": knots, "low": 0.0, "high": 10.0, "digits": 1}
    return Field(**{**given, **more})  # type: ignore[arg-type]


@pytest.mark.parametrize("value", [0.0, 0.3, 1.0, 3.0, 7.7, 10.0])
def test_every_latent_number_of_a_stretch_has_the_value_and_none_beyond(value: float) -> None:
    own = field()
    stretch = stretch_of(own, value)
    w = torch.linspace(-9, 9, 101, dtype=torch.float64)
    ζ = stretch.at(w)
    assert bool((own.rounded(own.values(ζ, None)) == value).all())
    beyond = torch.tensor([stretch.low - 1e-6, stretch.high + 1e-6], dtype=torch.float64)
    near = own.rounded(own.values(beyond[beyond.abs() < 8], None))
    assert bool((near != value).all()) and bool((stretch.slope(w, ζ) >= 0).all())
    if value == 1.0:  # its ranks
        assert math.isclose(float(torch.special.ndtr(torch.tensor(stretch.high))), 0.5, abs_tol=1e-6)


def test_a_value_that_none_has_is_the_point_where_the_column_passes_it() -> None:
    stretch = stretch_of(field(), 2.0)
    assert stretch.low == stretch.high and abs(stretch.low) < 1e-9  # between 1 and 3, at rank .5
    exact = stretch_of(field(digits=None), 5.0)
    assert exact.high - exact.low < 1e-12
