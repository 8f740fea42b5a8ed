"""The output and exit status of a command: the one place where a failure becomes a number and a message on
stderr.

0 every tolerance met, 1 a tolerance failed, 2 bad input, 3 a numerical failure or one of the machine, 4 an
internal error, 130 interrupted (143 by SIGTERM, 129 by SIGHUP).
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
from barriers.plain.needs import Choice, NeedsTorch
from barriers.regular_files import UnreadableFile
from lem_safe.errors import BadInput, JobEnded, NumericalFailure
from lem_safe.escaping import in_lines, on_one_line
from lem_safe.output import Output
from lem_safe.signals import received, status_after

if TYPE_CHECKING:
    from lem_safe.progress import Progress

PLACES = (
    errno.EACCES,
    errno.EPERM,
    errno.EROFS,
    errno.ENOTDIR,
    errno.EISDIR,
    errno.ENOENT,
    errno.EEXIST,
    errno.ENAMETOOLONG,
    errno.ELOOP,
    errno.ENXIO,
)
"""What is wrong with a place that was given for the results."""
NO_MEMORY = (
    "can't allocate memory",
    "cannot allocate memory",
    "not enough memory",
    "bad_alloc",
    "failed to map segment",
    "can't start new thread",
    "unable to allocate",
    "error return without exception set",
)
"""How libraries say that there is none left."""
SMALLER = "take fewer samples or columns, or allow more; what was complete before is intact"


def status_of(body: Callable[[], int | None], tells: Callable[[], bool] = lambda: True) -> int:
    """The exit status of a command; a failure becomes a number and a message on stderr. tells: whether this
    process is the one of a job that has to say so.
    """
    try:
        return body() or 0
    except JobEnded as ended:
        if ended.why is not None:
            complain(ended.why)
        return ended.status
    except (Exception, KeyboardInterrupt) as error:
        return _told(error) if tells() else _in_silence(error)


def _told(error: BaseException) -> int:
    """The status of a failure, with its message."""
    match error:
        case BadInput():
            for fault in error.faults:
                complain(str(fault))
            return 2
        case KindError():
            complain(on_one_line(error))
            return 2
        case NumericalFailure():
            complain(f"numerical failure: {on_one_line(error)}")
            return 3
        case KeyboardInterrupt():
            return _interrupted()
        case Exception():
            return _interrupted() if received() else _status_of_unexpected(error)
    raise error


def _in_silence(error: BaseException) -> int:
    """The status of a failure that another process tells."""
    if isinstance(error, KeyboardInterrupt) or received():
        return status_after()
    return 2 if isinstance(error, BadInput | KindError) else 3


def _interrupted() -> int:
    complain(
        "interrupted; the same command, with --resume where it has one, goes on from the last checkpoint"
    )
    return status_after()


def _status_of_unexpected(error: Exception) -> int:
    """The status of a failure that no part of the program expected, in words: the place that was given (2),
    the machine (3), or ours (4).
    """
    if isinstance(error, UnreadableFile):
        complain(f"{on_one_line(error.filename)}: {on_one_line(error)}; check the path")
        return 2
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        complain(
            f"{on_one_line(error.filename or 'disk')}: no space left; what was complete before is intact; "
            "free some space and --resume"
        )
        return 3
    if isinstance(error, OSError) and error.errno in PLACES and error.filename:
        where = on_one_line(error.filename)
        complain(f"{where}: {error.strerror}; choose another place, or change its permissions")
        return 2
    if isinstance(error, OSError) and error.errno is not None:
        place = f"{on_one_line(error.filename)}: " if error.filename else ""
        complain(f"{place}{error.strerror}; what was complete before is intact")
        return 3
    first = on_one_line((str(error).splitlines() or [""])[0])
    if isinstance(error, MemoryError) or any(word in first.lower() for word in NO_MEMORY):
        complain(f"out of memory: {first or 'nothing more could be reserved'}; {SMALLER}")
        return 3
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
    if isinstance(sys.stdout, Output):
        sys.stdout.release()
    try:
        print(in_lines(text), file=sys.stderr, flush=True)
    except (
        OSError,
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


def _internal(error: BaseException) -> int:
    if Choice.again:  # torch may do it, or say it better
        raise NeedsTorch(str(error)) from error
    first = on_one_line((str(error).splitlines() or [""])[0])
    try:
        with tempfile.NamedTemporaryFile(
            "w", prefix="lem-safe-", suffix=".log", delete=False, encoding="utf-8", errors="backslashreplace"
        ) as log:
            traceback.print_exception(error, file=log)
        where = log.name
    except OSError as full:
        where = f"this command; its log could not be written ({full.strerror})"
    complain(f"internal error: {type(error).__name__}: {first}; please report it with {where}")
    return 4
