"""One cloud of a run in several processes: who has which particles, and what each of them does.

Process 0 does everything that a run does; the others wait for its words (`serving`) and take their part in
each chain. A part is whole blocks of noise, so where there are fewer blocks than processes the last ones
have nothing to do.
"""

from dataclasses import dataclass, replace

from barriers.filters import HERE, NotSpread, spread
from lem_safe.errors import BadInput, Fault
from lem_safe.keys import BLOCK, Key, divided
from lem_safe.processes.spread import Spread
from lem_safe.processes.wire import Wire
from lem_safe.progress import Progress
from lem_safe.runs.chain import CHECKPOINT_SECONDS, Save, follow
from lem_safe.runs.checkpoint import Arrays
from lem_safe.runs.course import Course, Finished
from lem_safe.runs.leading import Lead, taken_together
from lem_safe.runs.problem import Problem
from lem_safe.runs.scattered import Dealt, deal, received
from lem_safe.runs.spread_chain import SpreadChain
from lem_safe.runs.starting import start
from lem_safe.samplers import spreads

WAY_OUT = "run it in one process, or with audit.replicas of as many clouds as processes"


@dataclass(frozen=True)
class Piece:
    """A chain of one cloud, as process 0 tells the others of it. key: of the cloud. multipliers: of a tilt,
    where a pilot has learned them. dealt: of the checkpoint that it goes on from.
    """

    title: str
    key: int
    samples: int
    steps: int
    filtered: bool
    multipliers: tuple[float, ...] | None
    dealt: Dealt | None


def must_spread(problem: Problem) -> None:
    """Refuses, before anything is sampled, a cloud that is to be spread over processes and cannot be."""
    if problem.group.size == 1 or problem.scenario.audit.replicas > 1:
        return
    fault = _why_not(problem)
    if fault is not None:
        raise BadInput(fault)


def spreadable(problem: Problem) -> bool:
    """Whether one cloud can be spread over processes."""
    return _why_not(problem) is None


def _why_not(problem: Problem) -> Fault | None:
    file, kind = str(problem.scenario.source or problem.scenario.name), problem.scenario.sampler.kind
    if not spreads(problem.sampler(filtered=False)):
        message = f"{kind} moves particles by what others do, so one cloud cannot be spread over processes"
        return Fault(f"{message}; {WAY_OUT}", file, key="sampler.kind")
    try:
        spread(problem.filter, HERE)
    except NotSpread as error:
        return Fault(f"{error}; {WAY_OUT}", file, key="filter")
    return None


def followed_together(
    problem: Problem,
    key: Key,
    course: Course,
    *,
    filtered: bool,
    progress: Progress,
    save: Save | None = None,
    saved: Arrays | None = None,
    every: float = CHECKPOINT_SECONDS,
) -> Finished:
    """`follow` of the cloud with this key, by process 0 together with the others."""
    group, samples = problem.group, problem.scenario.sampler.samples
    parts = divided(samples, group.size)
    if len(parts) == 1:
        if group.size > 1:
            _tell_of_idle(samples, 1, group.size, progress)
        x, own = start(problem, key), key.fold("chain")
        return follow(course, own, x, progress=progress, save=save, saved=saved, every=every)
    if len(parts) < group.size:
        _tell_of_idle(samples, len(parts), group.size, progress)
    dealt = None if saved is None else deal(saved, samples)
    piece = Piece(course.title, key.value, samples, course.steps, filtered, problem.multipliers, dealt)
    group.tell(("cloud", piece))
    wire = group.wire(len(parts))
    assert wire is not None, "process 0 takes part"
    chain = _begun(problem, piece, course, wire, saved)
    found = taken_together(chain, Lead(course, chain, progress, save, every))
    assert found is not None, "process 0 has the whole cloud"
    return found


def attended(problem: Problem, piece: Piece) -> None:
    """What another process than 0 does meanwhile."""
    wire = problem.group.wire(len(divided(piece.samples, problem.group.size)))
    if wire is None:
        return
    problem = problem.piloted_by(piece.multipliers, piece.samples)
    course = problem.course(piece.title, piece.steps, filtered=piece.filtered)
    taken_together(_begun(problem, piece, course, wire, None), None)


def _begun(problem: Problem, piece: Piece, course: Course, wire: Wire, saved: Arrays | None) -> SpreadChain:
    parts = divided(piece.samples, problem.group.size)
    part, whole = parts[wire.rank], Spread(wire, [len(each) for each in parts])
    own = replace(course, sampler=problem.sampler(filtered=piece.filtered, whole=whole))
    mine = None if piece.dealt is None else received(piece.dealt, parts, wire, saved)
    key = Key(piece.key)
    return SpreadChain(own, key.fold("chain"), start(problem, key, part), part, whole, mine)


def _tell_of_idle(samples: int, busy: int, size: int, progress: Progress) -> None:
    blocks = -(-samples // BLOCK)
    progress.say(
        f"{samples:,} particles are {blocks} block{'s' * (blocks > 1)} of {BLOCK:,}, and a process takes "
        f"whole blocks: {busy} of {size} processes ha{'ve' if busy > 1 else 's'} work"
    )
