"""The loop around a sampler: steps, counts, the trace, progress, checkpoints. The sampler makes the steps;
the trace records them.

Row k of the trace is the cloud after step k + 1: the fraction inside each set as saved (A.1), E φ,
multipliers, shortfall. Monitors record the cloud at regular steps, and a stopping rule may end the loop
before its last step: then the trace has the rows of the steps taken. `step_size` [1] is present where the
sampler chose its own.

An interruption may occur at any point. A checkpoint holds the state at the end of the last complete step:
cloud, trace and log together.
"""

import time
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from barriers.qp import Infeasible
from lem_safe.errors import BadInput, Fault, NumericalFailure
from lem_safe.keys import Key
from lem_safe.lyapunov import Log
from lem_safe.progress import Progress
from lem_safe.runs.checkpoint import Arrays, leaves, restored, snapshot
from lem_safe.runs.course import Course, Finished
from lem_safe.samplers import Info, State

CHECKPOINT_SECONDS = 10.0
REFRESH_SECONDS = 0.2
TURN_SECONDS = 2.0
"""Seconds for which one pair of the monitors' numbers is shown before the next; a terminal's line has room
for one.
"""
COLUMNS = ("fraction", "surrogate", "multiplier", "shortfall")
MOVES = "moves"
"""[t]: the share of the particles that each step moved; the moves of the others were refused."""

Save = Callable[[Arrays], None]


class _LogLengths(NamedTuple):
    """The lengths of the log's lists, and its tally."""

    step: int
    rows: int
    chains: int
    rule: int
    accepted: tuple[float, int]


class _Standing(NamedTuple):
    """The state of a run between two steps, from which a checkpoint can be made."""

    state: State
    step: int
    step_size: float | None
    seen: _LogLengths


@torch.no_grad()
def follow(
    course: Course,
    key: Key,
    x: Tensor,
    *,
    progress: Progress,
    save: Save | None = None,
    saved: Arrays | None = None,
    every: float = CHECKPOINT_SECONDS,
    written: float | None = None,
) -> Finished:
    """Runs the course from x, or from a checkpoint that `save` wrote, with bitwise identical results.

    every: seconds between checkpoints. written: the time of the last checkpoint, by time.monotonic(); by
    default now. Raises NumericalFailure where a particle is no longer finite, where a constraint cannot be
    met and the filter is set to raise, and where a filter breaks its promise about every step; BadInput for a
    checkpoint of something else.
    """
    trace: Arrays = {name: np.full((course.steps, len(course.sets)), np.nan) for name in COLUMNS}
    trace[MOVES] = np.full(course.steps, np.nan)
    state, k, h, log = _beginning(course, x, trace, saved)
    begin, inside = k, _inside(course, state.x)
    _judge(course, log, k, state.x)
    progress.start(course.title, course.steps)
    shown = time.monotonic()
    written = shown if written is None else written
    whole = _Standing(state, k, h, _seen(log))

    def held() -> Arrays:
        return snapshot(whole.state, whole.step, trace, whole.step_size) | log.state()

    try:
        while k < course.steps and not _is_over(course, log, k):
            after, info = _step(course, key, state, k)
            if info.warming:  # a warm-up step does not move the cloud and has no row
                state = after
            else:
                _record(trace, k, course, after, info)
                if course.promised is not None:
                    place = f"{course.title}: step {k + 1}"
                    course.promised.check(
                        place, len(after.x), inside, trace["fraction"][k], trace["surrogate"][k]
                    )
                    inside = trace["fraction"][k]
                trace[MOVES][k] = _moved(state.x, after.x)
                state, k, h = after, k + 1, info.step_size
                log.tally(info.accepted)
                _judge(course, log, k, state.x)
                if course.monitor is not None and course.monitor.due(k):
                    course.monitor.look(log, k, state.x)
            whole = _Standing(state, k, h, _seen(log))
            now = time.monotonic()
            if now - shown > REFRESH_SECONDS and k:
                shown = now
                progress.update(k, live(course, trace, k, log, int(now / TURN_SECONDS)))
            if save is not None and now - written >= every:
                save(held())
                written = now
        if course.monitor is not None:
            course.monitor.look(log, k, state.x)
    except KeyboardInterrupt:
        if save is not None:
            _forget(log, whole.seen)
            save(held())
        raise
    trace = {name: rows[:k] for name, rows in trace.items()}
    progress.finish(standing(course, trace["fraction"].max(0), "largest "))
    chosen = {} if h is None else {"step_size": np.array([h])}
    return Finished(
        state.x,
        {
            "step": np.arange(1, k + 1, dtype=np.float64),
            **trace,
            "start": _inside(course, x),
            **log.arrays(),
            **chosen,
        },
        begin,
        _moved(x, state.x),
    )


