"""Small arrays in numpy: of a few hundred particles nearly all of the time is in calls, and one of numpy's
takes a third of the time of torch's.

Positions are stored coordinate by coordinate, [d, n] or of several clouds [d, q, n]: operations along short
rows take several times as long.
"""

import numpy as np
from jaxtyping import Float

from barriers.arrays import Tensor, torch
from barriers.derivatives import recorded
from barriers.plain.needs import Choice

Columns = Float[np.ndarray, "d *q n"]

MOST = 2**15
"""So many numbers are few: of more of them the calls are a small part."""
FEW = 16
"""Up to so many columns are copied by numpy, which takes a fifth of the time of torch's transposition."""


def numbers_of(x: Float[Tensor, "*n d"]) -> Float[np.ndarray, "*n d"] | None:
    """The numbers of a small tensor, in the same memory; None where it is large or not in this memory, has
    another precision than single or double, where a derivative is taken of it, and where what is done with it
    is compiled, exported or traced.
    """
    if Choice.plain or x.device.type != "cpu" or x.numel() > MOST or type(x) is not Tensor or recorded(x):
        return None
    if x.dtype not in (torch.float32, torch.float64):
        return None
    if torch.compiler.is_compiling() or torch._C._get_tracing_state() is not None:
        return None
    return x.numpy(force=True)


def columns_of(y: Float[Tensor, "*q n d"]) -> Columns:
    """Positions coordinate by coordinate, in memory of their own."""
    if y.shape[-1] > FEW:
        return y.movedim(-1, 0).contiguous().numpy(force=True)
    rows = y.numpy(force=True)
    return np.array(rows.T if rows.ndim == 2 else rows.transpose(-1, *range(rows.ndim - 1)), order="C")


def as_columns(y: Float[Tensor, "*q n d"]) -> Columns:
    """The same, to be read only: many coordinates stay where they are, as whole rows are long enough."""
    return y.movedim(-1, 0).numpy(force=True) if y.shape[-1] > FEW else columns_of(y)


def rows_of(y: Columns) -> Float[Tensor, "*q n d"]:
    """Positions particle by particle: few coordinates in memory of their own, many to be read only."""
    if len(y) > FEW:
        return torch.from_numpy(y).movedim(0, -1).contiguous()
    rows = y.T if y.ndim == 2 else y.transpose(*range(1, y.ndim), 0)
    return torch.from_numpy(np.array(rows, order="C"))


def squares(offset: Columns) -> Float[np.ndarray, "*q n"]:
    """The squared lengths of vectors of few coordinates, added as `squares.squared_norm` does."""
    first, *others = offset
    found: np.ndarray = first * first
    for column in others:
        found += column * column
    return found


def summed(parts: Columns) -> Float[np.ndarray, "*q n"]:
    """The sum over the coordinates, by halves, in the memory of the parts."""
    left = len(parts)
    while left > 1:
        half = left // 2
        parts[:half] += parts[left - half : left]
        left -= half
    return parts[0]
