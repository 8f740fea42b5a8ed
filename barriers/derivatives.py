"""Value, gradient and Laplacian of a per-row function by automatic differentiation: the fallback where no
closed form is written.

The cost is one backward pass for the gradient and d more for the Laplacian; the rows of a batch must not talk
to each other. Where grad mode is on and x, or something f is made of, requires grad, the results stay in the
graph, so that a run can be unrolled and differentiated; else they are detached.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

Scalar = float | Float[Tensor, ""]
"""A number, or a 0-dim tensor that derivatives flow through."""


class NotDifferentiable(ValueError):
    """Derivatives were asked of something that jumps, or of a solver's way out that no equation defines."""


class Jet(NamedTuple):
    """f(x), ∇f(x) and Δf(x), one row a particle."""

    value: Float[Tensor, "n"]
    gradient: Float[Tensor, "n d"]
    laplacian: Float[Tensor, "n"]


def autodiff_jet(f: Callable[[Tensor], Tensor], x: Float[Tensor, "n d"]) -> Jet:
    """The jet of f at every row of x, exact, in d + 1 backward passes."""
    keep = in_graph(f, x)
    with torch.enable_grad():
        x = _variable(x, keep)
        value = f(x)
        gradient = _rows_gradient(value, x, create_graph=True)
        laplacian = torch.zeros_like(value)
        if gradient.requires_grad:
            for i in range(x.shape[1]):
                second = _rows_gradient(gradient[:, i], x, create_graph=keep, retain_graph=True)
                laplacian = laplacian + second[:, i]
    return (
        Jet(value, gradient, laplacian)
        if keep
        else Jet(value.detach(), gradient.detach(), laplacian.detach())
    )


def float64_jet(f: Callable[[Tensor], Tensor], x: Float[Tensor, "n d"]) -> Jet:
    """`autodiff_jet` in float64, in the dtype of x; what that cannot hold is kept at its largest number to
    the power ¾.
    """
    limit = torch.finfo(x.dtype).max ** 0.75
    return Jet(*(part.clamp(-limit, limit).to(x.dtype) for part in autodiff_jet(f, x.double())))


def value_and_gradient(f: Callable[[Tensor], Tensor], x: Float[Tensor, "*n d"]) -> tuple[Tensor, Tensor]:
    """f(x) [*n] and ∇f(x) [*n, d], in one forward and one backward pass."""
    keep = in_graph(f, x)
    with torch.enable_grad():
        x = _variable(x, keep)
        value = f(x)
        gradient = _rows_gradient(value, x, create_graph=keep)
    return (value, gradient) if keep else (value.detach(), gradient)


def jacobian(f: Callable[[Tensor], Tensor], x: Float[Tensor, "k"]) -> Float[Tensor, "m k"]:
    """∂f/∂x, a backward pass a row."""
    keep = in_graph(f, x)
    with torch.enable_grad():
        x = _variable(x, keep)
        rows = [_rows_gradient(value, x, create_graph=keep, retain_graph=True) for value in f(x)]
    return torch.stack(rows) if rows else x.new_zeros(0, x.shape[0])


def in_graph(f: Callable[[Tensor], Tensor], x: Tensor) -> bool:
    """Whether grad mode is on and x, or something f is made of, requires grad."""
    if not torch.is_grad_enabled():
        return False
    return x.requires_grad or f(x).requires_grad  # what f holds, buffers or numbers, only a call can tell


def stacked(numbers: Sequence[Scalar]) -> Float[Tensor, "m"]:
    """A float64 vector of numbers; those that are tensors stay in the graph."""
    device = next((number.device for number in numbers if isinstance(number, Tensor)), None)
    if not len(numbers):
        return torch.zeros(0, dtype=torch.float64)
    return torch.stack([torch.as_tensor(number, dtype=torch.float64, device=device) for number in numbers])


def _variable(x: Tensor, keep: bool) -> Tensor:
    """x itself where it has a graph to be kept, else a leaf of its own."""
    return x if keep and x.requires_grad else x.detach().requires_grad_()


def _rows_gradient(
    y: Tensor, x: Tensor, *, create_graph: bool = False, retain_graph: bool | None = None
) -> Tensor:
    if not y.requires_grad:
        return torch.zeros_like(x)
    (gradient,) = torch.autograd.grad(
        y.sum(), x, create_graph=create_graph, retain_graph=retain_graph, allow_unused=True
    )
    return torch.zeros_like(x) if gradient is None else gradient
