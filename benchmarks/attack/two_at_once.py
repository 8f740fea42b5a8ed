"""Two processes that write into one directory: one does, the other is told so, and no file is mixed."""

import json
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from benchmarks.attack.case import DONE, Case, Outcome
from benchmarks.attack.fixtures import DATA, TRAINED, scenario, write_rows
from benchmarks.attack.processes import command, ended, started

LONG = scenario().replace("steps: 3", "steps: 400")
COMMANDS: dict[str, tuple[str, ...]] = {
    "run": ("run", "s.yaml", "--out", "o", "--no-report"),
    "run --resume": ("run", "s.yaml", "--out", "o", "--no-report", "--resume"),
    "audit": ("audit", "rows.csv", "s.yaml", "--out", "o"),
    "growing audit": ("audit", "rows.csv", "s.yaml", "--grow", "--out", "o"),
    "compare": ("compare", "s.yaml", "--filters", "none", "--out", "o"),
    "ood": ("ood", "s.yaml", "--against", "rows.csv", "--out", "o"),
    "a sweep": ("run", "w.yaml", "--out", "o", "--no-report"),
}
DELAYS = (0.0, 0.05, 0.15)


def cases(shared: Path) -> Iterator[Case]:
    """Every pair of commands, one a little later than the other."""
    for first in COMMANDS:
        for second in COMMANDS:
            delay = DELAYS[(len(first) + len(second)) % len(DELAYS)]
            run = partial(_pair, first=first, second=second, delay=delay)
            yield Case(f"{first}, then {second} {delay:g} s later", run, allowed=DONE, seconds=60, holds=_one)
    for delay in DELAYS:
        yield Case(
            f"one energy trained twice, {delay:g} s apart",
            partial(_trained, delay=delay),
            allowed=DONE,
            seconds=60,
        )


def _pair(folder: Path, first: str, second: str, delay: float) -> Outcome:
    """The outcome of the one that wrote; the other's status is kept for `_one`."""
    write_rows(folder)
    (folder / "s.yaml").write_text(LONG)
    (folder / "w.yaml").write_text(f"{LONG}sweep: {{sampler.steps: [3, 4]}}\n")
    outcomes = _both(folder, COMMANDS[first], COMMANDS[second], delay)
    statuses = [outcome.status for outcome in outcomes]
    told = [outcome.err for outcome in outcomes if outcome.status == 2]
    (folder / "statuses").write_text(json.dumps([statuses, told]))
    return next(
        (o for o in outcomes if o.status not in (0, 1, 2)),
        min(outcomes, key=lambda o: o.status if o.status is not None else 99),
    )


def _both(folder: Path, first: tuple[str, ...], second: tuple[str, ...], delay: float) -> list[Outcome]:
    began = time.monotonic()
    children = [started(command(*first), folder, label="1")]
    time.sleep(delay)
    children.append(started(command(*second), folder, label="2"))
    return [ended(child, folder, began, 60, label) for child, label in zip(children, "12", strict=True)]


def _one(folder: Path, outcome: Outcome) -> str | None:
    """One wrote and the other was refused; or, where `--resume` or `--grow` let it, both did, one after the
    other.
    """
    statuses, told = json.loads((folder / "statuses").read_text())
    if any("Traceback" in text or "internal error" in text for text in told):
        return f"the other ended with {told[0][-200:]}"
    kinds = [
        name
        for name in ("audit.json", "compare.json", "ood.json", "sweep.json", "trace.npz")
        if (folder / "o" / name).exists()
    ]
    mixed = len(kinds) > 1 and set(kinds) != {"audit.json", "trace.npz"}
    return f"files of two commands: {kinds} ({statuses})" if mixed else None


def _trained(folder: Path, delay: float) -> Outcome:
    write_rows(folder)
    text = scenario(energy=TRAINED.format(data=DATA).replace("steps: 2", "steps: 60"))
    (folder / "t.yaml").write_text(text)
    from benchmarks.attack.case import Surroundings

    around = Surroundings({"LEM_SAFE_CACHE": str(folder / "cache")})
    began = time.monotonic()
    children = [started(command("train", "t.yaml"), folder, around, "1")]
    time.sleep(delay)
    children.append(started(command("train", "t.yaml"), folder, around, "2"))
    found = [ended(child, folder, began, 60, label) for child, label in zip(children, "12", strict=True)]
    return max(found, key=lambda outcome: 99 if outcome.status is None else outcome.status)
