"""The loop around a chain whose particles are in several processes: some steps, then all meet.

Process 0 leads. At each meeting it is told what was counted, holds it against the filter's promise, lets the
monitor and the stopping rule look at particles gathered for them, and orders what comes next: how many steps,
a checkpoint, the end. Between two meetings a step asks the others only for what its filter needs.
"""

import time
from signal import SIGINT
from typing import NamedTuple

import numpy as np

from barriers.arrays import Tensor, torch
from lem_safe.progress import Progress
from lem_safe.runs.chain import Save, live, standing
from lem_safe.runs.checkpoint import Arrays
from lem_safe.runs.course import Course, Finished
from lem_safe.runs.recorded_chain import COLUMNS, MOVES, looked, over
from lem_safe.runs.spread_chain import SpreadChain
from lem_safe.signals import deferred, noted, stopped

MEETING, FASTER = 1.0, 4
"""Seconds between two meetings, and how much longer than the last one a row of steps may be."""
SHARE = 0.05
"""The largest share of the time that checkpoints take."""
NOBODY = -1


class Orders(NamedTuple):
    """What process 0 orders. steps: to take before the next meeting. at: the step after which `monitor` and
    `stop` particles are gathered for these two (NOBODY: none). save, end: what to do now, 0 or 1. interrupt:
    the number of a signal, or 0.
    """

    steps: int
    at: int
    monitor: int = NOBODY
    stop: int = NOBODY
    save: int = 0
    end: int = 0
    interrupt: int = 0


class Lead:
    """Process 0's view of the whole cloud. course: with the monitor, the rule and the promise."""

    def __init__(
        self, course: Course, chain: SpreadChain, progress: Progress, save: Save | None, every: float
    ):
        self.course, self.chain, self.log = course, chain, chain.log
        self.progress, self._save, self.every = progress, save, every
        self._interrupted, self._steps, self._each = False, 0, MEETING
        self._before = chain.trace["fraction"][chain.step - 1] if chain.step else None
        self._checked = chain.step
        progress.start(course.title, course.steps)
        self._written = self._met = time.monotonic()

    def beginning(self) -> Orders:
        """Gathers the start for the monitor, and the cloud for the rule where it is due."""
        monitor, stop, k = self.course.monitor, self.course.stop, self.chain.step
        due = stop is not None and stop.due(k) and not (self.log.rule and self.log.rule[-1].step == k)
        return Orders(
            0,
            k,
            monitor.samples if monitor is not None and monitor.samples else NOBODY,
            stop.samples if stop is not None and due else NOBODY,
        )

    def begin(self, start: Tensor | None, shown: Tensor | None) -> None:
        if start is not None and self.course.monitor is not None:
            self.course.monitor.begin(self.log, start)
        self._judge(shown)

    def met(self, flags: list[int], accepted: list[float | None], inside: np.ndarray) -> None:
        """The steps since the last meeting: what was counted, and whether a process was interrupted. inside:
        the fractions at the start.
        """
        chain, now = self.chain, time.monotonic()
        self._interrupted = flags[0] > 0
        self._each, self._met = (now - self._met) / max(self._steps, 1), now
        for chance in accepted:
            self.log.tally(chance)
        self._hold(inside)
        if chain.step:
            turn = int(now / 2)
            self.progress.update(chain.step, live(self.course, chain.trace, chain.step, self.log, turn))

    def look(self, watched: Tensor | None, shown: Tensor | None) -> None:
        """Lets the rule and the monitor look."""
        self._judge(shown)
        if watched is not None and self.course.monitor is not None:
            looked(self.course, self.course.monitor, self.log, self.chain.step, watched)

    def orders(self) -> Orders:
        """What comes next."""
        course, k = self.course, self.chain.step
        if over(course, self.log, k):
            known = self.log.step and self.log.step[-1] == k
            watched = course.monitor is not None and course.monitor.samples > 1 and not known
            return Orders(0, k, course.monitor.samples if course.monitor and watched else NOBODY, end=1)
        if self._interrupted:
            return Orders(0, k, save=int(self._save is not None), interrupt=noted() or SIGINT)
        save = self._save is not None and time.monotonic() - self._written >= self.every
        self._steps = self._next(k)
        return self._watching(k + self._steps)._replace(steps=self._steps, save=int(save))

    def save(self, state: Arrays) -> None:
        """Writes a checkpoint; the next one comes when this one has cost little of the time."""
        began = time.monotonic()
        if self._save is not None:
            self._save(state | self.log.state())
        self._written = time.monotonic()
        self.every = max(self.every, (self._written - began) / SHARE)

    def finished(self, x: Tensor, inside: np.ndarray, moved: float) -> Finished:
        """The whole cloud, and the rows of the steps that were taken."""
        chain = self.chain
        trace = {name: rows[: chain.step] for name, rows in chain.trace.items()}
        chosen = {} if chain.step_size is None else {"step_size": np.array([chain.step_size])}
        steps = {"step": np.arange(1, chain.step + 1, dtype=np.float64)}
        kept = {name: trace[name] for name in (*COLUMNS, MOVES)}
        rows = {**steps, **kept, "start": inside, **self.log.arrays(), **chosen}
        self.progress.finish(standing(self.course, trace["fraction"].max(0), "largest "))
        return Finished(x, rows, chain.resumed_from_step, moved)

    def _judge(self, shown: Tensor | None) -> None:
        if shown is not None and self.course.stop is not None:
            self.log.rule.append(self.course.stop.look(self.chain.step, shown))

    def _next(self, k: int) -> int:
        """So many steps to the next meeting: those of about a second, and none past what is due."""
        course = self.course
        most = min(max(1, int(MEETING / max(self._each, 1e-9))), FASTER * max(self._steps, 1))
        every = [course.monitor.every] if course.monitor is not None and course.monitor.samples > 1 else []
        every += [course.stop.every] if course.stop is not None and course.stop.every else []
        return min(most, course.steps - k, *(e - k % e for e in every))

    def _watching(self, at: int) -> Orders:
        """Who looks at the cloud after `at` steps."""
        monitor, stop = self.course.monitor, self.course.stop
        watched = monitor is not None and monitor.due(at)
        shown = stop is not None and stop.due(at)
        return Orders(
            0,
            at,
            monitor.samples if monitor is not None and watched else NOBODY,
            stop.samples if stop is not None and shown else NOBODY,
        )

    def _hold(self, inside: np.ndarray) -> None:
        """Holds the new rows of the trace against what the filter promises, one after the other."""
        promised, chain, trace = self.course.promised, self.chain, self.chain.trace
        if promised is None:
            return
        before = inside if self._before is None else self._before
        for k in range(self._checked, chain.step):
            place, fraction = f"{self.course.title}: step {k + 1}", trace["fraction"][k]
            promised.check(place, chain.whole.particles, before, fraction, trace["surrogate"][k])
            before = fraction
        self._before, self._checked = before, chain.step


