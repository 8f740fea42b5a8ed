"""Kernels around few rows (E.27)."""

import torch

from lem_safe.energies.kernel_base import KernelBase, bandwidths
from lem_safe.energies.mixture_based import LEAST_STD


def leave_one_out(z: torch.Tensor, h: torch.Tensor) -> float:
    """The mean log likelihood of each row under the kernels of the others."""
    total = 0.0
    for i in range(len(z)):
        others = torch.cat([z[:i], z[i + 1 :]])
        kernel = torch.distributions.Normal(others, h)
        total += float(
            torch.logsumexp(kernel.log_prob(z[i]).sum(1), 0) - torch.log(torch.tensor(len(z) - 1.0))
        )
    return total / len(z)


def test_the_bandwidths_are_likelier_than_others():
    z = torch.randn(60, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    z[:, 0] += 6 * (torch.arange(60) % 3)
    h = bandwidths(z)
    best = leave_one_out(z, h)
    for factor in ([1.15, 1.0], [1 / 1.15, 1.0], [1.0, 1.15], [1.0, 1 / 1.15]):
        assert leave_one_out(z, h * torch.tensor(factor, dtype=torch.float64)) < best


def test_modes_make_a_bandwidth_narrow_in_their_own_coordinate():
    z = torch.randn(90, 2, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    z[:, 0] = 0.05 * z[:, 0] + 2 * (torch.arange(90) % 3 - 1)
    h = bandwidths(z / z.std(0))
    assert h[0] < 0.1 * h[1]


def test_equal_rows_keep_a_bandwidth():
    z = torch.zeros(10, 1, dtype=torch.float64)
    assert float(bandwidths(z)[0]) >= LEAST_STD * (1 - 1e-9)


def test_an_energy_begins_at_its_kernels():
    network = KernelBase(hidden=8, depth=1)
    rows = torch.randn(30, 3, generator=torch.Generator().manual_seed(2))
    energy = network.begun(network.build(3, torch.Generator().manual_seed(0)), rows, 0)
    x = torch.randn(20, 3)
    with torch.no_grad():
        assert float((energy(x) - energy.base(x)).abs().max()) <= network.most
