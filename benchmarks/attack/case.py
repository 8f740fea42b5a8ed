"""One case: what is run, what it may end in, and what came of it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

LIMIT = 20.0
"""Seconds that a case may take where it does not say: most take a tenth of one."""

REFUSED = frozenset({2})
DONE = frozenset({0, 1})
MACHINE = frozenset({2, 3})
"""Where memory, a disk or a reader is at fault."""


class Outcome(NamedTuple):
    """What a command came to. status: as a shell sees it, 128 + n for one that died of signal n; None where
    it was stopped at its time limit.
    """

    status: int | None
    out: str
    err: str
    seconds: float


Run = Callable[[Path], Outcome]
"""Runs in a folder of its own, which is there and empty."""


@dataclass(frozen=True)
class Case:
    """name: unique in its family. run: the attack. allowed: exit statuses. says: words that must be told,
    whatever their case; none by default. seconds: the time limit, wall clock. holds: what else must be so
    afterwards, as a fault in words or None.
    """

    name: str
    run: Run
    allowed: frozenset[int] = REFUSED
    says: str | None = None
    seconds: float = LIMIT
    holds: Callable[[Path, Outcome], str | None] = field(default=lambda folder, outcome: None)


SILENT = frozenset({0, 1, 129, 130, 143})
"""Statuses that need no words on stderr."""


def wrong(case: Case, outcome: Outcome, folder: Path) -> str | None:
    """What must not be, in words; None where everything is as it must be."""
    said = outcome.out + outcome.err
    last = (outcome.err.strip().splitlines() or [""])[-1][:200]
    if outcome.status is None:
        return f"not done after {case.seconds:g} s"
    if "Traceback (most recent call last)" in said or "Exception ignored" in said:
        return f"a traceback: {last}"
    if "internal error" in said or outcome.status == 4:
        return f"an internal error: {last}"
    if outcome.status not in case.allowed:
        return f"exit {outcome.status}, allowed {sorted(case.allowed)}: {last}"
    if outcome.status not in SILENT and not outcome.err.strip():
        return f"exit {outcome.status} without a word"
    if case.says is not None and case.says.lower() not in said.lower():
        return f"does not say '{case.says}': {last}"
    if outcome.seconds > case.seconds:
        return f"{outcome.seconds:.1f} s, allowed {case.seconds:g}"
    return case.holds(folder, outcome)


@dataclass(frozen=True)
class Surroundings:
    """What a process finds around itself. environment: variables that are set; stdin, stdout: paths, in
    its folder or absolute, None for one that is closed; limits: resource.RLIMIT_* to its value;
    encoding: of what is printed.
    """

    environment: Mapping[str, str] = field(default_factory=dict)
    stdin: str = "/dev/null"
    stdout: str | None = "stdout"
    limits: Mapping[int, int] = field(default_factory=dict)
    encoding: str = "utf-8"
    user: int | None = None
    """The user it runs as, where this one may choose."""


Arguments = Sequence[str]
