"""Normal distributions whose columns are independent: the same numbers as with a covariance, in a column's
time each.
"""

import torch

from lem_safe.energies.base import squared_norm
from lem_safe.energies.gaussian import Gaussian


def test_a_spread_of_each_column_is_a_diagonal_covariance():
    std = [0.5, 2.0, 1.0]
    a = Gaussian([1.0, 0.0, -1.0], std=std).double()
    b = Gaussian([1.0, 0.0, -1.0], covariance=torch.tensor(std).square().diag().tolist()).double()
    x = torch.randn(20, 3, dtype=torch.float64)
    torch.testing.assert_close(a(x), b(x))
    for one, other in zip(a.value_and_gradient(x), b.value_and_gradient(x), strict=True):
        torch.testing.assert_close(one, other)
    assert abs(a.curvature_floor() - b.curvature_floor()) < 1e-12
    L = torch.tensor([[2.0, 0.0], [1.0, 1.0]])
    made = Gaussian.of_factor(torch.zeros(2), L)
    y = torch.linalg.solve(L.double(), x[:, :2].T)
    torch.testing.assert_close(made.double()(x[:, :2]) - made.log_normalizer, 0.5 * y.square().sum(0))


def test_the_norm_along_one_axis_is_that_of_a_column():
    A = torch.randn(4, 5, dtype=torch.float64)
    for j in range(5):
        axis = torch.zeros(5, 1, dtype=torch.float64)
        axis[j] = 3.0
        torch.testing.assert_close(squared_norm(A, axis), (A @ axis).square().sum(-1))
