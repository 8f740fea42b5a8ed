"""The files of a data set, in the order of their names: those of a directory, of a pattern or of an address,
with the columns that their folders say; and which of them a shard is.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from barriers.tables import kind_of
from lem_safe.data.parts import KINDS, folders_in, must_be_one_kind, parts_of, root_of
from lem_safe.data.remote import Remote, found_at, is_address, shown
from lem_safe.errors import BadInput, Fault

ARROW = (".arrow", ".feather", ".ipc")
"""What files of Arrow's own format are called."""
MOST = 1_000_000
"""Files of one data set, at most."""


class Shard(NamedTuple):
    """Shard `number`, from 1, of `of`: as many files as the others have, to one, next to each other."""

    number: int
    of: int

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"

    def files(self, total: int) -> range:
        """Which files of a data set it is, counted from 0."""
        return range((self.number - 1) * total // self.of, self.number * total // self.of)


@dataclass(frozen=True)
class DataFile:
    """One file. name: its path below the folder of the data set, which is the same wherever that is; folders:
    the columns that its folders say; marked: whether facts about it are beside it.
    """

    path: Path | Remote
    name: str
    size: int
    folders: Mapping[str, str]
    marked: bool = False


@dataclass(frozen=True)
class DataSet:
    """All its files, and which of them are read, counted from 0."""

    source: str
    files: Sequence[DataFile]
    chosen: range

    @property
    def sha256(self) -> str:
        """What distinguishes the data set from others: the names and sizes of its files."""
        listed = [[file.name, file.size] for file in self.files]
        return hashlib.sha256(json.dumps(listed).encode("utf-8", "surrogatepass")).hexdigest()


def dataset_of(source: str | Path, shard: Shard | None = None) -> DataSet:
    """The data set of a directory, a pattern or an address; BadInput where there is no table in it, and where
    it has fewer files than shards.
    """
    files = _remote(source) if isinstance(source, str) and is_address(source) else _local(Path(source))
    named = named_of(source)
    if shard is not None and shard.of > len(files):
        many = f"{len(files):,} file{'s' * (len(files) != 1)}"
        message = f"there can be at most one shard per file, and {named} has {many}; got {shard}"
        raise BadInput(Fault(f"{message}; write the table as more files, or use fewer shards", key="--shard"))
    return DataSet(named, files, range(len(files)) if shard is None else shard.files(len(files)))


def named_of(source: str | Path) -> str:
    """What a data set is called: its path or address, without a slash at the end, ./ and secrets."""
    if isinstance(source, str) and is_address(source):
        plain = shown(source)
        return plain.rstrip("/") if plain.partition("://")[2].strip("/") else plain
    return str(Path(source))


def on_this_machine(source: str | Path) -> list[Path]:
    """The files of a data set that a command could overwrite: those on this machine's disks."""
    if isinstance(source, str) and is_address(source):
        if source.partition("://")[0].lower() != "file":
            return []
        return [Path(file.path.path) for file in _remote(source) if isinstance(file.path, Remote)]
    return [file.path for file in _local(Path(source)) if isinstance(file.path, Path)]


def _local(path: Path) -> list[DataFile]:
    root = root_of(path)
    return [
        DataFile(
            part.path,
            part.path.relative_to(root).as_posix(),
            part.path.stat().st_size,
            part.folders,
            part.path.with_name(f"{part.path.name}.json").exists(),
        )
        for part in parts_of(path, (*KINDS, *ARROW), MOST)
    ]


def _remote(address: str) -> list[DataFile]:
    found, _ = found_at(address)
    names = {below for _, below in found}
    files = [
        DataFile(file, below, file.size, folders_in(below), f"{below}.json" in names)
        for file, below in found
        if kind_of(file) in (*KINDS, *ARROW)
        and not any(part.startswith((".", "_")) for part in below.split("/"))
    ]
    plain = shown(address)
    if not files:
        raise BadInput(Fault(f"no table is there; tables end in {', '.join((*KINDS, *ARROW))}", plain))
    if len(files) > MOST:
        raise BadInput(Fault(f"must be at most {MOST:,} files; name fewer with a pattern", plain))
    must_be_one_kind([kind_of(file.path) for file in files], plain)
    return files
