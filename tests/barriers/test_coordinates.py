"""Sampler coordinates, jets by automatic differentiation, and sets pulled from data units: against closed
forms.
"""

import pytest
import torch

from barriers.coordinates import Coordinates, identity
from barriers.derivatives import autodiff_jet, value_and_gradient
from barriers.sets import (
    Ball,
    Box,
    Columns,
    Ellipsoid,
    Field,
    HalfSpace,
    Rule,
    Slab,
    Sublevel,
    UnsafeSet,
    complement,
    pull,
    soften,
)
from barriers.sets.pull import FirstOrder

GENERATOR = torch.Generator().manual_seed(5)
OFFSET = torch.randn(4, dtype=torch.float64, generator=GENERATOR)
MATRIX = torch.randn(4, 4, dtype=torch.float64, generator=GENERATOR)
AFFINE = Coordinates(OFFSET, MATRIX)
Z = torch.randn(300, 4, dtype=torch.float64, generator=GENERATOR)


def test_the_map_is_affine_and_its_inverse_undoes_it() -> None:
    assert torch.allclose(AFFINE(Z), torch.stack([OFFSET + MATRIX @ z for z in Z]), atol=1e-13)
    assert torch.allclose(AFFINE.inverse(AFFINE(Z)), Z, atol=1e-10)
    assert AFFINE(Z.float()).dtype == torch.float32 and AFFINE.dimension == 4 and not AFFINE.identity


def test_the_identity_gives_back_what_it_got() -> None:
    assert identity(4)(Z) is Z and identity(4).inverse(Z) is Z and identity(4).identity


def test_saved_values_are_cast_once_from_float64() -> None:
    """Mapping in float32 rounds on the way; a saved value is the float64 one, rounded once."""
    z = Z.float()
    exact = (OFFSET + z.double() @ MATRIX.T).float()
    assert torch.equal(AFFINE.saved(z), exact)
    assert not torch.equal(AFFINE(z), exact)
    assert (
        torch.equal(identity(4).saved(Z), Z.float())
        and identity(4, torch.float64).saved(Z).dtype == torch.float64
    )


def test_bad_matrices_are_refused() -> None:
    with pytest.raises(ValueError, match=r"must be 2 x 2, like the offset; got \(3, 3\)"):
        Coordinates(torch.zeros(2), torch.eye(3))
    with pytest.raises(ValueError, match="finite and invertible; drop constant or duplicate columns"):
        Coordinates(torch.zeros(2), torch.ones(2, 2))
    with pytest.raises(ValueError, match="finite and invertible"):
        Coordinates(torch.zeros(2), torch.tensor([[1.0, float("nan")], [0.0, 1.0]]))


def test_autodiff_jets_are_exact() -> None:
    """f = sin(x₀) x₁² + e^{x₂}, and functions with no gradient or a constant one."""
    s, g, lap = autodiff_jet(lambda x: x[:, 0].sin() * x[:, 1] ** 2 + x[:, 2].exp(), Z)
    a, b, c, _ = Z.unbind(1)
    assert torch.allclose(s, a.sin() * b**2 + c.exp())
    assert torch.allclose(g, torch.stack([a.cos() * b**2, 2 * a.sin() * b, c.exp(), 0 * a], 1))
    assert torch.allclose(lap, -a.sin() * b**2 + 2 * a.sin() + c.exp())
    flat, linear = (
        autodiff_jet(lambda x: torch.ones(len(x), dtype=x.dtype), Z),
        autodiff_jet(lambda x: x @ OFFSET, Z),
    )
    assert (flat.gradient == 0).all() and (flat.laplacian == 0).all()
    assert torch.allclose(linear.gradient, OFFSET.expand_as(Z)) and (linear.laplacian == 0).all()
    value, gradient = value_and_gradient(lambda x: x.square().sum(-1), Z)
    assert torch.allclose(gradient, 2 * Z) and not value.requires_grad and not gradient.requires_grad


def test_jets_leave_the_argument_alone_and_are_on_the_tape_only_where_that_is_asked_for() -> None:
    x = Z.clone().requires_grad_()
    with torch.no_grad():
        jet = autodiff_jet(lambda y: y.square().sum(-1), x)
        assert torch.allclose(jet.laplacian, torch.full((300,), 8.0, dtype=torch.float64))
    assert not any(part.requires_grad for part in (*jet, *autodiff_jet(lambda y: y.square().sum(-1), Z)))
    recorded = autodiff_jet(lambda y: (y**4).sum(-1), x)
    (g,) = torch.autograd.grad(recorded.laplacian.sum(), x)
    assert x.grad is None and torch.allclose(g, 24 * Z)  # Δ Σy⁴ = 12 Σy²
    c = torch.tensor(
        3.0, dtype=torch.float64, requires_grad=True
    )  # held by a plain function, met by no argument
    (g,) = torch.autograd.grad(autodiff_jet(lambda y: c * y.square().sum(-1), Z).laplacian.sum(), c)
    assert torch.allclose(g, torch.tensor(8.0 * len(Z), dtype=torch.float64))


