"""Roots, powers, logarithms and angles that decide membership, computed by numpy with torch and without it:
the libraries round them differently, and single sums, products and quotients alike.
"""

from collections.abc import Callable

import numpy as np

from barriers.arrays import Tensor, torch
from barriers.derivatives import transforming


def by_numpy(function: Callable[..., np.ndarray], *numbers: Tensor) -> Tensor | None:
    """The function of numbers on the processor, without a derivative; None where they are elsewhere, or one
    is being taken.
    """
    if torch.is_grad_enabled() or any(t.device.type != "cpu" for t in numbers) or transforming(*numbers):
        return None
    with np.errstate(all="ignore"):
        arrays = (np.asarray(t.detach().numpy(), order="C") for t in numbers)
        return torch.from_numpy(np.asarray(function(*arrays)))
