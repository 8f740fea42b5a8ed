"""A chain with its trace and its log: what a run remembers of the steps it has taken.

Row k of the trace is the cloud after step k + 1: the fraction inside each set as saved (A.1), E φ,
multipliers, shortfall. Monitors look at the cloud now and then, and a stopping rule may end the chain before
its last step: then the trace has the rows that were taken. `step_size` [1] is there where the sampler chose
its own.

An interruption may fall anywhere. What a checkpoint holds is the end of the last whole step: cloud, trace and
log together.
"""

from typing import Any, NamedTuple

import numpy as np

from barriers.arrays import Tensor, torch
from barriers.counting import counted, inside_each
from barriers.qp import Infeasible
from lem_safe.errors import BadInput, Fault, NumericalFailure
from lem_safe.keys import Key
from lem_safe.lyapunov import Log, Monitor
from lem_safe.runs.checkpoint import Arrays, leaves, restored, snapshot
from lem_safe.runs.course import Course, Finished
from lem_safe.samplers import Info, Sampler, State, mean_chance

COLUMNS = ("fraction", "surrogate", "multiplier", "shortfall")
MOVES = "moves"
"""[t]: the share of the particles that each step moved at all; the others' moves were refused."""


class _LogLengths(NamedTuple):
    """How long the log's lists were, and its tally."""

    step: int
    rows: int
    chains: int
    rule: int
    marks: int
    accepted: tuple[float, int]


class _Standing(NamedTuple):
    """Where a run stands between two steps: what a checkpoint can be made of."""

    state: State
    step: int
    step_size: float | None
    seen: _LogLengths


