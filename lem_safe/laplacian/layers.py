"""Ways to join layers that torch has no module for: a residual, a sum of branches, a sum of features."""

from collections.abc import Sequence

from barriers.arrays import Tensor, nn


class Residual(nn.Module):
    """x + f(x), f a layer whose result has the shape of x."""

    def __init__(self, inner: nn.Module):
        super().__init__()
        self.inner = inner

    def forward(self, x: Tensor) -> Tensor:
        return x + self.inner(x)


class Sum(nn.Module):
    """Σ f_i(x), branches with results of one shape."""

    def __init__(self, branches: Sequence[nn.Module]):
        super().__init__()
        if not branches:
            raise ValueError("Sum: needs at least one branch; got none")
        self.branches = nn.ModuleList(branches)

    def forward(self, x: Tensor) -> Tensor:
        first, *others = (branch(x) for branch in self.branches)
        return sum(others, first)


class Total(nn.Module):
    """The sum of all features of a row: [n, ...] to [n]."""

    def forward(self, x: Tensor) -> Tensor:
        return x.flatten(1).sum(1)
