"""A numpy array with torch's methods."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from barriers.plain.needs import NeedsTorch
from barriers.plain.tape import Back, recording

bool_, long, int32, float32, float64 = map(np.dtype, ("bool", "int64", "int32", "float32", "float64"))
_DEFAULT = float32


class Device(str):
    """Where a tensor is: the processor."""

    type = "cpu"
    index = None


CPU = Device("cpu")


class Tensor:
    """An array; `back`: what it was made from, where a derivative may be asked for."""

    __slots__ = ("__weakref__", "array", "back", "requires_grad")
    __array_priority__ = 1000

    def __init__(self, array: Any, back: Sequence[Back] = ()):
        self.array = np.asarray(array)
        self.back = [pair for pair in back if pair[0].requires_grad] if recording[0] else []
        self.requires_grad = bool(self.back)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        raise NeedsTorch(f"Tensor.{name}")

    # What it is.

    @property
    def shape(self) -> Size:
        return Size(self.array.shape)

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.array.dtype

    @property
    def device(self) -> Device:
        return CPU

    @property
    def ndim(self) -> int:
        return self.array.ndim

    @property
    def T(self) -> Tensor:  # noqa: N802
        return self.t()

    @property
    def mT(self) -> Tensor:  # noqa: N802
        return self.transpose(-2, -1)

    @property
    def is_cuda(self) -> bool:
        return False

    @property
    def layout(self) -> str:
        return "strided"

    @property
    def grad_fn(self) -> object | None:
        return self.back or None

    @property
    def is_leaf(self) -> bool:
        return not self.back

    @property
    def data(self) -> Tensor:
        return Tensor(self.array)

    def dim(self) -> int:
        return self.array.ndim

    def numel(self) -> int:
        return self.array.size

    def size(self, dim: int | None = None) -> Any:
        return self.shape if dim is None else self.array.shape[dim]

    def is_floating_point(self) -> bool:
        return self.array.dtype.kind == "f"

    def is_complex(self) -> bool:
        return self.array.dtype.kind == "c"

    def element_size(self) -> int:
        return self.array.itemsize

    def __len__(self) -> int:
        return len(self.array)

    def __bool__(self) -> bool:
        return bool(self.array)

    def __float__(self) -> float:
        return float(self.array)

    def __int__(self) -> int:
        return int(self.array)

    def __index__(self) -> int:
        return self.array.__index__()

    def __hash__(self) -> int:
        return id(self)

    def __repr__(self) -> str:
        return f"tensor({np.array2string(self.array, separator=', ')})"

    def __format__(self, form: str) -> str:
        return format(self.item() if self.array.ndim == 0 else str(self), form)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.asarray(self.array, dtype=dtype)

    def __iter__(self) -> Iterator[Tensor]:
        return (self[i] for i in range(len(self.array)))

    def item(self) -> Any:
        return self.array.item()

    def tolist(self) -> Any:
        return self.array.tolist()

    def numpy(self) -> np.ndarray:
        return self.array

    # The same numbers, elsewhere or otherwise.

    def cpu(self) -> Tensor:
        return self

    def contiguous(self) -> Tensor:
        return self if self.array.flags.c_contiguous else _same(self, np.ascontiguousarray(self.array))

    def is_contiguous(self) -> bool:
        return self.array.flags.c_contiguous

    def clone(self) -> Tensor:
        return _same(self, self.array.copy())

    def detach(self) -> Tensor:
        return Tensor(self.array)

    def requires_grad_(self, wanted: bool = True) -> Tensor:
        self.requires_grad = wanted
        return self

    def to(self, target: Any = None, *, dtype: Any = None, device: Any = None, **how: Any) -> Tensor:
        """In another dtype; a device is the one there is."""
        if isinstance(target, Tensor):
            dtype = target.dtype
        elif isinstance(target, np.dtype):
            dtype = target
        for place in (target, device):
            if isinstance(place, str) and not str(place).startswith("cpu"):
                raise NeedsTorch(f"device {place}")
        return self if dtype is None or dtype == self.array.dtype else self.type(dtype)

    def type(self, dtype: np.dtype[Any]) -> Tensor:
        own = self.array.dtype
        with np.errstate(over="ignore", invalid="ignore"):
            changed = self.array.astype(dtype)
        return Tensor(changed, [(self, lambda g: g.astype(own))] if changed.dtype.kind == "f" else ())

    def double(self) -> Tensor:
        return self.to(float64)

    def float(self) -> Tensor:
        return self.to(float32)

    def long(self) -> Tensor:
        return self.to(long)

    def int(self) -> Tensor:
        return self.to(int32)

    def bool(self) -> Tensor:
        return self.to(bool_)

    def cuda(self) -> Tensor:
        raise NeedsTorch("cuda")

    # Shapes.

    def reshape(self, *shape: Any) -> Tensor:
        own = self.array.shape
        return Tensor(self.array.reshape(_listed(shape)), [(self, lambda g: g.reshape(own))])

    view = reshape

    def view_as(self, other: Tensor) -> Tensor:
        return self.reshape(other.array.shape)

    def flatten(self, start: builtins_int = 0, end: builtins_int = -1) -> Tensor:
        n = self.array.shape
        last = end % max(len(n), 1)
        return (
            self.reshape(*n[:start], -1, *n[last + 1 :])
            if self.array.size
            else _flat_of_none(self, start, last)
        )

    def unflatten(self, dim: builtins_int, sizes: Sequence[builtins_int]) -> Tensor:
        n, dim = self.array.shape, dim % self.array.ndim
        return self.reshape(*n[:dim], *sizes, *n[dim + 1 :])

    def squeeze(self, dim: builtins_int | None = None) -> Tensor:
        n = self.array.shape
        if dim is not None and n[dim] != 1:
            return self
        return self.reshape(tuple(k for i, k in enumerate(n) if k != 1 or dim not in (None, i, i - len(n))))

    def unsqueeze(self, dim: builtins_int) -> Tensor:
        return self.reshape(np.expand_dims(self.array, dim).shape)

    def expand(self, *shape: Any) -> Tensor:
        wanted = _listed(shape)
        extra = len(wanted) - self.array.ndim
        sizes = tuple(k if k != -1 else self.array.shape[i - extra] for i, k in enumerate(wanted))
        return Tensor(np.broadcast_to(self.array, sizes), [(self, lambda g: g)])

    def expand_as(self, other: Tensor) -> Tensor:
        return self.expand(*other.array.shape)

    def repeat(self, *times: Any) -> Tensor:
        return _unrecorded(self, np.tile(self.array, _listed(times)))

    def t(self) -> Tensor:
        return self.permute(*reversed(range(self.array.ndim)))

    def transpose(self, a: builtins_int, b: builtins_int) -> Tensor:
        return Tensor(self.array.swapaxes(a, b), [(self, lambda g: g.swapaxes(a, b))])

    def permute(self, *order: Any) -> Tensor:
        chosen = _listed(order)
        return Tensor(self.array.transpose(chosen), [(self, lambda g: g.transpose(np.argsort(chosen)))])

    def movedim(self, a: builtins_int, b: builtins_int) -> Tensor:
        return Tensor(np.moveaxis(self.array, a, b), [(self, lambda g: np.moveaxis(g, b, a))])

    def unbind(self, dim: builtins_int = 0) -> tuple[Tensor, ...]:
        index = (slice(None),) * (dim % self.array.ndim)
        return tuple(self[(*index, i)] for i in range(self.array.shape[dim]))

    def split(self, size: Any, dim: builtins_int = 0) -> tuple[Tensor, ...]:
        n, index = self.array.shape[dim], (slice(None),) * (dim % self.array.ndim)
        sizes = [size] * -(-n // size) if isinstance(size, int_types) else list(size)
        ends = np.cumsum(sizes).tolist()
        parts = tuple(self[(*index, slice(end - k, min(end, n)))] for k, end in zip(sizes, ends, strict=True))
        return parts or (self,)

    def chunk(self, parts: builtins_int, dim: builtins_int = 0) -> tuple[Tensor, ...]:
        return self.split(max(-(-self.array.shape[dim] // parts), 1), dim)

    # Parts.

    def __getitem__(self, index: Any) -> Tensor:
        chosen = _plain_index(index)
        shape, dtype = self.array.shape, self.array.dtype

        def back(g: np.ndarray) -> np.ndarray:
            whole = np.zeros(shape, g.dtype if g.dtype.kind == "f" else dtype)
            np.add.at(whole, chosen, g)
            return whole

        return Tensor(self.array[chosen], [(self, back)])

    def __setitem__(self, index: Any, value: Any) -> None:
        chosen = _plain_index(index)
        if not self.array.flags.writeable:
            self.array = self.array.copy()
        if recording[0] and (self.requires_grad or (isinstance(value, Tensor) and value.requires_grad)):
            self._replaced(chosen, value)
        else:
            self.array[chosen] = value.array if isinstance(value, Tensor) else value

    def _replaced(self, chosen: Any, value: Any) -> None:
        before = Tensor.__new__(Tensor)
        before.array, before.back, before.requires_grad = self.array, self.back, self.requires_grad
        self.array = self.array.copy()
        self.array[chosen] = value.array if isinstance(value, Tensor) else value

        def others(g: np.ndarray) -> np.ndarray:
            g = g.copy()
            g[chosen] = 0
            return g

        back: list[Back] = [(before, others)]
        if isinstance(value, Tensor):
            back.append((value, lambda g: g[chosen]))
        self.back = [pair for pair in back if pair[0].requires_grad]
        self.requires_grad = bool(self.back)

    # New ones like it.

    def new_zeros(self, *shape: Any, **how: Any) -> Tensor:
        return Tensor(np.zeros(_listed(shape), how.get("dtype", self.array.dtype)))

    def new_ones(self, *shape: Any, **how: Any) -> Tensor:
        return Tensor(np.ones(_listed(shape), how.get("dtype", self.array.dtype)))

    def new_empty(self, *shape: Any, **how: Any) -> Tensor:
        return self.new_zeros(*shape, **how)

    def new_full(self, shape: Any, value: Any, **how: Any) -> Tensor:
        return Tensor(np.full(shape, value, how.get("dtype", self.array.dtype)))

    def new_tensor(self, values: Any, **how: Any) -> Tensor:
        return Tensor(np.array(values, how.get("dtype", self.array.dtype)))


class Size(tuple):  # type: ignore[type-arg]
    """A shape."""

    def numel(self) -> builtins_int:
        return int(np.prod(self, dtype=np.int64))


builtins_int = int
int_types = (int, np.integer)


def plain(value: Any) -> Any:
    """The array of a tensor; anything else as it is."""
    return value.array if isinstance(value, Tensor) else value


def made(f: Callable[..., Any], *arguments: Any, back: Sequence[Back] = (), **how: Any) -> Tensor:
    """f of the arrays, without warnings: what has no value is NaN."""
    with np.errstate(all="ignore"):
        return Tensor(f(*map(plain, arguments), **how), back)


def _same(source: Tensor, array: np.ndarray) -> Tensor:
    return Tensor(array, [(source, lambda g: g)])


def _unrecorded(source: Tensor, array: np.ndarray) -> Tensor:
    """A result whose derivative is not written here."""
    if recording[0] and source.requires_grad:
        raise NeedsTorch("a derivative")
    return Tensor(array)


def _listed(sizes: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(map(int, sizes[0])) if len(sizes) == 1 and isinstance(sizes[0], (tuple, list)) else sizes


def _flat_of_none(t: Tensor, start: int, last: int) -> Tensor:
    n = t.array.shape
    return t.reshape(*n[:start], int(np.prod(n[start : last + 1])), *n[last + 1 :])


def _plain_index(index: Any) -> Any:
    if isinstance(index, tuple):
        return tuple(np.asarray(i) if isinstance(i, list) else plain(i) for i in index)
    return np.asarray(index) if isinstance(index, list) else plain(index)