class RecordedChain:
    """The course from x, or from a checkpoint: `step` steps taken, the cloud and the sampler's state after
    them, the trace [course.steps, ...] filled so far, the log.

    Raises BadInput for a checkpoint of something else.
    """

    def __init__(self, course: Course, key: Key, x: Tensor, saved: Arrays | None = None):
        self.course, self.key, self.start = course, key, x
        self.sampler = self._chosen_sampler()
        self.only_reads = _only_reads(self.sampler)
        self.trace = self._empty()
        self.state, self.step, self.step_size, self.log = _beginning(self.sampler, x, self.trace, saved)
        self.resumed_from_step = self.step
        self._fraction = self._inside(self.state.x)
        if course.monitor is not None:
            course.monitor.begin(self.log, self._watched(x))
        _judge(course, self.log, self.step, self._watched(self.state.x))
        self._whole = self._standing()

    def is_over(self) -> bool:
        """Whether the last step is taken, or the stopping rule has ended the chain."""
        return over(self.course, self.log, self.step)

    def advance(self) -> None:
        """One step of the sampler, recorded; a warm-up leaves the cloud where it is, and has no row.

        Raises NumericalFailure where a particle is no longer finite, where a constraint cannot be met and the
        filter was told to raise, and where a filter breaks what it promises of every step.
        """
        after, info = _step(self, self.state, self.step)
        if info.warming:
            self.state = after
        else:
            self._take(after, info)
        self._whole = self._standing()

    def look(self) -> None:
        """Lets the monitor look at the cloud as it is, and the stopping rule at what it recorded."""
        if self.course.monitor is not None:
            looked(self.course, self.course.monitor, self.log, self.step, self._watched(self.state.x))

    def checkpoint(self) -> Arrays:
        """The end of the last whole step, wherever in the next one an interruption falls."""
        whole = self._whole
        _forget(self.log, whole.seen)
        return snapshot(whole.state, whole.step, self.trace, whole.step_size) | self.log.state()

    def shown(self) -> tuple[Arrays, int]:
        """The trace for a line on the run as it stands, and its number of rows."""
        return self.trace, self.step

    def named(self, particle: int) -> str:
        """A row of the state, in words."""
        return f"particle {particle}"

    def finished(self) -> Finished:
        """The cloud, and the rows of the steps that were taken."""
        trace = {name: rows[: self.step] for name, rows in self.trace.items()}
        chosen = {} if self.step_size is None else {"step_size": np.array([self.step_size])}
        return Finished(
            self.state.x,
            {
                "step": np.arange(1, self.step + 1, dtype=np.float64),
                **trace,
                "start": self._inside(self.start),
                **self.log.arrays(),
                **chosen,
            },
            self.resumed_from_step,
            float(np.mean(self._moved(self.start, self.state.x))),
        )

    def _take(self, after: State, info: Info) -> None:
        """Records a step as row `step` of the trace, holds it against what the filter promises, and lets the
        stopping rule and the monitor look at the cloud where they are due.
        """
        course, trace, k = self.course, self.trace, self.step
        trace["fraction"][k] = self._inside(after.x)
        seen = _record(info)
        for name, row in seen.items():
            trace[name][k] = self._row(name, row)
        if course.promised is not None:
            self._hold(len(after.x), trace["fraction"][k], seen.get("surrogate"))
            self._fraction = trace["fraction"][k]
        trace[MOVES][k] = self._moved(self.state.x, after.x)
        self.state, self.step, self.step_size = after, k + 1, info.step_size
        self._tally(info)
        _judge(course, self.log, self.step, self._watched(self.state.x))
        if course.monitor is not None and course.monitor.due(self.step):
            self.look()

    def _tally(self, info: Info) -> None:
        self.log.tally(None if info.accepted is None else mean_chance(self._watched(info.accepted)))

    def _standing(self) -> _Standing:
        return _Standing(self.state, self.step, self.step_size, _seen(self.log))

    def _chosen_sampler(self) -> Sampler:
        return self.course.sampler

    def _empty(self) -> Arrays:
        """The trace before the first step."""
        steps = self.course.steps
        rows = {name: np.full((steps, len(self.course.sets)), np.nan) for name in COLUMNS}
        return {**rows, MOVES: np.full(steps, np.nan)}

    def _watched(self, x: Tensor) -> Tensor:
        """The particles that the monitor and the stopping rule see."""
        return x

    def _row(self, name: str, row: np.ndarray) -> np.ndarray:
        """What the trace keeps of a row."""
        return row

    def _inside(self, x: Tensor) -> np.ndarray:
        """The fraction of the cloud inside each set."""
        count = counted if self.only_reads else inside_each
        found: np.ndarray = count(self.course.sets, x).numpy(force=True) / len(x)
        return found

    def _moved(self, before: Tensor, after: Tensor) -> np.ndarray:
        """The share of the particles that are somewhere else."""
        return np.array(float((before != after).any(1).double().mean()))

    def _hold(self, n: int, fraction: np.ndarray, surrogate: np.ndarray | None) -> None:
        """Holds a step against what the filter promises."""
        promised = self.course.promised
        assert promised is not None
        if promised.is_over(n, fraction):
            unknown = np.full(len(self.course.sets), np.nan)
            place = f"{self.course.title}: step {self.step + 1}"
            promised.check(place, n, self._fraction, fraction, unknown if surrogate is None else surrogate)


def _only_reads(sampler: Sampler) -> bool:
    """Whether a sampler, its filters and the members of those are our own: another may write where it
    likes.
    """
    hooks = (getattr(sampler, name, None) for name in ("drift_filter", "step_filter"))
    parts = [sampler, *(part for chosen in hooks for part in _members(chosen))]
    return all(type(part).__module__.partition(".")[0] in ("lem_safe", "barriers") for part in parts)


def _members(chosen: Any) -> list[Any]:
    """A filter and the filters it consists of."""
    if chosen is None:
        return []
    inner = [getattr(chosen, "inner", None), *getattr(chosen, "filters", ())]
    return [chosen, *(part for own in inner for part in _members(own))]


def over(course: Course, log: Log, k: int) -> bool:
    """Whether a course ends after k steps: the last is taken, or the stopping rule says so."""
    if k >= course.steps:
        return True
    return course.stop is not None and course.stop.verdict(log.rule, k, course.not_before) is not None


