"""The mixture of products over rows, and its correction by a network (E.23)."""

import itertools

import pytest
import torch
from row_energies import SIZES, energy, grid, mixture
from torch import Tensor

from lem_safe.energies.mixture_based import MixtureBase
from lem_safe.energies.row_energy import RowEnergy
from lem_safe.energies.row_fitting import em, fitted_rows


def test_it_is_normalised_over_numbers_and_codes() -> None:
    x, dz = grid()
    assert abs(float((-mixture()(x)).exp().sum()) * dz - 1) < 1e-6


@pytest.mark.parametrize("made", [mixture(), energy()], ids=["mixture", "corrected"])
def test_gradient_and_laplacian_are_those_of_finite_differences_in_the_numbers(made: RowEnergy) -> None:
    x = made.typical_points()[:20].clone()
    h = torch.tensor([1e-4, 0.0, 0.0], dtype=torch.float64)
    value, gradient = made.value_and_gradient(x)
    up, down = made(x + h), made(x - h)
    assert torch.allclose(gradient[:, 0], (up - down) / 2e-4, atol=1e-6)
    assert bool((gradient[:, 1:] == 0).all())
    assert torch.allclose(made.laplacian(x), (up - 2 * value + down) / 1e-8, atol=1e-4)


def test_draws_have_its_distribution() -> None:
    n = 20_000
    x = mixture().sample(torch.Generator().manual_seed(0), n)
    points, dz = grid()
    p = (-mixture()(points)).exp() * dz
    for a, b in itertools.product(range(3), range(2)):
        here = (points[:, 1] == a) & (points[:, 2] == b)
        exact = float(p[here].sum())
        found = (x[:, 1] == a) & (x[:, 2] == b)
        assert abs(float(found.double().mean()) - exact) < 4 * (exact * (1 - exact) / n) ** 0.5
        mean, sd = _moments(points[here, 0], p[here])
        assert abs(float(x[found, 0].mean()) - mean) < 4 * sd / float(found.sum()) ** 0.5


def _moments(z: Tensor, p: Tensor) -> tuple[float, float]:
    mean = float((z * p).sum() / p.sum())
    return mean, float(((z - mean).square() * p).sum() / p.sum()) ** 0.5


def test_given_a_code_it_is_the_conditional_distribution() -> None:
    x, dz = grid()
    conditioned, p = mixture().given({1: 1}), (-mixture()(x)).exp()
    kept = x[:, 2] == 1
    mass = float(p[kept].sum()) * dz
    assert torch.allclose((-conditioned(x[kept])).exp(), p[kept] / mass, rtol=1e-6)
    assert bool((conditioned.sample(torch.Generator().manual_seed(0), 500)[:, 2] == 1).all())
    assert bool((conditioned(x[~kept]).exp() > 1e100).all())


def test_em_finds_two_components_and_held_out_rows_choose_as_many() -> None:
    truth = mixture()
    x = truth.sample(torch.Generator().manual_seed(1), 4000)
    made = em(x, 1, SIZES, 2, torch.Generator().manual_seed(2))
    order = made.means[:, 0].argsort(descending=True)
    assert torch.allclose(made.weights[order], truth.weights, atol=0.05)
    assert torch.allclose(made.means[order], truth.means, atol=0.15)
    assert torch.allclose(made.tables[:, order].exp(), truth.tables.exp(), atol=0.06)
    chosen = fitted_rows(x, 1, SIZES, 64, 0)
    assert len(chosen.weights) <= 8
    fresh = truth.sample(torch.Generator().manual_seed(5), 4000)
    assert float(chosen(fresh).mean() - truth(fresh).mean()) < 0.02  # nats per row from the truth


def test_a_file_of_other_columns_is_refused() -> None:
    state = energy().state_dict()
    other = MixtureBase(hidden=8, depth=2).build_rows(1, (3, 3), torch.Generator())
    with pytest.raises(RuntimeError, match="not a mixture over these columns"):
        other.load_state_dict(state)
    again = MixtureBase(hidden=8, depth=2, most=1.0).build_rows(1, SIZES, torch.Generator())
    again.load_state_dict(state)
    x = mixture().typical_points()
    assert torch.allclose(again.double()(x), energy()(x), atol=1e-5)
