"""The output and exit status of a command: the one place where a failure becomes a number and a message on
stderr.

0 every tolerance met, 1 a tolerance failed, 2 bad input, 3 a numerical failure, 4 an internal error, 130
interrupted.
"""

import errno
import os
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from barriers.kinds import KindError
from lem_safe.errors import BadInput, NumericalFailure
from lem_safe.escaping import in_lines, on_one_line

if TYPE_CHECKING:
    from lem_safe.progress import Progress

FULL = (errno.ENOSPC, errno.EDQUOT)
NO_PLACE = (
    errno.EACCES,
    errno.EPERM,
    errno.EROFS,
    errno.ENOTDIR,
    errno.ENOENT,
    errno.EEXIST,
    errno.ENAMETOOLONG,
)
"""What is wrong with a place that was given for the results."""


def status_of(body: Callable[[], int | None]) -> int:
    """The exit status of a command; a failure becomes a number and a message on stderr."""
    try:
        return body() or 0
    except BadInput as bad:
        for fault in bad.faults:
            complain(str(fault))
        return 2
    except KindError as error:
        complain(on_one_line(error))
        return 2
    except NumericalFailure as failure:
        complain(f"numerical failure: {on_one_line(failure)}")
        return 3
    except KeyboardInterrupt:
        complain(
            "interrupted; the same command, with --resume where it has one, goes on from the last checkpoint"
        )
        return 130
    except OSError as error:
        return _status_of_files(error)
    except Exception as error:
        return _internal(error)


def say(text: str) -> None:
    """Prints text on stdout; a closed pipe is not an error."""
    try:
        print(in_lines(text.rstrip("\n")), flush=True)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def say_line(text: object) -> None:
    """One line on stdout, whatever is in it."""
    say(on_one_line(text))


def complain(text: str) -> None:
    try:
        print(in_lines(text), file=sys.stderr, flush=True)
    except (
        BrokenPipeError,
        AttributeError,
        ValueError,
    ):  # closed, or its reader has closed it: the exit status is still valid
        if sys.stderr is not None:
            sys.stderr = os.fdopen(
                os.open(os.devnull, os.O_WRONLY), "w"
            )  # flushed by the interpreter at exit


@contextmanager
def open_progress(silent: bool) -> "Iterator[Progress]":
    """Bars on a terminal until the work ends, lines when piped."""
    from lem_safe.progress import Bars, Lines, Silent

    if silent or sys.stderr is None or not sys.stderr.isatty():
        yield Silent() if silent else Lines()
        return
    with Bars() as bars:
        yield bars


def _status_of_files(error: OSError) -> int:
    """What the operating system refused: a full disk, a place where nothing can be written, or our own
    fault.
    """
    if error.errno in FULL:
        complain(
            f"{on_one_line(error.filename or 'disk')}: no space left; what was complete before is intact; "
            "free some space and --resume"
        )
        return 3
    if error.errno in NO_PLACE and error.filename:
        where = on_one_line(error.filename)
        complain(f"{where}: {error.strerror}; choose another place, or change its permissions")
        return 2
    return _internal(error)


def _internal(error: BaseException) -> int:
    with tempfile.NamedTemporaryFile(
        "w", prefix="lem-safe-", suffix=".log", delete=False, encoding="utf-8"
    ) as log:
        traceback.print_exception(error, file=log)
    first = on_one_line((str(error).splitlines() or [""])[0])
    complain(f"internal error: {type(error).__name__}: {first}; please report it with {log.name}")
    return 4
