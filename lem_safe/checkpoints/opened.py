"""A file of weights, opened but not read: names, shapes and metadata first, numbers on request. Nothing
pickled is ever executed.

safetensors by its header; anything else by torch.load(weights_only=True), memory-mapped, so that a file of
800 MB opens at once.
"""

import pickle
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors

from barriers.arrays import Tensor, needs_torch, torch
from lem_safe.errors import BadInput, Fault
from lem_safe.inputs import must_be_readable

MOST, DEEP = 100_000, 20
"""Values of a file of weights, and dictionaries within dictionaries, at most: one may hold itself."""


@dataclass(frozen=True)
class Opened:
    """The content of a file.

    shapes: of every tensor, by name, those inside a dictionary as `dictionary.name`. text: a safetensors
    file's metadata.
    """

    path: Path
    shapes: Mapping[str, tuple[int, ...]]
    text: Mapping[str, str]

    def under(self, name: str) -> dict[str, tuple[int, ...]]:
        """The shapes inside one dictionary of the file; of the whole file where there is no such
        dictionary.
        """
        return _under(name, self.shapes)

    def read(self, name: str) -> dict[str, Tensor]:
        """The tensors inside one dictionary, on the CPU; of the whole file where there is no such
        dictionary.
        """
        if is_safetensors(self.path):
            needs_torch("weights")
            from safetensors.torch import load_file

            return _under(name, load_file(self.path))
        return _under(
            name,
            {key: tensor.clone() for key, tensor in _tensors(self.path) if _is_under(name, key, self.shapes)},
        )


def opened(path: Path) -> Opened:
    """Opens a file of weights; BadInput where it is absent, incomplete, or holds code."""
    must_be_readable(path, "a relative path starts at the scenario's own folder")
    if not is_safetensors(path):
        return Opened(path, {key: tuple(tensor.shape) for key, tensor in _tensors(path)}, {})
    try:
        with safetensors.safe_open(path, framework="np") as file:
            names = file.keys()
            shapes = {name: tuple(file.get_slice(name).get_shape()) for name in names}
            return Opened(path, shapes, dict(file.metadata() or {}))
    except (safetensors.SafetensorError, OSError) as error:
        raise BadInput(Fault(f"is not a complete safetensors file: {error}", str(path))) from None


def is_safetensors(path: Path) -> bool:
    """Whether a file begins like a safetensors file: eight bytes of length, then JSON."""
    try:
        with path.open("rb") as file:
            return file.read(9)[8:] == b"{"
    except OSError as error:
        raise BadInput(Fault(f"cannot be read: {error.strerror}", str(path))) from None


def _is_pickled(path: Path) -> bool:
    """Whether a file begins like a zip archive or a pickle of any protocol since the second."""
    with path.open("rb") as file:
        return file.read(2) in {b"PK", *(b"\x80" + bytes([protocol]) for protocol in range(2, 6))}


def _unpickled(path: Path) -> Any:
    try:
        try:
            return torch.load(path, map_location="cpu", weights_only=True, mmap=True)
        except RuntimeError as error:
            if "mmap" not in str(error):
                raise
            return torch.load(path, map_location="cpu", weights_only=True)  # torch's format from before 1.6
    except pickle.UnpicklingError:
        if not _is_pickled(path):
            raise BadInput(
                Fault("is not a checkpoint file: neither safetensors nor what torch.save writes", str(path))
            ) from None
        rule = (
            "holds something other than tensors, and code in a file is never run; save its weights as "
            "safetensors"
        )
        raise BadInput(Fault(rule, str(path))) from None
    except Exception as error:  # what a damaged file raises depends on which of its bytes are
        reason = _first_line(error)
        raise BadInput(
            Fault(f"is neither safetensors nor a complete file of torch.save: {reason}", str(path))
        ) from None


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)


def _tensors(path: Path) -> list[tuple[str, Tensor]]:
    """Every tensor of a file's nested dictionaries, by its dotted name; BadInput where they have no end, or
    are more than a file of weights holds.
    """
    found: list[tuple[str, Tensor]] = []
    left: list[tuple[str, Any, int]] = [("", _unpickled(path), 0)]
    for _ in range(MOST):
        if not left:
            return found
        name, value, depth = left.pop()
        if isinstance(value, Tensor):
            found.append((name, value))
        elif isinstance(value, Mapping) and (depth >= DEEP or len(value) > MOST):
            break
        elif isinstance(value, Mapping):
            inner = [(f"{name}.{key}".removeprefix("."), item, depth + 1) for key, item in value.items()]
            left += reversed(inner)
    rule = f"must hold at most {MOST:,} values, in dictionaries at most {DEEP} deep; save its weights alone"
    raise BadInput(Fault(rule, str(path)))


def _under(name: str, named: Mapping[str, Any]) -> dict[str, Any]:
    return {
        key.removeprefix(f"{name}."): value for key, value in named.items() if _is_under(name, key, named)
    }


def _is_under(name: str, key: str, named: Mapping[str, object]) -> bool:
    return key.startswith(f"{name}.") or not any(other.startswith(f"{name}.") for other in named)
