"""Rows of text copied as they are, byte for byte: everything that is no row (names, comments, blank lines)
stays where it is, and a row that does not stay is left out with its line end.
"""

import codecs
import gzip
import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from barriers.tables import BLOCK, CsvHead, Record, TableFormat, begins_with_mark, csv_head, opened, pieces
from lem_safe.data.csv_text import faults_of
from lem_safe.thinning.choice import Flags


def copy_text(path: Path, form: TableFormat, flags: Flags, to: BinaryIO, *, packed: bool) -> int:
    """Copies the rows of one file that stay, and returns how many; packed: compressed by gzip."""
    if packed:
        with gzip.GzipFile("", "wb", fileobj=to, mtime=0) as file:
            return _copied(path, form, flags, file.write)
    return _copied(path, form, flags, to.write)


def _copied(path: Path, form: TableFormat, flags: Flags, write: Callable[[bytes], object]) -> int:
    kept = 0
    with faults_of(path):
        head = csv_head(path, form)
        if begins_with_mark(path):
            write(codecs.BOM_UTF8)
        with opened(path) as lines:
            write("".join(itertools.islice(lines, head.start)).encode())
            for texts in _in_parts(head, lines):
                rows = [text for text, is_row in texts if is_row]
                stays = iter(flags.take(len(rows)).tolist())
                said = [text for text, is_row in texts if not is_row or next(stays)]
                kept += len(said) - len(texts) + len(rows)
                write("".join(said).encode())
    return kept


def _in_parts(head: CsvHead, lines: Iterator[str]) -> Iterator[list[tuple[str, bool]]]:
    """The text behind the head in pieces, and whether each is a row; some thousands at a time."""
    each = ((piece.text, isinstance(piece, Record)) for piece in pieces(lines, head.layout))
    while some := list(itertools.islice(each, BLOCK)):
        yield some
