"""Tables in several files: a directory, or a pattern such as parts/*.parquet; the files in the order of their
names.

In a directory all files are read that are called like tables, at any depth, but for hidden ones and those
that begin with _; they must be of one kind. Where folders are called name=value, each such name is a column,
of the value that its folder says.
"""

import glob
import itertools
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote

from barriers.tables import TEXT, kind_of, listed
from lem_safe.data.remote import Remote
from lem_safe.errors import BadInput, Fault

KINDS = (*TEXT, ".parquet")
"""What may be in several files."""
MOST = 10_000
"""Files of one table, at most."""
SIGNS = "*?["
HIVE_NULL = "__HIVE_DEFAULT_PARTITION__"


class Part(NamedTuple):
    """One file of a table, and the columns that its folders' names give it."""

    path: Path
    folders: Mapping[str, str]


def in_parts(path: Path) -> bool:
    """Whether a path stands for several files: a directory, or a pattern that is no file's name itself."""
    return os.path.isdir(path) or (not os.path.exists(path) and any(sign in str(path) for sign in SIGNS))


def parts_of(path: Path, kinds: Sequence[str] = KINDS, most: int | None = None) -> list[Part]:
    """The files that a directory or a pattern stands for, at least one; BadInput where there is none, where
    they are of several kinds, or have other folders than each other. kinds: the endings of tables. most: how
    many files there may be, MOST by default.
    """
    root, most = root_of(path), most or MOST
    found = list(itertools.islice(_files(path, kinds), most + 1))
    if len(found) > most:
        raise BadInput(Fault(f"must be at most {most:,} files; name fewer with a pattern", str(path)))
    if not found:
        raise BadInput(Fault(_nothing(path, kinds), str(path)))
    must_be_one_kind([kind_of(file) for file in found], str(path))
    parts = [Part(file, folders_in(file.relative_to(root).as_posix())) for file in sorted(found)]
    odd = next((part for part in parts if list(part.folders) != list(parts[0].folders)), None)
    if odd is not None:
        raise BadInput(
            Fault(
                f"must be in folders of the same names=values as the others "
                f"({', '.join(parts[0].folders) or 'none'}); got {', '.join(odd.folders) or 'none'}",
                str(odd.path),
            )
        )
    return parts


def must_be_one_kind(kinds: Sequence[str], source: str) -> None:
    """Raises BadInput for files of several kinds."""
    each = sorted(set(kinds))
    if len(each) > 1:
        message = f"holds files of several kinds ({', '.join(each)}); name one, as in *{each[0]}"
        raise BadInput(Fault(message, source))


def must_be_alike(
    files: Sequence[Path | Remote], names: Sequence[Sequence[str] | None], widths: Sequence[int]
) -> None:
    """Raises BadInput for the first file whose columns, by name or where there are none by number, are not
    those of the first file.
    """
    first = None if names[0] is None else sorted(names[0])
    for file, own, width in zip(files, names, widths, strict=True):
        if width != widths[0] or (None if own is None else sorted(own)) != first:
            told = [
                f"{w} without names" if n is None else listed(n)
                for n, w in ((own, width), (names[0], widths[0]))
            ]
            message = (
                f"has other columns ({told[0]}) than {files[0].name} ({told[1]}); the files of one "
                "table have the same"
            )
            raise BadInput(Fault(message, str(file)))


def _files(path: Path, kinds: Sequence[str]) -> Iterator[Path]:
    """Every file, but for those that are no tables."""
    inside = path.rglob("*") if path.is_dir() else map(Path, glob.iglob(str(path), recursive=True))
    base = root_of(path)
    for file in inside:
        hidden = any(part.startswith((".", "_")) for part in file.relative_to(base).parts)
        if not hidden and kind_of(file) in kinds and file.is_file():
            yield file


def root_of(path: Path) -> Path:
    """The folder that the files of a directory or a pattern are in: of a pattern, the one above its first
    part that has a sign of one.
    """
    if path.is_dir():
        return path
    plain = itertools.takewhile(lambda part: not any(sign in part for sign in SIGNS), path.parts)
    return Path(*plain)


def folders_in(name: str) -> dict[str, str]:
    """The columns that the folders of a file's path say: of `year=2020/a.csv`, that year is 2020. Characters
    written as %20 are those that they stand for, and Hive's name for no value is an empty text.

    >>> folders_in("year=2020/kind=a%20b/part-0.csv")
    {'year': '2020', 'kind': 'a b'}
    """
    pairs = [folder.partition("=") for folder in name.split("/")[:-1] if "=" in folder]
    return {unquote(name): "" if value == HIVE_NULL else unquote(value) for name, _, value in pairs}


def _nothing(path: Path, kinds: Sequence[str]) -> str:
    if (path / "samples.npz").is_file():
        return "is a directory of a run; its samples are in samples.npz"
    what = "directory" if path.is_dir() else "pattern"
    return f"no table is in this {what}; tables end in {', '.join(kinds)}, text also in .gz"
