"""What the monitors recorded during a run, kept for its files and checkpoints."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from lem_safe.lyapunov.generator import GENERATOR

NAMES = (
    "energy",
    "ratio",
    "ratio_error",
    "kl_rate",
    "kl_rate_error",
    "fisher_floor",
    *(f"generator_{f}" for f in GENERATOR),
    *(f"generator_{f}_error" for f in GENERATOR),
    "stein",
    "stein_floor",
    "rhat",
    "ess",
    "nested_rhat",
    "drift",
    "accepted",
    "particles",
    "work",
)
"""The quantities of one recorded step, in order; each is an array of trace.npz under monitor_NAME, next to
monitor_step. particles: the number of particles evaluated. work: the cost of the evaluation, in steps.
"""


class Look(NamedTuple):
    """One evaluation of a stopping rule after `step` steps: a value and its standard error."""

    step: int
    value: float
    error: float


@dataclass
class Log:
    """The steps recorded so far: `step`, one row of NAMES per recorded step, and the quantities followed as
    chains, [chains, numbers] per recorded step.

    rule: the evaluations of the stopping rule, at steps of its own. accepted: sum and number of the
    acceptance probabilities since the last recorded step. start: the quantities followed of the monitored
    particles before the first step, [particles, numbers]; marks: the same at the records 1, 2, 4, 8, ...
    """

    step: list[int] = field(default_factory=list)
    rows: list[Float[np.ndarray, "c"]] = field(default_factory=list)
    chains: list[Float[np.ndarray, "m q"]] = field(default_factory=list)
    rule: list[Look] = field(default_factory=list)
    accepted: tuple[float, int] = (0.0, 0)
    start: Float[np.ndarray, "s q"] | None = None
    marks: list[Float[np.ndarray, "s q"]] = field(default_factory=list)

    def tally(self, accepted: float | None) -> None:
        """Adds the mean acceptance probability of one step, where its sampler has one."""
        if accepted is not None:
            self.accepted = (self.accepted[0] + accepted, self.accepted[1] + 1)

    def mark(self, followed: Float[np.ndarray, "s q"]) -> None:
        """Keeps the quantities of the record that was just added, if its number is a power of two."""
        number = len(self.step)
        if number & (number - 1) == 0:
            self.marks.append(followed)

    def earlier(self) -> Float[np.ndarray, "s q"] | None:
        """The quantities of the latest mark in the first half of the records; None where there is none."""
        half = len(self.step) // 2
        return self.marks[half.bit_length() - 1] if half and len(self.marks) >= half.bit_length() else None

    def last(self) -> dict[str, float]:
        """The last record, by NAMES."""
        return dict(zip(NAMES, self.rows[-1].tolist(), strict=True))

    def column(self, name: str) -> Float[np.ndarray, "t"]:
        """One of NAMES over the recorded steps."""
        return np.array([row[NAMES.index(name)] for row in self.rows], dtype=np.float64)

    def arrays(self) -> dict[str, np.ndarray]:
        """For trace.npz: monitor_step and monitor_NAME, stop_step, stop_value and stop_error; empty where
        nothing was recorded.
        """
        found: dict[str, np.ndarray] = {}
        if self.step:
            found["monitor_step"] = np.array(self.step, dtype=np.float64)
            found |= {f"monitor_{name}": self.column(name) for name in NAMES}
        if self.rule:
            parts = np.array(self.rule, dtype=np.float64).T
            found |= dict(zip(("stop_step", "stop_value", "stop_error"), parts, strict=True))
        return found

    def state(self) -> dict[str, np.ndarray]:
        """The complete state, for a checkpoint."""
        found = {"log.accepted": np.array(self.accepted)}
        if self.rule:
            found["log.rule"] = np.array(self.rule, dtype=np.float64)
        if not self.step:
            return found
        return {
            "log.step": np.array(self.step),
            "log.rows": np.stack(self.rows),
            "log.chains": np.stack(self.chains),
            **({"log.marks": np.stack(self.marks)} if self.marks else {}),
            **found,
        }

    @staticmethod
    def restored(saved: Mapping[str, np.ndarray]) -> "Log":
        """The log saved in a checkpoint."""
        log = Log(
            rule=[Look(int(k), float(v), float(e)) for k, v, e in saved["log.rule"]]
            if "log.rule" in saved
            else []
        )
        if "log.accepted" in saved:
            log.accepted = (float(saved["log.accepted"][0]), int(saved["log.accepted"][1]))
        if "log.step" in saved:
            log.step, log.rows, log.chains = (
                [int(k) for k in saved["log.step"]],
                list(saved["log.rows"]),
                list(saved["log.chains"]),
            )
            log.marks = list(saved.get("log.marks", ()))
        return log
