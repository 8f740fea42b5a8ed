"""Functions of two tensors, number by number, with torch's promotion of their dtypes."""

from __future__ import annotations

import builtins
from collections.abc import Callable
from typing import Any

import numpy as np

from barriers.plain.kinds import float32
from barriers.plain.tape import recording
from barriers.plain.tensor import Tensor, plain

_int = builtins.int


def matched(a: Any, b: Any) -> tuple[Any, Any]:
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
        return (x.astype(float32), y) if x.dtype.kind in "biu" and is_fraction(y) else (x, y)
    if isinstance(y, np.ndarray):
        return (x, y.astype(float32)) if y.dtype.kind in "biu" and is_fraction(x) else (x, y)
    return x, y


def _rank(array: np.ndarray) -> _int:
    return "biufc".index(array.dtype.kind) if array.dtype.kind in "biufc" else 0


def is_fraction(number: Any) -> bool:
    return isinstance(number, (builtins.float, np.floating))


def _binary(f: Any, da: Callable[..., Any] | None, db: Callable[..., Any] | None) -> Callable[..., Tensor]:
    """f(a, b); da and db: (g, a, b, result) ↦ the gradient in a and in b."""

    def applied(a: Any, b: Any) -> Tensor:
        x, y = matched(a, b)
        with np.errstate(all="ignore"):
            result = f(x, y)
        if not recording[0] or da is None or db is None:
            return Tensor(result)
        back: list[Any] = []
        if isinstance(a, Tensor) and a.requires_grad:
            back.append((a, lambda g: quiet(da, g, x, y, result)))
        if isinstance(b, Tensor) and b.requires_grad:
            back.append((b, lambda g: quiet(db, g, x, y, result)))
        return Tensor(result, back)

    return applied


def quiet(f: Callable[..., Any], *arguments: Any) -> Any:
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
bitwise_and, bitwise_or = _binary(np.bitwise_and, None, None), _binary(np.bitwise_or, None, None)
bitwise_xor = _binary(np.bitwise_xor, None, None)
