"""Functions of one tensor, number by number."""

from __future__ import annotations

import builtins
from collections.abc import Callable
from typing import Any

import numpy as np

from barriers.plain.kinds import float32
from barriers.plain.pairs import quiet
from barriers.plain.tape import recording
from barriers.plain.tensor import Tensor

_int = builtins.int


def _unary(
    f: Any, derivative: Callable[[Any, Any], Any] | None, whole: bool = False
) -> Callable[[Tensor], Tensor]:
    """f(x); derivative: (x, result) ↦ f′(x). whole: whether whole numbers remain whole."""

    def applied(x: Tensor) -> Tensor:
        array = x.array
        if derivative is not None and array.dtype.kind in "biu" and not whole:
            array = array.astype(float32)
        with np.errstate(all="ignore"):
            result = f(array)
        if derivative is None or not (recording[0] and x.requires_grad):
            return Tensor(result)
        return Tensor(result, [(x, lambda g: quiet(lambda: g * derivative(array, result)))])

    return applied


def logistic(x: np.ndarray) -> np.ndarray:
    e = np.exp(-np.abs(x))
    return np.where(x >= 0, 1 / (1 + e), e / (1 + e))


abs = _unary(np.abs, lambda x, r: np.sign(x), whole=True)
neg = _unary(np.negative, lambda x, r: -1.0, whole=True)
square = _unary(lambda x: x * x, lambda x, r: 2 * x, whole=True)
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
sigmoid = _unary(logistic, lambda x, r: r * (1 - r))
logit = _unary(lambda x: np.log(x / (1 - x)), lambda x, r: 1 / (x * (1 - x)))
relu = _unary(lambda x: np.maximum(x, 0), lambda x, r: x > 0, whole=True)
sign = _unary(lambda x: np.where(np.isnan(x), 0, np.sign(x)).astype(x.dtype), lambda x, r: 0.0, whole=True)
floor, ceil, round, trunc = (
    _unary(f, lambda x, r: 0.0, whole=True) for f in (np.floor, np.ceil, np.round, np.trunc)
)
isfinite, isnan, isinf = (_unary(f, None) for f in (np.isfinite, np.isnan, np.isinf))
signbit, logical_not = _unary(np.signbit, None), _unary(np.logical_not, None)
bitwise_not = _unary(np.invert, None)


def softplus(x: Tensor, beta: float = 1, threshold: float = 20) -> Tensor:
    """log(1 + e^{βx})/β, and x where βx is above the threshold."""
    z = beta * x.array
    with np.errstate(over="ignore"):
        value = np.where(z > threshold, x.array, np.log1p(np.exp(np.minimum(z, threshold))) / beta)
    slope = np.where(z > threshold, 1, logistic(z))
    return Tensor(value.astype(x.array.dtype), [(x, lambda g: g * slope)])
