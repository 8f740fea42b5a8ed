"""The types of failure: a user's input (exit 2), the computation itself (exit 3), or another process of the
job. Anything else is a bug (exit 4).
"""

from collections.abc import Sequence
from dataclasses import dataclass

from lem_safe.escaping import on_one_line

WIDTH = 160
"""The number of characters of a source line that are shown."""


@dataclass(frozen=True)
class Fault:
    """One fault of one input: its place, the rule it breaks, and the remedy.

    message: the rule, the value and the remedy. key: the dotted path inside the file. source: the line
    itself.
    """

    message: str
    file: str | None = None
    line: int | None = None
    column: int | None = None
    key: str | None = None
    source: str | None = None

    def __str__(self) -> str:
        place = ":".join(str(part) for part in (self.file, self.line, self.column) if part is not None)
        head = ": ".join(on_one_line(part) for part in (place, self.key, self.message) if part)
        if self.source is None or self.column is None:
            return head
        start = max(0, self.column - WIDTH // 2) if len(self.source) > WIDTH else 0
        shown = on_one_line(self.source[start : start + WIDTH])
        before = on_one_line(self.source[start : self.column - 1])
        return f"{head}\n    {shown}\n    {' ' * len(before)}^"


class BadInput(Exception):
    """A scenario, a sample file or a command line that cannot be used, with every fault found.
    Exit status 2.
    """

    def __init__(self, faults: Sequence[Fault] | Fault | str):
        if isinstance(faults, str):
            faults = [Fault(faults)]
        self.faults = [faults] if isinstance(faults, Fault) else list(faults)
        super().__init__("\n".join(str(f) for f in self.faults))


class NumericalFailure(Exception):
    """A chain that diverged or a constraint that could not be met; the message contains step, constraint and
    numbers. Exit status 3.
    """


class JobEnded(Exception):
    """A job of several processes has ended because of another one, which is lost or has failed. why: None
    where it has been told. Exit status `status`.
    """

    def __init__(self, why: str | None, status: int = 3):
        super().__init__(why or "the job has ended")
        self.why, self.status = why, status
