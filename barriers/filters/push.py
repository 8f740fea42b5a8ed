"""The push of the predictive drift filter (Q.6): the gradient of a probability, concentrated near the
boundary, scaled, and limited to the largest step.
"""

import torch
from jaxtyping import Float
from torch import Tensor

NARROW = 0.7
"""W: the width of the push, in standard deviations of the noise; 1 is ∇p itself. Measured:
docs/filters.md.
"""


def narrowed(p: Float[Tensor, "n m"], gradient: Float[Tensor, "n m d"]) -> Float[Tensor, "n m d"]:
    """r(p)∇p: the gradient of a probability, concentrated within W standard deviations of the
    boundary (Q.6).
    """
    t = torch.special.ndtri(p.clamp(torch.finfo(p.dtype).tiny, 1 - torch.finfo(p.dtype).eps))
    r = (-0.5 * (NARROW**-2 - 1) * t * t).exp() / NARROW
    return r[..., None] * gradient


def along(push: Float[Tensor, "n d"], longest: float, c: float) -> Float[Tensor, "n d"]:
    """c times the push, with no particle moved further than `longest`."""
    return shortened(c * push, longest)


def shortened(change: Tensor, farthest: float) -> Tensor:
    """The same directions with no coordinate larger than `farthest`."""
    return change * (
        farthest / change.abs().amax(1, keepdim=True).clamp(min=torch.finfo(change.dtype).tiny)
    ).clamp(max=1.0)


def combined(push: Tensor, μ: Tensor) -> Tensor:
    """−Σ μ_k g_k at every particle."""
    return -torch.einsum("nkd,k->nd", push, μ.to(push.dtype))
