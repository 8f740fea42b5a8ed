"""The finished clouds of a run, and their trace as that of one.

The trace of R clouds can be read like that of one: `fraction`, `surrogate` and `shortfall` are at every step
the largest over the clouds, `multiplier` and `moves` the mean; the fractions of every cloud are
`cloud_fraction` [r, t, m]. A largest fraction within β at every step means that no cloud ever exceeded it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from barriers.arrays import torch
from lem_safe.errors import BadInput, Fault
from lem_safe.runs.checkpoint import Arrays
from lem_safe.runs.course import Finished

LARGEST = ("surrogate", "shortfall", "start")


@dataclass
class Pooled:
    """The finished clouds: the particles and fractions of each, and the combined rest of their traces.

    first: what the monitors and the rule recorded of the first cloud. done, running: finished clouds beyond
    the first ones, and states of batches that begin with a cloud, where several processes were at work.
    """

    x: list[np.ndarray] = field(default_factory=list)
    fraction: list[np.ndarray] = field(default_factory=list)
    trace: Arrays = field(default_factory=dict)
    first: Arrays = field(default_factory=dict)
    step_size: list[float] = field(default_factory=list)
    moves: list[np.ndarray] = field(default_factory=list)
    moved: list[float] = field(default_factory=list)
    done: dict[int, Finished] = field(default_factory=dict)
    running: dict[int, Arrays] = field(default_factory=dict)

    @property
    def steps(self) -> int:
        """Steps of all finished clouds."""
        beyond = sum(len(done.trace["step"]) for done in self.done.values())
        return sum(len(rows) for rows in self.fraction) + beyond

    def add(self, done: Finished) -> None:
        """Adds the next cloud, and those finished ones that follow it."""
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
        if (r := len(self.x)) in self.done:
            self.add(self.done.pop(r))

    def next_known(self, r: int, clouds: int) -> int:
        """The first cloud after r of which something is known; `clouds` where there is none."""
        return min((k for k in (*self.done, *self.running) if k > r), default=clouds)

    def state(self) -> Arrays:
        """The complete state, for a checkpoint."""
        beyond = {f"done.{r}.{k}": a for r, each in self.done.items() for k, a in as_arrays(each).items()}
        beyond |= {f"batch.{r}.{k}": a for r, each in self.running.items() for k, a in each.items()}
        if not self.x:
            return beyond
        parts = {
            "x": np.stack(self.x),
            "fraction": np.stack(self.fraction),
            "step_size": np.array(self.step_size),
        }
        parts |= {"moves": np.stack(self.moves), "moved": np.array(self.moved)}
        parts |= {f"trace.{name}": rows for name, rows in self.trace.items()}
        parts |= {f"first.{name}": rows for name, rows in self.first.items()}
        return {f"pooled.{name}": rows for name, rows in parts.items()} | beyond

    @staticmethod
    def restored(saved: Arrays) -> "Pooled":
        """The clouds of a checkpoint; BadInput where it belongs to something else."""
        try:
            found = Pooled._of(saved) if "pooled.x" in saved else Pooled()
            found.done, found.running = finished_of(saved, "done."), _numbered(saved, "batch.")
        except (KeyError, ValueError) as error:
            message = (
                f"does not fit this run (it lacks {error}); remove it to begin the interrupted chain again"
            )
            raise BadInput(Fault(message, file="checkpoint.npz")) from error
        if "step" in saved:  # of the batch that follows the first finished clouds
            found.running[len(found.x)] = _own(saved)
        if (r := len(found.x)) in found.done:
            found.add(found.done.pop(r))
        return found

    @staticmethod
    def _of(saved: Arrays) -> "Pooled":
        """The first finished clouds of a checkpoint."""
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


def as_arrays(done: Finished) -> Arrays:
    """A finished cloud as arrays."""
    own = {"x": done.x.numpy(force=True), "moved": np.array(done.moved)}
    own["resumed"] = np.array(done.resumed_from_step)
    return own | {f"trace.{name}": rows for name, rows in done.trace.items()}


def finished_of(arrays: Mapping[str, np.ndarray], prefix: str = "") -> dict[int, Finished]:
    """The clouds whose arrays are named prefix, number, name."""
    return {
        r: Finished(
            torch.from_numpy(own["x"]),
            {name.removeprefix("trace."): a for name, a in own.items() if name.startswith("trace.")},
            int(own["resumed"]),
            float(own["moved"]),
        )
        for r, own in _numbered(arrays, prefix).items()
    }


def _numbered(arrays: Mapping[str, np.ndarray], prefix: str) -> dict[int, Arrays]:
    """The arrays named prefix, number, name, by number."""
    each: dict[int, Arrays] = {}
    for name, a in arrays.items():
        if name.startswith(prefix):
            r, _, own = name.removeprefix(prefix).partition(".")
            each.setdefault(int(r), {})[own] = a
    return each


def _own(saved: Mapping[str, np.ndarray]) -> Arrays:
    """The arrays of a chain among those of a checkpoint."""
    others = ("pooled.", "done.", "batch.")
    return {name: a for name, a in saved.items() if not name.startswith(others)}