def standing(course: Course, fraction: np.ndarray, prefix: str = "") -> str:
    """The worst constraint now, with its tolerance."""
    worst = int(np.argmax(fraction - np.asarray(course.betas)))
    return f"{prefix}{course.names[worst]} {fraction[worst]:.4f} (tolerated {course.betas[worst]:g})"


def _beginning(
    course: Course, x: Tensor, trace: Arrays, saved: Arrays | None
) -> tuple[State, int, float | None, Log]:
    """State, step, chosen step size and log to start from; the rows of a checkpoint are copied
    into `trace`.
    """
    fresh = course.sampler.init(x)
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
    return _LogLengths(len(log.step), len(log.rows), len(log.chains), len(log.rule), log.accepted)


def _forget(log: Log, seen: _LogLengths) -> None:
    """Removes what an incomplete step has added to the log, which otherwise only grows."""
    del log.step[seen.step :], log.rows[seen.rows :], log.chains[seen.chains :], log.rule[seen.rule :]
    log.accepted = seen.accepted


def _judge(course: Course, log: Log, k: int, x: Tensor) -> None:
    """Evaluates the stopping rule on the cloud after k steps, once."""
    if course.stop is not None and course.stop.due(k) and not (log.rule and log.rule[-1].step == k):
        log.rule.append(course.stop.look(k, x))


def live(course: Course, trace: Arrays, k: int, log: Log, turn: int) -> str:
    """One short line after k steps: the worst constraint as found/tolerated, and in turn the monitors'
    numbers and the multiplier.
    """
    fraction, largest = trace["fraction"][k - 1], float(trace["multiplier"][k - 1].max(initial=-np.inf))
    worst = int(np.argmax(fraction - np.asarray(course.betas)))
    notes = [] if course.monitor is None else course.monitor.notes(log)
    notes += [f"μ {largest:.3g}"] if np.isfinite(largest) else []
    begin = f"{course.names[worst]} {fraction[worst]:.4f}/{course.betas[worst]:g}"
    return f"{begin}; {notes[turn % len(notes)]}" if notes else begin


def _is_over(course: Course, log: Log, k: int) -> bool:
    return course.stop is not None and course.stop.verdict(log.rule, k, course.not_before) is not None


def _step(course: Course, key: Key, state: State, k: int) -> tuple[State, Info]:
    try:
        after, info = course.sampler.step(key.fold(k), state)
    except Infeasible as error:
        raise NumericalFailure(
            f"{course.title}: step {k + 1}: {error} (in order: {', '.join(course.names)}); "
            "use on_infeasible: relax to continue with a shortfall"
        ) from error
    if not bool(torch.isfinite(after.x).all()):
        lost = int((~torch.isfinite(after.x)).any(1).nonzero()[0, 0])
        raise NumericalFailure(
            f"{course.title}: step {k + 1}: particle {lost} is not finite (mean energy before "
            f"the step {float(info.energy):.6g}{_step_size_words(info.step_size or course.step_size)}); a "
            "smaller step_size is the usual remedy"
        )
    return after, info


def _step_size_words(step_size: float | None) -> str:
    return "" if step_size is None else f", step_size {step_size:g}"


def _record(trace: Arrays, k: int, course: Course, after: State, info: Info) -> None:
    trace["fraction"][k] = _inside(course, after.x)
    seen = info.step or info.drift  # of two filters the later one decides
    if seen is None:
        return
    trace["multiplier"][k], trace["shortfall"][k] = (
        seen.multipliers.numpy(force=True),
        seen.shortfall.numpy(force=True),
    )
    observed = info.step.mean if info.surrogate is None and info.step is not None else info.surrogate
    if observed is not None:
        trace["surrogate"][k] = observed.numpy(force=True)


def _inside(course: Course, x: Tensor) -> np.ndarray:
    """The fraction of the cloud inside each set."""
    return np.array([float(s.contains(x).double().mean()) for s in course.sets])


def _moved(before: Tensor, after: Tensor) -> float:
    """The share of the particles that differ between the two clouds."""
    return float((before != after).any(1).double().mean())
