"""The extents of analytic energies: those of each part, worked out for all parts and columns at once."""

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from lem_safe.energies import Disjunction, Energy, Gaussian, GaussianMixture, Shifted, StudentT, Tempered
from lem_safe.precision.resolution import of_energy


class Operations(TorchDispatchMode):
    """Counts the operations on tensors."""

    count = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.count += 1
        return func(*args, **(kwargs or {}))


def mixture(parts: int) -> GaussianMixture:
    return GaussianMixture([[float(k)] for k in range(parts)], std=0.3)


SIZES = {
    "the parts of a mixture": mixture,
    "the parts of a shifted mixture": lambda k: Shifted(mixture(k), [1.0]),
    "the parts of a mixture in a disjunction": lambda k: Disjunction([mixture(k), Gaussian([0.0], 1.0)]),
    "the columns of a Gaussian": lambda d: Gaussian([1.0] * d, 0.5),
    "the columns of a Student t": lambda d: StudentT([1.0] * d, 0.5),
}


@pytest.mark.parametrize("of", SIZES)
def test_the_number_of_operations_does_not_grow_with(of: str) -> None:
    counts = []
    for size in (6, 300):  # up to five columns are squared one by one
        energy = SIZES[of](size)
        with Operations() as operations:
            found = of_energy(energy)
        assert len(found.local) >= size
        counts.append(operations.count)
    assert counts[0] == counts[1] < 100


@pytest.mark.parametrize(
    "wrapped", [lambda e: e, lambda e: Tempered(e, 2.0), lambda e: Shifted(e, [3.0, -1.0])]
)
def test_a_part_counts_where_it_lies_with_its_own_spread(wrapped) -> None:
    """Two parts, each with a covariance; the spread along an axis is that given the other column."""
    Σ = [[[0.04, 0.01], [0.01, 0.09]], [[1e-8, 0.0], [0.0, 4.0]]]
    energy: Energy = wrapped(GaussianMixture([[1.0, -2.0], [1000.0, 5.0]], covariances=Σ))
    heat = 2.0 if isinstance(energy, Tempered) else 1.0
    found = of_energy(energy).local
    given = torch.linalg.inv(torch.tensor(Σ, dtype=torch.float64)).diagonal(dim1=1, dim2=2) ** -0.5
    spreads = torch.tensor([extent.spread for extent in found], dtype=torch.float64)
    torch.testing.assert_close(spreads, heat**0.5 * given.flatten(), rtol=1e-9, atol=0)
    assert [extent.column for extent in found] == [0, 1, 0, 1]
    far = [extent.at for extent in found if extent.column == 0]
    assert far[0] < 10 and 990 < far[1] < 1010
