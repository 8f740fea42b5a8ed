"""Fresh draws and Langevin steps over rows: the distribution is the energy's, for any step size (E.24)."""

import itertools

import pytest
import torch
from row_energies import energy, grid
from torch import Tensor

from barriers.filters import Tilt
from barriers.sets.base import UnsafeSet
from lem_safe.energies.row_energy import RowEnergy
from lem_safe.keys import Key
from lem_safe.samplers.mixed import Mixed

CELLS = list(itertools.product(range(3), range(2)))


def run(sampler: Mixed, x: Tensor, steps: int) -> Tensor:
    state = sampler.init(x)
    for k in range(steps):
        state, _ = sampler.step(Key(1).fold(k), state)
    return state.x


def shares(x: Tensor, weight: Tensor | None = None) -> Tensor:
    """The mass of each pair of codes, with a number above and below 0."""
    w = torch.ones(len(x), dtype=torch.float64) if weight is None else weight
    cells = [
        (x[:, 1] == a) & (x[:, 2] == b) & ((x[:, 0] > 0) == up) for a, b in CELLS for up in (True, False)
    ]
    return torch.stack([w[cell].sum() for cell in cells]) / w.sum()


def exact(tilt: float = 0.0) -> Tensor:
    x, _ = grid()
    inside = (x[:, 1] == 2) & (x[:, 0] > 0.5)
    return shares(x, (-energy()(x) - tilt * inside).exp())


def off(found: Tensor, truth: Tensor, n: int) -> float:
    """The largest difference, in standard errors."""
    return float(((found - truth).abs() / (truth * (1 - truth) / n).sqrt()).max())


@pytest.mark.simulation
@pytest.mark.parametrize("h", [0.02, 0.5])
def test_the_distribution_is_that_of_the_energy(h: float) -> None:
    n = 10_000
    x = energy().base.sample(torch.Generator().manual_seed(0), n)
    assert off(shares(x), exact(), n) > 8  # the base alone is something else
    found = run(Mixed(energy(), h), x, 40)
    assert off(shares(found), exact(), n) < 4


@pytest.mark.simulation
def test_the_planted_fault_of_untested_draws_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    n = 10_000
    monkeypatch.setattr(Mixed, "_excess", lambda self, at: torch.zeros_like(at.energy))
    x = energy().base.sample(torch.Generator().manual_seed(0), n)
    assert off(shares(run(Mixed(energy(), 0.1), x, 40)), exact(), n) > 8


class Corner(UnsafeSet):
    """A third category with a number over .5."""

    exact, smooth, dimension = False, False, 3

    def forward(self, x: Tensor) -> Tensor:
        return torch.where(self.contains(x), -1.0, 1.0).to(x.dtype)

    def contains(self, x: Tensor) -> Tensor:
        return (x[..., 1] == 2) & (x[..., 0] > 0.5)

    def jet(self, x: Tensor) -> object:
        raise NotImplementedError


@pytest.mark.simulation
def test_under_a_tilt_it_is_the_tilted_distribution_of_rows() -> None:
    """The tilt depends on a point through its row alone, so the law of the rows is tilted alike (G.7)."""
    n, price = 10_000, 1.3
    tilt = Tilt([Corner()], [price])
    x = energy().base.sample(torch.Generator().manual_seed(0), n)
    found = run(Mixed(energy(), 0.1, step_filter=tilt), x, 60)
    assert off(shares(found), exact(price), n) < 4
    assert off(shares(found), exact(), n) > 8


def test_codes_stay_whole_and_langevin_steps_leave_them() -> None:
    x = energy().base.sample(torch.Generator().manual_seed(0), 200)
    still = run(Mixed(energy(), 0.1, fresh=0.0), x, 5)
    assert torch.equal(still[:, 1:], x[:, 1:]) and not torch.equal(still, x)
    moved = run(Mixed(energy(), 0.1), x, 5)
    assert torch.equal(moved[:, 1:], moved[:, 1:].round())
    assert isinstance(energy(), RowEnergy)
