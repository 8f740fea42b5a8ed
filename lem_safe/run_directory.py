"""A run directory: one run at a time writes into it, every file is written atomically, and an interrupted run
can be resumed from it.
"""

import errno
import fcntl
import json
import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np

from lem_safe.errors import BadInput, Fault
from lem_safe.files import write_npz, write_text
from lem_safe.inputs import read_arrays, read_mapping

LOCK, CHECKPOINT, BEGUN, FINISHED = ".lock", "checkpoint.npz", "begun.json", "run.json"
ABANDONED = re.compile(r"\.[\w.]+\.(npz|json|yaml|safetensors)\.\w{8}|report\.html\.tmp")
"""Files that a killed process was writing; the lock ensures that no other process is."""


FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.ENFILE, errno.EMFILE)
"""What is wrong with the machine, not with the place."""


class RunDirectory:
    """A folder held by a lock from `__enter__` to `__exit__`. The operating system drops a dead
    process's lock, so the next run takes it over. At its end it is removed where it is empty and was made
    here, or where it is `fleeting`."""

    def __init__(self, path: Path, *, fleeting: bool = False):
        self.path, self.fleeting = path, fleeting
        self._lock = path / LOCK

    def __enter__(self) -> "RunDirectory":
        self._made = [path for path in (self.path, *self.path.parents) if not os.path.lexists(path)]
        self._made = self._made or [self.path] * self.fleeting
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            self._take_lock()
        except (OSError, ValueError) as error:
            if getattr(error, "errno", None) in FULL:
                raise
            raise BadInput(
                Fault(f"cannot write here: {_reason(error)}; choose another --out", file=str(self.path))
            ) from error
        for left in [p for p in self.path.iterdir() if ABANDONED.fullmatch(p.name)]:
            left.unlink(missing_ok=True)
        return self

    def __exit__(self, *_: object) -> None:
        self._lock.unlink(missing_ok=True)
        os.close(self._handle)
        with suppress(OSError):  # refused before anything was written: what was made here is empty
            for made in self._made:
                made.rmdir()

    def __truediv__(self, name: str) -> Path:
        return self.path / name

    @property
    def finished(self) -> bool:
        return (self.path / FINISHED).exists()

    @property
    def is_fresh(self) -> bool:
        """Whether the directory contains nothing but the lock."""
        return all(path.name == LOCK for path in self.path.iterdir())

    def arrays(self, name: str, way_out: str) -> dict[str, np.ndarray]:
        """The arrays of a file of this or an interrupted run; BadInput with the remedy `way_out` where it is
        damaged.
        """
        return read_arrays(self / name, way_out)

    def checkpoint(self) -> dict[str, np.ndarray] | None:
        """The last checkpoint, or None; BadInput where it cannot be read."""
        if not (self / CHECKPOINT).exists():
            return None
        way_out = "remove it to begin the interrupted chain again"
        saved = self.arrays(CHECKPOINT, way_out)
        if "phase" not in saved:
            raise BadInput(Fault(f"is damaged (it names no chain); {way_out}", file=str(self / CHECKPOINT)))
        return saved

    def begun_with(self) -> dict[str, str] | None:
        """The identity of an unfinished run in this directory; None where there is none."""
        path = self / BEGUN
        if path.exists():
            found = read_mapping(
                path, "it is not known whether these files are this run's; choose another --out"
            )
            return {name: str(value) for name, value in found.items()}
        if any((self / name).exists() for name in ("samples.npz", "reference.npz", CHECKPOINT)):
            raise BadInput(
                Fault(
                    "holds samples, but not what they were begun with; choose another --out",
                    file=str(self.path),
                )
            )
        return None

    def finished_with(self) -> str:
        """The fingerprint of the finished run in this directory."""
        return str(read_mapping(self / FINISHED, "choose another --out").get("fingerprint"))

    def begin_with(self, identity: dict[str, str]) -> None:
        """Stores the identity of this run, before it writes anything else."""
        write_text(self / BEGUN, json.dumps(identity, indent=2) + "\n")

    def save_checkpoint(self, **arrays: Any) -> None:
        write_npz(self / CHECKPOINT, **arrays)

    def drop_checkpoint(self) -> None:
        """Removes the checkpoint after the last chain."""
        (self / CHECKPOINT).unlink(missing_ok=True)

    def forget_beginning(self) -> None:
        """Removes the stored identity after run.json, which contains it."""
        (self / BEGUN).unlink(missing_ok=True)

    def _take_lock(self) -> None:
        """Takes the lock, whatever text is in its file; BadInput where another process holds it, and where
        what has its name is no regular file, which is left alone.
        """
        while True:
            if os.path.lexists(self._lock) and not stat.S_ISREG(os.lstat(self._lock).st_mode):
                message = "is the name of the lock, and no regular file; remove it or choose another --out"
                raise BadInput(Fault(message, file=str(self._lock)))
            handle = os.open(self._lock, os.O_CREAT | os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK, 0o644)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                text = os.read(handle, 32).decode("ascii", "replace").strip()
                os.close(handle)
                holder = f"process {text}" if text.isdigit() else "another process"
                message = f"{holder} is writing here; wait for it or choose another --out"
                raise BadInput(Fault(message, file=str(self.path))) from None
            if self._lock.exists() and os.fstat(handle).st_ino == self._lock.stat().st_ino:
                os.truncate(handle, 0)
                os.write(handle, str(os.getpid()).encode())
                self._handle = handle
                return
            os.close(handle)  # the holder removed the file while this process waited: lock the new one


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)


RESUME = "choose another --out, or --resume to continue the run in it"


def must_be_fresh(path: Path, way_out: str = "choose another --out") -> None:
    """Refuses a directory that holds more than the lock of a killed process; `way_out` is the remedy."""
    if path.is_dir():
        if any(held.name != LOCK for held in path.iterdir()):
            raise BadInput(Fault(f"is not empty; {way_out}", file=str(path)))
    elif os.path.lexists(path):
        what = "is a file" if path.is_file() else "is no directory"
        raise BadInput(Fault(f"{what}; --out must be a directory that is empty or absent", file=str(path)))
    elif "\0" in str(path):
        raise BadInput(Fault("holds a NUL character, which no name can; choose another --out", str(path)))


@contextmanager
def only_writer(path: Path | None, *, resume: bool = False) -> Iterator[None]:
    """Holds a directory for one process from its first write to its last; BadInput where another process
    writes there and, unless `resume`, where it holds something. Does nothing without a directory.
    """
    if path is None:
        yield
        return
    if not resume:
        must_be_fresh(path)
    with RunDirectory(path) as directory:
        if not (resume or directory.is_fresh):  # another process has been here since
            raise BadInput(Fault("is not empty; choose another --out", file=str(path)))
        yield


def fresh_under(parent: Path, name: str) -> Path:
    """runs/NAME, or runs/NAME-2, -3, ... where that is taken."""
    for k in range(1, 100_000):
        path = parent / (name if k == 1 else f"{name}-{k}")
        if not path.exists():
            return path
    raise BadInput(f"no free directory under {parent} for a run named {name}; give --out")


def last_unfinished(parent: Path, name: str) -> Path:
    """The newest interrupted one of runs/NAME, runs/NAME-2, ...; runs/NAME where none was."""
    own = [p for p in parent.glob(f"{name}*") if re.fullmatch(r"(-\d+)?", p.name.removeprefix(name))]
    cut = [p for p in own if (p / BEGUN).exists() and not (p / FINISHED).exists()]
    return max(cut, key=lambda p: p.stat().st_mtime, default=parent / name)
