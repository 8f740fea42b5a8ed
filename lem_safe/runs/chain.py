"""The loop around a sampler: steps until the run is over, with progress and checkpoints.

Everything a step does is in the sampler; everything a run remembers is in the trace (see `recorded_chain`).
"""

import time
from collections.abc import Callable

import numpy as np

from barriers.arrays import Tensor, torch
from lem_safe.keys import Key
from lem_safe.lyapunov import Log
from lem_safe.progress import Progress
from lem_safe.runs.checkpoint import Arrays
from lem_safe.runs.course import Course, Finished
from lem_safe.runs.recorded_chain import RecordedChain

CHECKPOINT_SECONDS = 10.0
REFRESH_SECONDS = 0.2
TURN_SECONDS = 2.0
"""How long a pair of the monitors' numbers is shown before the next takes its place: a terminal's line holds
no more.
"""

Save = Callable[[Arrays], None]


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
    """Runs the course from x, or from a checkpoint that `save` wrote, one `every` so many seconds; bit for
    bit the same either way.

    written: when the last checkpoint was, by time.monotonic(); by default now. Raises NumericalFailure where
    a particle is no longer finite, where a constraint cannot be met and the filter was told to raise, and
    where a filter breaks what it promises of every step; BadInput for a checkpoint of something else.
    """
    chain = RecordedChain(course, key, x, saved)
    to_the_end(chain, progress, save, every, written)
    done = chain.finished()
    progress.finish(standing(course, done.trace["fraction"].max(0), "largest "))
    return done


@torch.no_grad()
def to_the_end(
    chain: RecordedChain,
    progress: Progress,
    save: Save | None = None,
    every: float = CHECKPOINT_SECONDS,
    written: float | None = None,
) -> None:
    """Advances a chain until it is over; the arguments are those of `follow`."""
    progress.start(chain.course.title, chain.course.steps)
    shown = time.monotonic()
    written = shown if written is None else written
    try:
        while not chain.is_over():
            chain.advance()
            now = time.monotonic()
            if now - shown > REFRESH_SECONDS and chain.step:
                shown = now
                turn = int(now / TURN_SECONDS)
                progress.update(chain.step, live(chain.course, *chain.shown(), chain.log, turn))
            if save is not None and now - written >= every:
                save(chain.checkpoint())
                written = now
        chain.look()
    except KeyboardInterrupt:
        if save is not None:
            save(chain.checkpoint())
        raise


def standing(course: Course, fraction: np.ndarray, prefix: str = "") -> str:
    """The worst constraint now, beside its tolerance."""
    worst = int(np.argmax(fraction - np.asarray(course.betas)))
    return f"{prefix}{course.names[worst]} {fraction[worst]:.4f} (tolerated {course.betas[worst]:g})"


def live(course: Course, trace: Arrays, k: int, log: Log, turn: int) -> str:
    """One short line after k steps: the worst constraint as found/tolerated, and whose turn it is of the
    monitors' and the multiplier.
    """
    fraction, largest = trace["fraction"][k - 1], float(trace["multiplier"][k - 1].max(initial=-np.inf))
    worst = int(np.argmax(fraction - np.asarray(course.betas)))
    notes = [] if course.monitor is None else course.monitor.notes(log)
    notes += [f"μ {largest:.3g}"] if np.isfinite(largest) else []
    begin = f"{course.names[worst]} {fraction[worst]:.4f}/{course.betas[worst]:g}"
    return f"{begin}; {notes[turn % len(notes)]}" if notes else begin
