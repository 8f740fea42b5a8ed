"""Squared lengths of rows, and products of rows."""

from jaxtyping import Float

from barriers.arrays import Tensor, torch

FEW = 5
"""Up to so many columns are added one after the other: torch's sum over so short an axis takes three to ten
times as long.
"""


def squared_norm(v: Float[Tensor, "*n d"]) -> Float[Tensor, "*n"]:
    """‖v‖² over the last axis."""
    if not 0 < v.shape[-1] <= FEW:
        return v.square().sum(-1)
    first, *others = v.unbind(-1)
    total = first * first
    for column in others:
        total = total + column * column
    return total


def inner(a: Float[Tensor, "*n d"], b: Float[Tensor, "*n d"]) -> Float[Tensor, "*n"]:
    """a · b of every row."""
    if not 0 < a.shape[-1] <= FEW:
        return (a * b).sum(-1)
    first, *others = zip(a.unbind(-1), b.unbind(-1), strict=True)
    total = first[0] * first[1]
    for one, other in others:
        total = torch.addcmul(total, one, other)
    return total
