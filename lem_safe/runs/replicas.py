"""Independent clouds, one after the other: the same course with a different key each, coupled within a cloud
and never between two (A.5).

The trace of R clouds can be read like that of one: `fraction`, `surrogate` and `shortfall` are at every step
the largest over the clouds, `multiplier` and `moves` the mean; the fractions of every cloud are
`cloud_fraction` [r, t, m]. A largest fraction within β at every step means that no cloud ever exceeded it.
Monitors and the stopping rule use the first cloud; the others take the same number of steps.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from torch import Tensor

from lem_safe.errors import BadInput, Fault
from lem_safe.keys import Key
from lem_safe.progress import Progress
from lem_safe.runs.chain import CHECKPOINT_SECONDS, Save, follow
from lem_safe.runs.checkpoint import Arrays
from lem_safe.runs.course import Course, Finished

Begin = Callable[[int], tuple[Key, Tensor]]
"""begin(r): the key of cloud r, and the start of its particles."""

LARGEST = ("surrogate", "shortfall", "start")


def follow_clouds(
    course: Course,
    begin: Begin,
    clouds: int,
    *,
    progress: Progress,
    save: Save | None = None,
    saved: Arrays | None = None,
    every: float = CHECKPOINT_SECONDS,
) -> Finished:
    """Runs the course `clouds` times; one cloud is `follow` itself. A checkpoint holds the finished clouds
    and the current one.

    The cloud returned is the concatenation; `resumed_from_step` counts the steps of all clouds. Raises what
    `follow` raises.
    """
    if clouds == 1:
        return follow(course, *begin(0), progress=progress, save=save, saved=saved, every=every)
    pooled = Pooled() if saved is None else Pooled.restored(saved)
    rest = saved if saved is not None and "step" in saved else None
    written, resumed = time.monotonic(), 0 if saved is None else pooled.steps
    progress.start(f"{course.title}, {clouds} clouds", clouds * course.steps)

    def keep(state: Arrays) -> None:
        nonlocal written
        if save is not None:
            save({**state, **pooled.state()})
            written = time.monotonic()

    for r in range(len(pooled.x), clouds):
        done = follow(
            _course_of(course, r, clouds, pooled),
            *begin(r),
            progress=_Part(progress, pooled.steps, f"cloud {r + 1}"),
            save=None if save is None else keep,
            saved=rest,
            every=every,
            written=written,
        )
        resumed, rest = resumed + done.resumed_from_step, None
        pooled.add(done)
        if time.monotonic() - written >= every:
            keep({})
    found = pooled.finished(begin(0)[1].device, resumed)
    progress.finish(_summary(course, found))
    return found


def _course_of(course: Course, r: int, clouds: int, pooled: "Pooled") -> Course:
    """The course of cloud r: the first is watched, the others take as many steps as it did."""
    watched = course if r == 0 else replace(course, steps=len(pooled.fraction[0]), monitor=None, stop=None)
    return replace(watched, title=f"{course.title}, cloud {r + 1} of {clouds}")


def _summary(course: Course, found: Finished) -> str:
    """How many clouds were ever over a tolerance, and the largest fractions."""
    each = found.trace["cloud_fraction"].max(1)
    over = int((each > np.asarray(course.betas)).any(1).sum())
    worst = ", ".join(f"{v:.4f}" for v in found.trace["fraction"].max(0))
    return f"{over} of {len(each)} clouds ever over; largest {worst}"


@dataclass
class Pooled:
    """The finished clouds: the particles and fractions of each, and the combined rest of their traces.

    first: what the monitors and the rule recorded of the first cloud.
    """

    x: list[np.ndarray] = field(default_factory=list)
    fraction: list[np.ndarray] = field(default_factory=list)
    trace: Arrays = field(default_factory=dict)
    first: Arrays = field(default_factory=dict)
    step_size: list[float] = field(default_factory=list)
    moves: list[np.ndarray] = field(default_factory=list)
    moved: list[float] = field(default_factory=list)

    @property
    def steps(self) -> int:
        """Steps of all clouds."""
        return sum(len(rows) for rows in self.fraction)

    def add(self, done: Finished) -> None:
        """Adds one cloud."""
        if not self.x:
            self.first = {
                name: rows for name, rows in done.trace.items() if name.startswith(("monitor_", "stop_"))
            }
            self.trace = {name: done.trace[name] for name in (*LARGEST, "multiplier")}
        else:
            self.trace = {
                **{name: np.maximum(self.trace[name], done.trace[name]) for name in LARGEST},
                "multiplier": self.trace["multiplier"] + done.trace["multiplier"],
            }
        self.step_size += done.trace["step_size"].tolist() if "step_size" in done.trace else []
        self.fraction.append(done.trace["fraction"])
        self.x.append(done.x.numpy(force=True))
        self.moves.append(done.trace["moves"])
        self.moved.append(done.moved)

    def state(self) -> Arrays:
        """The complete state, for a checkpoint."""
        if not self.x:
            return {}
        parts = {
            "x": np.stack(self.x),
            "fraction": np.stack(self.fraction),
            "step_size": np.array(self.step_size),
        }
        parts |= {"moves": np.stack(self.moves), "moved": np.array(self.moved)}
        parts |= {f"trace.{name}": rows for name, rows in self.trace.items()}
        parts |= {f"first.{name}": rows for name, rows in self.first.items()}
        return {f"pooled.{name}": rows for name, rows in parts.items()}

    @staticmethod
    def restored(saved: Arrays) -> "Pooled":
        """The clouds of a checkpoint; BadInput where it belongs to something else."""
        if "pooled.x" not in saved:
            return Pooled()
        try:
            return Pooled(
                x=list(saved["pooled.x"]),
                fraction=list(saved["pooled.fraction"]),
                trace={name: saved[f"pooled.trace.{name}"] for name in (*LARGEST, "multiplier")},
                first={
                    name.removeprefix("pooled.first."): rows
                    for name, rows in saved.items()
                    if name.startswith("pooled.first.")
                },
                step_size=saved["pooled.step_size"].tolist(),
                moves=list(saved["pooled.moves"]),
                moved=saved["pooled.moved"].tolist(),
            )
        except KeyError as error:
            message = (
                f"does not fit this run (it lacks {error}); remove it to begin the interrupted chain again"
            )
            raise BadInput(Fault(message, file="checkpoint.npz")) from error

    def finished(self, device: torch.device, resumed: int) -> Finished:
        """All clouds as one."""
        each = np.stack(self.fraction)
        trace = {
            "step": np.arange(1, each.shape[1] + 1, dtype=np.float64),
            "fraction": each.max(0),
            **{name: self.trace[name] for name in LARGEST},
            "multiplier": self.trace["multiplier"] / len(self.x),
            "moves": np.mean(self.moves, axis=0),
            "cloud_fraction": each,
            **self.first,
        }
        if self.step_size:
            trace["step_size"] = np.array(self.step_size)
        return Finished(
            torch.from_numpy(np.concatenate(self.x)).to(device), trace, resumed, float(np.mean(self.moved))
        )


class _Part:
    """The progress of one cloud as a part of the progress of all."""

    def __init__(self, whole: Progress, before: int, name: str):
        self.whole, self.before, self.name = whole, before, name

    def start(self, title: str, total: int) -> None: ...

    def update(self, done: int, note: str) -> None:
        self.whole.update(self.before + done, f"{self.name}: {note}")

    def finish(self, note: str) -> None: ...

    def say(self, text: str) -> None:
        self.whole.say(text)
