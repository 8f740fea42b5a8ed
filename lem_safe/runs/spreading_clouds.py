"""Several clouds of a run in several processes: each takes some of the clouds or, of few large ones, a part
of every one, whatever more processes can take part in.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from barriers.arrays import Tensor
from lem_safe.cloud_keys import CloudKey
from lem_safe.keys import divided
from lem_safe.progress import Progress
from lem_safe.runs.chain import CHECKPOINT_SECONDS, Save
from lem_safe.runs.checkpoint import Arrays
from lem_safe.runs.cloud_batches import Batch, Lead, Work, taken_apart
from lem_safe.runs.course import Course, Finished
from lem_safe.runs.pooled import Pooled
from lem_safe.runs.problem import Problem
from lem_safe.runs.replicas import batch, follow_clouds, size_of, summary
from lem_safe.runs.spreading import followed_together, spreadable
from lem_safe.runs.starting import beginning, cloud_key


@dataclass(frozen=True)
class CloudsPiece:
    """Chains of clouds, as process 0 tells the others of them. shares: the batches of each process."""

    title: str
    steps: int
    filtered: bool
    multipliers: tuple[float, ...] | None
    shares: tuple[tuple[Batch, ...], ...]


def clouds_together(
    problem: Problem,
    course: Course,
    *,
    filtered: bool,
    progress: Progress,
    save: Save | None = None,
    saved: Arrays | None = None,
    every: float = CHECKPOINT_SECONDS,
) -> Finished:
    """`follow_clouds` of the clouds of a run, by process 0 together with the others where there are any."""
    group, clouds = problem.group, problem.scenario.audit.replicas
    options: dict[str, Any] = {"progress": progress, "save": save, "saved": saved, "every": every}
    if group.size == 1:
        return follow_clouds(course, partial(beginning, problem), clouds, **options)
    pooled = Pooled.restored(saved or {})
    batches = _batches(problem, course, pooled)
    busy = min(group.size, len(batches))
    if len(divided(problem.scenario.sampler.samples, group.size)) > busy and spreadable(problem):
        by = partial(_together, problem, filtered)
        return follow_clouds(course, partial(beginning, problem), clouds, **options, by=by)
    if busy < group.size:
        progress.say(
            f"{clouds} clouds are {len(batches)} batch{'es' * (len(batches) > 1)}, and a process takes whole "
            f"batches: {busy} of {group.size} processes ha{'ve' if busy > 1 else 's'} work"
        )
    if busy == 1:
        return follow_clouds(course, partial(beginning, problem), clouds, **options)
    shares = tuple(tuple(batches[i] for i in part) for part in np.array_split(range(len(batches)), busy))
    piece = CloudsPiece(course.title, course.steps, filtered, problem.multipliers, shares)
    group.tell(("clouds", piece))
    return _led(problem, course, piece, pooled, progress, save, every)


def _together(
    problem: Problem, filtered: bool, course: Course, begun: Sequence[tuple[CloudKey, Tensor]], **options: Any
) -> list[Finished]:
    """One cloud by all processes, each a part of it."""
    ((key, _),) = begun
    options.pop("written")
    return [followed_together(problem, cloud_key(problem, key.index), course, filtered=filtered, **options)]


def clouds_attended(problem: Problem, piece: CloudsPiece) -> None:
    """What another process than 0 does meanwhile."""
    wire = problem.group.wire(len(piece.shares))
    if wire is None:
        return
    problem = problem.piloted_by(piece.multipliers)
    course = problem.course(piece.title, piece.steps, filtered=piece.filtered)
    work = Work(course, partial(beginning, problem), piece.shares[wire.rank])
    taken_apart(work, wire, None)


def _led(
    problem: Problem,
    course: Course,
    piece: CloudsPiece,
    pooled: Pooled,
    progress: Progress,
    save: Save | None,
    every: float,
) -> Finished:
    wire, clouds = problem.group.wire(len(piece.shares)), problem.scenario.audit.replicas
    assert wire is not None, "process 0 takes part"
    work = Work(course, partial(beginning, problem), piece.shares[0])
    pooled.running = {}  # they are parts of the work now
    progress.start(f"{course.title}, {clouds} clouds", course.steps)
    before = pooled.steps
    found = taken_apart(work, wire, Lead(work, progress, save, every, pooled))
    assert found is not None, "process 0 has all clouds"
    resumed = before + sum(done.resumed_from_step for done in found.values())
    found |= pooled.done
    pooled.done = {}
    for r in sorted(found):
        pooled.add(found[r])
    whole = pooled.finished(problem.device, resumed)
    progress.finish(summary(course, whole))
    return whole


def _batches(problem: Problem, course: Course, pooled: Pooled) -> list[Batch]:
    """What is left to do, in the batches that one process would make of it."""
    clouds, x = problem.scenario.audit.replicas, beginning(problem, 0)[1]
    found, r = list[Batch](), len(pooled.x)
    while r < clouds:
        if r in pooled.done:
            r += 1
            continue
        state = pooled.running.get(r)
        most = pooled.next_known(r, clouds) - r
        size = min(batch(course, x) if state is None else size_of(state, x), most)
        found.append(Batch(r, size, state))
        r += size
    return found
