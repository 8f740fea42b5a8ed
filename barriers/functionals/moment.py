"""Bounds on means: low_k ≤ E_ρ[g_k] ≤ high_k, for any functions g of one particle (B.1).

    rows:   B = high_k − E g_k   and   B = E g_k − low_k,    where the bound is finite; low_k = high_k is an
            equality, as two rows.

Derivatives by automatic differentiation: d + 1 backward passes where a drift filter needs the Itô term (B.3),
so d should be small or g cheap. A g with a kink hides Itô mass from a drift filter (B.5), which cannot be
detected: use a smooth one.
"""

import math
from collections.abc import Callable, Sequence

from jaxtyping import Float

from barriers.arrays import Tensor, torch
from barriers.derivatives import autodiff_jet, value_and_gradient
from barriers.functionals.base import Barrier, StatisticsJet, side_by_side

Function = Callable[[Tensor], Tensor]
"""One number per particle: [n, d] → [n], differentiable, each particle independent of the others."""


class MomentBarrier(Barrier):
    """E[g_k] within bounds[k] = (low, high), either of which may be infinite; the rows of the highs, then of
    the lows.

    limits: the finite highs, then minus the finite lows. An equality leaves a step filter no room: it reports
    the rounding as shortfall; bounds slightly apart do not. MomentBarrier([lambda x: x[:, 0]], [(-inf, 0.1)])
    bounds the mean of the first coordinate.
    """

    batched = True

    rows: Tensor

    def __init__(self, functions: Sequence[Function], bounds: Sequence[tuple[float, float]]):
        super().__init__()
        if not functions or len(functions) != len(bounds):
            raise ValueError(
                f"MomentBarrier: one (low, high) a function, at least one; got {len(functions)}, "
                f"{len(bounds)}"
            )
        if any(not low <= high or low == math.inf or high == -math.inf for low, high in bounds):
            raise ValueError(
                f"MomentBarrier: bounds must be (low, high) with low <= high; got {list(bounds)}"
            )
        self.functions = tuple(functions)
        highs = [(k, 1.0, high) for k, (_, high) in enumerate(bounds) if high < math.inf]
        lows = [(k, -1.0, -low) for k, (low, _) in enumerate(bounds) if low > -math.inf]
        rows = torch.zeros(len(highs + lows), len(functions), dtype=torch.float64)
        for i, (k, sign, _) in enumerate(highs + lows):
            rows[i, k] = sign
        self.register_buffer("rows", rows)
        self.register_buffer(
            "limits", torch.tensor([limit for _, _, limit in highs + lows], dtype=torch.float64)
        )

    @classmethod
    def example(cls) -> "MomentBarrier":
        return cls(
            [lambda x: x[:, 1], lambda x: (x[:, 0] + 0.3 * x[:, 1] ** 2).tanh()],
            [(-8.0, -1.0), (-0.9, math.inf)],
        )

    def statistics(self, x: Float[Tensor, "n d"]) -> Float[Tensor, "n k"]:
        return side_by_side([g(x) for g in self.functions])

    def jet(self, x: Float[Tensor, "n d"]) -> StatisticsJet:
        jets = [autodiff_jet(g, x) for g in self.functions]
        return StatisticsJet(*map(side_by_side, zip(*jets, strict=True)))

    def gradients(self, x: Float[Tensor, "n d"]) -> tuple[Float[Tensor, "n k"], Float[Tensor, "n k d"]]:
        value, gradient = zip(*(value_and_gradient(g, x) for g in self.functions), strict=True)
        return side_by_side(value), side_by_side(gradient)

    def readout(self, mean: Float[Tensor, "*r k"]) -> Float[Tensor, "*r m"]:
        return self.limits - (self.rows * mean[..., None, :]).sum(-1)
