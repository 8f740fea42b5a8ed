"""Signals at every moment, from the first instant of the interpreter on: ended in words, with the status that
a shell expects, and resumable to the same bytes.
"""

import signal
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from benchmarks.attack.case import DONE, Case, Outcome
from benchmarks.attack.fixtures import scenario, write_rows
from benchmarks.attack.processes import forked, fresh

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
EARLY = (0.15, 0.3, 0.6, 0.9, 1.5)
LATER = tuple(0.02 * 1.35**i for i in range(14))
LONG = scenario(init="{kind: gaussian, mean: [0, 0], std: 1}").replace(
    "samples: 20, steps: 3", "samples: 200, steps: 3000"
)
COMMANDS: dict[str, tuple[str, ...]] = {
    "run": ("run", "s.yaml", "--out", "o", "--no-report"),
    "audit": ("audit", "rows.csv", "s.yaml", "--out", "o"),
    "compare": ("compare", "s.yaml", "--filters", "none,gate", "--out", "o"),
}


def cases(shared: Path) -> Iterator[Case]:
    """Each signal, to interpreters that have just started and to work that is under way."""
    for number in SIGNALS:
        ended = frozenset({128 + number})
        for seconds in EARLY:
            yield Case(
                f"{number.name} after {seconds:g} s",
                partial(_early, after=seconds, number=number),
                allowed=ended,
                seconds=60,
            )
        for name, arguments in COMMANDS.items():
            for seconds in LATER:
                run = partial(_later, arguments=arguments, after=seconds, number=number)
                yield Case(
                    f"{number.name} to {name} after {seconds:.2f} s",
                    run,
                    allowed=ended | DONE,
                    holds=_resumable if name == "run" else _nothing_half,
                    seconds=60,
                )


def _early(folder: Path, after: float, number: signal.Signals) -> Outcome:
    (folder / "s.yaml").write_text(LONG.replace("3000", "3000000"))
    return fresh("run", "s.yaml", "--out", "o", folder=folder, interrupted=(after, number))


def _later(folder: Path, arguments: tuple[str, ...], after: float, number: signal.Signals) -> Outcome:
    write_rows(folder)
    (folder / "s.yaml").write_text(LONG)
    return forked(*arguments, interrupted=(after, number), seconds=60)(folder)


def _resumable(folder: Path, outcome: Outcome) -> str | None:
    """What was interrupted goes on."""
    again = forked(*COMMANDS["run"], "--resume", "--steps", "3000", seconds=60)(folder)
    return None if again.status in DONE else f"cannot be resumed: {again.err[-200:]}"


def _nothing_half(folder: Path, outcome: Outcome) -> str | None:
    """No file of another name than its own is left, but for a lock that nobody holds; where that is all, the
    same command can be given again.
    """
    out = folder / "o"
    left = [path.name for path in out.rglob(".*") if path.name != ".lock"] if out.exists() else []
    if left or not out.exists() or any(path.name != ".lock" for path in out.iterdir()):
        return f"left behind: {left}" if left else None
    arguments = COMMANDS["audit"]
    again = forked(*arguments, seconds=60)(folder)
    return None if again.status in DONE else f"cannot be done again: {again.err[-200:]}"
