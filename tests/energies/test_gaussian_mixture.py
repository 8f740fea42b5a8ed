"""A mixture of normal distributions computes many rows in parts, with the numbers of each row alone."""

import pytest
import torch

from lem_safe.energies import GaussianMixture


@pytest.mark.parametrize(("components", "rows"), [(1, 3), (8, 20_000), (400, 1_000), (2, 0), (40_000, 40)])
def test_parts_have_the_numbers_of_the_whole(components: int, rows: int) -> None:
    generator = torch.Generator().manual_seed(components)
    means = torch.randn(components, 2, generator=generator, dtype=torch.float64)
    energy = GaussianMixture(means=means, std=0.3)
    x = torch.randn(rows, 2, generator=generator, dtype=torch.float64)
    value, gradient = energy.value_and_gradient(x)
    whole_value, whole_gradient = energy._swept(x)
    torch.testing.assert_close(value, whole_value, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(gradient, whole_gradient, rtol=1e-10, atol=1e-10)


def test_a_block_has_the_same_bits_in_a_larger_cloud() -> None:
    generator = torch.Generator().manual_seed(1)
    energy = GaussianMixture(means=torch.randn(64, 2, generator=generator), std=0.3).float()
    x = torch.randn(2 * 16_384 + 100, 2, generator=generator)
    for whole, alone in zip(
        energy.value_and_gradient(x), energy.value_and_gradient(x[16_384:32_768]), strict=True
    ):
        assert torch.equal(whole[16_384:32_768], alone)
