"""Independent clouds: the same course with a different key each, coupled within a cloud and never between two
(A.5).

Clouds under a sampler that moves each particle by itself take their steps together, in batches of about as
many particles as are efficient (`recorded_clouds`); under any other sampler they run one after the other.
The numbers of a cloud are those that it would have alone: the same bits where the energy is computed
element by element, and up to the rounding of matrix products elsewhere. Monitors and the stopping rule use
the first cloud; the others take the same number of steps.
"""

import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from barriers.arrays import Tensor
from lem_safe.cloud_keys import CloudKey
from lem_safe.keys import Key
from lem_safe.progress import Progress
from lem_safe.runs.chain import CHECKPOINT_SECONDS, Save, follow, to_the_end
from lem_safe.runs.checkpoint import Arrays
from lem_safe.runs.course import Course, Finished
from lem_safe.runs.pooled import Pooled
from lem_safe.runs.recorded_clouds import RecordedClouds

Begin = Callable[[int], tuple[Key, Tensor]]
"""begin(r): the key of cloud r, and the start of its particles."""

Run = Callable[..., list[Finished]]
"""run(course, begun, *, progress, save, saved, every, written): what `followed` does."""

PARTICLES, NUMBERS, ROWS = 1 << 14, 1 << 21, 1 << 24
"""The largest batch of clouds: particles, their coordinates, numbers of a column of the trace."""


def follow_clouds(
    course: Course,
    begin: Begin,
    clouds: int,
    *,
    progress: Progress,
    save: Save | None = None,
    saved: Arrays | None = None,
    every: float = CHECKPOINT_SECONDS,
    by: Run | None = None,
) -> Finished:
    """Runs the course `clouds` times; one cloud is `follow` itself. A checkpoint holds the finished clouds
    and the current ones. by: what runs some clouds, in the place of `followed`.

    The cloud returned is the concatenation; `resumed_from_step` counts the steps of all clouds. Raises what
    `follow` raises.
    """
    if clouds == 1:
        return follow(course, *begin(0), progress=progress, save=save, saved=saved, every=every)
    pooled = Pooled.restored(saved or {})
    written, resumed = time.monotonic(), pooled.steps
    run, (first, x) = by or followed, begin(0)
    progress.start(f"{course.title}, {clouds} clouds", clouds * course.steps)

    def keep(state: Arrays) -> None:
        nonlocal written
        if save is not None:
            save({**state, **pooled.state()})
            written = time.monotonic()

    while (r := len(pooled.x)) < clouds:
        rest, most = pooled.running.pop(r, None), pooled.next_known(r, clouds) - r
        size = min(batch(course, x) if rest is None else size_of(rest, x), most)
        part, mine = _Part(progress, pooled.steps, r, size), None if save is None else keep
        own = _course_of(course, r, size, clouds, pooled)
        begun = [(CloudKey.of(key, first, i), at) for i in range(r, r + size) for key, at in [begin(i)]]
        for done in run(own, begun, progress=part, save=mine, saved=rest, every=every, written=written):
            resumed += done.resumed_from_step
            pooled.add(done)
        if time.monotonic() - written >= every:
            keep({})
    found = pooled.finished(x.device, resumed)
    progress.finish(summary(course, found))
    return found


def batch(course: Course, x: Tensor) -> int:
    """How many clouds like x [n, d] take their steps together; 1 where each runs by itself."""
    if course.over is None:
        return 1
    rows = max(course.steps * len(course.sets), 1)
    return max(1, min(PARTICLES // max(len(x), 1), NUMBERS // max(x.numel(), 1), ROWS // rows))


def size_of(saved: Arrays, x: Tensor) -> int:
    """How many clouds like x a checkpoint was in the middle of; 1 where it is of something else, which
    `follow` says.
    """
    return max(1, len(saved.get("state.x", x)) // max(len(x), 1))


def followed(
    course: Course,
    begun: list[tuple[CloudKey, Tensor]],
    *,
    progress: Progress,
    save: Save | None,
    saved: Arrays | None,
    every: float,
    written: float | None = None,
) -> list[Finished]:
    """Each of these clouds, from its start [n, d]: together, where they are several."""
    if len(begun) == 1:
        key, x = begun[0]
        done = follow(course, key, x, progress=progress, save=save, saved=saved, every=every, written=written)
        return [done]
    keys, starts = zip(*begun, strict=True)
    chain = RecordedClouds(course, keys, starts, saved)
    to_the_end(chain, progress, save, every, written)
    return chain.each()


def _course_of(course: Course, r: int, size: int, clouds: int, pooled: Pooled) -> Course:
    """The course of the clouds from r on: the first is watched, those of another batch take as many steps as
    it did.
    """
    watched = course if r == 0 else replace(course, steps=len(pooled.fraction[0]), monitor=None, stop=None)
    which = f"cloud {r + 1}" if size == 1 else f"clouds {r + 1} to {r + size}"
    return replace(watched, title=f"{course.title}, {which} of {clouds}")


def summary(course: Course, found: Finished) -> str:
    """How many clouds were ever over a tolerance, and the largest fractions."""
    each = found.trace["cloud_fraction"].max(1)
    over = int((each > np.asarray(course.betas)).any(1).sum())
    worst = ", ".join(f"{v:.4f}" for v in found.trace["fraction"].max(0))
    return f"{over} of {len(each)} clouds ever over; largest {worst}"


class _Part:
    """The progress of some clouds as a part of the progress of all."""

    def __init__(self, whole: Progress, before: int, first: int, size: int):
        self.whole, self.before, self.size = whole, before, size
        self.name = f"cloud {first + 1}" if size == 1 else f"clouds {first + 1} to {first + size}"

    def start(self, title: str, total: int) -> None: ...

    def update(self, done: int, note: str) -> None:
        self.whole.update(self.before + self.size * done, f"{self.name}: {note}")

    def finish(self, note: str) -> None: ...

    def say(self, text: str) -> None:
        self.whole.say(text)
