"""A region given by any function of rows, in Python: it is unsafe where the function is negative, or true.

g(x) < 0, = 0 or NaN is inside. A function that answers with truth values has no distance: membership is all
that is known of it, which is enough for the filters `gate`, `tilt` and `reject`.
"""

import copy
from collections.abc import Callable
from typing import Any, NoReturn

from jaxtyping import Bool, Float

from barriers.arrays import Tensor, nn, torch
from barriers.derivatives import Jet, autodiff_jet
from barriers.sets.any_dtype import AnyDtype, name_of
from barriers.sets.base import NotSmooth, UnsafeSet
from barriers.sets.field import bounded


class Constraint(UnsafeSet):
    """Where `function` of the rows [n, d] is negative or zero, [n] or [n, 1]; or where it is true, [n].

    A module is copied, and membership is decided by its float64 copy, so later changes of it have no effect;
    another callable is called as it is. Gradients come from automatic differentiation.
    dimension: d, or None where any fits. smooth: whether it is twice differentiable, which a drift filter
    with a smoothing needs and a ReLU network is not (B.5).
    """

    exact = False

    def __init__(self, function: Callable[[Tensor], Any], dimension: int | None = None, smooth: bool = False):
        super().__init__()
        if not callable(function):
            raise ValueError(
                f"Constraint: needs a function of rows [n, d]; got {type(function).__name__}, as in "
                "Constraint(lambda x: x[:, 0] - 1)"
            )
        self.name, self.dimension, self.smooth = name_of(function), dimension, smooth
        self.given = (function,)  # in a tuple, so that a module is not a part of this one
        self.function = AnyDtype(function)
        self.judge: Callable[[Tensor], Any] = self.function
        if isinstance(function, nn.Module):
            self.frozen = copy.deepcopy(function).eval().requires_grad_(False).cpu()
            self.function, self.judge = AnyDtype(self.frozen), copy.deepcopy(self.frozen).double()

    def forward(self, x: Float[Tensor, "*n d"]) -> Float[Tensor, "*n"]:
        try:
            y = self._rows(self.judge if x.dtype == torch.float64 else self.function, x)
        except RuntimeError as error:
            if "numpy()" in str(error):
                self.refuse("computes outside of torch, so its gradient is not known")
            raise
        if y.dtype == torch.bool:
            self.refuse("answers yes or no and has no distance")
        if torch.is_grad_enabled() and x.requires_grad and not y.requires_grad:
            self.refuse("returns what has no gradient in x (computed outside of torch, or detached)")
        return bounded(y.to(x.dtype))

    def contains(self, x: Float[Tensor, "*n d"]) -> Bool[Tensor, "*n"]:
        with torch.no_grad():
            y = self._rows(self.judge, x.detach().double())
        return y if y.dtype == torch.bool else ~(y > 0)  # NaN counts as inside

    def jet(self, x: Float[Tensor, "n d"]) -> Jet:
        return autodiff_jet(self, x)

    def refuse(self, why: str) -> NoReturn:
        """Raises the error that a distance is asked for and none is known."""
        raise NotSmooth(
            f"Constraint {self.name} {why}: it works with the filters `gate`, `tilt` and `reject`, which "
            "need membership alone; for others return a number that is negative where x is unsafe"
        )

    def _rows(self, function: Callable[[Tensor], Any], x: Tensor) -> Tensor:
        """One number or truth value of each row."""
        rows = x.reshape(-1, x.shape[-1])
        y = torch.as_tensor(function(rows), device=x.device)
        if y.ndim == 2 and y.shape[1] == 1:
            y = y[:, 0]
        if y.shape != rows.shape[:1]:
            raise ValueError(
                f"Constraint {self.name}: must return one number or truth value a row, [n] or [n, 1]; got "
                f"shape {tuple(y.shape)} for {rows.shape[0]} rows of {rows.shape[1]} columns"
            )
        return y.reshape(x.shape[:-1])
