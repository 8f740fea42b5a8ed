"""tr(Vᵀ ∂s/∂x V) of a differentiable vector field of rows, by automatic differentiation (E.21)."""

from collections.abc import Callable

from jaxtyping import Float

from barriers.arrays import Tensor, torch
from lem_safe.laplacian import estimator


def trace(
    slope: Callable[[Tensor], Tensor], x: Float[Tensor, "n d"], directions: Float[Tensor, "d r"] | None
) -> Float[Tensor, "n"]:
    """Σ_v vᵀ(∂s/∂x)v over the columns v of `directions`, all axes where None; exact up to many directions,
    then by Hutchinson's estimate with a fixed seed. 0 where s does not depend on x. Detached.
    """
    with torch.enable_grad():
        z = x.detach().requires_grad_()
        s = slope(z)
        if not s.requires_grad:
            return torch.zeros_like(x[:, 0])
        total = torch.zeros_like(x[:, 0])
        along, share = _along(x, directions)
        for k in range(along.shape[1]):
            v = along[:, k]
            (Jv,) = torch.autograd.grad((s * v).sum(), z, retain_graph=True, allow_unused=True)
            if Jv is not None:
                total = total + (Jv * v).sum(1)
    return total.detach() * share


def _along(x: Tensor, directions: Tensor | None) -> tuple[Float[Tensor, "n k d"], float]:
    """The directions of every row, and the weight of each."""
    d = x.shape[1]
    V = torch.eye(d, dtype=x.dtype, device=x.device) if directions is None else directions.to(x)
    estimated = estimator(V.shape[1])
    if estimated is None:
        return V.T[None].expand(len(x), -1, -1), 1.0
    probes = estimated.draw(len(x), V.shape[1], x, torch.Generator().manual_seed(0))
    return probes @ V.T, 1 / estimated.probes
