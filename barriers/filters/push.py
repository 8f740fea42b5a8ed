"""The push of the predictive drift filter (Q.6): the gradient of a probability, concentrated near the
boundary, scaled, and limited to the largest step.
"""

import math
from collections.abc import Sequence

from jaxtyping import Float

from barriers.arrays import Tensor, torch
from barriers.derivatives import value_and_gradient
from barriers.filters.base import combined
from barriers.noise import DENSITY, SQRT2
from barriers.sets.base import UnsafeSet
from barriers.surrogates import Profile

NARROW = 0.7
"""W: the width of the push, in standard deviations of the noise; 1 is ∇p itself. Measured:
docs/filters.md.
"""


def narrowed(p: Float[Tensor, "*r n m"], gradient: Float[Tensor, "*r n m d"]) -> Float[Tensor, "*r n m d"]:
    """r(p)∇p: the gradient of a probability, concentrated within W standard deviations of the
    boundary (Q.6).
    """
    return narrowing(depth(p))[..., None] * gradient


def narrowing(t: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
    """r(p), p = Φ(t)."""
    return (t * t).mul_(-0.5 * (NARROW**-2 - 1)).exp_().mul_(1 / NARROW)


def normal_profile(s: Float[Tensor, "*n"]) -> Profile:
    """Φ(−s) with its derivatives: the probability at s standard deviations from a half-space."""
    density = normal_density(s)
    return Profile(beyond(s), -density, s * density)


def normal_density(s: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
    """The standard normal density."""
    return (s * s).mul_(-0.5).exp_().mul_(DENSITY)


def beyond(s: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
    """Φ(−s)."""
    return torch.special.erfc(s * (1 / SQRT2)).mul_(0.5)


def depth(p: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
    """Φ⁻¹(p), finite: how many standard deviations inside a half-space. In float32, in which Φ is known to
    6e-8, by the inverse of the error function: torch's takes a fifth of the time.
    """
    if p.dtype == torch.float32:
        eps = torch.finfo(p.dtype).eps
        return math.sqrt(2) * torch.erfinv(p.clamp(eps / 4, 1 - eps).mul(2).sub_(1))
    return torch.special.ndtri(p.clamp(torch.finfo(p.dtype).tiny, 1 - torch.finfo(p.dtype).eps))


def along(push: Float[Tensor, "*k n d"], longest: float, c: Float[Tensor, "k 1 1"]) -> Float[Tensor, "k n d"]:
    """Multiples of a push, or of several, with no particle moved further than `longest`."""
    return shortened(c.to(push.dtype) * push, longest)


def shortened(change: Tensor, farthest: float) -> Tensor:
    """The same directions with no coordinate larger than `farthest`."""
    return change * (
        farthest / change.abs().amax(-1, keepdim=True).clamp(min=torch.finfo(change.dtype).tiny)
    ).clamp(max=1.0)


def against(push: Float[Tensor, "*r n m d"], μ: Float[Tensor, "*r m"]) -> Float[Tensor, "*r n d"]:
    """−Σ μ_k g_k at every particle."""
    return -combined(push, μ)


def out_of(
    sets: Sequence[UnsafeSet], y: Float[Tensor, "n d"], factor: Float[Tensor, "d d"] | None
) -> Float[Tensor, "n d"]:
    """Unit steps out of these sets for particles inside: deep within a set the probability is flat, and its
    gradient 0.
    """
    total = torch.zeros_like(y)
    for unsafe in sets:
        s, ds = value_and_gradient(unsafe, y)
        ds = ds if factor is None else ds @ factor.to(ds.dtype)
        total = total + (s <= 0)[:, None] * ds / ds.abs().amax(1, keepdim=True).clamp(min=1e-30)
    return total / total.abs().amax(1, keepdim=True).clamp(min=1.0)
