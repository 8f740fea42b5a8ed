"""numpy's own files, .npy and the members of an .npz, as rows: the header first, then one block at a time.

The header is checked before any data is read: its type, its shape, and whether the file is long enough for
them. Pickled objects are never loaded. A member of an .npz is read through the archive, compressed or not,
and the archive's checksum is verified at its end.
"""

import io
import lzma
import math
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lem_safe.auditor.rows import Rows, must_be_file
from lem_safe.errors import BadInput, Fault

DAMAGED = (
    ValueError,
    OSError,
    EOFError,
    SyntaxError,
    TypeError,
    KeyError,
    IndexError,
    RuntimeError,
    NotImplementedError,
    OverflowError,
    MemoryError,
    RecursionError,
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
)
"""What reading a damaged file may raise."""

SMALL = 1 << 24
"""The largest size, in bytes, of members that describe the samples (`columns`, `coupled`, ...)."""


class Header(NamedTuple):
    """The header of one array: its type, its shape, its memory order, and the offset of its data."""

    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    fortran: bool
    offset: int

    @property
    def bytes(self) -> int:
        return math.prod(self.shape) * self.dtype.itemsize


class Array:
    """One array of numbers in a file, not yet read; `member` is its name in an .npz, None for an .npy."""

    def __init__(self, path: Path, member: str | None):
        self.path, self.member = path, member
        self.name = str(path) if member is None else f"{path}: '{member}'"
        with self._reading() as (file, size):
            self.header = _header(file)
        self._judge(size)

    @property
    def shape(self) -> tuple[int, ...]:
        return self.header.shape

    def blocks(self, size: int) -> Iterator[NDArray[Any]]:
        """Blocks of `size` entries of the first axis."""
        head = self.header
        if head.fortran and len(head.shape) > 1:
            whole = self.whole()
            yield from (whole[start : start + size] for start in range(0, head.shape[0], size))
            return
        each = head.dtype.itemsize * math.prod(head.shape[1:])
        with self._reading() as (file, _):
            file.read(head.offset)
            for start in range(0, head.shape[0], size):
                wanted = min(size, head.shape[0] - start)
                data = file.read(wanted * each)
                if len(data) < wanted * each:
                    raise EOFError(
                        f"it ends after entry {start + len(data) // max(each, 1)} of {head.shape[0]}"
                    )
                yield np.frombuffer(data, head.dtype).reshape(wanted, *head.shape[1:])
            file.read(1)  # the end, where an archive verifies its checksum

    def whole(self) -> NDArray[Any]:
        """The whole array: memory-mapped where it is a file of its own, otherwise read."""
        with _readable(self.name, self.path):
            if self.member is None:
                return np.load(self.path, mmap_mode="r", allow_pickle=False)
            with np.load(self.path, allow_pickle=False) as archive:
                return archive[self.member]

    @contextmanager
    def _reading(self) -> Iterator[tuple[Any, int]]:
        with _readable(self.name, self.path):
            if self.member is None:
                with self.path.open("rb") as file:
                    yield file, self.path.stat().st_size
                return
            with zipfile.ZipFile(self.path) as archive:
                entry = archive.getinfo(f"{self.member}.npy")
                with archive.open(entry) as file:
                    yield file, entry.file_size

    def _judge(self, size: int) -> None:
        head = self.header
        if head.dtype.hasobject:
            raise BadInput(
                Fault("holds pickled objects, which are never loaded; save plain numbers", self.name)
            )
        if size < head.offset + head.bytes:
            held = (
                f"{size - head.offset:,} of the {head.bytes:,} bytes that its header {head.dtype} "
                f"{head.shape} announces"
            )
            raise BadInput(Fault(f"is damaged: it holds {held}; save it again", self.name))


