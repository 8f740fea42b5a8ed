"""SIGINT, SIGTERM and SIGHUP: each ends the program in words, with a checkpoint where there is something to
go on from, and the status that a shell expects (130, 143, 129).

Imports nothing that takes time: a signal may come in the first instant.
"""

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_AGAIN = 0.01
"""Seconds after which an interruption that was lost is raised again."""
_received: list[int] = []
_deferred = False
_IMPORT = "<frozen importlib._bootstrap>"


class Stopped(KeyboardInterrupt):
    """The program was asked to end, by the signal of this number; handled like Ctrl-C everywhere."""

    def __init__(self, number: int):
        super().__init__(signal.Signals(number).name)
        self.number = number


def answer() -> None:
    """Answers these signals from now on; one that was ignored, as by nohup, stays so."""
    for number in ENDING:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _answered)
    sys.unraisablehook = _unraisable


def leave_to_system() -> None:
    """Nothing is left to save: from now on these signals end the process at once."""
    for number in ENDING:
        if signal.getsignal(number) is _answered:
            signal.signal(number, signal.SIG_DFL)


@contextmanager
def deferred() -> Iterator[Callable[[], bool]]:
    """Meanwhile a signal is only noted, by a function that says whether one has come: where several processes
    end together, none may leave the others in the middle of what they do.
    """
    global _deferred
    before, seen = _deferred, len(_received)
    _deferred = True
    try:
        yield lambda: len(_received) > seen
    finally:
        _deferred = before


def noted() -> int:
    """The number of the last signal, 0 where none has come; another process may be told of it."""
    return _received[-1] if _received else 0


def stopped(number: int) -> Stopped:
    """What a signal of this number raises, where it was noted here or in another process."""
    _received.append(number)
    return Stopped(number)


def received() -> bool:
    """Whether one of these signals has come: then whatever was raised afterwards may be what a library made
    of it.
    """
    return bool(_received)


def status_after() -> int:
    """The exit status of an interruption: 128 and the number of its signal."""
    return 128 + (_received[-1] if _received else int(signal.SIGINT))


def _answered(number: int, frame: FrameType | None) -> None:
    _received.append(number)
    if _deferred:
        return
    if _importing(frame):  # an exception could be lost in there, and there is nothing to save
        shown = "\x1b[?25h" if os.isatty(2) else ""
        try:
            os.write(2, f"{shown}interrupted\n".encode())
        finally:
            os._exit(128 + number)
    raise Stopped(number)


def _importing(frame: FrameType | None) -> bool:
    while frame is not None:
        if frame.f_code.co_filename == _IMPORT:
            return True
        frame = frame.f_back
    return sys.is_finalizing()


def _unraisable(lost: "sys.UnraisableHookArgs") -> None:
    """An interruption that fell into a destructor, where nothing can be raised, is raised again a moment
    later.
    """
    stop = lost.exc_value
    if not isinstance(stop, Stopped):
        sys.__unraisablehook__(lost)
        return

    def again(_: int, frame: FrameType | None) -> None:
        _answered(stop.number, frame)

    signal.signal(signal.SIGALRM, again)
    signal.setitimer(signal.ITIMER_REAL, _AGAIN)
