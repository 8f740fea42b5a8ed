"""The keys of several clouds side by side: the numbers of each are those that its own key draws for it.

Clouds of n particles each are the rows of one tensor [R·n, ...], cloud by cloud. Keys are folded in one
vectorised pass; what is left per cloud is to seed a generator and to fill its rows.
"""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from jaxtyping import Int, UInt64
from torch import Tensor

from lem_safe.keys import BLOCK, Key

_SEED = np.uint64((1 << 63) - 1)
"""A generator's seed is the lower 63 bits of its key."""


class CloudKeys(Key):
    """One key per cloud, for a sampler that needs `fold`, `normal` and `uniform` only; TypeError for a
    generator or a permutation, which one cloud has and several have not.
    """

    def __init__(self, keys: Sequence[Key]):
        values = np.array([key.value & 0xFFFFFFFFFFFFFFFF for key in keys], dtype=np.uint64)
        object.__setattr__(self, "value", int(values[0]))
        object.__setattr__(self, "_values", values)

    _values: UInt64[np.ndarray, "R"]

    @property
    def clouds(self) -> int:
        return len(self._values)

    def fold(self, *data: int | str) -> "CloudKeys":
        """The sub-streams of the same name, one of each cloud."""
        values = self._values
        for word in self.words(*data):
            values = _mixed(values ^ word)
        return self._of(values)

    def of(self, which: Int[Tensor, "q"]) -> "CloudKeys":
        """The keys of the clouds with these indices."""
        return self._of(self._values[which.numpy(force=True)])

    def generator(self, device: torch.device | str = "cpu") -> torch.Generator:
        raise TypeError("the clouds of a batch have no generator in common; draw with normal or uniform")

    def permutation(self, n: int) -> Tensor:
        raise TypeError("the clouds of a batch have no permutation in common; draw with normal or uniform")

    def normal(self, like: Tensor) -> Tensor:
        """Standard normal numbers of the shape, dtype and device of `like` [R·n, ...], each cloud's from its
        own key.
        """
        return self._drawn(Tensor.normal_, like)

    def uniform(self, like: Tensor) -> Tensor:
        """Uniform numbers in [0, 1) of the shape, dtype and device of `like` [R·n, ...], each cloud's from
        its own key.
        """
        return self._drawn(Tensor.uniform_, like)

    def _drawn(self, fill: Callable[..., Tensor], like: Tensor) -> Tensor:
        if like.shape[0] % self.clouds:
            raise ValueError(f"{like.shape[0]} particles cannot be {self.clouds} clouds of the same size")
        drawn = torch.empty(like.shape, dtype=like.dtype, device=like.device)
        each = drawn.unflatten(0, (self.clouds, -1))
        generator = torch.Generator(device=like.device)
        for b, begin in enumerate(range(0, each.shape[1], BLOCK)):
            seeds = (self.fold(b)._values & _SEED).tolist()
            seeded = generator.manual_seed
            for part, seed in zip(each[:, begin : begin + BLOCK].unbind(0), seeds, strict=True):
                fill(part, generator=seeded(seed))
        return drawn

    def _of(self, values: UInt64[np.ndarray, "R"]) -> "CloudKeys":
        new = object.__new__(CloudKeys)
        object.__setattr__(new, "value", int(values[0]))
        object.__setattr__(new, "_values", values)
        return new


def _mixed(x: UInt64[np.ndarray, "R"]) -> UInt64[np.ndarray, "R"]:
    """`keys` mixes one word; this mixes many, with the same result."""
    x = x + np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))
