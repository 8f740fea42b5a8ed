"""Regions that are Python objects, told apart: by what they compute with where that can be read, else by the
object itself.
"""

import hashlib
import types
from collections.abc import Mapping
from dataclasses import is_dataclass
from functools import partial
from typing import Any
from uuid import uuid4
from weakref import WeakKeyDictionary

import numpy as np

from barriers.arrays import Tensor, nn
from barriers.sets import UnsafeSet

OWN = ("barriers", "lem_safe", "torch", "numpy", "builtins", "scipy", "math")
"""Packages whose classes and functions are known by their names."""
_NAMED: WeakKeyDictionary[Any, str] = WeakKeyDictionary()


def identities(regions: Mapping[str, Any]) -> dict[str, str]:
    """A digest of each region that is an object: equal for equal code with equal values of all that it refers
    to. What cannot be read so (an object with a state of its own) counts as itself, in this process alone.
    """
    return {
        name: hashlib.sha256(repr(_told(region, ())).encode("utf-8", "surrogatepass")).hexdigest()
        for name, region in regions.items()
        if isinstance(region, UnsafeSet)
    }


def _told(value: Any, above: tuple[int, ...]) -> Any:
    """The value as plain texts and tuples. above: the objects that it is a part of, which may refer to
    themselves.
    """
    if value is None or isinstance(value, bool | int | float | complex | str | bytes):
        return type(value).__name__, repr(value)
    if id(value) in above:
        return "again", len(above) - above.index(id(value))
    inner = (*above, id(value))
    if isinstance(value, list | tuple):
        return type(value).__name__, [_told(part, inner) for part in value]
    if isinstance(value, set | frozenset):
        return "set", sorted(repr(_told(part, inner)) for part in value)
    if isinstance(value, Mapping):
        return "mapping", [(_told(key, inner), _told(part, inner)) for key, part in value.items()]
    if isinstance(value, Tensor):
        value = value.detach().cpu().to_dense().double().numpy()
    if isinstance(value, np.ndarray) and value.dtype.kind in "biufc":
        return "array", value.dtype.str, value.shape, hashlib.sha256(value.tobytes()).hexdigest()
    return _told_of_code(value, inner)


def _told_of_code(value: Any, inner: tuple[int, ...]) -> Any:
    """Functions, classes, modules and objects."""
    if isinstance(value, types.CodeType):
        consts = [_told(const, inner) for const in value.co_consts]
        return "code", value.co_code, consts, value.co_names, value.co_freevars, value.co_varnames
    if isinstance(value, types.ModuleType):
        return "module", value.__name__
    if isinstance(value, types.FunctionType | type) and _package(value) in OWN:
        closed = isinstance(value, types.FunctionType) and value.__closure__
        if not closed:
            return "named", value.__module__, value.__qualname__
    if isinstance(value, types.FunctionType):
        return "function", [_told(part, inner) for part in _parts(value)]
    if isinstance(value, types.MethodType):
        return "method", _told(value.__func__, inner), _told(value.__self__, inner)
    if isinstance(value, partial):
        return "partial", [_told(part, inner) for part in (value.func, value.args, value.keywords)]
    if isinstance(value, type) and type(value) is type:
        own = {name: part for name, part in vars(value).items() if isinstance(part, types.FunctionType)}
        return "class", value.__qualname__, _told(value.__bases__, inner), _told(own, inner)
    if isinstance(value, nn.Module) or is_dataclass(value) or _package(type(value)) in OWN[:2]:
        state = {name: part for name, part in getattr(value, "__dict__", {}).items() if "_hooks" not in name}
        if state:
            return "object", _told(type(value), inner), _told(state, inner)
    return _itself(value)


def _parts(function: types.FunctionType) -> list[Any]:
    """All that a function computes with: its code, defaults, closure, and the globals that it names."""
    cells = []
    for cell in function.__closure__ or ():
        try:
            cells.append(cell.cell_contents)
        except ValueError:  # not filled yet
            cells.append(None)
    names = _names(function.__code__)
    used = {name: function.__globals__[name] for name in sorted(names) if name in function.__globals__}
    return [function.__code__, function.__defaults__, function.__kwdefaults__, cells, used]


def _names(code: types.CodeType) -> set[str]:
    """The names that code and the functions in it refer to."""
    inner = (_names(const) for const in code.co_consts if isinstance(const, types.CodeType))
    return set(code.co_names).union(*inner)


def _package(value: Any) -> str:
    return str(getattr(value, "__module__", None) or "").partition(".")[0]


def _itself(value: Any) -> tuple[str, str]:
    """A name of this one object, which no other has."""
    if isinstance(value, types.BuiltinFunctionType | np.ufunc) and not isinstance(
        getattr(value, "__self__", None), np.ndarray | Tensor
    ):
        return "built in", f"{getattr(value, '__module__', '')}.{value.__name__}"
    try:
        return "itself", _NAMED.setdefault(value, uuid4().hex)
    except TypeError:  # no weak reference to it, or it has no hash
        return "unknown", uuid4().hex
