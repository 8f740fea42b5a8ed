"""The normal distribution in numpy."""

import math
from functools import lru_cache
from typing import Any

import numpy as np
from jaxtyping import Float

from barriers.arrays import torch
from barriers.noise import DENSITY, SQRT2


def density(s: Float[np.ndarray, "*q k"]) -> Float[np.ndarray, "*q k"]:
    """The standard normal density."""
    found = s * s
    found *= -0.5
    np.exp(found, out=found)
    found *= DENSITY
    return found


def beyond(s: Float[np.ndarray, "*q k"]) -> Float[np.ndarray, "*q k"]:
    """Φ(−s)."""
    found: np.ndarray = torch.special.erfc(torch.from_numpy(s * s.dtype.type(1 / SQRT2))).numpy()
    found *= 0.5
    return found


def depth(p: Float[np.ndarray, "*q k"]) -> Float[np.ndarray, "*q k"]:
    """Φ⁻¹(p), finite: `push.depth`, with the same bits."""
    single = p.dtype == np.float32
    least, most = _ends(p.dtype)
    inner = np.maximum(p, least)
    np.minimum(inner, most, out=inner)
    if not single:
        found: np.ndarray = torch.special.ndtri(torch.from_numpy(inner)).numpy()
        return found
    inner *= 2
    inner -= 1
    found = torch.erfinv(torch.from_numpy(inner)).numpy()
    found *= math.sqrt(2)
    return found


@lru_cache(maxsize=4)
def _ends(dtype: np.dtype[Any]) -> tuple[float, float]:
    """The least and the largest chance that has a depth of its own."""
    number = np.finfo(dtype)
    return float(number.eps / 4 if dtype == np.float32 else number.tiny), float(1 - number.eps)
