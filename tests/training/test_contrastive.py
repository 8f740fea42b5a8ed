"""Rows told from draws of the mixture (T.10): what is learned is the log ratio of their densities."""

import math

import pytest
import torch
from row_energies import SIZES, mixture
from torch import Tensor

from lem_safe.energies.mixture_based import MixtureBase
from lem_safe.energies.mlp import MLP
from lem_safe.energies.row_energy import RowEnergy
from lem_safe.energies.row_mixture import RowMixture
from lem_safe.errors import NumericalFailure
from lem_safe.training.contrastive import Contrastive


def data_law() -> RowMixture:
    """The mixture with other shares of its components: p_data/p_base is known."""
    base = mixture()
    weights = torch.tensor([0.15, 0.85], dtype=torch.float64)
    return RowMixture(weights, base.means, base.factors, base.tables, SIZES)


def fresh() -> RowEnergy:
    made = MixtureBase(hidden=16, depth=2).build_rows(1, SIZES, torch.Generator().manual_seed(0))
    assert isinstance(made, RowEnergy)
    made.base = mixture().float()
    return made


def test_where_nothing_is_learned_it_is_two_log_two() -> None:
    x = mixture().sample(torch.Generator().manual_seed(1), 4000).float()
    energy = fresh()
    with torch.no_grad():
        energy.trunk.inner.inner.readout.zero_()
    assert float(Contrastive()(energy, x, torch.Generator().manual_seed(2))) == pytest.approx(2 * math.log(2))


@pytest.mark.simulation
def test_it_learns_the_log_ratio() -> None:
    law, energy, generator = data_law(), fresh(), torch.Generator().manual_seed(3)
    rows = law.sample(generator, 20_000).float()
    optimizer = torch.optim.Adam([p for p in energy.parameters() if p.requires_grad], 5e-3)
    for _ in range(300):
        batch = rows[torch.randint(len(rows), (512,), generator=generator)]
        optimizer.zero_grad()
        Contrastive()(energy, batch, generator).backward()
        optimizer.step()
    x = law.sample(torch.Generator().manual_seed(4), 4000)
    truth = law(x) - mixture()(x)  # −log(p_data/p_base)
    with torch.no_grad():
        found = energy.correction(x.float()).double()
    assert float((found - truth).square().mean().sqrt()) < 0.3 * float(truth.std())
    assert float(torch.corrcoef(torch.stack([found, truth]))[0, 1]) > 0.95


def test_an_energy_without_a_base_is_refused() -> None:
    other = MLP(hidden=4, depth=1).build(2, torch.Generator())
    with pytest.raises(TypeError, match="needs an energy with a base"):
        Contrastive()(other, torch.zeros(3, 2), torch.Generator())


def test_draws_that_break_the_rules_do_not_count() -> None:
    """Rows are told from draws of the base within the rule, made in two rounds."""
    base = mixture()
    seen = list[Tensor]()

    def right(y: Tensor) -> Tensor:
        seen.append(y)
        return y[:, 0] > 1.5

    g = torch.Generator().manual_seed(3)
    z = torch.zeros(6000, 3, dtype=torch.float64)
    drawn = Contrastive(right)._drawn(base, g, z)
    all_ = base.sample(torch.Generator().manual_seed(4), 200_000)
    exact = all_[all_[:, 0] > 1.5]
    assert len(drawn) == 6000 and bool((drawn[:, 0] > 1.5).all()) and len(seen) == 2
    for j in range(3):
        error = float(exact[:, j].std()) * (1 / 6000 + 1 / len(exact)) ** 0.5
        assert abs(float(drawn[:, j].mean() - exact[:, j].mean())) < 4 * error


def test_rules_that_no_draw_obeys_are_said() -> None:
    with pytest.raises(NumericalFailure, match="draws of the mixture 0 obey the rules"):
        Contrastive(lambda y: y[:, 0] > 1e6)._drawn(
            mixture(), torch.Generator().manual_seed(0), torch.zeros(4, 3)
        )
