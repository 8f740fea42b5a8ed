"""Random numbers, over numpy: other ones than torch's from the same seed, so no sample is drawn here; only
points to begin a search from.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from barriers.plain.kinds import float32
from barriers.plain.needs import needing
from barriers.plain.tensor import Tensor, listed


class Generator:
    """A source of random numbers."""

    def __init__(self, device: Any = "cpu"):
        self.stream = np.random.default_rng()

    def manual_seed(self, seed: int) -> Generator:
        self.stream = np.random.default_rng(seed)
        return self


def _stream(generator: Generator | None) -> np.random.Generator:
    if generator is None:
        raise needing("random numbers")
    return generator.stream


def randn(*sizes: Any, generator: Generator | None = None, dtype: Any = None, **how: Any) -> Tensor:
    return Tensor(_stream(generator).standard_normal(listed(sizes)).astype(dtype or float32))


def rand(*sizes: Any, generator: Generator | None = None, dtype: Any = None, **how: Any) -> Tensor:
    return Tensor(_stream(generator).random(listed(sizes)).astype(dtype or float32))


def randint(*bounds: Any, generator: Generator | None = None, **how: Any) -> Tensor:
    *ends, size = bounds
    low, high = (0, *ends)[-2:]
    drawn: Any = _stream(generator).integers
    return Tensor(drawn(low, high, size))


def randperm(n: int, generator: Generator | None = None, **how: Any) -> Tensor:
    return Tensor(_stream(generator).permutation(n))


def multinomial(weights: Tensor, count: int, replacement: bool = False, generator: Any = None) -> Tensor:
    p = weights.array.astype(np.float64)
    return Tensor(_stream(generator).choice(len(p), count, replacement, p / p.sum()))


def _standard_gamma(shape: Tensor, generator: Generator | None = None) -> Tensor:
    return Tensor(_stream(generator).standard_gamma(shape.array).astype(shape.array.dtype))
