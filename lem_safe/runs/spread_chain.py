"""This process's part of a chain whose particles are spread over processes.

A step asks the other parts for what its filter needs of the whole cloud, and for nothing else. What the trace
counts is added up only when the processes meet (`meet`), many steps at once: integers, so the fractions are
those of one process.
"""

from dataclasses import replace

import numpy as np

from barriers.arrays import Tensor, torch
from lem_safe.keys import Key, Part, PartKey
from lem_safe.lyapunov.monitors import spaced
from lem_safe.processes.spread import Spread
from lem_safe.runs.checkpoint import Arrays
from lem_safe.runs.course import Course
from lem_safe.runs.recorded_chain import MOVES, RecordedChain
from lem_safe.runs.scattered import gathered
from lem_safe.samplers import UNIT, Info, chances

NOT_TOLD = -1
"""The sum of the chances of a step whose sampler has none."""


class SpreadChain(RecordedChain):
    """The course of the particles x of `part`, from their start or from their part of a checkpoint.

    Raises what `RecordedChain` does. The monitor, the stopping rule and the filter's promise are the whole
    cloud's: they are process 0's, between two steps.
    """

    def __init__(
        self, course: Course, key: Key, x: Tensor, part: Part, whole: Spread, saved: Arrays | None = None
    ):
        self.whole, self.part = whole, part
        self._chances: list[int] = []
        own = replace(course, monitor=None, stop=None, promised=None)
        super().__init__(own, PartKey.of(key, part), x, saved)
        self._met = self.step

    def named(self, particle: int) -> str:
        return f"particle {self.part.start + particle}"

    def meet(self, flags: list[int]) -> tuple[list[int], list[float | None]]:
        """Adds up what the steps since the last meeting have counted, and these flags. Returns the sums of
        the flags, and the mean acceptance probability of each of those steps.
        """
        since, n = slice(self._met, self.step), self.whole.particles
        counts = np.column_stack([self.trace["fraction"][since], self.trace[MOVES][since]])
        sent = torch.from_numpy(counts.astype(np.int64))
        told = torch.tensor(self._chances, dtype=torch.int64)
        counted, chance, flagged = self.whole.total(sent, told, torch.tensor(flags))
        shares = counted.numpy() / n
        self.trace["fraction"][since], self.trace[MOVES][since] = shares[:, :-1], shares[:, -1]
        self._chances, self._met = [], self.step
        return flagged.tolist(), [None if c < 0 else c / UNIT / n for c in chance.tolist()]

    def some(self, x: Tensor, most: int) -> Tensor | None:
        """At most `most` evenly spaced particles of the whole cloud, of which x are this part's (all, where
        it is 0), in process 0; None in the others.
        """
        n = self.whole.particles
        if 0 < most < n:
            rows = spaced(n, most)
            x = x[(rows[(rows >= self.part.start) & (rows < self.part.stop)] - self.part.start).to(x.device)]
        found = self.whole.wire.to_first(x)
        return None if found is None else torch.cat(found).to(x.device)

    def whole_state(self) -> Arrays | None:
        """The arrays of a checkpoint of the whole cloud, in process 0, where the processes meet."""
        state = gathered(self.state, len(self.part), self.whole.wire)
        if state is None:
            return None
        rows = {f"trace.{name}": rows[: self.step] for name, rows in self.trace.items()}
        chosen = {} if self.step_size is None else {"step_size": np.array(self.step_size)}
        return {"step": np.array(self.step), **rows, **chosen, **state}

    def ends(self) -> tuple[np.ndarray, float]:
        """The fraction of the whole cloud inside each set at its start, and the share of the particles that
        are somewhere else now.
        """
        inside = torch.from_numpy(self._inside(self.start).astype(np.int64))
        moved = torch.from_numpy(self._moved(self.start, self.state.x).astype(np.int64))
        n, (held, away) = self.whole.particles, self.whole.total(inside, moved)
        return held.numpy() / n, int(away) / n

    def _inside(self, x: Tensor) -> np.ndarray:
        """How many of this part's particles are inside each set."""
        return np.array([float(s.contains(x).sum()) for s in self.course.sets])

    def _moved(self, before: Tensor, after: Tensor) -> np.ndarray:
        """How many of this part's particles are somewhere else."""
        return np.array(float((before != after).any(1).sum()))

    def _tally(self, info: Info) -> None:
        self._chances.append(NOT_TOLD if info.accepted is None else int(chances(info.accepted)))
