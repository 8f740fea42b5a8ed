"""Text files, plain or compressed by gzip, opened as lines; a file that cannot be read is a TableFault."""

import codecs
import csv
import gzip
import io
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Protocol, cast

from barriers.regular_files import must_be_regular

TEXT = (".csv", ".tsv", ".txt", ".dat", ".data")
"""What tables of text are called; `.gz` behind it, or alone, is compressed by gzip."""
LONGEST = 1 << 24
"""The largest number of characters of a line."""


class Elsewhere(Protocol):
    """A file that is not on this machine's disks; its bytes come as a stream."""

    @property
    def suffix(self) -> str:
        """The ending of its name."""

    @property
    def stem(self) -> str:
        """Its name without the ending."""

    def stream(self) -> BinaryIO:
        """Its bytes, from the beginning."""


class TableFault(ValueError):
    """A table that cannot be read; `faults`: what is wrong, with the number of the line or None."""

    def __init__(self, faults: Sequence[tuple[str, int | None]]):
        self.faults = list(faults)
        super().__init__(
            "; ".join(message if line is None else f"line {line}: {message}" for message, line in self.faults)
        )


def kind_of(path: Path | Elsewhere) -> str:
    """The ending that says what a file is, in small letters, without `.gz` where text may be compressed.

    >>> kind_of(Path("a/Rows.TSV.gz")), kind_of(Path("rows.gz")), kind_of(Path("rows.npy.gz"))
    ('.tsv', '.txt', '.npy.gz')
    """
    inner, last = Path(path.stem).suffix.lower(), path.suffix.lower()
    if last != ".gz":
        return last
    return inner if inner in TEXT else f"{inner}.gz" if inner in (".npy", ".npz", ".parquet") else ".txt"


def is_text(path: Path | Elsewhere) -> bool:
    """Whether a file's name says that it is a table of text."""
    return kind_of(path) in TEXT


@contextmanager
def opened(path: Path | Elsewhere) -> Iterator[Iterator[str]]:
    """The lines of a file, with their line ends; TableFault where it is not UTF-8, damaged, or has a line of
    more than LONGEST characters, decompressed. Raises UnreadableFile for anything but a regular file.
    """
    with _bytes(path) as raw, io.TextIOWrapper(raw, "utf-8-sig", newline="") as file:
        yield _lines(file)


def begins_with_mark(path: Path | Elsewhere) -> bool:
    """Whether a file of text begins with a byte order mark, which `opened` leaves out."""
    with _bytes(path) as file:
        return file.read(len(codecs.BOM_UTF8)) == codecs.BOM_UTF8


@contextmanager
def _bytes(path: Path | Elsewhere) -> Iterator[BinaryIO]:
    """The bytes of a file, decompressed."""
    if isinstance(path, Path):
        must_be_regular(path)
    with readable(), path.open("rb") if isinstance(path, Path) else path.stream() as raw:
        if path.suffix.lower() == ".gz":
            with gzip.open(raw, "rb") as packed:
                yield cast(BinaryIO, packed)
        else:
            yield raw


def _lines(file: io.TextIOBase) -> Iterator[str]:
    """The lines of an open file; no more than LONGEST characters of one are read."""
    number = 0
    while line := file.readline(LONGEST + 1):
        number += 1
        if len(line) > LONGEST:
            raise TableFault([(f"must have lines of at most {LONGEST:,} characters", number)])
        yield line


@contextmanager
def readable() -> Iterator[None]:
    """Turns the exceptions of reading text into a TableFault."""
    try:
        yield
    except UnicodeDecodeError as error:
        raise TableFault([(f"is not UTF-8 text ({error.reason}); save it as UTF-8", None)]) from None
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise TableFault([(f"is not a whole gzip file: {error}; compress it again", None)]) from None
    except csv.Error as error:
        raise TableFault([(f"cannot be read as cells: {error}; is a quote never closed?", None)]) from None
