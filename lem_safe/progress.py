"""Progress of long work: a bar on a terminal, one line a task when piped, nothing when quiet."""

import contextlib
import sys
import time
from types import TracebackType
from typing import Protocol


class Progress(Protocol):
    """Tasks one after another, each from `start` to `finish`."""

    def start(self, title: str, total: int) -> None:
        """A task of `total` steps begins."""

    def update(self, done: int, note: str) -> None:
        """`done` steps are behind, `note` says how it stands."""

    def finish(self, note: str) -> None:
        """The task is over."""

    def say(self, text: str) -> None:
        """One line beside the tasks."""


class Silent:
    """No output."""

    def start(self, title: str, total: int) -> None: ...

    def update(self, done: int, note: str) -> None: ...

    def finish(self, note: str) -> None: ...

    def say(self, text: str) -> None: ...


class Lines:
    """One line a task on stderr, when it is over: for pipes and logs."""

    def __init__(self) -> None:
        self._title, self._began = "", 0.0

    def start(self, title: str, total: int) -> None:
        self._title, self._began = title, time.monotonic()

    def update(self, done: int, note: str) -> None: ...

    def finish(self, note: str) -> None:
        self.say(f"{self._title}: {note} ({time.monotonic() - self._began:.1f} s)")

    def say(self, text: str) -> None:
        with contextlib.suppress(OSError, AttributeError, ValueError):  # nobody listens: the run goes on
            print(text, file=sys.stderr, flush=True)


class Bars:
    """rich's progress bars on stderr. A context manager: the terminal is restored when it is left."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
        from rich.progress import Progress as RichProgress

        self._console = Console(stderr=True)
        bar = BarColumn(
            max(4, min(40, self._console.width - 76))
        )  # at 80 columns the note needs the room more than the bar does
        columns = (
            TextColumn("{task.description}"),
            bar,
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}"),
        )
        self._bars = RichProgress(*columns, console=self._console)

    def __enter__(self) -> "Bars":
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bars.stop()

    def start(self, title: str, total: int) -> None:
        self._task, self._total = self._bars.add_task(title, total=total, note=""), total

    def update(self, done: int, note: str) -> None:
        self._bars.update(self._task, completed=done, note=note)

    def finish(self, note: str) -> None:
        self._bars.update(self._task, completed=self._total, note=note)

    def say(self, text: str) -> None:
        self._console.print(text, highlight=False)
