"""torch's functions of tensors, over numpy; each also a method of a tensor where torch has it so."""

from __future__ import annotations

import builtins
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from barriers.plain.needs import NeedsTorch, absent
from barriers.plain.tape import recording
from barriers.plain.tensor import Size, Tensor, _unrecorded, bool_, float32, long, made, plain

_int = builtins.int


# Numbers of two tensors.


def _matched(a: Any, b: Any) -> tuple[Any, Any]:
    """Two arguments with torch's promotion: a number, or a tensor without dimensions, does not widen one that
    has some; whole numbers become float32 beside a fraction.
    """
    x, y = plain(a), plain(b)
    if isinstance(x, np.ndarray) and isinstance(y, np.ndarray):
        if x.dtype == y.dtype:
            return x, y
        if (x.ndim == 0) != (y.ndim == 0):
            small, large = (x, y) if x.ndim == 0 else (y, x)
            if _rank(small) <= _rank(large):
                small = small.astype(large.dtype)
                return (small, y) if x.ndim == 0 else (x, small)
        if "f" in (x.dtype.kind, y.dtype.kind):
            kind = x.dtype if y.dtype.kind != "f" else y.dtype if x.dtype.kind != "f" else None
            return (x, y) if kind is None else (x.astype(kind), y.astype(kind))
        return x, y
    if isinstance(x, np.ndarray):
        return (x.astype(float32), y) if x.dtype.kind in "biu" and _fraction(y) else (x, y)
    if isinstance(y, np.ndarray):
        return (x, y.astype(float32)) if y.dtype.kind in "biu" and _fraction(x) else (x, y)
    return x, y


def _rank(array: np.ndarray) -> _int:
    return "biufc".index(array.dtype.kind) if array.dtype.kind in "biufc" else 0


def _fraction(number: Any) -> bool:
    return isinstance(number, (builtins.float, np.floating))


def _binary(f: Any, da: Callable[..., Any] | None, db: Callable[..., Any] | None) -> Callable[..., Tensor]:
    """f(a, b); da and db: (g, a, b, result) ↦ the gradient in a and in b."""

    def applied(a: Any, b: Any) -> Tensor:
        x, y = _matched(a, b)
        with np.errstate(all="ignore"):
            result = f(x, y)
        if not recording[0] or da is None or db is None:
            return Tensor(result)
        back: list[Any] = []
        if isinstance(a, Tensor) and a.requires_grad:
            back.append((a, lambda g: _quiet(da, g, x, y, result)))
        if isinstance(b, Tensor) and b.requires_grad:
            back.append((b, lambda g: _quiet(db, g, x, y, result)))
        return Tensor(result, back)

    return applied


def _quiet(f: Callable[..., Any], *arguments: Any) -> Any:
    with np.errstate(all="ignore"):
        return f(*arguments)


def _divided(x: Any, y: Any) -> Any:
    whole = builtins.all(np.asarray(v).dtype.kind in "biu" for v in (x, y))
    return np.true_divide(np.asarray(x, float32), np.asarray(y, float32)) if whole else np.true_divide(x, y)


def _power(x: Any, y: Any) -> Any:
    """As torch does it: whole numbers up to 3, and halves, by products and roots."""
    if (
        np.ndim(y) == 0
        and not isinstance(y, np.ndarray)
        and isinstance(x, np.ndarray)
        and x.dtype.kind == "f"
    ):
        match builtins.float(y):
            case 2.0:
                return x * x
            case 3.0:
                return x * x * x
            case 0.5:
                return np.sqrt(x)
            case -0.5:
                return 1 / np.sqrt(x)
            case -1.0:
                return 1 / x
            case -2.0:
                return 1 / (x * x)
            case 1.0:
                return x.copy()
    return np.power(x, y)


def _lesser(x: Any, y: Any) -> Any:
    """How much of the gradient of a minimum is in x: half of it at a tie."""
    return np.where(x < y, 1.0, np.where(x == y, 0.5, 0.0))


