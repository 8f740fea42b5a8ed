"""Where the rows that stay are written: a file of the kind of the samples, or for several files a directory
with files of the same names. Everything is written under another name first, and renamed when it is complete.
"""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from barriers.tables import TableFormat, is_text, kind_of
from lem_safe.auditor.dataset import ARROW
from lem_safe.data.parts import Part, in_parts, parts_of, root_of
from lem_safe.errors import BadInput, Fault
from lem_safe.files import real, write_atomically
from lem_safe.thinning.arrays import copy_npy, copy_npz, must_be_flat
from lem_safe.thinning.choice import Flags
from lem_safe.thinning.parquet import copy_parquet
from lem_safe.thinning.text import copy_text

ONE_FILE = (".npz", ".npy", ".parquet", ".gz")


def must_hold(out: Path, source: Path, *, overwrite: bool) -> None:
    """Refuses a destination that cannot hold rows of this source as they are, or that is there already."""
    if "\0" in str(out):
        raise BadInput(Fault("holds a NUL character, which no name can; choose another name", str(out)))
    if in_parts(source):
        _must_be_directory(out, source)
        return
    own, wanted = kind_of(out), kind_of(source)
    if wanted in ARROW:
        message = f"thin copies rows as they are, from text, .npy, .npz and .parquet; got '{wanted}'"
        raise BadInput(Fault(f"{message}; write the table as .parquet", str(source)))
    if own != wanted:
        also = ", or in that and .gz" if is_text(source) else ""
        message = f"must end in {wanted}{also}: rows are copied as they are in {source.name}, not converted"
        raise BadInput(Fault(f"{message}; got '{own}'", str(out)))
    if real(out) == real(source):
        raise BadInput(Fault("is read by this command; write to another file", str(out)))
    if os.path.lexists(out) and not out.is_file():
        raise BadInput(Fault("is not a file; choose another name", str(out)))
    if out.exists() and not overwrite:
        raise BadInput(Fault("exists already; choose another name, or --overwrite", str(out)))
    if wanted == ".npz":
        must_be_flat(source)


def _must_be_directory(out: Path, source: Path) -> None:
    if out.suffix.lower() in ONE_FILE or is_text(out):
        message = f"must name a directory, as {source} is several files, each of which is copied; got a name "
        raise BadInput(Fault(f"{message}that ends in '{out.suffix}'", str(out)))
    if real(out).is_relative_to(real(root_of(source))):
        raise BadInput(Fault(f"is within {root_of(source)}, which is read; choose another place", str(out)))
    if os.path.lexists(out):
        raise BadInput(Fault("exists already; choose another name", str(out)))


def write(
    out: Path, source: Path, form: TableFormat, again: Callable[[], Flags], rows: int, *, coupled: bool
) -> None:
    """Writes the rows of a source that stay; an interruption leaves what was there before, or nothing.

    form: how its text is written. again: the flags, from their beginning. rows: how many stay. coupled: mark
    them as depending on one another, in an .npz.
    """
    out.parent.mkdir(parents=True, exist_ok=True)
    flags = again()
    if in_parts(source):
        with _whole_directory(out) as folder:
            for part in parts_of(source):
                _copy_part(part, root_of(source), folder, form, flags)
            flags.finish()
        return

    def written(file: BinaryIO) -> None:
        match kind_of(source):
            case ".npy":
                copy_npy(source, flags, rows, file)
            case ".npz":
                copy_npz(source, again, rows, file, coupled=coupled)
            case _:
                copy_table(source, form, flags, file, packed=out.suffix.lower() == ".gz")
                flags.finish()

    write_atomically(out, written)


def copy_table(path: Path, form: TableFormat, flags: Flags, to: BinaryIO, *, packed: bool) -> int:
    """Copies the rows of one file of text or Parquet that stay, and returns how many."""
    if is_text(path):
        return copy_text(path, form, flags, to, packed=packed)
    return copy_parquet(path, flags, to)


def _copy_part(part: Part, root: Path, folder: Path, form: TableFormat, flags: Flags) -> None:
    """One file of several; it is left out where none of its rows stays."""
    to = folder / part.path.relative_to(root)
    to.parent.mkdir(parents=True, exist_ok=True)
    with to.open("wb") as file:
        kept = copy_table(part.path, form, flags, file, packed=to.suffix.lower() == ".gz")
    if not kept:
        to.unlink()


@contextmanager
def _whole_directory(out: Path) -> Iterator[Path]:
    """A directory that gets its name when it is complete."""
    made = Path(tempfile.mkdtemp(dir=out.parent, prefix=f".{out.name}."))
    try:
        yield made
        made.chmod(0o755)
        made.rename(out)
    except BaseException:
        shutil.rmtree(made, ignore_errors=True)
        raise
