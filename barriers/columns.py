"""Coordinates of many rows as columns, and the places of flags, by the calls that take the least time."""

import numpy as np
from jaxtyping import Bool, Float, Int

from barriers.arrays import Tensor, torch

FEW = 8
"""Up to so many columns are copied one after the other: torch's transposition takes five times as long."""


def columns_of(y: Float[Tensor, "n d"]) -> Float[Tensor, "d n"]:
    """The transposed matrix, contiguous."""
    return torch.stack(y.unbind(1)) if 0 < y.shape[1] <= FEW else y.T.contiguous()


def where_true(flags: Bool[Tensor, "n"]) -> Int[Tensor, "k"]:
    """The places of the flags that are set; on the CPU by numpy, which takes an eighth of torch's time."""
    if flags.device.type != "cpu":
        return flags.nonzero()[:, 0]
    return torch.from_numpy(np.flatnonzero(flags.numpy()))