add = _binary(np.add, lambda g, x, y, r: g, lambda g, x, y, r: g)
sub = _binary(np.subtract, lambda g, x, y, r: g, lambda g, x, y, r: -g)
mul = _binary(np.multiply, lambda g, x, y, r: g * y, lambda g, x, y, r: g * x)
div = _binary(_divided, lambda g, x, y, r: g / y, lambda g, x, y, r: -g * r / y)
pow = _binary(
    _power,
    lambda g, x, y, r: g * np.where(np.asarray(y) == 0, 0.0, y * np.power(x, np.asarray(y, r.dtype) - 1)),
    lambda g, x, y, r: g * np.where(r == 0, 0.0, r * np.log(x)),
)
remainder = _binary(np.remainder, lambda g, x, y, r: g, lambda g, x, y, r: -g * np.floor_divide(x, y))
minimum = _binary(np.minimum, lambda g, x, y, r: g * _lesser(x, y), lambda g, x, y, r: g * _lesser(y, x))
maximum = _binary(np.maximum, lambda g, x, y, r: g * _lesser(y, x), lambda g, x, y, r: g * _lesser(x, y))
hypot = _binary(np.hypot, lambda g, x, y, r: g * x / r, lambda g, x, y, r: g * y / r)
atan2 = _binary(
    np.arctan2, lambda g, x, y, r: g * y / (x * x + y * y), lambda g, x, y, r: -g * x / (x * x + y * y)
)
floor_divide = _binary(np.floor_divide, None, None)
nextafter = _binary(np.nextafter, None, None)
eq, ne = _binary(np.equal, None, None), _binary(np.not_equal, None, None)
lt, le = _binary(np.less, None, None), _binary(np.less_equal, None, None)
gt, ge = _binary(np.greater, None, None), _binary(np.greater_equal, None, None)
logical_and, logical_or = _binary(np.logical_and, None, None), _binary(np.logical_or, None, None)
logical_xor = _binary(np.logical_xor, None, None)


# Numbers of one tensor.


def _unary(f: Any, derivative: Callable[[Any, Any], Any] | None) -> Callable[[Tensor], Tensor]:
    """f(x); derivative: (x, result) ↦ f′(x)."""

    def applied(x: Tensor) -> Tensor:
        array = x.array
        if derivative is not None and array.dtype.kind in "biu" and f not in _WHOLE:
            array = array.astype(float32)
        with np.errstate(all="ignore"):
            result = f(array)
        if derivative is None or not (recording[0] and x.requires_grad):
            return Tensor(result)
        return Tensor(result, [(x, lambda g: _quiet(lambda: g * derivative(array, result)))])

    return applied


def _logistic(x: np.ndarray) -> np.ndarray:
    e = np.exp(-np.abs(x))
    return np.where(x >= 0, 1 / (1 + e), e / (1 + e))


_WHOLE = (np.abs, np.negative, np.sign, np.square)
abs = _unary(np.abs, lambda x, r: np.sign(x))
neg = _unary(np.negative, lambda x, r: -1.0)
square = _unary(lambda x: x * x, lambda x, r: 2 * x)
sqrt = _unary(np.sqrt, lambda x, r: 0.5 / r)
rsqrt = _unary(lambda x: 1 / np.sqrt(x), lambda x, r: -0.5 * r / x)
reciprocal = _unary(lambda x: 1 / x, lambda x, r: -r * r)
exp = _unary(np.exp, lambda x, r: r)
expm1 = _unary(np.expm1, lambda x, r: r + 1)
log = _unary(np.log, lambda x, r: 1 / x)
log1p = _unary(np.log1p, lambda x, r: 1 / (1 + x))
log2 = _unary(np.log2, lambda x, r: 1 / (x * np.log(2)))
log10 = _unary(np.log10, lambda x, r: 1 / (x * np.log(10)))
sin, cos = _unary(np.sin, lambda x, r: np.cos(x)), _unary(np.cos, lambda x, r: -np.sin(x))
tan, atan = _unary(np.tan, lambda x, r: 1 + r * r), _unary(np.arctan, lambda x, r: 1 / (1 + x * x))
acos = _unary(np.arccos, lambda x, r: -1 / np.sqrt(1 - x * x))
asin = _unary(np.arcsin, lambda x, r: 1 / np.sqrt(1 - x * x))
sinh, cosh = _unary(np.sinh, lambda x, r: np.cosh(x)), _unary(np.cosh, lambda x, r: np.sinh(x))
tanh = _unary(np.tanh, lambda x, r: 1 - r * r)
sigmoid = _unary(_logistic, lambda x, r: r * (1 - r))
logit = _unary(lambda x: np.log(x / (1 - x)), lambda x, r: 1 / (x * (1 - x)))
relu = _unary(lambda x: np.maximum(x, 0), lambda x, r: x > 0)
softplus = _unary(lambda x: np.logaddexp(x, 0).astype(x.dtype), lambda x, r: _logistic(x))
sign, floor = _unary(np.sign, lambda x, r: 0.0), _unary(np.floor, lambda x, r: 0.0)
ceil, round, trunc = (_unary(f, lambda x, r: 0.0) for f in (np.ceil, np.round, np.trunc))
isfinite, isnan, isinf = (_unary(f, None) for f in (np.isfinite, np.isnan, np.isinf))
signbit, logical_not = _unary(np.signbit, None), _unary(np.logical_not, None)


