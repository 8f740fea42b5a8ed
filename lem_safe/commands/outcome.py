"""What a command says, and what it exits with: the one place where a failure becomes a number and a message
on stderr.

0 every tolerance met, 1 a tolerance failed, 2 bad input, 3 a numerical failure, 4 an internal error, 130
interrupted.
"""

import errno
import os
import sys
import tempfile
import traceback
from collections.abc import Callable
from typing import TYPE_CHECKING

from barriers.kinds import KindError
from lem_safe.errors import BadInput, NumericalFailure
from lem_safe.escaping import in_lines, on_one_line

if TYPE_CHECKING:
    from lem_safe.progress import Progress


def status_of(body: Callable[[], int | None]) -> int:
    """What a command exits with: the one place where a failure becomes a number and a message on stderr."""
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
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            complain(
                f"{on_one_line(error.filename or 'disk')}: no space left; what was complete before is "
                "intact; free some space and --resume"
            )
            return 3
        if (
            error.errno
            in (
                errno.EACCES,
                errno.EPERM,
                errno.EROFS,
                errno.ENOTDIR,
                errno.ENOENT,
                errno.EEXIST,
                errno.ENAMETOOLONG,
            )
            and error.filename
        ):
            where = on_one_line(error.filename)
            complain(f"{where}: {error.strerror}; choose another place, or change its permissions")
            return 2
        return _internal(error)
    except Exception as error:
        return _internal(error)


def say(text: str) -> None:
    """Text on stdout; a reader that has gone away is not an error."""
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
    ):  # closed, or its reader has gone: the exit status still tells
        if sys.stderr is not None:
            sys.stderr = os.fdopen(
                os.open(os.devnull, os.O_WRONLY), "w"
            )  # flushed by the interpreter at exit


def open_progress(silent: bool) -> "tuple[Progress, Callable[[], None]]":
    """Bars on a terminal, lines when piped; and what to call when the work is over."""
    from lem_safe.progress import Bars, Lines, Silent

    if silent or sys.stderr is None or not sys.stderr.isatty():
        return (Silent() if silent else Lines()), lambda: None
    bars = Bars()
    bars.__enter__()
    return bars, lambda: bars.__exit__(None, None, None)


def _internal(error: BaseException) -> int:
    with tempfile.NamedTemporaryFile(
        "w", prefix="lem-safe-", suffix=".log", delete=False, encoding="utf-8"
    ) as log:
        traceback.print_exception(error, file=log)
    first = on_one_line((str(error).splitlines() or [""])[0])
    complain(f"internal error: {type(error).__name__}: {first}; please report it with {log.name}")
    return 4