@torch.no_grad()
def taken_together(chain: SpreadChain, lead: Lead | None) -> Finished | None:
    """Takes the steps of a chain with the other processes until process 0 (`lead`) ends it, which returns the
    whole cloud. Raises what `follow` raises, and KeyboardInterrupt in all processes where one was
    interrupted.
    """
    with deferred() as asked_to_stop:
        inside = chain.ends()[0]
        orders = _ordered(chain, None if lead is None else lead.beginning())
        start = _gathered(chain, chain.start, orders.monitor)
        shown = _gathered(chain, chain.state.x, orders.stop)
        if lead is not None:
            lead.begin(start, shown)
        while True:
            orders = _ordered(chain, None if lead is None else lead.orders())
            if orders.save:
                state = chain.whole_state()
                if lead is not None and state is not None:
                    lead.save(state)
            if orders.interrupt:
                raise stopped(orders.interrupt)
            for _ in range(orders.steps):
                chain.advance()
            flags, accepted = chain.meet([int(asked_to_stop())])
            if lead is not None:
                lead.met(flags, accepted, inside)
            if chain.step == orders.at:
                shown = _gathered(chain, chain.state.x, orders.stop)
                watched = _gathered(chain, chain.state.x, orders.monitor)
                if lead is not None:
                    lead.look(watched, shown)
            if orders.end:
                break
        inside, moved = chain.ends()
        x = chain.some(chain.state.x, 0)
        return None if lead is None or x is None else lead.finished(x, inside, moved)


def _gathered(chain: SpreadChain, x: Tensor, most: int) -> Tensor | None:
    return None if most == NOBODY else chain.some(x, most)


def _ordered(chain: SpreadChain, orders: Orders | None) -> Orders:
    """The orders of process 0, in all of them."""
    row = torch.tensor([0] * len(Orders._fields) if orders is None else list(orders))
    return Orders(*chain.whole.wire.from_zero(row).tolist())