def where(condition: Tensor, a: Any = None, b: Any = None) -> Any:
    if a is None:
        return tuple(map(Tensor, np.nonzero(condition.array)))
    x, y = _matched(a, b)
    if not isinstance(x, np.ndarray) and not isinstance(y, np.ndarray):
        kind = float32 if _fraction(x) or _fraction(y) else bool_ if isinstance(x, bool) else long
        x, y = np.asarray(x, kind), np.asarray(y, kind)
    elif not isinstance(x, np.ndarray):
        x = np.asarray(x, y.dtype)
    elif not isinstance(y, np.ndarray):
        y = np.asarray(y, x.dtype)
    c, back = condition.array, []
    if isinstance(a, Tensor):
        back.append((a, lambda g: np.where(c, g, 0)))
    if isinstance(b, Tensor):
        back.append((b, lambda g: np.where(c, 0, g)))
    return Tensor(np.where(c, x, y), back)


def clamp(x: Tensor, min: Any = None, max: Any = None) -> Tensor:
    low, high = plain(min), plain(max)
    low = -np.inf if low is None and x.array.dtype.kind == "f" else low
    high = np.inf if high is None and x.array.dtype.kind == "f" else high
    array = x.array
    result = array if low is None else np.maximum(array, np.asarray(low, array.dtype))
    result = result if high is None else np.minimum(result, np.asarray(high, array.dtype))
    return Tensor(result, [(x, lambda g: np.where(result == array, g, 0))])


def nan_to_num(x: Tensor, nan: Any = 0.0, posinf: Any = None, neginf: Any = None) -> Tensor:
    result = np.nan_to_num(x.array, nan=nan, posinf=posinf, neginf=neginf)
    return Tensor(result, [(x, lambda g: np.where(np.isfinite(x.array), g, 0))])


def frexp(x: Tensor) -> Any:
    return _Frexp(*map(Tensor, np.frexp(x.array)))


class _Frexp(tuple):  # type: ignore[type-arg]
    def __new__(cls, mantissa: Tensor, exponent: Tensor) -> Any:
        return super().__new__(cls, (mantissa, exponent))

    mantissa = property(lambda self: self[0])
    exponent = property(lambda self: self[1])


def ldexp(x: Tensor, exponent: Tensor) -> Tensor:
    return made(np.ldexp, x, exponent, back=[(x, lambda g: np.ldexp(g, exponent.array))])


# Over dimensions.


def _axes(dim: Any) -> Any:
    return tuple(dim) if isinstance(dim, (list, tuple)) else dim


def _spread(g: np.ndarray, shape: Sequence[_int], axis: Any, keepdim: bool) -> np.ndarray:
    """The gradient in a sum, along what was summed again."""
    if axis is not None and not keepdim:
        places = sorted(a % len(shape) for a in (axis if isinstance(axis, tuple) else (axis,)))
        for place in places:
            g = np.expand_dims(g, place)
    return np.broadcast_to(g, shape)


def sum(x: Tensor, dim: Any = None, keepdim: bool = False, dtype: Any = None) -> Tensor:
    array, axis = x.array, _axes(dim)
    kind = dtype or (long if array.dtype.kind in "biu" else array.dtype)
    result = array.sum(axis=axis, keepdims=keepdim and axis is not None, dtype=kind)
    return Tensor(result, [(x, lambda g: _spread(g, array.shape, axis, keepdim))])