def _beginning(
    sampler: Sampler, x: Tensor, trace: Arrays, saved: Arrays | None
) -> tuple[State, int, float | None, Log]:
    """State, step, chosen step size and log to go on from; the rows of a checkpoint are put into `trace`."""
    fresh = sampler.init(x)
    leaves("", fresh)  # a state that cannot be saved is refused before anything is sampled
    if saved is None:
        return fresh, 0, None, Log()
    try:
        k = int(saved["step"])
        for name in COLUMNS:
            trace[name][:k] = saved[f"trace.{name}"]
        trace[MOVES][:k] = saved.get(f"trace.{MOVES}", np.nan)  # an older version did not count moves
        h = float(saved["step_size"]) if "step_size" in saved else None
        state: State = restored(fresh, saved, x.device)
        if state.x is None or state.x.shape != x.shape:
            raise ValueError("another cloud")
        return state, k, h, Log.restored(saved)
    except (KeyError, ValueError, IndexError, TypeError, RuntimeError) as error:
        message = f"does not fit this run ({error}); remove it to begin the interrupted chain again"
        raise BadInput(Fault(message, file="checkpoint.npz")) from error


def _seen(log: Log) -> _LogLengths:
    return _LogLengths(
        len(log.step), len(log.rows), len(log.chains), len(log.rule), len(log.marks), log.accepted
    )


def _forget(log: Log, seen: _LogLengths) -> None:
    """Takes back what a step that was not finished has added to the log, which only ever grows."""
    del log.step[seen.step :], log.rows[seen.rows :], log.chains[seen.chains :], log.rule[seen.rule :]
    del log.marks[seen.marks :]
    log.accepted = seen.accepted


def looked(course: Course, monitor: Monitor, log: Log, k: int, x: Tensor) -> None:
    """Lets the monitor look at the cloud after k steps, and the stopping rule at what it recorded."""
    monitor.look(log, k, x)
    new = log.step and log.step[-1] == k and not (log.rule and log.rule[-1].step == k)
    seen = course.stop.of_record(k, log.last()) if new and course.stop is not None else None
    if seen is not None:
        log.rule.append(seen)


def _judge(course: Course, log: Log, k: int, x: Tensor) -> None:
    """Lets the stopping rule look at the cloud after k steps, once."""
    if course.stop is not None and course.stop.due(k) and not (log.rule and log.rule[-1].step == k):
        log.rule.append(course.stop.look(k, x))


def _step(chain: RecordedChain, state: State, k: int) -> tuple[State, Info]:
    course = chain.course
    try:
        after, info = chain.sampler.step(chain.key.fold(k), state)
    except Infeasible as error:
        raise NumericalFailure(
            f"{course.title}: step {k + 1}: {error} (in order: {', '.join(course.names)}); "
            "use on_infeasible: relax to continue with a shortfall"
        ) from error
    if not bool(torch.isfinite(after.x).all()):
        lost = int((~torch.isfinite(after.x)).any(1).nonzero()[0, 0])
        raise NumericalFailure(
            f"{course.title}: step {k + 1}: {chain.named(lost)} is not finite (mean energy before "
            f"the step {float(info.energy):.6g}{_step_size_words(info.step_size or course.step_size)}); a "
            "smaller step_size is the usual remedy"
        )
    return after, info


def _step_size_words(step_size: float | None) -> str:
    return "" if step_size is None else f", step_size {step_size:g}"


def _record(info: Info) -> Arrays:
    """What a step's filter reports, by column of the trace; of two filters the later one has the last
    word.
    """
    seen = info.step or info.drift
    if seen is None:
        return {}
    found = {"multiplier": seen.multipliers, "shortfall": seen.shortfall}
    observed = info.step.mean if info.surrogate is None and info.step is not None else info.surrogate
    found |= {} if observed is None else {"surrogate": observed}
    return {name: row.numpy(force=True) for name, row in found.items()}
