"""Values with arrays as text: what a part of an audit is stored as. Every array is in little endian, packed
by zlib and written in base64; a number that is not finite is written by its name.
"""

import base64
import hashlib
import json
import math
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

KINDS = ("<i8", "<u8", "<f8", "<f4", "<u2", "|b1")
"""The types of arrays that are read back."""
MOST = 1 << 33
"""The largest size, in bytes, of an array that is read back."""
LEVEL = 1


def packed(value: Any) -> Any:
    """Plain lists, mappings, texts and finite numbers."""
    if isinstance(value, np.ndarray):
        return _packed_array(value)
    if isinstance(value, Mapping):
        return {str(key): packed(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [packed(part) for part in value]
    if isinstance(value, float) and not math.isfinite(value):
        return {"$float": repr(value)}
    return value


def unpacked(value: Any) -> Any:
    """The value that was packed, with lists for tuples and texts for keys; ValueError or KeyError where it is
    none.
    """
    if isinstance(value, Mapping):
        if set(value) == {"$array", "shape", "data"}:
            return _array(value)
        return (
            float(value["$float"]) if set(value) == {"$float"} else {k: unpacked(v) for k, v in value.items()}
        )
    return [unpacked(part) for part in value] if isinstance(value, list) else value


def canonical(value: Any) -> str:
    """The one JSON text of a packed value."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def digest(value: Any) -> str:
    """The sha256 of a packed value, in hex."""
    return hashlib.sha256(canonical(value).encode("utf-8", "surrogatepass")).hexdigest()


def _packed_array(value: NDArray[Any]) -> dict[str, Any]:
    kind = value.dtype.newbyteorder("<").str
    if kind == "<f8":
        with np.errstate(over="ignore", invalid="ignore"):
            single = value.astype("<f4")
        if np.array_equal(
            single.astype(np.float64).view(np.int64), np.ascontiguousarray(value).view(np.int64)
        ):
            value, kind = single, "<f4"
    raw = np.ascontiguousarray(value, dtype=kind).tobytes()
    data = base64.b64encode(zlib.compress(raw, LEVEL)).decode("ascii")
    return {"$array": kind, "shape": list(value.shape), "data": data}


def _array(value: Mapping[str, Any]) -> NDArray[Any]:
    kind, shape = str(value["$array"]), tuple(int(length) for length in value["shape"])
    if kind not in KINDS or any(length < 0 for length in shape):
        raise ValueError(f"an array of type {kind} and shape {shape}")
    size = math.prod(shape) * np.dtype(kind).itemsize
    if size > MOST:
        raise ValueError(f"an array of {size} bytes")
    unzipped = zlib.decompressobj()
    raw = unzipped.decompress(base64.b64decode(value["data"], validate=True), size + 1)
    if len(raw) != size:
        raise ValueError(f"an array of {len(raw)} bytes for shape {shape}")
    found = np.frombuffer(raw, kind).reshape(shape)
    return found.astype(np.float64 if kind == "<f4" else np.dtype(kind).newbyteorder("="))
