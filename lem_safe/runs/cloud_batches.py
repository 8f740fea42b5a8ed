"""Independent clouds of a run in several processes: each takes whole batches of them.

A batch is what one process would take together (`batch`), about a block of particles, so its numbers are the
same bits wherever it runs. The first cloud is watched: until it has ended, all others are at the step where
it is; then they take as many steps as it did. Between two meetings nobody asks anybody.
"""

import io
import time
from collections.abc import Iterable
from dataclasses import replace
from signal import SIGINT
from typing import Any, NamedTuple

import numpy as np

from barriers.arrays import torch
from lem_safe.cloud_keys import CloudKey
from lem_safe.processes.wire import Wire
from lem_safe.progress import Progress
from lem_safe.runs.chain import Save, live
from lem_safe.runs.checkpoint import Arrays
from lem_safe.runs.course import Course, Finished
from lem_safe.runs.leading import FASTER, MEETING, SHARE
from lem_safe.runs.pooled import Pooled, as_arrays, finished_of
from lem_safe.runs.recorded_chain import RecordedChain
from lem_safe.runs.recorded_clouds import RecordedClouds
from lem_safe.runs.replicas import Begin
from lem_safe.signals import deferred, noted, stopped


class Batch(NamedTuple):
    """The clouds from `first` on, `size` of them, and the checkpoint that they go on from."""

    first: int
    size: int
    saved: Arrays | None = None


class Work:
    """The batches of one process: those left, the one that runs, and the clouds that are finished."""

    def __init__(self, course: Course, begin: Begin, batches: Iterable[Batch]):
        self.course, self._begin, self._left = course, begin, list(batches)
        self._first = begin(0)[0]
        self.done: dict[int, Finished] = {}
        self.running: Batch | None = None
        self.chain: RecordedChain | None = None

    @property
    def over(self) -> bool:
        return self.chain is None and not self._left

    def advance(self, steps: int, total: int | None) -> None:
        """At most so many steps; total: how many the first cloud has taken, None where it has not ended."""
        for _ in range(steps):
            if self.chain is None and self._left:
                self._next(total)
            if self.chain is None:
                return
            if not self.chain.is_over():
                self.chain.advance()
            if self.chain.is_over() and (total is not None or self.watched):
                self._finish()

    @property
    def watched(self) -> bool:
        """Whether the first cloud is among those that run."""
        return self.running is not None and self.running.first == 0

    def ends_at(self, total: int) -> None:
        """The first cloud has ended: the others take as many steps."""
        if self.chain is not None and not self.watched:
            self.chain.course = replace(self.chain.course, steps=total)
            if self.chain.is_over():
                self._finish()

    def state(self) -> Arrays:
        """What a checkpoint holds of this work."""
        found = {
            f"done.{r}.{name}": a for r, done in self.done.items() for name, a in as_arrays(done).items()
        }
        left = [b for b in self._left if b.saved is not None]
        if self.running is not None and self.chain is not None:
            left.append(self.running._replace(saved=self.chain.checkpoint()))
        for b in left:
            found |= {f"batch.{b.first}.{name}": a for name, a in (b.saved or {}).items()}
        return found

    def _next(self, total: int | None) -> None:
        batch = self.running = self._left.pop(0)
        course = self.course
        if batch.first:
            steps = course.steps if total is None else total
            course = replace(course, steps=steps, monitor=None, stop=None)
        begun = [(r, *self._begin(r)) for r in range(batch.first, batch.first + batch.size)]
        keys, starts = [CloudKey.of(key, self._first, r) for r, key, _ in begun], [x for *_, x in begun]
        if batch.size == 1:
            self.chain = RecordedChain(course, keys[0], starts[0], batch.saved)
        else:
            self.chain = RecordedClouds(course, keys, starts, batch.saved)

    def _finish(self) -> None:
        chain, batch = self.chain, self.running
        assert chain is not None and batch is not None, "a batch runs"
        chain.look()
        each = chain.each() if isinstance(chain, RecordedClouds) else [chain.finished()]
        self.done |= {batch.first + i: done for i, done in enumerate(each)}
        self.chain = self.running = None


