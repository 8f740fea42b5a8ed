"""Sums, products, extremes and norms over dimensions."""

from __future__ import annotations

import builtins
from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any

import numpy as np

from barriers.plain.arranging import gather
from barriers.plain.choosing import Extremes
from barriers.plain.elementwise import abs, exp, log, sqrt
from barriers.plain.kinds import long
from barriers.plain.making import full_like
from barriers.plain.needs import absent, needing
from barriers.plain.pairs import div, maximum, minimum
from barriers.plain.tensor import Tensor, plain, unrecorded

_int = builtins.int


def quietly(f: Callable[..., Any]) -> Callable[..., Any]:
    """Without warnings: what overflows is infinite, and what has no value is NaN."""

    @wraps(f)
    def quiet(*given: Any, **named: Any) -> Any:
        with np.errstate(all="ignore"):
            return f(*given, **named)

    return quiet


def axes_of(dim: Any) -> Any:
    return tuple(dim) if isinstance(dim, (list, tuple)) else dim


def spread(g: Any, shape: Sequence[_int], axis: Any, keepdim: bool) -> np.ndarray:
    """The gradient in a sum, along what was summed again."""
    if axis is not None and not keepdim:
        places = sorted(a % len(shape) for a in (axis if isinstance(axis, tuple) else (axis,)))
        for place in places:
            g = np.expand_dims(g, place)
    return np.broadcast_to(g, shape)


@quietly
def sum(x: Tensor, dim: Any = None, keepdim: bool = False, dtype: Any = None) -> Tensor:
    array, axis = x.array, axes_of(dim)
    kind = dtype or (long if array.dtype.kind in "biu" else array.dtype)
    result = array.sum(axis=axis, keepdims=keepdim and axis is not None, dtype=kind)
    return Tensor(result, [(x, lambda g: spread(g, array.shape, axis, keepdim))])


def mean(x: Tensor, dim: Any = None, keepdim: bool = False, dtype: Any = None) -> Tensor:
    axis = axes_of(dim)
    total = sum(x, axis, keepdim, dtype)
    count = x.array.size // builtins.max(total.array.size, 1) if x.array.size else 0
    return div(total, builtins.float(count)) if count else full_like(total, np.nan)


@quietly
def prod(x: Tensor, dim: Any = None, keepdim: bool = False) -> Tensor:
    array = x.array
    result = array.prod(axis=dim, keepdims=keepdim and dim is not None)

    def back(g: np.ndarray) -> np.ndarray:
        one = np.ones_like(np.take(array, [0], dim))
        before = np.cumprod(np.concatenate([one, np.delete(array, -1, dim)], dim), dim)
        after = np.flip(
            np.cumprod(np.concatenate([one, np.flip(np.delete(array, 0, dim), dim)], dim), dim), dim
        )
        return spread(g, array.shape, dim, keepdim) * before * after

    return Tensor(result, [(x, back)]) if dim is not None else unrecorded(x, result)


def _extreme(f: Any) -> Callable[..., Tensor]:
    def applied(x: Tensor, dim: Any = None, keepdim: bool = False) -> Tensor:
        array, axis = x.array, axes_of(dim)
        axis = None if axis == () else axis
        result = f(array, axis=axis, keepdims=keepdim and axis is not None)

        def back(g: np.ndarray) -> np.ndarray:
            ties = array == spread(result, array.shape, axis, keepdim)
            return spread(g, array.shape, axis, keepdim) * ties / ties.sum(axis=axis, keepdims=True)

        return Tensor(result, [(x, back)])

    return applied


amax, amin = _extreme(np.max), _extreme(np.min)


def aminmax(x: Tensor) -> tuple[Tensor, Tensor]:
    return amin(x), amax(x)


def _at_extreme(whole: Callable[..., Tensor], pick: Any, pair: Callable[..., Tensor]) -> Callable[..., Any]:
    def applied(x: Tensor, dim: Any = None, keepdim: bool = False) -> Any:
        if dim is None:
            return whole(x)
        if isinstance(dim, Tensor):
            return pair(x, dim)
        places = pick(x.array, axis=dim, keepdims=True)
        values = gather(x, dim, Tensor(places))
        found = (values, Tensor(places))
        return Extremes(*(found if keepdim else (v.squeeze(dim) for v in found)))

    return applied


max, min = _at_extreme(amax, np.argmax, maximum), _at_extreme(amin, np.argmin, minimum)


def argmax(x: Tensor, dim: Any = None, keepdim: bool = False) -> Tensor:
    return Tensor(np.argmax(x.array, axis=dim, keepdims=keepdim))


