"""A scenario of which some parts are Python objects, which no file can say: in a file they are described."""

import copy
import hashlib
import pickle
from collections.abc import Mapping
from typing import Any

from barriers.arrays import Tensor
from barriers.sets import Constraint, UnsafeSet
from lem_safe.errors import BadInput, Fault
from lem_safe.scenario.model import Scenario

STAND_IN = {
    "kind": "columns",
    "columns": [0],
    "set": {"kind": "half_space", "normal": [1.0], "offset": 0.0},
}
"""In the place of a region that is an object while the rest is checked; it fits any number of columns."""


class InPython(Scenario):
    """A scenario whose regions may be sets, under `unsafe`; what an energy or a start is, is only described.

    Its file cannot be loaded again; everything else is as for other scenarios.
    """

    def content(self) -> dict[str, Any]:
        found = super().content()
        if "unsafe" in found:
            found["unsafe"] = {
                name: described(spec) if isinstance(spec, UnsafeSet) else spec
                for name, spec in self.unsafe.items()
            }
        return found


def in_python(scenario: Scenario, regions: Mapping[str, UnsafeSet], **parts: Any) -> InPython:
    """The same scenario with these sets in the place of their specifications, and other values of its
    keys.
    """
    values = {name: getattr(scenario, name) for name in Scenario.model_fields}
    return InPython.model_construct(**{**values, **parts, "unsafe": {**scenario.unsafe, **regions}})


def described(region: UnsafeSet) -> dict[str, Any]:
    """What a file says of a set that is an object: its type, its name where it has one, a digest of its
    numbers.
    """
    named = {"name": region.name} if isinstance(region, Constraint) else {}
    return {"kind": "python", "type": type(region).__name__, **named, "sha256": _digest(region)}


def _digest(region: UnsafeSet) -> str:
    """sha256 of all numbers of a set and of its parts; functions count by their name alone."""
    found = hashlib.sha256()
    for path, part in region.named_modules():
        tensors = {name: t for name, t in {**part._buffers, **part._parameters}.items() if t is not None}
        plain = {k: v for k, v in vars(part).items() if isinstance(v, bool | int | float | str)}
        plain |= {k: list(v) for k, v in vars(part).items() if _is_numbers(v)}
        found.update(repr((path, type(part).__name__, sorted(plain.items(), key=str))).encode())
        for name, tensor in sorted(tensors.items()):
            found.update(name.encode() + _bytes(tensor))
    return found.hexdigest()


def _is_numbers(value: Any) -> bool:
    return isinstance(value, list | tuple) and all(isinstance(v, int | float | str) for v in value)


def _bytes(tensor: Tensor) -> bytes:
    return bytes(tensor.detach().cpu().double().contiguous().numpy().tobytes())


def without_functions(scenario: Scenario) -> Scenario:
    """The same scenario to be sent to another process: a function that cannot be, such as a lambda, is only
    named there. BadInput for a region that cannot be sent even so.
    """
    if not isinstance(scenario, InPython):
        return scenario
    regions = {name: _sendable(name, r) for name, r in scenario.unsafe.items() if isinstance(r, UnsafeSet)}
    return in_python(scenario, regions)


def _sendable(name: str, region: UnsafeSet) -> UnsafeSet:
    if _can_be_sent(region):
        return region
    bare = copy.deepcopy(region)
    for part in bare.modules():
        if isinstance(part, Constraint) and not _can_be_sent(part):
            stand_in = Constraint(_Named(part.name), part.dimension, part.smooth)
            part.__dict__.clear()
            part.__dict__.update(stand_in.__dict__)
    if not _can_be_sent(bare):
        message = "cannot be sent to another process (pickle); define its class in a module"
        raise BadInput(Fault(message, key=f"unsafe.{name}"))
    return bare


def _can_be_sent(region: UnsafeSet) -> bool:
    try:
        pickle.dumps(region)
    except (pickle.PicklingError, TypeError, AttributeError):
        return False
    return True


class _Named:
    """A function that is elsewhere."""

    def __init__(self, name: str):
        self.__name__ = self.__qualname__ = name

    def __call__(self, x: Tensor) -> Tensor:
        message = "is a function that cannot be sent to another process, so no more rows can be counted in it"
        raise BadInput(Fault(f"{message}; define it in a module, with def", key=self.__name__))