class Lead:
    """Process 0's orders: how many steps to take, whether to save, and when the first cloud has ended."""

    def __init__(self, work: Work, progress: Progress, save: Save | None, every: float, pooled: Pooled):
        self.work, self.progress, self._save, self.every, self._pooled = work, progress, save, every, pooled
        self.total = len(pooled.fraction[0]) if pooled.x else None
        self._interrupted, self._steps, self._each = False, 0, MEETING
        self._written = self._met = time.monotonic()

    def orders(self) -> list[int]:
        """Steps, the first cloud's steps or 0, whether to save, the number of a signal or 0."""
        if self.total is None and 0 in self.work.done:
            self.total = len(self.work.done[0].trace["step"])
        if self._interrupted:
            return [0, self.total or 0, int(self._save is not None), noted() or SIGINT]
        save = self._save is not None and time.monotonic() - self._written >= self.every
        self._steps = self._next()
        return [self._steps, self.total or 0, int(save), 0]

    def met(self, interrupted: bool) -> None:
        now, chain = time.monotonic(), self.work.chain
        self._interrupted = interrupted
        self._each, self._met = (now - self._met) / max(self._steps, 1), now
        if chain is not None and chain.step:
            self.progress.update(chain.step, live(chain.course, *chain.shown(), chain.log, int(now / 2)))

    def save(self, parts: Iterable[Arrays]) -> None:
        """Writes what all processes have; the next checkpoint comes when this one has cost little."""
        began = time.monotonic()
        if self._save is not None:
            self._save({**self._pooled.state(), **{name: a for part in parts for name, a in part.items()}})
        self._written = time.monotonic()
        self.every = max(self.every, (self._written - began) / SHARE)

    def _next(self) -> int:
        """So many steps to the next meeting; not past a step at which the first cloud may end."""
        most = min(max(1, int(MEETING / max(self._each, 1e-9))), FASTER * max(self._steps, 1))
        chain = self.work.chain
        if self.total is not None:
            return most
        k, course = 0 if chain is None else chain.step, self.work.course
        every = [course.monitor.every] if course.monitor is not None and course.monitor.samples > 1 else []
        every += [course.stop.every] if course.stop is not None and course.stop.every else []
        return max(1, min(most, course.steps - k, *(e - k % e for e in every)))


@torch.no_grad()
def taken_apart(work: Work, wire: Wire, lead: Lead | None) -> dict[int, Finished] | None:
    """Does the work of all processes, each its own; all finished clouds, by number, in process 0, which
    leads. Raises what a step raises, and KeyboardInterrupt in all processes where one was interrupted.
    """
    total: int | None = None
    with deferred() as asked_to_stop:
        while True:
            row = torch.zeros(4, dtype=torch.int64) if lead is None else torch.tensor(lead.orders())
            steps, known, save, interrupt = wire.from_zero(row).tolist()
            if total is None and known:
                total = known
                work.ends_at(total)
            if save:
                parts = _to_first(work.state(), wire)
                if lead is not None and parts is not None:
                    lead.save(parts)
            if interrupt:
                raise stopped(interrupt)
            work.advance(steps, total)
            flags = wire.sum(torch.tensor([int(asked_to_stop()), int(not work.over)]))
            if lead is not None:
                lead.met(int(flags[0]) > 0)
            if int(flags[1]) == 0:
                break
        mine = {f"{r}.{name}": a for r, done in work.done.items() for name, a in as_arrays(done).items()}
        parts = _to_first(mine, wire)
    return None if parts is None else {r: d for part in parts for r, d in finished_of(part).items()}


def _to_first(arrays: Arrays, wire: Wire) -> list[Arrays] | None:
    """The arrays of every process, in process 0."""
    file, named = io.BytesIO(), dict[str, Any](arrays)
    np.savez(file, **named)
    found = wire.to_first(torch.frombuffer(bytearray(file.getvalue()), dtype=torch.uint8))
    if found is None:
        return None
    return [dict(np.load(io.BytesIO(part.numpy().tobytes()), allow_pickle=False)) for part in found]
