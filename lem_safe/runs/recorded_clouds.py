"""Several clouds that take each step together, recorded as each would be alone (A.5).

Their particles are the rows of one tensor, cloud by cloud, so that the energy and the sets are evaluated
once; the noise of each is what its own key draws alone (`cloud_keys`), and filters act on each cloud by
itself. The trace has, with a cloud's index after the step's, `fraction`, `multiplier` and `moves` of each
cloud; of `surrogate` and `shortfall` it keeps the largest. The monitor and the stopping rule see the first
cloud.
"""

from collections.abc import Sequence

import numpy as np

from barriers.arrays import Tensor, torch
from barriers.counting import contained, membership
from lem_safe.cloud_keys import CloudKey, CloudKeys
from lem_safe.runs.checkpoint import Arrays
from lem_safe.runs.course import Course, Finished
from lem_safe.runs.recorded_chain import MOVES, RecordedChain
from lem_safe.samplers import Sampler

LARGEST = ("surrogate", "shortfall")
"""The columns of which the largest over the clouds is kept."""


class RecordedClouds(RecordedChain):
    """The course of several clouds from their starts [n, d], or from a checkpoint of the same ones.

    Raises BadInput for a checkpoint of something else.
    """

    def __init__(
        self,
        course: Course,
        keys: Sequence[CloudKey],
        starts: Sequence[Tensor],
        saved: Arrays | None = None,
    ):
        self.clouds, self.first = len(keys), keys[0].index
        super().__init__(course, CloudKeys.side_by_side(keys), torch.cat(list(starts)), saved)

    def each(self) -> list[Finished]:
        """Each cloud and its rows, as if it had run alone; `surrogate` and `shortfall` are the largest over
        all of them.
        """
        whole = self.finished()
        pieces, moved = whole.x.split(len(whole.x) // self.clouds), self._moved(self.start, whole.x)
        rows = ("fraction", "multiplier", MOVES)
        return [
            Finished(
                x,
                {
                    **whole.trace,
                    **{name: whole.trace[name][:, r] for name in rows},
                    "start": whole.trace["start"][r],
                },
                self.resumed_from_step,
                float(moved[r]),
            )
            for r, x in enumerate(pieces)
        ]

    def shown(self) -> tuple[Arrays, int]:
        now = slice(self.step - 1, self.step)
        return {name: self.trace[name][now].max(1) for name in ("fraction", "multiplier")}, 1

    def named(self, particle: int) -> str:
        cloud, own = divmod(particle, len(self.start) // self.clouds)
        return f"particle {own} of cloud {self.first + cloud + 1}"

    def _chosen_sampler(self) -> Sampler:
        assert self.course.over is not None, "only a sampler that moves particles by themselves runs clouds"
        return self.course.over(self.clouds)

    def _empty(self) -> Arrays:
        steps, m = self.course.steps, len(self.course.sets)
        each = {name: np.full((steps, self.clouds, m), np.nan) for name in ("fraction", "multiplier")}
        largest = {name: np.full((steps, m), np.nan) for name in LARGEST}
        return {**each, **largest, MOVES: np.full((steps, self.clouds), np.nan)}

    def _watched(self, x: Tensor) -> Tensor:
        return x[: len(x) // self.clouds]

    def _row(self, name: str, row: np.ndarray) -> np.ndarray:
        return row.max(0) if name in LARGEST else row

    def _inside(self, x: Tensor) -> np.ndarray:
        """The fraction of each cloud inside each set, [clouds, m]."""
        inside = (membership if self.only_reads else contained)(self.course.sets, x)
        apart = inside.reshape(self.clouds, -1, inside.shape[1])
        return np.asarray(apart.sum(1) / apart.shape[1])

    def _moved(self, before: Tensor, after: Tensor) -> np.ndarray:
        """The share of the particles of each cloud that are somewhere else, [clouds]."""
        return self._shares((before != after).any(1))

    def _shares(self, chosen: Tensor) -> np.ndarray:
        """The share of each cloud's particles that are among these, [clouds]."""
        apart = chosen.numpy(force=True).reshape(self.clouds, -1)
        return np.asarray(apart.sum(1) / apart.shape[1])

    def _hold(self, n: int, fraction: np.ndarray, surrogate: np.ndarray | None) -> None:
        """Holds each cloud against what the filter promises: its own count against its own budget."""
        promised = self.course.promised
        assert promised is not None
        unknown = np.full_like(fraction, np.nan)
        rows = (fraction, self._fraction, unknown if surrogate is None else surrogate)
        for r in promised.over(n // self.clouds, fraction):
            place = f"{self.course.title}: cloud {self.first + r + 1}: step {self.step + 1}"
            after, before, seen = (part[r] for part in rows)
            promised.check(place, n // self.clouds, before, after, seen)
