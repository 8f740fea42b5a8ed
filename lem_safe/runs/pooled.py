"""The finished clouds of a run, and their trace as that of one.

The trace of R clouds can be read like that of one: `fraction`, `surrogate` and `shortfall` are at every step
the largest over the clouds, `multiplier` and `moves` the mean; the fractions of every cloud are
`cloud_fraction` [r, t, m]. A largest fraction within β at every step means that no cloud ever exceeded it.
"""

from dataclasses import dataclass, field

import numpy as np
import torch

from lem_safe.errors import BadInput, Fault
from lem_safe.runs.checkpoint import Arrays
from lem_safe.runs.course import Finished

LARGEST = ("surrogate", "shortfall", "start")


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