def argmin(x: Tensor, dim: Any = None, keepdim: bool = False) -> Tensor:
    return Tensor(np.argmin(x.array, axis=dim, keepdims=keepdim))


def any(x: Tensor, dim: Any = None, keepdim: bool = False) -> Tensor:
    return Tensor(np.any(x.array, axis=axes_of(dim), keepdims=keepdim))


def all(x: Tensor, dim: Any = None, keepdim: bool = False) -> Tensor:
    return Tensor(np.all(x.array, axis=axes_of(dim), keepdims=keepdim))


@quietly
def cumsum(x: Tensor, dim: _int) -> Tensor:
    return Tensor(np.cumsum(x.array, dim), [(x, lambda g: np.flip(np.cumsum(np.flip(g, dim), dim), dim))])


def cumprod(x: Tensor, dim: _int) -> Tensor:
    return unrecorded(x, np.cumprod(x.array, dim))


def cummax(x: Tensor, dim: _int) -> Extremes:
    """The largest number so far; not where it is."""
    nowhere: Any = absent("cummax(...).indices")
    return Extremes(unrecorded(x, np.maximum.accumulate(x.array, dim)), nowhere)


def logsumexp(x: Tensor, dim: Any, keepdim: bool = False) -> Tensor:
    axis = axes_of(dim)
    top = np.max(x.array, axis=axis, keepdims=True)
    top = Tensor(np.where(np.isfinite(top), top, 0))
    total = log(sum(exp(x - top), axis, True)) + top
    return total if keepdim else total.reshape(np.max(x.array, axis=axis).shape)


def softmax(x: Tensor, dim: _int) -> Tensor:
    return exp(x - logsumexp(x, dim, True))


def log_softmax(x: Tensor, dim: _int) -> Tensor:
    return x - logsumexp(x, dim, True)


@quietly
def norm(x: Tensor, p: Any = 2, dim: Any = None, keepdim: bool = False) -> Tensor:
    if p == np.inf:
        return amax(abs(x), dim, keepdim)
    if p == 1:
        return sum(abs(x), dim, keepdim)
    if p not in (2, "fro"):
        raise needing(f"norm of order {p}")
    array, axis = x.array, axes_of(dim)
    result = np.sqrt((array * array).sum(axis=axis, keepdims=keepdim and axis is not None))

    def back(g: np.ndarray) -> np.ndarray:
        size = spread(result, array.shape, axis, keepdim)
        return spread(g, array.shape, axis, keepdim) * np.where(
            size > 0, array / np.where(size > 0, size, 1), 0
        )

    return Tensor(result, [(x, back)])


@quietly
def var(
    x: Tensor, dim: Any = None, correction: _int = 1, keepdim: bool = False, unbiased: bool = True
) -> Tensor:
    return unrecorded(
        x, np.var(x.array, axis=axes_of(dim), ddof=correction if unbiased else 0, keepdims=keepdim)
    )


def std(
    x: Tensor, dim: Any = None, correction: _int = 1, keepdim: bool = False, unbiased: bool = True
) -> Tensor:
    return sqrt(var(x, dim, correction, keepdim, unbiased))


def diff(x: Tensor, dim: _int = -1) -> Tensor:
    index = (slice(None),) * (dim % x.array.ndim)
    return x[(*index, slice(1, None))] - x[(*index, slice(None, -1))]


def median(x: Tensor, dim: Any = None, keepdim: bool = False) -> Any:
    """The lower of the two in the middle."""
    if dim is not None and np.isnan(x.array).any():
        raise needing("a median of NaN")
    if dim is None:
        flat = np.sort(x.array, axis=None)
        middle = -1 if np.isnan(flat[-1:]).any() else (len(flat) - 1) // 2
        return unrecorded(x, np.asarray(flat[middle]))
    places = np.take(np.argsort(x.array, axis=dim, kind="stable"), [(x.array.shape[dim] - 1) // 2], axis=dim)
    found = (gather(x, dim, Tensor(places)), Tensor(places))
    return Extremes(*(found if keepdim else (v.squeeze(dim) for v in found)))


@quietly
def quantile(x: Tensor, q: Any, dim: Any = None, keepdim: bool = False) -> Tensor:
    return unrecorded(x, np.quantile(x.array, plain(q), axis=dim, keepdims=keepdim))


@quietly
def corrcoef(x: Tensor) -> Tensor:
    return unrecorded(x, np.corrcoef(x.array))


@quietly
def cov(x: Tensor, *, correction: int = 1) -> Tensor:
    return unrecorded(x, np.cov(x.array, ddof=correction))
