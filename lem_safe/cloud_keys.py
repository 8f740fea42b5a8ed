"""The keys of the clouds of one run: the noise of many small clouds is drawn at once, and that of each is the
same whoever else draws.

A generator for every cloud at every step would cost more than the numbers. Clouds therefore share generators,
a bank of them each: bank b holds the clouds b·s to b·s + s − 1, draws [s, n, ...] from the run's key folded
with b, always the whole of it, and cloud r takes its part. How many share a bank is decided by the size of
the draw alone. A large cloud, and the first of a run, draw from their own key: the first cloud has the
numbers of the run without the others.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int, UInt64

from barriers.arrays import Tensor, torch
from lem_safe.keys import Key

BANK, NUMBERS = 128, 4096
"""The largest number of clouds with a generator in common, and of numbers that it draws at once."""

_WORD = (1 << 64) - 1

Draw = Callable[..., Tensor]


def bank_size(shape: Sequence[int]) -> int:
    """How many clouds draw numbers of this shape each, [n, ...], from one generator."""
    return max(1, min(BANK, NUMBERS // max(math.prod(shape), 1)))


def in_banks(particles: int) -> bool:
    """Whether anything is drawn from banks for clouds of so many particles."""
    return bank_size((particles,)) > 1


@dataclass(frozen=True)
class CloudKey(Key):
    """The key of cloud `index`; `run`: that of the banks before `data` was folded in.

    `normal` and `uniform` draw its part of a bank; a generator and a permutation are its own.
    """

    run: Key
    index: int
    data: tuple[int | str, ...] = ()

    @classmethod
    def of(cls, own: Key, first: Key, index: int) -> "CloudKey":
        """The key of a cloud that alone has the key `own`; first: that of cloud 0 of the same run."""
        return cls(own.value, first.fold("clouds"), index)

    def fold(self, *data: int | str) -> "CloudKey":
        """The cloud's part of a sub-stream."""
        return CloudKey(self.folded(self.value, *data), self.run, self.index, (*self.data, *data))

    def _blocks(self, draw: Draw, shape: torch.Size, dtype: torch.dtype, device: torch.device) -> Tensor:
        size = bank_size(shape)
        if size == 1 or self.index == 0:
            return Key(self.value)._blocks(draw, shape, dtype, device)
        bank, own = divmod(self.index, size)
        generator = self.run.fold(*self.data, bank).generator(device)
        return draw((size, *shape), generator=generator, dtype=dtype, device=device)[own]


@dataclass(frozen=True, eq=False)
class CloudKeys(Key):
    """The keys of several clouds side by side, the rows of one tensor [R·n, ...], cloud by cloud, for a
    sampler that needs `fold`, `normal` and `uniform` only; TypeError for a generator or a permutation, which
    one cloud has and several have not.

    value: the key of the banks. own: the key of each cloud before `data` was folded in. index: of each, in
    ascending order.
    """

    own: UInt64[np.ndarray, "R"]
    index: Int[np.ndarray, "R"]
    data: tuple[int | str, ...] = ()

    @classmethod
    def side_by_side(cls, keys: Sequence[CloudKey]) -> "CloudKeys":
        """The keys of these clouds, in ascending order; ValueError where they are not of one run."""
        runs, index = {(key.run.value, key.data) for key in keys}, np.array([key.index for key in keys])
        if len(runs) != 1 or not (np.diff(index) > 0).all():
            raise ValueError("clouds side by side are those of one run, in ascending order")
        ((run, data),) = runs
        own = np.array([key.value & _WORD for key in keys], dtype=np.uint64)
        return cls(Key(run).fold(*data).value, own, index)

    @property
    def clouds(self) -> int:
        return len(self.index)

    def fold(self, *data: int | str) -> "CloudKeys":
        """The sub-streams of the same name, one of each cloud."""
        return CloudKeys(self.folded(self.value, *data), self.own, self.index, (*self.data, *data))

    def of(self, which: Int[Tensor, "q"]) -> "CloudKeys":
        """The keys of those at these places, in ascending order."""
        at = which.numpy(force=True)
        return CloudKeys(self.value, self.own[at], self.index[at], self.data)

    def generator(self, device: torch.device | str = "cpu") -> torch.Generator:
        raise TypeError("the clouds of a batch have no generator in common; draw with normal or uniform")

    def permutation(self, n: int) -> Tensor:
        raise TypeError("the clouds of a batch have no permutation in common; draw with normal or uniform")

    def _blocks(self, draw: Draw, shape: torch.Size, dtype: torch.dtype, device: torch.device) -> Tensor:
        if shape[0] % self.clouds:
            raise ValueError(f"{shape[0]} particles cannot be {self.clouds} clouds of the same size")
        one = torch.Size((shape[0] // self.clouds, *shape[1:]))
        size = bank_size(one)
        if size == 1:
            return torch.cat([Key(own)._blocks(draw, one, dtype, device) for own in self._folded().tolist()])
        banks, rows = self._banks(size)
        parts = [
            draw(
                (size, *one), generator=Key(self.value).fold(b).generator(device), dtype=dtype, device=device
            )
            for b in banks
        ]
        drawn = (torch.cat(parts) if len(parts) > 1 else parts[0])[rows]
        if self.index[0] == 0:
            first = Key(self.folded(int(self.own[0]), *self.data))
            drawn[0] = first._blocks(draw, one, dtype, device)
        return drawn.flatten(0, 1)

    def _banks(self, size: int) -> tuple[list[int], slice | Tensor]:
        """The banks of the clouds, and which rows of these banks, one after the other, are theirs."""
        first, last = int(self.index[0]), int(self.index[-1])
        if last - first == self.clouds - 1:
            begin = first % size
            return list(range(first // size, last // size + 1)), slice(begin, begin + self.clouds)
        bank, own = np.divmod(self.index, size)
        banks = np.unique(bank)
        return banks.tolist(), torch.from_numpy(np.searchsorted(banks, bank) * size + own)

    def _folded(self) -> UInt64[np.ndarray, "R"]:
        """The own key of each cloud."""
        values = self.own
        for word in self.words(*self.data):
            values = _mixed(values ^ np.uint64(word))
        return values


def _mixed(x: UInt64[np.ndarray, "R"]) -> UInt64[np.ndarray, "R"]:
    """`keys` mixes one word; this mixes many, with the same result."""
    x = x + np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))
