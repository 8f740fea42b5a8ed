"""Numbers chosen, bounded or taken apart."""

from __future__ import annotations

import builtins
from typing import Any, NamedTuple

import numpy as np

from barriers.plain.kinds import bool_, float32, long
from barriers.plain.pairs import is_fraction, matched
from barriers.plain.tensor import Tensor, made, plain

_int = builtins.int


def where(condition: Tensor, a: Any = None, b: Any = None) -> Any:
    if a is None:
        return tuple(map(Tensor, np.nonzero(condition.array)))
    x, y = matched(a, b)
    if not isinstance(x, np.ndarray) and not isinstance(y, np.ndarray):
        kind = float32 if is_fraction(x) or is_fraction(y) else bool_ if isinstance(x, bool) else long
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
    if x.array.dtype.kind in "biu" and (is_fraction(low) or is_fraction(high)):
        x = x.to(float32)
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
    return Parts(*map(Tensor, np.frexp(x.array)))


class Parts(NamedTuple):
    """Numbers in [½, 1), up to their sign, and powers of two."""

    mantissa: Tensor
    exponent: Tensor


def ldexp(x: Tensor, exponent: Tensor) -> Tensor:
    return made(np.ldexp, x, exponent, back=[(x, lambda g: np.ldexp(g, exponent.array))])


class Extremes(NamedTuple):
    """Numbers, and the places where they were."""

    values: Tensor
    indices: Tensor