def mean(x: Tensor, dim: Any = None, keepdim: bool = False, dtype: Any = None) -> Tensor:
    axis = _axes(dim)
    total = sum(x, axis, keepdim, dtype)
    count = x.array.size // builtins.max(total.array.size, 1) if x.array.size else 0
    return div(total, builtins.float(count)) if count else full_like(total, np.nan)


def prod(x: Tensor, dim: Any = None, keepdim: bool = False) -> Tensor:
    array = x.array
    result = array.prod(axis=dim, keepdims=keepdim and dim is not None)

    def back(g: np.ndarray) -> np.ndarray:
        one = np.ones_like(np.take(array, [0], dim))
        before = np.cumprod(np.concatenate([one, np.delete(array, -1, dim)], dim), dim)
        after = np.flip(
            np.cumprod(np.concatenate([one, np.flip(np.delete(array, 0, dim), dim)], dim), dim), dim
        )
        return _spread(g, array.shape, dim, keepdim) * before * after

    return Tensor(result, [(x, back)] if dim is not None else [])


def _extreme(f: Any) -> Callable[..., Tensor]:
    def applied(x: Tensor, dim: Any = None, keepdim: bool = False) -> Tensor:
        array, axis = x.array, _axes(dim)
        axis = None if axis == () else axis
        result = f(array, axis=axis, keepdims=keepdim and axis is not None)

        def back(g: np.ndarray) -> np.ndarray:
            ties = array == _spread(result, array.shape, axis, keepdim)
            return _spread(g, array.shape, axis, keepdim) * ties / ties.sum(axis=axis, keepdims=True)

        return Tensor(result, [(x, back)])

    return applied


amax, amin = _extreme(np.max), _extreme(np.min)


def aminmax(x: Tensor) -> tuple[Tensor, Tensor]:
    return amin(x), amax(x)


class _Extremes(tuple):  # type: ignore[type-arg]
    def __new__(cls, values: Tensor, indices: Tensor) -> Any:
        return super().__new__(cls, (values, indices))

    values = property(lambda self: self[0])
    indices = property(lambda self: self[1])


def _at_extreme(whole: Callable[..., Tensor], pick: Any, pair: Callable[..., Tensor]) -> Callable[..., Any]:
    def applied(x: Tensor, dim: Any = None, keepdim: bool = False) -> Any:
        if dim is None:
            return whole(x)
        if isinstance(dim, Tensor):
            return pair(x, dim)
        places = pick(x.array, axis=dim, keepdims=True)
        values = gather(x, dim, Tensor(places))
        found = (values, Tensor(places))
        return _Extremes(*(found if keepdim else (v.squeeze(dim) for v in found)))

    return applied


max, min = _at_extreme(amax, np.argmax, maximum), _at_extreme(amin, np.argmin, minimum)


def argmax(x: Tensor, dim: Any = None, keepdim: bool = False) -> Tensor:
    return Tensor(np.argmax(x.array, axis=dim, keepdims=keepdim))


def argmin(x: Tensor, dim: Any = None, keepdim: bool = False) -> Tensor:
    return Tensor(np.argmin(x.array, axis=dim, keepdims=keepdim))


def any(x: Tensor, dim: Any = None, keepdim: bool = False) -> Tensor:
    return Tensor(np.any(x.array, axis=_axes(dim), keepdims=keepdim))


def all(x: Tensor, dim: Any = None, keepdim: bool = False) -> Tensor:
    return Tensor(np.all(x.array, axis=_axes(dim), keepdims=keepdim))


def cumsum(x: Tensor, dim: _int) -> Tensor:
    back = lambda g: np.flip(np.cumsum(np.flip(g, dim), dim), dim)  # noqa: E731
    return Tensor(np.cumsum(x.array, dim), [(x, back)])


def cumprod(x: Tensor, dim: _int) -> Tensor:
    return _unrecorded(x, np.cumprod(x.array, dim))


def logsumexp(x: Tensor, dim: Any, keepdim: bool = False) -> Tensor:
    axis = _axes(dim)
    top = np.max(x.array, axis=axis, keepdims=True)
    top = Tensor(np.where(np.isfinite(top), top, 0))
    total = log(sum(exp(x - top), axis, True)) + top
    return total if keepdim else total.reshape(np.max(x.array, axis=axis).shape)


