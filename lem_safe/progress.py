"""Progress of long work: a bar on a terminal, one line per task when piped, nothing when quiet."""

import contextlib
import sys
import time
from types import TracebackType
from typing import Protocol

from lem_safe.escaping import on_one_line


class Progress(Protocol):
    """Tasks in sequence, each from `start` to `finish`."""

    def start(self, title: str, total: int) -> None:
        """Begins a task of `total` steps."""

    def update(self, done: int, note: str) -> None:
        """Reports `done` steps, with a short note on the state."""

    def finish(self, note: str) -> None:
        """Ends the task."""

    def say(self, text: str) -> None:
        """Prints one line between the tasks."""


class Silent:
    """No output."""

    def start(self, title: str, total: int) -> None: ...

    def update(self, done: int, note: str) -> None: ...

    def finish(self, note: str) -> None: ...

    def say(self, text: str) -> None: ...


class Lines:
    """One line per task on stderr, at its end: for pipes and logs."""

    def __init__(self) -> None:
        self._title, self._began = "", 0.0

    def start(self, title: str, total: int) -> None:
        self._title, self._began = title, time.monotonic()

    def update(self, done: int, note: str) -> None: ...

    def finish(self, note: str) -> None:
        self.say(f"{self._title}: {note} ({time.monotonic() - self._began:.1f} s)")

    def say(self, text: str) -> None:
        with contextlib.suppress(OSError, AttributeError, ValueError):  # stderr is closed: the run continues
            print(on_one_line(text), file=sys.stderr, flush=True)


class Bars:
    """rich's progress bars on stderr. A context manager, which restores the terminal at its end."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
        from rich.progress import Progress as RichProgress

        self._console = Console(stderr=True)
        bar = BarColumn(
            max(4, min(40, self._console.width - 76))
        )  # at 80 columns the note needs the space more than the bar
        columns = (
            TextColumn("{task.description}", markup=False),
            bar,
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}", markup=False),
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
        self._task, self._total = self._bars.add_task(on_one_line(title), total=total, note=""), total

    def update(self, done: int, note: str) -> None:
        self._bars.update(self._task, completed=done, note=on_one_line(note))

    def finish(self, note: str) -> None:
        self._bars.update(self._task, completed=self._total, note=on_one_line(note))

    def say(self, text: str) -> None:
        self._console.print(on_one_line(text), markup=False, emoji=False, highlight=False)
