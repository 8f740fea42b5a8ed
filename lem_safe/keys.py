"""Randomness as a value: a key gives the same numbers wherever and whenever it is used, on any number of
processes.

Noise for n particles is drawn in fixed blocks, block b from key.fold(b), so that a run can be divided,
resumed or distributed with bitwise identical results. A part of a cloud is whole blocks of it, and its
`PartKey` draws what the cloud's key draws for them.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache

from barriers.arrays import Tensor, torch

BLOCK = 16384
"""Particles per generator."""

_MASK = (1 << 64) - 1


@dataclass(frozen=True)
class Key:
    """A 64-bit identifier of a random stream."""

    value: int

    def fold(self, *data: int | str) -> "Key":
        """The key of a sub-stream; streams of different data are independent. ValueError for a negative
        number.
        """
        return Key(self.folded(self.value, *data))

    @classmethod
    def folded(cls, value: int, *data: int | str) -> int:
        """The value of that key."""
        state = value & _MASK
        for item in data:
            if type(item) is int and 0 <= item <= _MASK:  # the one word of most folds
                state = _mix(state ^ _mix(item))
            else:
                for word in cls.words(item):
                    state = _mix(state ^ word)
        return state

    @staticmethod
    def words(*data: int | str) -> Iterator[int]:
        """The mixed 64-bit words of the data of a fold, of which a number or a string has one or more."""
        for item in data:
            yield from _words_of_text(item) if isinstance(item, str) else _words_of(item)

    def generator(self, device: torch.device | str = "cpu") -> torch.Generator:
        """A new torch generator at the start of this stream."""
        return torch.Generator(device=device).manual_seed(self.value & (_MASK >> 1))

    def normal(self, like: Tensor) -> Tensor:
        """Standard normal numbers of the shape, dtype and device of `like`, drawn block by block along its
        first axis.
        """
        return self._blocks(torch.randn, like.shape, like.dtype, like.device)

    def uniform(self, like: Tensor) -> Tensor:
        """Uniform numbers in [0, 1) of the shape, dtype and device of `like`, drawn block by block along its
        first axis.
        """
        return self._blocks(torch.rand, like.shape, like.dtype, like.device)

    def permutation(self, n: int) -> Tensor:
        """A random order of 0..n−1, on the CPU."""
        return torch.randperm(n, generator=self.generator())

    def _blocks(
        self, draw: Callable[..., Tensor], shape: torch.Size, dtype: torch.dtype, device: torch.device
    ) -> Tensor:
        return self._blocks_from(0, draw, shape, dtype, device)

    def _blocks_from(
        self,
        first: int,
        draw: Callable[..., Tensor],
        shape: torch.Size,
        dtype: torch.dtype,
        device: torch.device,
    ) -> Tensor:
        n = shape[0]
        if n <= BLOCK:
            seed = self.folded(self.value, first) & (_MASK >> 1)
            generator = torch.Generator(device=device).manual_seed(seed)
            return draw(shape, generator=generator, dtype=dtype, device=device)
        parts = [
            draw(
                (min(BLOCK, n - start), *shape[1:]),
                generator=self.fold(b).generator(device),
                dtype=dtype,
                device=device,
            )
            for b, start in enumerate(range(0, n, BLOCK), first)
        ]
        return torch.cat(parts)


@dataclass(frozen=True)
class Part:
    """Some particles of a cloud, those from `start` up to `stop`, of which a block begins at `start`."""

    start: int
    stop: int

    def __len__(self) -> int:
        return self.stop - self.start

    @property
    def rows(self) -> slice:
        """Its rows of those of the cloud."""
        return slice(self.start, self.stop)


@dataclass(frozen=True)
class PartKey(Key):
    """The key of a part of a cloud that begins with block `first`: the cloud's own numbers for its particles.

    For what needs `fold`, `normal` and `uniform` only; TypeError for a generator or a permutation, which
    would be those of the whole cloud.
    """

    first: int

    @classmethod
    def of(cls, key: Key, part: Part) -> "PartKey":
        """The key of a part of the cloud that has this key."""
        return cls(key.value, part.start // BLOCK)

    def fold(self, *data: int | str) -> "PartKey":
        return PartKey(super().fold(*data).value, self.first)

    def generator(self, device: torch.device | str = "cpu") -> torch.Generator:
        raise TypeError("a part of a cloud has no generator of its own; draw with normal or uniform")

    def permutation(self, n: int) -> Tensor:
        raise TypeError("a part of a cloud has no permutation of its own; draw with normal or uniform")

    def _blocks(
        self, draw: Callable[..., Tensor], shape: torch.Size, dtype: torch.dtype, device: torch.device
    ) -> Tensor:
        return Key(self.value)._blocks_from(self.first, draw, shape, dtype, device)


def divided(n: int, parts: int) -> list[Part]:
    """n particles in at most so many parts of whole blocks, which differ by one block at most; as many parts
    as there are blocks where these are fewer.

    >>> [len(part) for part in divided(5 * BLOCK + 1, 4)]
    [32768, 32768, 16384, 1]
    """
    blocks = -(-n // BLOCK)
    parts = min(parts, blocks)
    ends = [sum((blocks + parts - 1 - j) // parts for j in range(i)) for i in range(parts + 1)]
    return [Part(a * BLOCK, min(b * BLOCK, n)) for a, b in zip(ends, ends[1:], strict=False)]


def _words_of(number: int) -> list[int]:
    if number < 0:
        raise ValueError(f"Key.fold: numbers must be >= 0; got {number}")
    words = [_mix(number & _MASK)]
    while number := number >> 64:
        words.append(_mix(number & _MASK))
    return words


@lru_cache(maxsize=256)
def _words_of_text(text: str) -> list[int]:
    return _words_of(int.from_bytes(text.encode()[:64].ljust(8, b"\0"), "little"))


def _mix(x: int) -> int:
    """splitmix64's finaliser: a bijection of 64-bit words that changes half the bits for any changed bit."""
    x = (x + 0x9E3779B97F4A7C15) & _MASK
    x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & _MASK
    return x ^ (x >> 31)
