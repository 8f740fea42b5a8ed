"""The cache of trained energies: where it is, what it holds, and clearing it.

Each energy has its own directory, named by its fingerprint, with the energy and, during training, its
journal. Nothing else is ever deleted.
"""

import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from lem_safe.training.trained import FILE, JOURNAL

NAME = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True)
class Cached:
    """One directory of the cache. bytes: of all its files. finished: whether its training has ended. used:
    the time of the last write, in seconds since 1970.
    """

    path: Path
    bytes: int
    finished: bool
    used: float


def cached(directory: Path) -> list[Cached]:
    """Every energy of a cache, the newest first; empty where there is no such directory. Raises OSError where
    it cannot be read.
    """
    if not directory.is_dir():
        return []
    found = [_seen(path) for path in directory.iterdir() if NAME.fullmatch(path.name) and path.is_dir()]
    return sorted((c for c in found if c is not None), key=lambda c: -c.used)


def clear(directory: Path) -> int:
    """Deletes every energy of a cache and nothing else; returns their number."""
    found = cached(directory)
    for one in found:
        shutil.rmtree(one.path)
    return len(found)


def _seen(path: Path) -> Cached | None:
    """The entry; None for a directory that holds anything but an energy and its journal."""
    files = [file for file in path.iterdir()]
    if any(not file.name.lstrip(".").startswith((FILE, JOURNAL)) for file in files):
        return None
    sizes = [file.stat() for file in files]
    return Cached(
        path,
        sum(s.st_size for s in sizes),
        (path / FILE).is_file(),
        max((s.st_mtime for s in sizes), default=path.stat().st_mtime),
    )
