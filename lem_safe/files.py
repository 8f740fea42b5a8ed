"""Files written atomically: every file is written under a temporary name next to its own and renamed when
complete; and where what took long to compute is kept.
"""

import hashlib
import json
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from barriers.regular_files import must_be_regular

CACHE_VARIABLE = "LEM_SAFE_CACHE"


def default_cache() -> Path:
    """The directory of trained energies: $LEM_SAFE_CACHE, else ~/.cache/lem-safe/energies."""
    return Path(os.environ.get(CACHE_VARIABLE) or Path.home() / ".cache" / "lem-safe" / "energies")


def default_timings() -> Path:
    """The directory of how long steps took, beside the trained energies."""
    return default_cache() / "timings"


def write_atomically(path: Path, write: Callable[[BinaryIO], None]) -> None:
    """Calls `write` on a temporary file and renames it to `path`; an interruption leaves the old file, or
    none.
    """
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(name, 0o644)
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def write_text(path: Path, text: str) -> None:
    """UTF-8 text, atomically."""
    write_atomically(path, lambda file: void(file.write(text.encode())))


def read_text(path: Path) -> str:
    """UTF-8 text; raises UnreadableFile for what is no regular file."""
    must_be_regular(path)
    return path.read_text(encoding="utf-8")


def write_json(path: Path, content: Any) -> None:
    """Indented JSON that any parser reads: no NaN, no infinity."""
    write_text(path, json.dumps(content, indent=2, allow_nan=False) + "\n")


def write_npz(path: Path, **arrays: np.ndarray) -> None:
    """An uncompressed npz whose bytes depend on its arrays alone (numpy dates every member 1980-01-01)."""
    named: dict[str, Any] = dict(arrays)  # not to be taken for its flags
    write_atomically(path, lambda file: np.savez(file, **named))


def read_npz(path: Path) -> dict[str, np.ndarray]:
    """Every array of an npz; pickled ones are refused. Raises UnreadableFile for what is no regular file."""
    must_be_regular(path)
    with np.load(path, allow_pickle=False) as archive:
        return {name: archive[name] for name in archive.files}


def sha256_of(path: Path) -> str:
    """The hash of a file's content, in hex; OSError where it cannot be read or is no regular file."""
    must_be_regular(path)
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def void(_: object) -> None:
    """Discards a value where a callback must return nothing."""


def real(path: Path) -> Path:
    """The path without links; what leads to itself or cannot be a path stays as it is, and is refused where
    it is read or written.
    """
    try:
        return Path(os.path.realpath(path))
    except ValueError:  # a NUL
        return path