def softmax(x: Tensor, dim: _int) -> Tensor:
    return exp(x - logsumexp(x, dim, True))


def log_softmax(x: Tensor, dim: _int) -> Tensor:
    return x - logsumexp(x, dim, True)


def norm(x: Tensor, p: Any = 2, dim: Any = None, keepdim: bool = False) -> Tensor:
    if p == np.inf:
        return amax(abs(x), dim, keepdim)
    if p == 1:
        return sum(abs(x), dim, keepdim)
    if p not in (2, "fro"):
        raise NeedsTorch(f"norm of order {p}")
    array, axis = x.array, _axes(dim)
    result = np.sqrt((array * array).sum(axis=axis, keepdims=keepdim and axis is not None))

    def back(g: np.ndarray) -> np.ndarray:
        size = _spread(result, array.shape, axis, keepdim)
        return _spread(g, array.shape, axis, keepdim) * np.where(
            size > 0, array / np.where(size > 0, size, 1), 0
        )

    return Tensor(result, [(x, back)])


def var(
    x: Tensor, dim: Any = None, correction: _int = 1, keepdim: bool = False, unbiased: bool = True
) -> Tensor:
    return _unrecorded(
        x, np.var(x.array, axis=_axes(dim), ddof=correction if unbiased else 0, keepdims=keepdim)
    )


def std(
    x: Tensor, dim: Any = None, correction: _int = 1, keepdim: bool = False, unbiased: bool = True
) -> Tensor:
    return sqrt(var(x, dim, correction, keepdim, unbiased))


def diff(x: Tensor, dim: _int = -1) -> Tensor:
    index = (slice(None),) * (dim % x.array.ndim)
    return x[(*index, slice(1, None))] - x[(*index, slice(None, -1))]


# Parts and orders.


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
    return _unrecorded(x, result)


def flip(x: Tensor, *dims: Any) -> Tensor:
    axes = tuple(dims[0]) if len(dims) == 1 and isinstance(dims[0], (tuple, list)) else dims
    return Tensor(np.flip(x.array, axes), [(x, lambda g: np.flip(g, axes))])


def roll(x: Tensor, shifts: Any, dims: Any = None) -> Tensor:
    back = np.negative(shifts)
    return Tensor(np.roll(x.array, shifts, dims), [(x, lambda g: np.roll(g, back, dims))])


def sort(x: Tensor, dim: _int = -1, descending: bool = False, stable: bool = True) -> Any:
    places = argsort(x, dim, descending)
    return _Extremes(gather(x, dim, places), places)


def argsort(x: Tensor, dim: _int = -1, descending: bool = False, stable: bool = True) -> Tensor:
    return Tensor(np.argsort(-x.array if descending else x.array, axis=dim, kind="stable"))


def nonzero(x: Tensor) -> Tensor:
    return Tensor(np.argwhere(x.array))


def count_nonzero(x: Tensor, dim: Any = None) -> Tensor:
    return Tensor(np.count_nonzero(x.array, axis=dim))


def unique(x: Tensor, return_inverse: bool = False, return_counts: bool = False, dim: Any = None) -> Any:
    found = np.unique(x.array, return_inverse=return_inverse, return_counts=return_counts, axis=dim)
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
    index = lambda i: lambda g: np.take(g, i, axis=dim)  # noqa: E731
    return Tensor(np.stack([t.array for t in parts], dim), [(t, index(i)) for i, t in enumerate(parts)])


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
    if mode != "constant":
        return _unrecorded(x, np.pad(x.array, widths, mode={"replicate": "edge"}.get(mode, mode)))
    inner = tuple(slice(a, a + n) for (a, _), n in zip(widths, x.array.shape, strict=True))
    return Tensor(np.pad(x.array, widths, constant_values=value), [(x, lambda g: g[inner])])


def one_hot(x: Tensor, classes: _int = -1) -> Tensor:
    n = builtins.int(x.array.max()) + 1 if classes == -1 else classes
    return Tensor(np.eye(n, dtype=np.int64)[x.array])


# Products.


