"""More samples than fit in memory, of particles that do not depend on each other: some blocks after the
other, written to a file as they are finished.

A cloud without a filter, or under the tilt or rejection, is many particles that know nothing of each other;
particle i has the noise of its block whoever is sampled with it. So the rows are those of one large cloud,
and the memory is that of one slice.
"""

from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from barriers.arrays import Tensor
from barriers.filters import Reject, Tilt
from lem_safe.data.typed import RowCoordinates
from lem_safe.errors import BadInput, Fault
from lem_safe.keys import BLOCK, Key, Part, PartKey
from lem_safe.progress import Progress
from lem_safe.run_directory import CHECKPOINT, RunDirectory
from lem_safe.runs.chain import to_the_end
from lem_safe.runs.checkpoint import Arrays
from lem_safe.runs.course import Course
from lem_safe.runs.problem import Problem
from lem_safe.runs.recorded_chain import RecordedChain
from lem_safe.runs.starting import start
from lem_safe.samplers import particlewise
from lem_safe.samplers.blocks import by_block

NUMBERS = 1 << 20
"""The coordinates of one slice, at most: 4 MiB in float32, about ten times that while it is sampled."""
ROWS = "rows.npy"
"""The file of the rows so far, beside the checkpoint of a draw."""


class Streamed(NamedTuple):
    """The rows in data units, in a file that is mapped into memory, and the share of the particles that are
    not where they started.
    """

    x: np.ndarray
    moved: float


def slice_size(d: int) -> int:
    """How many particles of d columns are sampled at once."""
    return max(1, NUMBERS // max(d, 1) // BLOCK) * BLOCK


def independent(problem: Problem) -> bool:
    """Whether each particle is sampled as if it were the only one, and its start drawn for it alone."""
    return (
        (problem.filter is None or isinstance(problem.filter, Tilt | Reject))
        and particlewise(problem.sampler(filtered=True))
        and not (problem.rows is not None and isinstance(problem.coordinates, RowCoordinates))
    )


def streamed(
    problem: Problem,
    course: Course,
    key: Key,
    particles: int,
    *,
    place: RunDirectory,
    every: float,
    progress: Progress,
) -> Streamed:
    """The final places of so many particles after the steps of a course; an interruption leaves in `place`
    what the next call goes on from. Raises what `follow` raises, and BadInput for a file of something else.
    """
    saved = place.checkpoint()
    if saved is not None and "slice" not in saved:
        message = "is of a draw by an older version of lem-safe; remove it to begin the draw again"
        raise BadInput(Fault(message, str(place / CHECKPOINT)))
    size, began = slice_size(problem.coordinates.dimension), 0 if saved is None else int(saved["slice"])
    moved = 0 if saved is None else int(saved["moved"])
    rows = _opened(place / ROWS, problem, particles, fresh=saved is None)
    slices = [Part(a, min(a + size, particles)) for a in range(0, particles, size)]
    shown = _Slices(progress, len(slices), course.steps)
    progress.start(f"{course.title}, {len(slices)} slices", len(slices) * course.steps)
    for i, part in enumerate(slices[began:], began):
        mine = saved if saved is not None and "step" in saved else None
        chain = RecordedChain(course, PartKey.of(key.fold("chain"), part), start(problem, key, part), mine)
        shown.now = i
        to_the_end(chain, shown, partial(_save, place, i, moved), every)
        rows[part.rows] = in_data_units(problem, chain.state.x)
        rows.flush()
        moved += int((chain.start != chain.state.x).any(1).sum())
        _save(place, i + 1, moved, {})
        saved = None
    progress.finish(f"{particles:,} rows")
    return Streamed(rows, moved / particles)


def _save(place: RunDirectory, now: int, moved: int, state: Arrays) -> None:
    place.save_checkpoint(phase=np.array("draw"), slice=np.array(now), moved=np.array(moved), **state)


def in_data_units(problem: Problem, x: Tensor) -> np.ndarray:
    """Rows as they are saved."""
    found: Tensor = by_block(problem.coordinates.saved, x)
    return found.numpy(force=True)


def _opened(path: Path, problem: Problem, particles: int, *, fresh: bool) -> np.memmap:
    """The file of the rows."""
    one = in_data_units(problem, start(problem, Key(0), Part(0, 1)))
    shape = (particles, one.shape[1])
    if fresh:
        return np.lib.format.open_memmap(path, mode="w+", dtype=one.dtype, shape=shape)
    try:
        found = np.lib.format.open_memmap(path, mode="r+")
    except (OSError, ValueError) as error:
        raise BadInput(Fault(f"cannot be gone on with ({error}); begin the draw anew", str(path))) from error
    if found.shape != shape or found.dtype != one.dtype:
        raise BadInput(Fault("holds the rows of another draw; begin the draw anew", str(path)))
    return found


class _Slices:
    """The progress of one slice as a part of that of all."""

    def __init__(self, whole: Progress, slices: int, steps: int):
        self.whole, self.slices, self.steps, self.now = whole, slices, steps, 0

    def start(self, title: str, total: int) -> None: ...

    def update(self, done: int, note: str) -> None:
        self.whole.update(self.now * self.steps + done, f"slice {self.now + 1} of {self.slices}: {note}")

    def finish(self, note: str) -> None: ...

    def say(self, text: str) -> None:
        self.whole.say(text)
