"""Parts of tensors, their order, and tensors put together."""

from __future__ import annotations

import builtins
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from barriers.plain.choosing import Extremes, where
from barriers.plain.needs import needing
from barriers.plain.tensor import Tensor, plain, unrecorded

_int = builtins.int


def gather(x: Tensor, dim: _int, index: Tensor) -> Tensor:
    places, shape = index.array, x.array.shape

    def back(g: np.ndarray) -> np.ndarray:
        whole = np.zeros(shape, g.dtype)
        where_ = list(np.ogrid[tuple(slice(k) for k in places.shape)])
        where_[dim] = places
        np.add.at(whole, tuple(where_), g)
        return whole

    return Tensor(np.take_along_axis(x.array, places, dim), [(x, back)])


def index_select(x: Tensor, dim: _int, index: Tensor) -> Tensor:
    return x[(*(slice(None),) * (dim % x.array.ndim), index)]


def index_copy(x: Tensor, dim: _int, index: Tensor, source: Tensor) -> Tensor:
    result = x.clone()
    result[(*(slice(None),) * (dim % x.array.ndim), index)] = source
    return result


def masked_fill(x: Tensor, mask: Tensor, value: Any) -> Tensor:
    return where(mask, value, x)


def masked_scatter(x: Tensor, mask: Tensor, source: Tensor) -> Tensor:
    result = np.array(x.array)
    mask_ = np.broadcast_to(mask.array, result.shape)
    result[mask_] = source.array.reshape(-1)[: builtins.int(mask_.sum())]
    return unrecorded(x, result)


def flip(x: Tensor, *dims: Any) -> Tensor:
    axes = tuple(dims[0]) if len(dims) == 1 and isinstance(dims[0], (tuple, list)) else dims
    return Tensor(np.flip(x.array, axes), [(x, lambda g: np.flip(g, axes))])


def roll(x: Tensor, shifts: Any, dims: Any = None) -> Tensor:
    back = np.negative(shifts)
    return Tensor(np.roll(x.array, shifts, dims), [(x, lambda g: np.roll(g, back, dims))])


def sort(x: Tensor, dim: _int = -1, descending: bool = False, stable: bool = True) -> Any:
    places = argsort(x, dim, descending)
    return Extremes(gather(x, dim, places), places)


def argsort(x: Tensor, dim: _int = -1, descending: bool = False, stable: bool = True) -> Tensor:
    if not descending:
        return Tensor(np.argsort(x.array, axis=dim, kind="stable"))
    backwards = np.argsort(np.flip(x.array, dim), axis=dim, kind="stable")  # NaN first
    return Tensor(x.array.shape[dim] - 1 - np.flip(backwards, dim))


def nonzero(x: Tensor) -> Tensor:
    return Tensor(np.argwhere(x.array))


def count_nonzero(x: Tensor, dim: Any = None) -> Tensor:
    return Tensor(np.count_nonzero(x.array, axis=dim))


def unique(x: Tensor, return_inverse: bool = False, return_counts: bool = False, dim: Any = None) -> Any:
    of: Any = np.unique
    found = of(x.array, return_inverse=return_inverse, return_counts=return_counts, axis=dim, equal_nan=False)
    return tuple(map(Tensor, found)) if isinstance(found, tuple) else Tensor(found)


def searchsorted(sorted_: Tensor, values: Any, right: bool = False) -> Tensor:
    return Tensor(np.searchsorted(sorted_.array, plain(values), side="right" if right else "left"))


def isin(x: Tensor, among: Any) -> Tensor:
    return Tensor(np.isin(x.array, plain(among)))


def bincount(x: Tensor, weights: Tensor | None = None, minlength: _int = 0) -> Tensor:
    return Tensor(np.bincount(x.array, plain(weights), minlength))


def equal(a: Tensor, b: Tensor) -> bool:
    return a.array.shape == b.array.shape and builtins.bool((a.array == b.array).all())


def allclose(a: Tensor, b: Tensor, rtol: builtins.float = 1e-5, atol: builtins.float = 1e-8) -> bool:
    return builtins.bool(np.allclose(a.array, b.array, rtol=rtol, atol=atol))


def stack(tensors: Sequence[Tensor], dim: _int = 0) -> Tensor:
    parts = list(tensors)

    def back(i: int) -> Callable[[np.ndarray], np.ndarray]:
        return lambda g: np.take(g, i, axis=dim)

    return Tensor(np.stack([t.array for t in parts], dim), [(t, back(i)) for i, t in enumerate(parts)])


def cat(tensors: Sequence[Tensor], dim: _int = 0) -> Tensor:
    parts = list(tensors)
    ends = np.cumsum([0, *(t.array.shape[dim] for t in parts)]).tolist()

    def back(start: _int, end: _int) -> Callable[[np.ndarray], np.ndarray]:
        return lambda g: np.take(g, range(start, end), axis=dim)

    pairs = [(t, back(a, b)) for t, a, b in zip(parts, ends[:-1], ends[1:], strict=True)]
    return Tensor(np.concatenate([t.array for t in parts], dim), pairs)


def broadcast_tensors(*tensors: Tensor) -> tuple[Tensor, ...]:
    shape = np.broadcast_shapes(*(t.array.shape for t in tensors))
    return tuple(t.expand(*shape) for t in tensors)


def broadcast_to(x: Tensor, shape: Sequence[_int]) -> Tensor:
    return x.expand(*shape)


def pad(x: Tensor, sizes: Sequence[_int], mode: str = "constant", value: Any = 0.0) -> Tensor:
    pairs = list(zip(sizes[::2], sizes[1::2], strict=True))
    widths = [(0, 0)] * (x.array.ndim - len(pairs)) + pairs[::-1]
    if mode not in ("constant", "replicate"):
        raise needing(f"pad by {mode}")
    if mode == "replicate":
        return unrecorded(x, np.pad(x.array, widths, mode="edge"))
    inner = tuple(slice(a, a + n) for (a, _), n in zip(widths, x.array.shape, strict=True))
    return Tensor(np.pad(x.array, widths, constant_values=value), [(x, lambda g: g[inner])])


def one_hot(x: Tensor, classes: _int = -1) -> Tensor:
    n = builtins.int(x.array.max()) + 1 if classes == -1 else classes
    return Tensor(np.eye(n, dtype=np.int64)[x.array])
