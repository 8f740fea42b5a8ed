"""Files that a user names: refused by name, before they are opened, where they are no regular files or too
large for this machine; and those of a run directory, which may be damaged.
"""

import json
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from barriers.regular_files import memory, refusal
from lem_safe.errors import BadInput, Fault
from lem_safe.files import read_npz, read_text


def must_be_readable(path: str | PathLike[str], way_out: str = "check the path") -> None:
    """Raises BadInput, with the way out, unless a path is a regular file that may be read, of any size."""
    _refuse(path, refusal(path), way_out)


def must_fit(path: str | PathLike[str], way_out: str = "check the path") -> None:
    """The same, of a file that is read whole: it must be smaller than this machine's memory."""
    _refuse(path, refusal(path, memory()), way_out)


def read_mapping(path: Path, way_out: str) -> dict[str, Any]:
    """The JSON object in a file that this program wrote; BadInput, with the way out, where it is damaged."""
    must_fit(path, way_out)
    try:
        found = json.loads(read_text(path))
        if not isinstance(found, dict):
            raise ValueError("no mapping")
    except (ValueError, RecursionError) as error:
        raise BadInput(Fault(f"is damaged ({_first_line(error)}); {way_out}", str(path))) from error
    return found


def read_arrays(path: Path, way_out: str) -> dict[str, np.ndarray]:
    """The arrays of an .npz that this program wrote, likewise."""
    must_fit(path, way_out)
    try:
        return read_npz(path)
    except Exception as error:  # what a damaged archive raises depends on which of its bytes are
        raise BadInput(Fault(f"is damaged ({_first_line(error)}); {way_out}", str(path))) from error


def _refuse(path: str | PathLike[str], why: str | None, way_out: str) -> None:
    if why is not None:
        raise BadInput(Fault(f"{why}; {way_out}", str(path)))


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:120]
