"""A numpy array with torch's methods."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from barriers.plain.kinds import CPU, Device, Size, bool_, float32, float64, int32, long
from barriers.plain.needs import needing
from barriers.plain.tape import Back, Node, recording


class Tensor:
    """An array; `node`: what it was made from, where a derivative may be asked for."""

    __slots__ = ("__weakref__", "array", "node")
    __array_priority__ = 1000

    def __init__(self, array: Any, back: Sequence[Back] = ()):
        self.array = np.asarray(array)
        self.node = _node(self.array, back)

    if TYPE_CHECKING:  # see `methods`

        def __add__(self, other: Any) -> Tensor: ...
        def __radd__(self, other: Any) -> Tensor: ...
        def __sub__(self, other: Any) -> Tensor: ...
        def __rsub__(self, other: Any) -> Tensor: ...
        def __mul__(self, other: Any) -> Tensor: ...
        def __rmul__(self, other: Any) -> Tensor: ...
        def __neg__(self) -> Tensor: ...
        def __abs__(self) -> Tensor: ...
        def __invert__(self) -> Tensor: ...

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        raise needing(f"Tensor.{name}")

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
    def is_cuda(self) -> bool:
        return False

    @property
    def layout(self) -> str:
        return "strided"

    @property
    def requires_grad(self) -> bool:
        return self.node is not None

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
        return bool(self._only())

    def __float__(self) -> float:
        if self.array.size != 1:
            raise ValueError("only one element tensors can be converted to Python scalars")
        return float(self._only())

    def __int__(self) -> int:
        return int(self._only())

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
        return self._only()

    def _only(self) -> Any:
        if self.array.size != 1:
            raise RuntimeError(f"a Tensor with {self.array.size} elements cannot be converted to Scalar")
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
        self.node = (self.node or Node(self.array.shape)) if wanted else None
        return self

    def to(self, target: Any = None, *, dtype: Any = None, device: Any = None, **how: Any) -> Tensor:
        """In another dtype; a device is the one there is."""
        if isinstance(target, Tensor):
            dtype = target.dtype
        elif isinstance(target, np.dtype):
            dtype = target
        for place in (target, device):
            if isinstance(place, str) and not str(place).startswith("cpu"):
                raise needing(f"device {place}")
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
        raise needing("cuda")

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
            self.array[chosen] = plain(value)

    def _replaced(self, chosen: Any, value: Any) -> None:
        before = Tensor.__new__(Tensor)
        before.array, before.node = self.array, self.node
        self.array = self.array.copy()
        self.array[chosen] = plain(value)

        def others(g: np.ndarray) -> np.ndarray:
            g = g.copy()
            g[chosen] = 0
            return g

        back: list[Back] = [(before, others)]
        if isinstance(value, Tensor):
            back.append((value, lambda g: g[chosen]))
        self.node = _node(self.array, back)

    # New ones like it.

    def new_zeros(self, *shape: Any, **how: Any) -> Tensor:
        return Tensor(np.zeros(listed(shape), how.get("dtype", self.array.dtype)))

    def new_ones(self, *shape: Any, **how: Any) -> Tensor:
        return Tensor(np.ones(listed(shape), how.get("dtype", self.array.dtype)))

    def new_empty(self, *shape: Any, **how: Any) -> Tensor:
        return self.new_zeros(*shape, **how)

    def new_full(self, shape: Any, value: Any, **how: Any) -> Tensor:
        return Tensor(np.full(shape, value, how.get("dtype", self.array.dtype)))

    def new_tensor(self, values: Any, **how: Any) -> Tensor:
        return Tensor(np.array(values, how.get("dtype", self.array.dtype)))


def _node(array: np.ndarray, back: Sequence[Back]) -> Node | None:
    """What a result is made from, of the tensors that have a node; None where nothing is recorded."""
    if not recording[0]:
        return None
    pairs = [(tensor.node, pull) for tensor, pull in back if tensor.node is not None]
    return Node(array.shape, pairs) if pairs else None


def plain(value: Any) -> Any:
    """The array of a tensor; anything else as it is."""
    return value.array if isinstance(value, Tensor) else value


def made(f: Callable[..., Any], *arguments: Any, back: Sequence[Back] = (), **how: Any) -> Tensor:
    """f of the arrays, without warnings: what has no value is NaN."""
    with np.errstate(all="ignore"):
        return Tensor(f(*map(plain, arguments), **how), back)


def _same(source: Tensor, array: np.ndarray) -> Tensor:
    return Tensor(array, [(source, lambda g: g)])


def unrecorded(source: Tensor, array: Any) -> Tensor:
    """A result whose derivative is not written here."""
    if recording[0] and source.requires_grad:
        raise needing("a derivative")
    return Tensor(array)


def listed(sizes: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(map(int, sizes[0])) if len(sizes) == 1 and isinstance(sizes[0], (tuple, list)) else sizes


def _plain_index(index: Any) -> Any:
    if isinstance(index, tuple):
        return tuple(np.asarray(i) if isinstance(i, list) else plain(i) for i in index)
    return np.asarray(index) if isinstance(index, list) else plain(index)
