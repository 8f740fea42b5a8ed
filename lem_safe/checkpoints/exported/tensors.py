"""The numbers of a .pt2 archive: raw bytes with a shape and strides. Pickled ones are refused, not read."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from barriers.arrays import Tensor, torch
from lem_safe.checkpoints.exported.archive import Archive
from lem_safe.checkpoints.exported.checked import get, integer

DTYPES: Mapping[int, tuple[torch.dtype, str]] = {
    5: (torch.int64, "<i8"),
    7: (torch.float32, "<f4"),
    8: (torch.float64, "<f8"),
    12: (torch.bool, "|u1"),
}
"""torch's codes of the dtypes that are read, with numpy's names."""
NAMES = {1: "uint8", 2: "int8", 3: "int16", 4: "int32", 6: "float16", 13: "bfloat16"}
STRIDED = 7
"""torch's code of the layout of ordinary tensors."""
MOST_AXES = 16


def tensors_of(archive: Archive, folder: str, config: str) -> dict[str, Tensor]:
    """Every tensor of a folder of the archive, by its name in the module; a ValueError with the reason."""
    member = f"{folder}/{config}"
    if member not in archive.names:
        return {}
    found = get(archive.json(member), "config", dict, member)
    return {name: _tensor(archive, folder, name, get(found, name, dict, member)) for name in found}


def dtype_of(meta: Mapping[str, Any], name: str) -> tuple[torch.dtype, str]:
    """The dtype of a description of a tensor, with numpy's name of it."""
    code = integer(meta, "dtype", name)
    if code not in DTYPES:
        raise ValueError(
            f"{name} is of dtype {NAMES.get(code, f'number {code}')}; float32, float64, int64 and bool are "
            "read: call module.float() before the export"
        )
    return DTYPES[code]


def _tensor(archive: Archive, folder: str, name: str, payload: Mapping[str, Any]) -> Tensor:
    if payload.get("use_pickle") is not False:
        raise ValueError(f"{name} is pickled, and nothing pickled is read: make it an ordinary tensor")
    meta = get(payload, "tensor_meta", dict, name)
    dtype, code = dtype_of(meta, name)
    if meta.get("layout") != STRIDED:
        raise ValueError(f"{name} is sparse or of another layout; only ordinary tensors are read")
    sizes, strides = _integers(meta, "sizes", name), _integers(meta, "strides", name)
    offset = integer(get(meta, "storage_offset", dict, name), "as_int", name)
    path = get(payload, "path_name", str, name)
    numbers = np.frombuffer(archive.read(f"{folder}/{path}"), dtype=code)
    _must_be_inside(name, sizes, strides, offset, len(numbers))
    tensor = torch.from_numpy(numbers.copy()).as_strided(sizes, strides, offset).contiguous()
    if dtype == torch.bool:
        return tensor.bool()
    if dtype.is_floating_point and not bool(tensor.isfinite().all()):
        raise ValueError(f"{name} must hold finite numbers; it has NaN or infinity")
    return tensor


def _integers(meta: Mapping[str, Any], key: str, name: str) -> list[int]:
    return [integer(item, "as_int", name) for item in get(meta, key, list, name)]


def _must_be_inside(name: str, sizes: list[int], strides: list[int], offset: int, held: int) -> None:
    """Refuses a shape that reaches beyond the bytes there are, or repeats them into more."""
    if len(sizes) != len(strides) or len(sizes) > MOST_AXES or min([offset, *sizes, *strides], default=0) < 0:
        raise ValueError(f"{name} has no valid shape: sizes {sizes[:8]}, strides {strides[:8]}")
    total = 1
    for size in sizes:
        total *= size
    last = offset + sum((size - 1) * stride for size, stride in zip(sizes, strides, strict=True))
    if total > held or (total and last >= held):
        raise ValueError(
            f"{name} claims {total:,} numbers of shape {sizes[:8]}, and its bytes hold {held:,}; call "
            ".contiguous() on what was expanded before the export"
        )
