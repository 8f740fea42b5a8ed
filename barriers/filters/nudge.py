"""Particles at which a region has no gradient: at the centre of a ball or on the axis of a capsule the
distance has a ridge.

Every direction leads out from there. So such a particle is moved by a distance of the size of rounding, each
in a fixed direction of its own, uniform on the sphere, to where there is a gradient; a particle without one
there (a region that is flat inside) stays in place.
"""

from collections.abc import Callable

from jaxtyping import Bool, Float

from barriers.arrays import Tensor, torch

DIRECTIONS = 16384
"""Particles with directions of their own; the next ones have the same again, wherever a cloud is divided into
blocks of so many.
"""

Gradient = Callable[[Float[Tensor, "n d"]], Float[Tensor, "n d"]]
Inside = Callable[[Float[Tensor, "n d"]], Bool[Tensor, "n"]]


def nudged(
    x: Float[Tensor, "n d"], lost: Bool[Tensor, "n"], gradient: Gradient, clouds: int = 1
) -> Float[Tensor, "n d"]:
    """x with the `lost` rows moved by about the square root of the rounding, if the gradient is not 0 there;
    the same x where none is lost. The directions are those of the rows of one cloud, repeated for each.

    >>> nudged(torch.zeros(2, 2).double(), torch.tensor([True, False]), lambda y: y).ne(0).tolist()
    [[True, True], [False, False]]
    """
    if not bool(lost.any()):
        return x
    n = len(x) // clouds
    one = (min(n, DIRECTIONS), *x.shape[1:])
    v = torch.randn(one, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    v = (v / v.norm(dim=1, keepdim=True)).to(x)[torch.arange(n) % DIRECTIONS].repeat(clouds, 1)
    there = x + torch.finfo(x.dtype).eps ** 0.5 * (1 + x.abs().amax(1, keepdim=True)) * v
    found = lost & (gradient(there).abs().amax(1) > 0)
    return torch.where(found[:, None], there, x)


def left_along(
    contains: Inside, x: Float[Tensor, "n d"], direction: Float[Tensor, "n d"]
) -> Float[Tensor, "n d"]:
    """Where each particle first leaves a region along its direction, just outside; x itself where that is not
    within 2^60 steps of 1e-3.

    The length is doubled until the particle is outside, then bisected towards the boundary; only membership
    is used.
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
