"""Rows of numpy's files copied with their type: .npy, and .npz with every other array that it holds.

In an .npz, every array with one entry per row is thinned like the rows (`replica`, weights, labels);
`columns` and all others are copied as they are. `coupled` is set where rows were chosen by their count, which
makes them depend on one another (A.2).
"""

import io
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from lem_safe.auditor.arrays import Archive, Array, open_npy
from lem_safe.auditor.matching import MARKS
from lem_safe.auditor.rows import BLOCK
from lem_safe.errors import BadInput, Fault
from lem_safe.thinning.choice import Flags

ROWS = "x"
DESCRIBING = ("columns", "seed", "moved", *MARKS)
"""Arrays of an .npz that describe all rows, whatever their length is."""


def copy_npy(path: Path, flags: Flags, rows: int, to: BinaryIO) -> None:
    """Writes the `rows` that stay; the type is the file's, the order of memory C."""
    _write(open_npy(path), flags, rows, to.write)
    flags.finish()


def copy_npz(path: Path, again: Callable[[], Flags], rows: int, to: BinaryIO, *, coupled: bool) -> None:
    """Writes all arrays, those with one entry per row without the rows that do not stay. again: the flags
    from their beginning. coupled: mark the rows as depending on one another.
    """
    archive = Archive(path)
    n = archive.array(ROWS).shape[0]
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(to, "w", allowZip64=True) as new:
        for entry in old.infolist():
            name = entry.filename.removesuffix(".npy")
            if coupled and name == "coupled":
                continue
            own = zipfile.ZipInfo(entry.filename, (1980, 1, 1, 0, 0, 0))
            own.compress_type = entry.compress_type
            with new.open(own, "w", force_zip64=True) as member:
                if per_row(archive, entry.filename, n):
                    flags = again()
                    _write(archive.array(name), flags, rows, member.write)
                    flags.finish()
                else:
                    with old.open(entry) as source:
                        while data := source.read(1 << 20):
                            member.write(data)
        if coupled:
            own = zipfile.ZipInfo("coupled.npy", (1980, 1, 1, 0, 0, 0))
            with new.open(own, "w") as member:
                member.write(_header(np.dtype(bool), ()) + b"\x01")


def per_row(archive: Archive, filename: str, n: int) -> bool:
    """Whether a member of an archive is an array with one entry for each of n rows. BadInput where only
    loading pickled objects would tell, or where the rows cannot be taken out of it.
    """
    name = filename.removesuffix(".npy")
    if name == filename or name in DESCRIBING:
        return False
    return archive.array(name).shape[:1] == (n,)


def must_be_flat(path: Path) -> None:
    """Refuses an .npz whose rows are in blocks [clouds, rows, columns], which would have holes."""
    archive = Archive(path)
    shape = archive.array(ROWS).shape if ROWS in archive else (0, 0)  # no x: refused where it is read
    if len(shape) != 2:
        way = "save x as [rows, columns], with `replica` numbering the clouds"
        raise BadInput(
            Fault(f"cannot be thinned as an array of shape {shape}, which would have holes; {way}", str(path))
        )


def _write(array: Array, flags: Flags, rows: int, write: Callable[[bytes], object]) -> None:
    write(_header(array.header.dtype, (rows, *array.shape[1:])))
    for block in _staying(array, flags):
        write(np.ascontiguousarray(block).tobytes())


def _header(dtype: np.dtype[Any], shape: tuple[int, ...]) -> bytes:
    """What comes before the numbers of an array in its file."""
    head = io.BytesIO()
    descr = np.lib.format.dtype_to_descr(dtype)
    np.lib.format.write_array_header_1_0(head, {"descr": descr, "fortran_order": False, "shape": shape})
    return head.getvalue()


def _staying(array: Array, flags: Flags) -> Iterator[NDArray[Any]]:
    for block in array.blocks(BLOCK):
        yield block[flags.take(len(block))]
