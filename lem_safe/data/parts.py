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

from barriers.tables import TEXT, kind_of, listed
from lem_safe.errors import BadInput, Fault

KINDS = (*TEXT, ".parquet")
"""What may be in several files."""
MOST = 10_000
"""Files of one table, at most."""
SIGNS = "*?["


class Part(NamedTuple):
    """One file of a table, and the columns that its folders' names give it."""

    path: Path
    folders: Mapping[str, str]


def in_parts(path: Path) -> bool:
    """Whether a path stands for several files: a directory, or a pattern that is no file's name itself."""
    return os.path.isdir(path) or (not os.path.exists(path) and any(sign in str(path) for sign in SIGNS))


def parts_of(path: Path) -> list[Part]:
    """The files that a directory or a pattern stands for, at least one; BadInput where there is none, where
    they are of several kinds, or have other folders than each other.
    """
    root = root_of(path)
    found = list(itertools.islice(_files(path), MOST + 1))
    if len(found) > MOST:
        raise BadInput(Fault(f"must be at most {MOST:,} files; name fewer with a pattern", str(path)))
    if not found:
        raise BadInput(Fault(_nothing(path), str(path)))
    kinds = sorted({kind_of(file) for file in found})
    if len(kinds) > 1:
        raise BadInput(
            Fault(
                f"holds files of several kinds ({', '.join(kinds)}); name one, as in *{kinds[0]}", str(path)
            )
        )
    parts = [Part(file, _folders(file.relative_to(root))) for file in sorted(found)]
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


def must_be_alike(
    parts: Sequence[Part], names: Sequence[Sequence[str] | None], widths: Sequence[int]
) -> None:
    """Raises BadInput for the first file whose columns, by name or where there are none by number, are not
    those of the first file.
    """
    first = None if names[0] is None else sorted(names[0])
    for part, own, width in zip(parts, names, widths, strict=True):
        if width != widths[0] or (None if own is None else sorted(own)) != first:
            told = [
                f"{w} without names" if n is None else listed(n)
                for n, w in ((own, width), (names[0], widths[0]))
            ]
            message = (
                f"has other columns ({told[0]}) than {parts[0].path.name} ({told[1]}); the files of one "
                "table have the same"
            )
            raise BadInput(Fault(message, str(part.path)))


def _files(path: Path) -> Iterator[Path]:
    """Every file, but for those that are no tables."""
    inside = path.rglob("*") if path.is_dir() else map(Path, glob.iglob(str(path), recursive=True))
    base = root_of(path)
    for file in inside:
        hidden = any(part.startswith((".", "_")) for part in file.relative_to(base).parts)
        if not hidden and kind_of(file) in KINDS and file.is_file():
            yield file


def root_of(path: Path) -> Path:
    """The folder that the files of a directory or a pattern are in: of a pattern, the one above its first
    part that has a sign of one.
    """
    if path.is_dir():
        return path
    plain = itertools.takewhile(lambda part: not any(sign in part for sign in SIGNS), path.parts)
    return Path(*plain)


def _folders(file: Path) -> dict[str, str]:
    pairs = [folder.partition("=") for folder in file.parts[:-1] if "=" in folder]
    return {name: value for name, _, value in pairs}


def _nothing(path: Path) -> str:
    if (path / "samples.npz").is_file():
        return "is a directory of a run; its samples are in samples.npz"
    what = "directory" if path.is_dir() else "pattern"
    return f"no table is in this {what}; tables end in {', '.join(KINDS)}, text also in .gz"
