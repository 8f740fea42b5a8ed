"""What can go wrong, as types: a user's input (exit 2) or the numbers themselves (exit 3). Anything else is
ours (exit 4).
"""

from collections.abc import Sequence
from dataclasses import dataclass

from lem_safe.escaping import on_one_line

WIDTH = 160
"""How much of a source line is shown."""


@dataclass(frozen=True)
class Fault:
    """One thing wrong with one input: where it is, what rule it breaks, and the way out.

    `message` names the rule, the value and the way out; `key` is the dotted path inside the file, `source`
    the line itself.
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
    """A scenario, a sample file or a command line that cannot be used; carries every fault found. Exit status
    2.
    """

    def __init__(self, faults: Sequence[Fault] | Fault | str):
        if isinstance(faults, str):
            faults = [Fault(faults)]
        self.faults = [faults] if isinstance(faults, Fault) else list(faults)
        super().__init__("\n".join(str(f) for f in self.faults))


class NumericalFailure(Exception):
    """A chain that diverged or a constraint that could not be met; the message holds step, constraint and
    numbers. Exit status 3.
    """