@pytest.mark.parametrize(
    "unsafe",
    [
        Ball([0.2, -0.3, 0.1, 0.5], 1.7),
        Ellipsoid([0.1, 0.2, -0.3, 0.0], [1.0, 2.0, 0.7, 1.5]),
        HalfSpace([1.0, -2.0, 0.5, 0.0], 0.3),
        Columns([2, 0], Ball([0.1, -0.4], 1.2), "abcd"),
        Columns([3], Ball([0.1], 0.9), "abcd"),
    ],
    ids=lambda s: type(s).__name__,
)
@pytest.mark.parametrize("negated", [False, True])
def test_pulled_distances_are_distances_in_z(unsafe: UnsafeSet, negated: bool) -> None:
    """A unit gradient everywhere, and a step of s along it lands on the set's boundary in x."""
    unsafe = complement(unsafe) if negated else unsafe
    s, g, _ = pull(unsafe, AFFINE).jet(Z)
    assert torch.allclose(g.norm(dim=1), torch.ones(300, dtype=torch.float64), atol=1e-6)
    assert (unsafe(AFFINE(Z - s[:, None] * g)).abs() < 1e-6).all()
    assert torch.equal(s < 0, unsafe(AFFINE(Z)) < 0)


def test_pulled_boxes_are_normalised_face_by_face() -> None:
    box = Box([-1.0, -0.5, -2.0, -1.5], [0.5, 1.0, 1.0, 0.8])
    x, length = AFFINE(Z), MATRIX.norm(dim=1)
    expected = torch.cat([(box.lower - x) / length, (x - box.upper) / length], 1).amax(1)
    assert torch.allclose(pull(box, AFFINE)(Z), expected)
    assert torch.allclose(
        pull(Slab([1.0, 0.0, 0.0, 0.0], -1.0, 0.5), AFFINE)(Z), ((x[:, 0] + 0.25).abs() - 0.75) / length[0]
    )


def test_membership_stays_that_of_the_saved_values() -> None:
    """A point that float32 rounds across a face is counted where the file will hold it."""
    wall = HalfSpace([1.0], 0.1)
    z = torch.tensor([[0.1 - 1e-10]], dtype=torch.float64)
    assert not wall.contains(z) and pull(wall, identity(1, torch.float64)).contains(z) == wall.contains(z)
    assert pull(wall, identity(1, torch.float32)).contains(z), "float32(0.1) is above 0.1"


def test_a_rule_on_two_of_many_columns_costs_and_says_the_same_as_on_all() -> None:
    """The k-dimensional reduction against the plain first-order distance over all d columns."""
    rule = Rule("x1**2 + 0.3*x3 < exp(0.2*x1) + 1", ["x0", "x1", "x2", "x3"])
    fast, slow = pull(rule, AFFINE).jet(Z), autodiff_jet(FirstOrder(rule, AFFINE), Z)
    for a, b in zip(fast, slow, strict=True):
        assert torch.allclose(a, b, rtol=1e-8, atol=1e-8)


def test_first_order_distance_by_its_formula() -> None:
    """s/‖∇_z s‖ where that is short beside R; a quadratic level x² + y² − 1 gives (ρ² − 1)/2ρ."""
    level = Sublevel(Field(lambda x: x.square().sum(-1)), 1.0)
    x = torch.randn(100, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    ρ = x.norm(dim=1)
    assert torch.allclose(pull(level, identity(2))(x), (ρ**2 - 1) / (2 * ρ), rtol=1e-3)


def test_first_order_distance_is_finite_where_the_gradient_vanishes() -> None:
    """At a critical point it is R = 1000 with the right sign, and every derivative is a number; at s = 0 = ∇s
    it is 0.
    """
    well, saddle = (
        Sublevel(Field(lambda x: x.square().sum(-1)), 1.0),
        Sublevel(Field(lambda x: x[..., 0] * x[..., 1]), 0.0),
    )
    hill = Sublevel(Field(lambda x: -x.square().sum(-1)), -1.0)
    tiny = torch.tensor(
        [[0.0, 0.0], [1e-30, 0.0], [1e-160, 1e-160], [1e-8, 1e-9], [1e-4, 0.0]], dtype=torch.float64
    )
    for coordinates in (identity(2), Coordinates(torch.zeros(2), torch.tensor([[2.0, 0.3], [0.0, 0.5]]))):
        for x in (tiny, tiny.float()):
            for unsafe in (well, saddle, hill):
                jet = pull(unsafe, coordinates).jet(x)
                assert all(torch.isfinite(part).all() for part in jet)
            assert torch.allclose(pull(well, coordinates)(x)[:2], torch.tensor(-1000.0, dtype=x.dtype))
            assert torch.allclose(pull(hill, coordinates)(x)[:2], torch.tensor(1000.0, dtype=x.dtype))
            assert pull(saddle, coordinates)(x)[0] == 0


def test_first_order_passes_gradients_on_only_when_asked() -> None:
    unsafe = pull(Rule("x0**2 < x1", ["x0", "x1"]), identity(2))
    x = torch.randn(5, 2, dtype=torch.float64)
    with torch.no_grad():
        assert not unsafe(x).requires_grad
    y = x.clone().requires_grad_()
    (g,) = torch.autograd.grad(unsafe(y).sum(), y)
    assert torch.allclose(g, unsafe.jet(x).gradient)


def test_a_softened_pull_is_a_majorant_in_z() -> None:
    """A box's faces, softened after the pull: below max(s, 0), by at most w log 2d, and for the complement
    too.
    """
    box = Box([-1.0, -0.5, -2.0, -1.5], [0.5, 1.0, 1.0, 0.8])
    for unsafe in (box, complement(box)):
        hard = pull(unsafe, AFFINE)
        soft = soften(hard, 0.05)
        gap = hard(Z) - soft(Z)
        assert (gap >= -1e-12).all() and (gap <= 0.05 * torch.tensor(8.0).log() + 1e-12).all()
        assert torch.equal(soft.contains(Z), unsafe.contains(AFFINE.saved(Z)))