def matmul(a: Tensor, b: Tensor) -> Tensor:
    x, y = a.array, b.array
    if x.ndim > 2 and y.ndim == 2 and not x.size:
        return Tensor(np.zeros((*x.shape[:-1], y.shape[1]), x.dtype))

    def in_a(g: np.ndarray) -> np.ndarray:
        if y.ndim == 1:
            return np.multiply.outer(g, y) if x.ndim > 1 else g * y
        return (g[..., None, :] @ y.swapaxes(-1, -2))[..., 0, :] if x.ndim == 1 else g @ y.swapaxes(-1, -2)

    def in_b(g: np.ndarray) -> np.ndarray:
        if y.ndim == 1:
            return (g[..., None] * x).reshape(-1, len(y)).sum(0)
        rows = x.reshape(-1, x.shape[-1]) if y.ndim == 2 else x
        return rows.swapaxes(-1, -2) @ (g.reshape(-1, y.shape[-1]) if y.ndim == 2 else g)

    with np.errstate(all="ignore"):
        return Tensor(x @ y, [(a, in_a), (b, in_b)])


mm = bmm = matmul


def addmm(c: Tensor, a: Tensor, b: Tensor, *, beta: Any = 1, alpha: Any = 1) -> Tensor:
    return c * beta + matmul(a, b) * alpha


def einsum(how: str, *tensors: Tensor) -> Tensor:
    if recording[0] and builtins.any(t.requires_grad for t in tensors):
        terms, _, out = how.partition("->")
        names = terms.split(",")
        if len(names) != len(tensors) or builtins.any(len(set(n)) != len(n) for n in names):
            raise NeedsTorch("a derivative")
        pairs = [(t, _einsum_back(names, out, i, tensors)) for i, t in enumerate(tensors)]
        return Tensor(np.einsum(how, *map(plain, tensors)), pairs)
    return Tensor(np.einsum(how, *map(plain, tensors)))


def _einsum_back(names: list[str], out: str, i: _int, tensors: Sequence[Tensor]) -> Callable[[Any], Any]:
    others = [t.array for j, t in enumerate(tensors) if j != i]
    known = "".join([out, *(n for j, n in enumerate(names) if j != i)])
    if not set(names[i]) <= set(known):
        raise NeedsTorch("a derivative")
    spec = ",".join([out, *(n for j, n in enumerate(names) if j != i)]) + "->" + names[i]
    return lambda g: np.einsum(spec, g, *others)


def outer(a: Tensor, b: Tensor) -> Tensor:
    return a[:, None] * b


def dot(a: Tensor, b: Tensor) -> Tensor:
    return sum(a * b)


def cdist(a: Tensor, b: Tensor, p: builtins.float = 2.0, **how: Any) -> Tensor:
    return norm(a[..., :, None, :] - b[..., None, :, :], 2, -1)


def diagonal(x: Tensor, offset: _int = 0, dim1: _int = 0, dim2: _int = 1) -> Tensor:
    return _unrecorded(x, np.diagonal(x.array, offset, dim1, dim2))


def diag(x: Tensor) -> Tensor:
    return _unrecorded(x, np.diag(x.array))


def diag_embed(x: Tensor) -> Tensor:
    return x[..., :, None] * Tensor(np.eye(x.array.shape[-1], dtype=x.array.dtype))


def triu(x: Tensor, diagonal: _int = 0) -> Tensor:
    return _unrecorded(x, np.triu(x.array, diagonal))


def tril(x: Tensor, diagonal: _int = 0) -> Tensor:
    return _unrecorded(x, np.tril(x.array, diagonal))


# New tensors.


def _sizes(shape: tuple[Any, ...]) -> Any:
    return tuple(shape[0]) if len(shape) == 1 and isinstance(shape[0], (tuple, list)) else shape


