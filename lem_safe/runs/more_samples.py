"""More samples from a finished run: its energy, its filter, its start, fresh noise; nothing is trained again.

A cloud of n particles takes `burn_in` steps and is then recorded `pool` times, `thin` steps apart; under
`audit: {replicas: R}` there are R independent clouds, each with its own key, as in the run: n · pool · R
rows.

The request is a `draw_request`; an interrupted draw leaves an `unfinished_draw`.
"""

import secrets
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np

from barriers.arrays import torch
from lem_safe.cloud_keys import CloudKey
from lem_safe.data.typed import RowCoordinates
from lem_safe.errors import BadInput, Fault, NumericalFailure
from lem_safe.inputs import read_arrays
from lem_safe.keys import BLOCK, Key
from lem_safe.progress import Progress, Silent
from lem_safe.registry import load, make
from lem_safe.run_directory import BEGUN, RunDirectory
from lem_safe.runs.chain import CHECKPOINT_SECONDS
from lem_safe.runs.checkpoint import Arrays
from lem_safe.runs.draw_request import AGAIN, Request, finished_scenario
from lem_safe.runs.pilot import known_pilot, piloted
from lem_safe.runs.problem import Problem, build
from lem_safe.runs.replicas import batch, followed, size_of
from lem_safe.runs.sample_files import Draws, must_be_writable, write
from lem_safe.runs.starting import start
from lem_safe.runs.streamed_draw import ROWS, in_data_units, independent, slice_size, streamed
from lem_safe.runs.unfinished_draw import Keeper, must_match, part_of
from lem_safe.scenario import Scenario
from lem_safe.training.checkpoint import load_energy, save_energy
from lem_safe.training.trained import Trained


def draw(
    directory: Path | str,
    samples: int,
    *,
    seed: int,
    burn_in: int | None = None,
    thin: int | None = None,
    pool: int = 1,
    device: str = "cpu",
    progress: Progress | None = None,
) -> Draws:
    """`samples` rows from the energy and the filter of a run directory, with the noise of `seed`.

    burn_in: steps before the first record, by default the run's own. thin: steps between records, by default
    a tenth of burn_in. Raises BadInput for a directory without a run, for the run's own seed, and for samples
    not divisible by `pool` and the run's clouds; NumericalFailure.
    """
    return _drawn(
        Request.of(Path(directory), samples, seed, burn_in, thin, pool),
        Path(directory),
        device,
        progress or Silent(),
        None,
    )


def draw_into(
    path: Path,
    directory: Path | str,
    samples: int,
    *,
    seed: int | None = None,
    burn_in: int | None = None,
    thin: int | None = None,
    pool: int = 1,
    device: str = "cpu",
    progress: Progress | None = None,
    resume: bool = False,
    checkpoint_seconds: float = CHECKPOINT_SECONDS,
) -> Draws:
    """The same rows written to `path`, in the format of its suffix, with their facts in a .json file; an
    interruption leaves what `resume` continues.

    seed: by default the interrupted draw's, or a fresh one. Raises what `draw` raises, and BadInput for an
    existing file, for an interrupted draw without `resume`, and for one with another request.
    """
    directory, part = Path(directory), part_of(path)
    begun = (part / BEGUN).exists()
    if begun and not resume:
        what = "holds an interrupted draw; --resume continues it, or choose another --out"
        raise BadInput(Fault(what, file=str(part)))
    if not begun:
        must_be_writable(path, pool > 1 or dependent(directory))
    with RunDirectory(part, fleeting=True) as place:
        before = place.begun_with() or {}
        own = before.get("seed", "")
        chosen = seed if seed is not None else int(own) if own.isdigit() else secrets.randbits(62)
        asked = Request.of(directory, samples, chosen, burn_in, thin, pool)
        must_match(asked.identity(device), before, part)
        place.begin_with(asked.identity(device))
        keeper = Keeper(place, checkpoint_seconds)
        saved = keeper.restore(pool)
        try:
            drawn = _drawn(asked, directory, device, progress or Silent(), keeper, saved)
            write(drawn, path)
        except (BadInput, NumericalFailure):  # it would end the same way again
            _forget(place)
            raise
        _forget(place)
    with suppress(OSError):  # an earlier part of this draw has made it
        part.rmdir()
    return drawn


def _forget(place: RunDirectory) -> None:
    place.drop_checkpoint()
    (place / ROWS).unlink(missing_ok=True)
    place.forget_beginning()


def dependent(directory: Path) -> bool:
    """Whether rows recorded once under a run directory's filter are dependent or come in clouds; nothing is
    built or trained.
    """
    scenario = finished_scenario(directory)
    return scenario.audit.replicas > 1 or bool(
        read_arrays(directory / "samples.npz", AGAIN).get("coupled", False)
    )


def _drawn(
    asked: Request,
    directory: Path,
    device: str,
    progress: Progress,
    keeper: Keeper | None = None,
    saved: Arrays | None = None,
) -> Draws:
    _restore_energy(asked.scenario, directory)
    problem = _problem(asked, directory, device, progress)
    if keeper is not None and keeper.place is not None and _in_slices(asked, problem):
        return _streamed(asked, problem, progress, keeper.place, keeper.every)
    clouds = _clouds(problem, asked, progress, keeper, saved)
    n, replicas = asked.particles, asked.scenario.audit.replicas
    whose = np.arange(n * replicas).reshape(replicas, 1, n)
    return Draws(
        x=np.concatenate([in_data_units(problem, torch.from_numpy(x).to(problem.device)) for x in clouds]),
        columns=problem.columns,
        replica=np.repeat(np.arange(replicas), n * asked.pool),
        chain=np.broadcast_to(whose, (replicas, asked.pool, n)).flatten(),
        step=np.tile(np.repeat(asked.looks, n), replicas),
        coupled=problem.couples,
        seed=asked.seed,
        burn_in=asked.burn_in,
        thin=asked.thin,
        pool=asked.pool,
        replicas=replicas,
        fingerprint=asked.scenario.fingerprint(),
        moved=_moved(problem, asked, clouds),
        table=problem.coordinates if isinstance(problem.coordinates, RowCoordinates) else None,
    )


