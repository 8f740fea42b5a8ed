"""A small energy over rows of one number and two codes, and a grid over all of them."""

import itertools

import torch
from torch import Tensor

from lem_safe.energies.mixture_based import MixtureBase
from lem_safe.energies.row_energy import RowEnergy
from lem_safe.energies.row_mixture import RowMixture

SIZES = (3, 2)


def mixture() -> RowMixture:
    weights = torch.tensor([0.6, 0.4], dtype=torch.float64)
    means = torch.tensor([[1.0], [-1.5]], dtype=torch.float64)
    factors = torch.tensor([[[0.5]], [[1.2]]], dtype=torch.float64)
    shares = torch.tensor([[0.7, 0.1], [0.2, 0.3], [0.1, 0.6], [0.9, 0.2], [0.1, 0.8]], dtype=torch.float64)
    return RowMixture(weights, means, factors, shares.log(), SIZES)


def energy() -> RowEnergy:
    made = MixtureBase(hidden=8, depth=2, most=1.0).build_rows(1, SIZES, torch.Generator().manual_seed(4))
    assert isinstance(made, RowEnergy)
    made.base = mixture()
    with torch.no_grad():
        made.trunk.inner.inner.readout.mul_(900.0)  # a correction that matters
    return made.double().requires_grad_(False)


def grid(width: float = 9.0, n: int = 2001) -> tuple[Tensor, float]:
    """All codes at each of n numbers, and the weight of a point."""
    z = torch.linspace(-width, width, n, dtype=torch.float64)
    codes = torch.tensor(list(itertools.product(range(3), range(2))), dtype=torch.float64)
    x = torch.cat([z.repeat_interleave(len(codes))[:, None], codes.repeat(n, 1)], 1)
    return x, float(z[1] - z[0])
