"""New tensors."""

from __future__ import annotations

import builtins
from typing import Any

import numpy as np

from barriers.plain.arranging import stack
from barriers.plain.kinds import bool_, float32, long
from barriers.plain.pairs import matched
from barriers.plain.tensor import Tensor, listed, plain

_int = builtins.int


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
    return Tensor(np.zeros(listed(shape), dtype or float32))


def ones(*shape: Any, dtype: Any = None, device: Any = None, **how: Any) -> Tensor:
    return Tensor(np.ones(listed(shape), dtype or float32))


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
    of: Any = np.meshgrid
    return tuple(map(Tensor, of(*(t.array for t in tensors), indexing=indexing)))


def cartesian_prod(*tensors: Tensor) -> Tensor:
    return stack([t.reshape(-1) for t in meshgrid(*tensors)], 1)


def is_tensor(value: Any) -> bool:
    return isinstance(value, Tensor)


def promote_types(a: Any, b: Any) -> Any:
    return np.promote_types(a, b)


def result_type(a: Any, b: Any) -> Any:
    x, y = matched(a, b)
    return np.result_type(x, y)