def tensor(values: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    found = as_tensor(values, dtype).clone().detach()
    return found.requires_grad_(requires_grad)


def as_tensor(values: Any, dtype: Any = None, device: Any = None) -> Tensor:
    """Numbers as a tensor; of Python's own, fractions are float32 and whole numbers int64."""
    if isinstance(values, Tensor):
        return values.to(dtype) if dtype is not None else values
    if isinstance(values, np.ndarray):
        return Tensor(values if dtype is None else values.astype(dtype))
    try:
        array = np.asarray(_unpacked(values))
    except ValueError as error:
        raise ValueError(f"expected sequences of equal length: {error}") from None
    if array.dtype.kind not in "biuf":
        raise TypeError(f"not a sequence of numbers: {values!r}")
    if dtype is None and array.dtype.kind == "f" and not isinstance(values, np.generic):
        dtype = float32
    with np.errstate(over="ignore"):
        return Tensor(array if dtype is None else array.astype(dtype))


def _unpacked(values: Any) -> Any:
    if isinstance(values, Tensor):
        return values.array
    return [_unpacked(v) for v in values] if isinstance(values, (list, tuple)) else values


def from_numpy(array: np.ndarray) -> Tensor:
    return Tensor(array)


def zeros(*shape: Any, dtype: Any = None, device: Any = None, **how: Any) -> Tensor:
    return Tensor(np.zeros(_sizes(shape), dtype or float32))


def ones(*shape: Any, dtype: Any = None, device: Any = None, **how: Any) -> Tensor:
    return Tensor(np.ones(_sizes(shape), dtype or float32))


def empty(*shape: Any, dtype: Any = None, device: Any = None, **how: Any) -> Tensor:
    return zeros(*shape, dtype=dtype)


def full(shape: Any, value: Any, dtype: Any = None, device: Any = None) -> Tensor:
    kind = dtype or (bool_ if isinstance(value, bool) else long if isinstance(value, _int) else float32)
    return Tensor(np.full(shape, plain(value), kind))


def zeros_like(x: Tensor, dtype: Any = None, **how: Any) -> Tensor:
    return Tensor(np.zeros(x.array.shape, dtype or x.array.dtype))


def ones_like(x: Tensor, dtype: Any = None, **how: Any) -> Tensor:
    return Tensor(np.ones(x.array.shape, dtype or x.array.dtype))


def empty_like(x: Tensor, dtype: Any = None, **how: Any) -> Tensor:
    return zeros_like(x, dtype)


def full_like(x: Tensor, value: Any, dtype: Any = None, **how: Any) -> Tensor:
    return Tensor(np.full(x.array.shape, plain(value), dtype or x.array.dtype))


def eye(n: _int, m: _int | None = None, dtype: Any = None, device: Any = None) -> Tensor:
    return Tensor(np.eye(n, m, dtype=dtype or float32))


def arange(*bounds: Any, dtype: Any = None, device: Any = None) -> Tensor:
    found = np.arange(*map(plain, bounds))
    kind = dtype or (float32 if found.dtype.kind == "f" else long)
    return Tensor(found.astype(kind))


def linspace(start: Any, end: Any, steps: _int, dtype: Any = None, device: Any = None) -> Tensor:
    """Spaced as torch spaces them: from both ends to the middle."""
    kind = np.dtype(dtype or float32)
    if steps < 2:
        return Tensor(np.full(steps, start, kind))
    start, end = kind.type(plain(start)), kind.type(plain(end))
    step, i = (end - start) / kind.type(steps - 1), np.arange(steps)
    there = start + step * i.astype(kind)
    back = end - step * (steps - 1 - i).astype(kind)
    return Tensor(np.where(i < steps // 2, there, back).astype(kind))


def triu_indices(rows: _int, columns: _int, offset: _int = 0, **how: Any) -> Tensor:
    return Tensor(np.stack(np.triu_indices(rows, offset, columns)))


def meshgrid(*tensors: Tensor, indexing: str = "ij") -> tuple[Tensor, ...]:
    return tuple(map(Tensor, np.meshgrid(*(t.array for t in tensors), indexing=indexing)))  # type: ignore[call-overload]


def cartesian_prod(*tensors: Tensor) -> Tensor:
    return stack([t.reshape(-1) for t in meshgrid(*tensors)], 1)


def is_tensor(value: Any) -> bool:
    return isinstance(value, Tensor)


def promote_types(a: Any, b: Any) -> Any:
    return np.promote_types(a, b)


def result_type(a: Any, b: Any) -> Any:
    x, y = _matched(a, b)
    return np.result_type(x, y)


__all__ = ["Size"]


def __getattr__(name: str) -> Any:
    return absent(name)
