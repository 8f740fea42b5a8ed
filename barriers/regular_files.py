"""What may be opened: regular files, of a size that can be read. A named pipe, a device, a socket or a
directory is refused before it is opened, because reading it could wait for ever or never end.

Every function here that reads a file a user names asks `must_be_regular` first.
"""

import errno
import os
import stat
from pathlib import Path

KINDS = (
    (stat.S_ISDIR, "a directory"),
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)
MISSING = "no such file"


class UnreadableFile(OSError):
    """A path that cannot be read as a file; the text says why, and `filename` is the path."""

    def __init__(self, why: str, path: str | os.PathLike[str]):
        super().__init__(errno.EINVAL, why, str(path))

    def __str__(self) -> str:
        return str(self.strerror)


def memory() -> int:
    """Bytes of memory that a process may use here: the machine's, or its container's where that is less."""
    have = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    try:
        return min(have, int(Path("/sys/fs/cgroup/memory.max").read_text(encoding="ascii")))
    except (OSError, ValueError):
        return have


def refusal(path: str | os.PathLike[str], most: int | None = None) -> str | None:
    """Why a path cannot be read as a regular file of at most `most` bytes; None where it can.

    Nothing is read; it is opened without waiting, to learn whether that is permitted.
    """
    try:
        held = os.stat(path)
    except ValueError:
        return "its name holds a NUL character, which no file name can"
    except OSError as error:
        return _missing(Path(path), error)
    kind = next((words for is_kind, words in KINDS if is_kind(held.st_mode)), None)
    if kind is not None:
        advice = "; save what it gives as a file first" if kind == "a pipe" else ""
        return f"is {kind}; only regular files are read{advice}"
    if most is not None and held.st_size > most:
        return f"has {held.st_size:,} bytes, more than the {most:,} that are read at once"
    try:
        os.close(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC))
    except PermissionError:
        return "cannot be read: permission denied"
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    return None


def must_be_regular(path: str | os.PathLike[str], most: int | None = None) -> None:
    """Raises UnreadableFile unless a path is a regular file, readable, and of at most `most` bytes; by
    default of any size.
    """
    why = refusal(path, most)
    if why is not None:
        raise UnreadableFile(why, path)


def _missing(path: Path, error: OSError) -> str:
    """Why a path leads to no file at all."""
    if error.errno == errno.ELOOP:
        return "is a link that leads back to itself"
    if error.errno == errno.ENAMETOOLONG:
        return "no such file: the name is too long"
    if error.errno == errno.EACCES:
        return "cannot be read: permission denied"
    if error.errno == errno.ENOENT:
        return f"is a link to {os.readlink(path)}, where there is no file" if path.is_symlink() else MISSING
    if error.errno == errno.ENOTDIR:
        return "no such file: a part of its path is a file and no directory"
    return f"cannot be read: {error.strerror}"
