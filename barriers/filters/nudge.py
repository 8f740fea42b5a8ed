"""Particles that a region gives no direction: at the centre of a ball, on the axis of a capsule, the distance
has a ridge and no gradient.

Every direction leads out from there. So such a particle is moved by a rounding-sized length, each in a fixed
direction of its own, uniform on the sphere, to where there is a gradient; a particle that has none there
either (a region that is flat inside) stays where it is.
"""

from collections.abc import Callable

import torch
from jaxtyping import Bool, Float
from torch import Tensor

Gradient = Callable[[Float[Tensor, "n d"]], Float[Tensor, "n d"]]
Inside = Callable[[Float[Tensor, "n d"]], Bool[Tensor, "n"]]


def nudged(x: Float[Tensor, "n d"], lost: Bool[Tensor, "n"], gradient: Gradient) -> Float[Tensor, "n d"]:
    """x with the `lost` rows moved by about the square root of the rounding, where the gradient is not 0
    then; the same x where none is lost.

    >>> nudged(torch.zeros(2, 2).double(), torch.tensor([True, False]), lambda y: y).ne(0).tolist()
    [[True, True], [False, False]]
    """
    if not bool(lost.any()):
        return x
    v = torch.randn(x.shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    v = (v / v.norm(dim=1, keepdim=True)).to(x)
    there = x + torch.finfo(x.dtype).eps ** 0.5 * (1 + x.abs().amax(1, keepdim=True)) * v
    found = lost & (gradient(there).abs().amax(1) > 0)
    return torch.where(found[:, None], there, x)


def left_along(
    contains: Inside, x: Float[Tensor, "n d"], direction: Float[Tensor, "n d"]
) -> Float[Tensor, "n d"]:
    """Where each particle first leaves a region along its direction, just outside; x itself where that is not
    within 2^60 steps of 1e-3.

    The length is doubled until the particle is out, then halved towards the boundary: membership is all that
    is asked.
    """
    unit = direction / direction.norm(dim=1, keepdim=True)
    outer = 1e-3 * (1 + x.abs().amax(1, keepdim=True))
    inner = torch.zeros_like(outer)
    for _ in range(60):
        inside = contains(x + outer * unit)[:, None]
        if not bool(inside.any()):
            break
        inner, outer = torch.where(inside, outer, inner), torch.where(inside, 2 * outer, outer)
    for _ in range(60):
        middle = (inner + outer) / 2
        inside = contains(x + middle * unit)[:, None]
        inner, outer = torch.where(inside, middle, inner), torch.where(inside, outer, middle)
    out = x + outer * unit
    return torch.where(contains(out)[:, None], x, out)
