"""The same numbers in other shapes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from barriers.plain.tensor import Tensor, listed, unrecorded


def reshape(x: Tensor, *shape: Any) -> Tensor:
    own = x.array.shape
    return Tensor(x.array.reshape(listed(shape)), [(x, lambda g: g.reshape(own))])


view = reshape


def view_as(x: Tensor, other: Tensor) -> Tensor:
    return x.reshape(other.array.shape)


def flatten(x: Tensor, start: int = 0, end: int = -1) -> Tensor:
    n = x.array.shape
    last = end % max(len(n), 1)
    return x.reshape(*n[:start], -1, *n[last + 1 :]) if x.array.size else _flat_of_none(x, start, last)


def unflatten(x: Tensor, dim: int, sizes: Sequence[int]) -> Tensor:
    n, dim = x.array.shape, dim % x.array.ndim
    return x.reshape(*n[:dim], *sizes, *n[dim + 1 :])


def squeeze(x: Tensor, dim: int | None = None) -> Tensor:
    n = x.array.shape
    if dim is not None and n[dim] != 1:
        return x
    return x.reshape(tuple(k for i, k in enumerate(n) if k != 1 or dim not in (None, i, i - len(n))))


def unsqueeze(x: Tensor, dim: int) -> Tensor:
    return x.reshape(np.expand_dims(x.array, dim).shape)


def expand(x: Tensor, *shape: Any) -> Tensor:
    wanted = listed(shape)
    extra = len(wanted) - x.array.ndim
    sizes = tuple(k if k != -1 else x.array.shape[i - extra] for i, k in enumerate(wanted))
    return Tensor(np.broadcast_to(x.array, sizes), [(x, lambda g: g)])


def expand_as(x: Tensor, other: Tensor) -> Tensor:
    return x.expand(*other.array.shape)


def repeat(x: Tensor, *times: Any) -> Tensor:
    return unrecorded(x, np.tile(x.array, listed(times)))


def t(x: Tensor) -> Tensor:
    return x.permute(*reversed(range(x.array.ndim)))


def transpose(x: Tensor, a: int, b: int) -> Tensor:
    return Tensor(x.array.swapaxes(a, b), [(x, lambda g: g.swapaxes(a, b))])


def permute(x: Tensor, *order: Any) -> Tensor:
    chosen = listed(order)
    return Tensor(x.array.transpose(chosen), [(x, lambda g: g.transpose(np.argsort(chosen)))])


def movedim(x: Tensor, a: int, b: int) -> Tensor:
    return Tensor(np.moveaxis(x.array, a, b), [(x, lambda g: np.moveaxis(g, b, a))])


def unbind(x: Tensor, dim: int = 0) -> tuple[Tensor, ...]:
    index = (slice(None),) * (dim % x.array.ndim)
    return tuple(x[(*index, i)] for i in range(x.array.shape[dim]))


def split(x: Tensor, size: Any, dim: int = 0) -> tuple[Tensor, ...]:
    n, index = x.array.shape[dim], (slice(None),) * (dim % x.array.ndim)
    sizes = [size] * -(-n // size) if isinstance(size, (int, np.integer)) else list(size)
    ends = np.cumsum(np.asarray(sizes, int)).tolist()
    parts = tuple(x[(*index, slice(end - k, min(end, n)))] for k, end in zip(sizes, ends, strict=True))
    return parts or (x,)


def chunk(x: Tensor, parts: int, dim: int = 0) -> tuple[Tensor, ...]:
    return x.split(max(-(-x.array.shape[dim] // parts), 1), dim)


def _flat_of_none(t: Tensor, start: int, last: int) -> Tensor:
    n = t.array.shape
    return t.reshape(*n[:start], int(np.prod(n[start : last + 1])), *n[last + 1 :])


def atleast_1d(x: Tensor) -> Tensor:
    return x.reshape(np.atleast_1d(x.array).shape)


def atleast_2d(x: Tensor) -> Tensor:
    return x.reshape(np.atleast_2d(x.array).shape)
