"""A function of rows as a value: a frozen copy, with a float64 version for membership and the function's
known properties.
"""

import copy
from collections.abc import Callable

from jaxtyping import Float

from barriers.arrays import Tensor, needs_torch, nn, torch

Function = Callable[[Tensor], Tensor]


class Field(nn.Module):
    """A function of rows [n, d], such as a network or an energy: one number per row, or k. Later changes of
    the original have no effect.

    float64 inputs are evaluated by the float64 copy, so that levels and membership agree; other dtypes by the
    function itself, in its parameters' dtype.
    dimension: d, or None where it fits any. smooth: whether it is twice differentiable, which a ReLU network
    is not (B.5).
    """

    def __init__(self, function: Function, dimension: int | None = None, smooth: bool = True):
        super().__init__()
        self.function, self.judge, self.dimension, self.smooth = function, function, dimension, smooth
        self.dtype: torch.dtype | None = None
        if isinstance(function, nn.Module):
            self.function = copy.deepcopy(function).eval().requires_grad_(False)
            self.judge = copy.deepcopy(self.function).double()
            self.dtype = next((p.dtype for p in function.parameters()), None)

    def forward(self, x: Float[Tensor, "*n d"]) -> Tensor:
        """The values in the dtype of x, differentiable."""
        if x.dtype == torch.float64:
            return self._rows(self.judge, x)
        return self._rows(self.function, x.to(self.dtype or x.dtype)).to(x.dtype)

    def exact(self, x: Float[Tensor, "*n d"]) -> Tensor:
        """The values in float64, without gradients."""
        needs_torch("the values of a function")
        with torch.no_grad():
            return self._rows(self.judge, x.double()).double()

    def _rows(self, function: Function, x: Tensor) -> Tensor:
        y = function(x.reshape(-1, x.shape[-1]))
        return y.reshape((*x.shape[:-1], *y.shape[1:]))


def bounded(level: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
    """A level clipped so that its square is finite, with its sign; −1, inside, where it is NaN."""
    limit = torch.finfo(level.dtype).max ** 0.45
    return level.nan_to_num(nan=-1.0, posinf=limit, neginf=-limit).clamp(-limit, limit)