def _problem(asked: Request, directory: Path, device: str, progress: Progress) -> Problem:
    """What is sampled. Where it may be sampled slice by slice, as many particles need not fit in memory."""
    n = asked.particles
    may = n > BLOCK and asked.pool == 1 and asked.scenario.audit.replicas == 1
    if may and asked.scenario.filter["kind"] in ("none", "tilt", "reject"):
        problem = _built(directory, BLOCK, device, progress)
        if _in_slices(asked, problem):
            return problem
    return _built(directory, n, device, progress)


def _built(directory: Path, particles: int, device: str, progress: Progress) -> Problem:
    sized = load(directory / "scenario.yaml", {"sampler.samples": particles})
    problem = build(sized, device=device, progress=progress)
    return piloted(problem, progress, known_pilot(directory))[0]


def _in_slices(asked: Request, problem: Problem) -> bool:
    """Whether the particles are sampled slice by slice."""
    once = asked.pool == 1 and asked.scenario.audit.replicas == 1
    return once and independent(problem) and asked.particles > slice_size(problem.coordinates.dimension)


def _streamed(
    asked: Request, problem: Problem, progress: Progress, place: RunDirectory, every: float
) -> Draws:
    course = problem.course(_title(problem), asked.burn_in, filtered=True)
    found = streamed(
        problem, course, _key(asked, 0), asked.particles, place=place, every=every, progress=progress
    )
    one = np.zeros((), dtype=np.int64)  # shown as a column without being one
    return Draws(
        x=found.x,
        columns=problem.columns,
        replica=np.broadcast_to(one, len(found.x)),
        chain=np.broadcast_to(one, len(found.x)),
        step=np.broadcast_to(one + asked.burn_in, len(found.x)),
        coupled=False,
        seed=asked.seed,
        burn_in=asked.burn_in,
        thin=asked.thin,
        pool=1,
        replicas=1,
        fingerprint=asked.scenario.fingerprint(),
        moved=found.moved,
        table=problem.coordinates if isinstance(problem.coordinates, RowCoordinates) else None,
    )


def _title(problem: Problem) -> str:
    return "sampling" if problem.filter is None else f"filter: {problem.scenario.filter['kind']}"


def _moved(problem: Problem, asked: Request, taken: list[np.ndarray]) -> float:
    """The share of the particles that are not where they started, over all clouds."""
    last = taken[asked.pool - 1 :: asked.pool]
    starts = (start(problem, _key(asked, r)).numpy(force=True) for r in range(len(last)))
    return float(np.mean([(x != began).any(1).mean() for x, began in zip(last, starts, strict=True)]))


def _key(asked: Request, r: int) -> Key:
    return Key(asked.seed) if r == 0 else Key(asked.seed).fold("replica", r)


def _clouds(
    problem: Problem, asked: Request, progress: Progress, keeper: Keeper | None, saved: Arrays | None
) -> list[np.ndarray]:
    """Every record of every cloud, in sampler coordinates, cloud by cloud."""
    replicas, looks = asked.scenario.audit.replicas, asked.looks
    kept = Keeper(None) if keeper is None else keeper
    title = _title(problem)
    course, first = problem.course(title, looks[-1], filtered=True), _key(asked, 0).fold("chain")
    while (r := len(kept.taken) // asked.pool) < replicas:
        x = start(problem, _key(asked, r))
        size = min(batch(course, x) if saved is None else size_of(saved, x), replicas - r)

        def look(state: Arrays, r: int = r, size: int = size) -> None:
            step = int(state["step"])
            if step in looks and len(kept.pending) == looks.index(step):
                kept.pending.append(np.stack(np.split(state["state.x"], size)))
            kept.keep(r, state)

        which = f"cloud {r + 1}" if size == 1 else f"clouds {r + 1} to {r + size}"
        keys = [_key(asked, i) for i in range(r, r + size)]
        try:
            followed(
                course if replicas == 1 else replace(course, title=f"{title}, {which} of {replicas}"),
                [
                    (CloudKey.of(key.fold("chain"), first, i), start(problem, key))
                    for i, key in enumerate(keys, r)
                ],
                progress=progress,
                save=look,
                saved=saved,
                every=0.0,
            )
        except KeyboardInterrupt:
            kept.write()
            raise
        kept.finish()
        saved = None
    return kept.taken


def _restore_energy(scenario: Scenario, directory: Path) -> None:
    """Copies the run's energy into the cache that `build` reads, where it is no longer there."""
    made = make("energies", scenario.energy)
    if not isinstance(made, Trained) or made.path(scenario.seed).is_file():
        return
    saved = load_energy(directory / "energy.safetensors")
    if saved.metadata.get("fingerprint") != made.fingerprint(scenario.seed):
        message = (
            "was trained on other data or settings than scenario.yaml now names; restore the data, "
            "or run the scenario again"
        )
        raise BadInput(Fault(message, file=str(directory / "energy.safetensors")))
    path = made.path(scenario.seed)
    path.parent.mkdir(parents=True, exist_ok=True)
    save_energy(saved.energy, path, saved.metadata)
