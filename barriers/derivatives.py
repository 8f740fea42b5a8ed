"""Value, gradient and Laplacian of a per-row function by automatic differentiation: the fallback where no closed form is written.

The cost is one backward pass for the gradient and d more for the Laplacian; the rows of a batch must not talk to each other.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor


class Jet(NamedTuple):
    """f(x), ∇f(x) and Δf(x), one row a particle."""

    value: Float[Tensor, "n"]
    gradient: Float[Tensor, "n d"]
    laplacian: Float[Tensor, "n"]


def autodiff_jet(f: Callable[[Tensor], Tensor], x: Float[Tensor, "n d"]) -> Jet:
    """The jet of f at every row of x, exact, in d + 1 backward passes."""
    with torch.enable_grad():
        x = x.detach().requires_grad_()
        value = f(x)
        gradient = _rows_gradient(value, x, create_graph=True)
        laplacian = torch.zeros_like(value)
        if gradient.requires_grad:
            for i in range(x.shape[1]):
                laplacian = laplacian + _rows_gradient(gradient[:, i], x, retain_graph=True)[:, i]
    return Jet(value.detach(), gradient.detach(), laplacian.detach())


def float64_jet(f: Callable[[Tensor], Tensor], x: Float[Tensor, "n d"]) -> Jet:
    """`autodiff_jet` in float64, in the dtype of x; what that cannot hold is kept at its largest number to the power ¾."""
    limit = torch.finfo(x.dtype).max ** 0.75
    return Jet(*(part.clamp(-limit, limit).to(x.dtype) for part in autodiff_jet(f, x.double())))


def value_and_gradient(f: Callable[[Tensor], Tensor], x: Float[Tensor, "n d"]) -> tuple[Tensor, Tensor]:
    """f(x) [n] and ∇f(x) [n, d], detached, in one forward and one backward pass."""
    with torch.enable_grad():
        x = x.detach().requires_grad_()
        value = f(x)
        gradient = _rows_gradient(value, x)
    return value.detach(), gradient


def _rows_gradient(y: Tensor, x: Tensor, *, create_graph: bool = False, retain_graph: bool | None = None) -> Tensor:
    if not y.requires_grad:
        return torch.zeros_like(x)
    (gradient,) = torch.autograd.grad(y.sum(), x, create_graph=create_graph, retain_graph=retain_graph, allow_unused=True)
    return torch.zeros_like(x) if gradient is None else gradient
