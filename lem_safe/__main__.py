"""The command `lem-safe`, also as `python -m lem_safe`: signals are answered from the first import on, and
what cannot be printed is said at the end.
"""

import gc
import sys
from collections.abc import Sequence

from barriers.plain.needs import NeedsTorch
from lem_safe import memory, plainly, signals

COLLECTED_AFTER = 100_000
"""Objects made before the garbage collector looks for cycles: with its default of 700 it looks through
everything that is being imported, again and again, for a sixth of a short command's time.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command line as a process of its own, and returns its exit status."""
    signals.answer()
    gc.set_threshold(COLLECTED_AFTER)
    memory.keep()
    try:
        from lem_safe.output import prepare

        stdout = prepare()
        if arguments is None and (wrong := plainly.choose(sys.argv[1:])) is not None:
            print(wrong, file=sys.stderr)
            return 2
        with stdout.held():
            status = _status(arguments)
        if status == 130 and signals.received():  # typer knows of Ctrl-C alone
            status = signals.status_after()
        stdout.flush()
        if stdout.failed is not None:
            status = _unprinted(stdout.failed, status)
    except NeedsTorch:
        return plainly.again()
    except KeyboardInterrupt:
        status = signals.status_after()
        print("interrupted", file=sys.stderr)
    signals.leave_to_system()
    return status


def _status(arguments: Sequence[str] | None) -> int:
    """What the command line exits with; an import that this machine has no memory for is told like any other
    want of it.
    """
    try:
        from lem_safe.cli import main as run
        from lem_safe.commands.outcome import status_of
    except (ImportError, MemoryError, OSError) as error:
        print(f"lem-safe cannot be loaded: {error}", file=sys.stderr)
        return 3
    return status_of(lambda: run(arguments))


def _unprinted(error: OSError, status: int) -> int:
    """The status where stdout failed: a reader that has gone away wanted no more, anything else is told."""
    if isinstance(error, BrokenPipeError):
        return status
    print(f"stdout: what was to be printed is lost: {error.strerror}; files are complete", file=sys.stderr)
    return status if status > 1 else 3


if __name__ == "__main__":
    sys.exit(main())
