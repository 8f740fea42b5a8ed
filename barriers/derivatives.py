"""Value, gradient and Laplacian of a per-row function by automatic differentiation, for functions without a
closed form.

The cost is one backward pass for the gradient and d more for the Laplacian; the rows of a batch must be
independent. Where grad mode is on and x, or a parameter of f, requires grad, the results stay in the graph,
so that a run can be unrolled and differentiated; otherwise they are detached. Inside torch.func's transforms
(grad, jvp, vmap) and under forward-mode derivatives they are differentiable in whatever is transformed.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from barriers.arrays import Tensor, torch
from barriers.declared import declares

Scalar = float | Float[Tensor, ""]
"""A number, or a 0-dim tensor that derivatives flow through."""


class NotDifferentiable(ValueError):
    """Derivatives were requested of a jump, or of a solver's fallback that no equation defines."""


class Jet(NamedTuple):
    """f(x), ∇f(x) and Δf(x), one row per particle."""

    value: Float[Tensor, "n"]
    gradient: Float[Tensor, "n d"]
    laplacian: Float[Tensor, "n"]


def autodiff_jet(f: Callable[[Tensor], Tensor], x: Float[Tensor, "n d"]) -> Jet:
    """The jet of f at every row of x, exact, in d + 1 backward passes."""
    if transforming(x):
        return _transformed_jet(f, x)
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
    """`autodiff_jet` in float64, returned in the dtype of x; overflows are clipped to that dtype's largest
    number to the power ¾.
    """
    limit = torch.finfo(x.dtype).max ** 0.75
    return Jet(*(part.clamp(-limit, limit).to(x.dtype) for part in autodiff_jet(f, x.double())))


def value_and_gradient(f: Callable[[Tensor], Tensor], x: Float[Tensor, "*n d"]) -> tuple[Tensor, Tensor]:
    """f(x) [*n] and ∇f(x) [*n, d], in one forward and one backward pass; by `with_gradient` where f declares
    `has_gradient` about its `forward` and no graph is kept.
    """
    if transforming(x):
        value, pull = pullback(f, x)
        return value, pull(torch.ones_like(value))
    keep = in_graph(f, x)
    if not keep and declares(f, "has_gradient", "forward"):
        with torch.no_grad():
            return _with_gradient(f, x)
    with torch.enable_grad():
        x = _variable(x, keep)
        value = f(x)
        gradient = _rows_gradient(value, x, create_graph=keep)
    return (value, gradient) if keep else (value.detach(), gradient)


def _with_gradient(f: Any, x: Tensor) -> tuple[Tensor, Tensor]:
    value, gradient = f.with_gradient(x)
    return value, gradient


def jacobian(f: Callable[[Tensor], Tensor], x: Float[Tensor, "*r k"]) -> Float[Tensor, "*r m k"]:
    """∂f/∂x, one backward pass per row; f takes each vector of x by itself."""
    if transforming(x):
        found, pull = pullback(f, x)
        units = torch.eye(found.shape[-1], dtype=found.dtype, device=found.device)
        each = [pull(unit.expand_as(found)) for unit in units]
        return torch.stack(each, -2) if each else x.new_zeros(*x.shape[:-1], 0, x.shape[-1])
    keep = in_graph(f, x)
    with torch.enable_grad():
        x = _variable(x, keep)
        values = f(x).unbind(-1)
        rows = [_rows_gradient(value, x, create_graph=keep, retain_graph=True) for value in values]
    return torch.stack(rows, -2) if rows else x.new_zeros(*x.shape[:-1], 0, x.shape[-1])


def in_graph(f: Callable[[Tensor], Tensor], x: Tensor) -> bool:
    """Whether grad mode is on and x, or a parameter of f, requires grad."""
    if not torch.is_grad_enabled():
        return False
    return x.requires_grad or f(x).requires_grad  # whether f has parameters is known only from a call


def transforming(*tensors: Tensor) -> bool:
    """Whether a transform of torch.func is active, or one of these has a forward-mode derivative: a gradient
    is then one of torch.func's, as the graph of autograd does not exist.
    """
    return torch._C._functorch.peek_interpreter_stack() is not None or any(map(_has_tangent, tensors))


def recorded(*tensors: Tensor) -> bool:
    """Whether a derivative is being taken through one of these: in a graph, by torch.func, or forward."""
    enabled, wrapped = torch.is_grad_enabled(), torch._C._functorch.is_functorch_wrapped_tensor
    forward = torch.autograd.forward_ad._current_level >= 0
    return any((enabled and t.requires_grad) or wrapped(t) or (forward and _has_tangent(t)) for t in tensors)


def vectorized(*tensors: Tensor) -> bool:
    """Whether one of these is a batch of torch.func.vmap, under any other transforms."""
    for t in tensors:
        while torch._C._functorch.is_functorch_wrapped_tensor(t):
            if torch._C._functorch.is_batchedtensor(t):
                return True
            t = torch._C._functorch.get_unwrapped(t)
    return False


def array_of(t: Tensor) -> np.ndarray:
    """The numbers of a tensor alone; inside a transform of torch.func, where nothing has memory of its own,
    one by one.
    """
    t = t.detach()
    if not transforming(t):
        return t.cpu().numpy()
    return np.asarray(t.tolist(), dtype=str(t.dtype).removeprefix("torch.")).reshape(t.shape)


def _has_tangent(t: Tensor) -> bool:
    forward = torch.autograd.forward_ad
    return forward._current_level >= 0 and forward.unpack_dual(t).tangent is not None


def pullback(f: Callable[[Tensor], Tensor], x: Tensor) -> tuple[Tensor, Callable[[Tensor], Tensor]]:
    """f(x) and v ↦ vᵀ∂f/∂x, which every transform of torch.func can be taken of."""
    made: Any = torch.func.vjp(f, x)
    return made[0], lambda v: made[1](v)[0]


def _transformed_jet(f: Callable[[Tensor], Tensor], x: Float[Tensor, "n d"]) -> Jet:
    def gradient_of(z: Tensor) -> Tensor:
        value, pull = pullback(f, z)
        return pull(torch.ones_like(value))

    gradient, pull = pullback(gradient_of, x)
    axes = torch.eye(x.shape[1], dtype=x.dtype, device=x.device)
    second = [pull(axis.expand_as(gradient))[:, i] for i, axis in enumerate(axes)]
    return Jet(f(x), gradient, torch.stack(second, 1).sum(1))


def stacked(numbers: Sequence[Scalar]) -> Float[Tensor, "m"]:
    """A float64 vector of numbers; those that are tensors stay in the graph."""
    device = next((number.device for number in numbers if isinstance(number, Tensor)), None)
    if not len(numbers):
        return torch.zeros(0, dtype=torch.float64)
    return torch.stack([torch.as_tensor(number, dtype=torch.float64, device=device) for number in numbers])


def _variable(x: Tensor, keep: bool) -> Tensor:
    """x itself where its graph is to be kept, else a new leaf."""
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