class Archive:
    """An .npz file: its arrays, and the small ones that describe the samples."""

    def __init__(self, path: Path):
        must_be_file(path)
        self.path = path
        with _readable(str(path), path), zipfile.ZipFile(path) as archive:
            self.names = tuple(
                name.removesuffix(".npy") for name in archive.namelist() if name.endswith(".npy")
            )

    def __contains__(self, name: str) -> bool:
        return name in self.names

    def array(self, name: str) -> Array:
        return Array(self.path, name)

    def columns(self) -> list[str] | None:
        """The names in `columns`, None where there are none."""
        if "columns" not in self:
            return None
        names = self._small("columns")
        if names.ndim != 1 or names.dtype.kind != "U":
            raise BadInput(
                Fault(
                    f"'columns' must be a list of text; got {names.dtype} of shape {names.shape}",
                    str(self.path),
                )
            )
        return [str(name) for name in names]

    def flag(self, name: str) -> bool:
        """A single truth value; False where it is absent."""
        return name in self and bool(self._single(name, "biu", "one truth value"))

    def number(self, name: str) -> int | None:
        """A single whole number; None where it is absent."""
        return int(self._single(name, "iu", "one whole number")) if name in self else None

    def share(self, name: str) -> float | None:
        """A single number from 0 to 1; None where it is absent."""
        if name not in self:
            return None
        value = float(self._single(name, "fiu", "one number from 0 to 1"))
        if not 0 <= value <= 1:
            raise BadInput(Fault(f"'{name}' must be one number from 0 to 1; got {value:g}", str(self.path)))
        return value

    def _single(self, name: str, kinds: str, what: str) -> Any:
        value = self._small(name)
        if value.size != 1 or value.dtype.kind not in kinds:
            raise BadInput(
                Fault(f"'{name}' must be {what}; got {value.dtype} of shape {value.shape}", str(self.path))
            )
        return value.item()

    def _small(self, name: str) -> NDArray[Any]:
        array = self.array(name)
        if array.header.bytes > SMALL:
            raise BadInput(
                Fault(
                    f"must be small, it describes the samples; its header announces {array.shape}", array.name
                )
            )
        return array.whole()


def open_npy(path: Path) -> Array:
    """The array of an .npy file."""
    must_be_file(path)
    with path.open("rb") as file:
        if file.read(4) == b"PK\x03\x04":
            raise BadInput(Fault("is not a .npy file inside but an archive; name it .npz", str(path)))
    return Array(path, None)


def rows_in(array: Array, columns: Sequence[str] | None) -> Rows:
    """The rows of an array [n, d], or of [r, n, d] one after the other; BadInput unless it holds numbers in
    such a shape.
    """
    head = array.header
    if head.dtype.kind not in "fiu" or len(head.shape) not in (2, 3):
        hint = "; one column is shape (n, 1)" if len(head.shape) == 1 else ""
        raise BadInput(
            Fault(
                f"needs numbers in an array of shape [samples, columns]; got {head.dtype} {head.shape}{hint}",
                array.name,
            )
        )
    if 0 in head.shape:
        raise BadInput(Fault(f"holds no samples: its shape is {head.shape}", array.name))
    width, each = head.shape[-1], math.prod(head.shape[1:-1])

    def stream(chosen: Sequence[int], size: int) -> Iterator[NDArray[Any]]:
        in_place = list(chosen) == list(range(width))
        for block in array.blocks(max(size // each, 1)):
            flat = block.reshape(-1, width)
            for start in range(0, flat.shape[0], size):
                part = flat[start : start + size]
                yield part if in_place else part[:, chosen]

    return Rows(head.shape[0] * each, width, None if columns is None else tuple(columns), stream)


@contextmanager
def _readable(name: str, path: Path) -> Iterator[None]:
    """Turns any exception of a damaged file into a fault with a message."""
    try:
        yield
    except (BadInput, GeneratorExit):
        raise
    except PermissionError:
        raise BadInput(Fault("cannot be read: permission denied", str(path))) from None
    except DAMAGED as error:
        if "pickle" in str(error).lower():
            raise BadInput(
                Fault("holds pickled objects, which are never loaded; save plain numbers", name)
            ) from None
        why = (str(error).splitlines() or [type(error).__name__])[0][:200]
        raise BadInput(
            Fault(f"cannot be read: {why}; save it again with numpy.save (.npy) or numpy.savez (.npz)", name)
        ) from None


def _header(file: Any) -> Header:
    head = io.BytesIO(file.read(1 << 16))
    version = np.lib.format.read_magic(head)
    readers = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
    if version not in readers:
        raise ValueError(f"arrays of format {version[0]}.{version[1]} are not read; numbers are saved as 1.0")
    shape, fortran, dtype = readers[version](head)
    if any(length < 0 for length in shape):
        raise ValueError(f"its header announces the shape {shape}")
    return Header(dtype, tuple(int(length) for length in shape), bool(fortran), head.tell())
