"""More samples from a finished run: its energy, its filter, its start, fresh noise; nothing is trained again.

A cloud of n particles takes `burn_in` steps and is then looked at `pool` times, `thin` steps apart; under
`audit: {replicas: R}` there are R independent clouds, each with a key of its own, as in the run: n · pool · R
rows.

While a file is being drawn, FILE.part beside it holds what was asked for and a checkpoint: the looks so far
and the state of the cloud under way. An interrupted draw continues from it, bit for bit, and its end removes
it.
"""

import json
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from lem_safe.errors import BadInput, Fault, NumericalFailure
from lem_safe.files import read_npz
from lem_safe.keys import Key
from lem_safe.progress import Progress, Silent
from lem_safe.registry import load, make
from lem_safe.run_directory import BEGUN, CHECKPOINT, RunDirectory
from lem_safe.runs.chain import CHECKPOINT_SECONDS, Course, follow
from lem_safe.runs.problem import Problem, build, start
from lem_safe.runs.resume import identity
from lem_safe.runs.sample_files import Draws, facts_of, must_be_writable, write
from lem_safe.scenario import Scenario
from lem_safe.training.checkpoint import load_energy, save_energy
from lem_safe.training.trained import Trained

Arrays = dict[str, np.ndarray]


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

    burn_in: steps before the first look, by default the run's own. thin: steps between looks, by default a
    tenth of burn_in. Raises BadInput for a directory without a run, for the run's own seed, for samples that
    `pool` and the run's clouds do not divide; NumericalFailure.
    """
    return _drawn(
        _Asked.of(Path(directory), samples, seed, burn_in, thin, pool),
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
    """The same rows written to `path`, by its suffix, and what they are as .json beside it; an interruption
    leaves what `resume` goes on from.

    seed: where it is not given, the interrupted draw's, or a fresh one. Raises what `draw` raises, and
    BadInput for a file that is there, for an interrupted draw without `resume`, and for one that was asked
    for otherwise.
    """
    directory, part = Path(directory), part_of(path)
    begun = (part / BEGUN).exists()
    if begun and not resume:
        raise BadInput(
            Fault("holds an interrupted draw; --resume continues it, or choose another --out", file=str(part))
        )
    if not begun:
        must_be_writable(path, pool > 1 or dependent(directory))
    with RunDirectory(part) as place:
        before = place.begun_with() or {}
        own = before.get("seed", "")
        chosen = seed if seed is not None else int(own) if own.isdigit() else secrets.randbits(62)
        asked = _Asked.of(directory, samples, chosen, burn_in, thin, pool)
        _must_match(asked.identity(device), before, part)
        place.begin_with(asked.identity(device))
        keeper = _Keeper(place, checkpoint_seconds)
        saved = keeper.restore(pool)
        try:
            drawn = _drawn(asked, directory, device, progress or Silent(), keeper, saved)
            write(drawn, path)
        except (BadInput, NumericalFailure):  # it would end so again
            _forget(place)
            raise
        _forget(place)
    return drawn


def _forget(place: RunDirectory) -> None:
    place.drop_checkpoint()
    place.forget_beginning()


def part_of(path: Path) -> Path:
    """Where a draw into this file keeps what it needs to go on."""
    return path.with_name(f"{path.name}.part")


def last_unfinished(directory: Path) -> Path | None:
    """The file whose draw beside the run was interrupted last; None where none was."""
    cut = [p for p in directory.glob("more*.npz.part") if (p / BEGUN).exists()]
    newest = max(cut, key=lambda p: p.stat().st_mtime, default=None)
    return None if newest is None else newest.with_suffix("")


def finished(path: Path, samples: int, seed: int | None, pool: int) -> bool:
    """Whether a file was drawn to its end; BadInput where it is there, but was asked for otherwise."""
    if not (path.exists() and facts_of(path).exists()) or (part_of(path) / BEGUN).exists():
        return False
    try:
        about = json.loads(facts_of(path).read_text(encoding="utf-8"))
        was = {name: about[name] for name in ("samples", "seed", "pool")}
    except (ValueError, KeyError, TypeError) as error:
        raise BadInput(Fault("is damaged; choose another --out", file=str(facts_of(path)))) from error
    now = {"samples": samples, "seed": was["seed"] if seed is None else seed, "pool": pool}
    _must_match(
        {name: str(value) for name, value in now.items()},
        {name: str(value) for name, value in was.items()},
        path,
    )
    return True


def dependent(directory: Path) -> bool:
    """Whether rows of a run directory's filter, looked at once, depend on one another or come in clouds;
    nothing is built or trained.
    """
    scenario = _scenario(directory)
    return scenario.audit.replicas > 1 or bool(read_npz(directory / "samples.npz").get("coupled", False))


@dataclass(frozen=True)
class _Asked:
    """What is drawn, every number chosen."""

    scenario: Scenario
    samples: int
    seed: int
    burn_in: int
    thin: int
    pool: int

    @classmethod
    def of(
        cls, directory: Path, samples: int, seed: int, burn_in: int | None, thin: int | None, pool: int
    ) -> "_Asked":
        """The defaults of a run directory filled in; BadInput for what cannot be drawn."""
        scenario = _scenario(directory)
        steps = len(read_npz(directory / "trace.npz")["step"]) if burn_in is None else burn_in
        between = max(1, steps // 10) if thin is None else thin
        faults = [
            Fault(f"must be > 0; got {value}", key=name)
            for name, value in (("samples", samples), ("burn_in", steps), ("thin", between), ("pool", pool))
            if value <= 0
        ]
        clouds = scenario.audit.replicas
        if not faults and samples % (pool * clouds):
            of = [f"pool = {pool}"] * (pool > 1) + [f"the {clouds} clouds of audit.replicas"] * (clouds > 1)
            nearest = samples - samples % (pool * clouds) or pool * clouds
            message = f"must be a multiple of {' times '.join(of)}, each with as many rows; take {nearest}"
            faults.append(Fault(message, key="samples"))
        if seed == scenario.seed:
            faults.append(
                Fault(f"{seed} is the run's own, whose samples these would repeat; take another", key="seed")
            )
        if faults:
            raise BadInput(faults)
        return cls(scenario, samples, seed, steps, between, pool)

    @property
    def looks(self) -> list[int]:
        """The steps after which a cloud is looked at."""
        return [self.burn_in + i * self.thin for i in range(self.pool)]

    @property
    def particles(self) -> int:
        """Of a cloud."""
        return self.samples // self.pool // self.scenario.audit.replicas

    def identity(self, device: str) -> dict[str, str]:
        """What a draw must agree on with the one it continues."""
        numbers = {
            "samples": self.samples,
            "seed": self.seed,
            "burn-in": self.burn_in,
            "thin": self.thin,
            "pool": self.pool,
        }
        return {**identity(self.scenario, device), **{name: str(value) for name, value in numbers.items()}}


class _Keeper:
    """The looks at clouds so far, cloud after cloud, and the state of the one under way, written each `every`
    seconds.
    """

    def __init__(self, place: RunDirectory, every: float):
        self.place, self.every, self.written = place, every, time.monotonic()
        self.taken: list[np.ndarray] = []
        self.last: tuple[int, Arrays] | None = None

    def restore(self, pool: int) -> Arrays | None:
        """The state of the cloud under way, where there is one; BadInput for a checkpoint of something
        else.
        """
        saved = self.place.checkpoint()
        if saved is None:
            return None
        try:
            self.taken = list(saved["taken"])
            return saved if int(saved["cloud"]) == len(self.taken) // pool else None
        except (KeyError, ValueError, TypeError) as error:
            message = f"does not fit this draw ({error}); remove it to begin the draw again"
            raise BadInput(Fault(message, file=str(self.place / CHECKPOINT))) from error

    def keep(self, cloud: int, state: Arrays) -> None:
        """Remembers where the draw stands, and writes it where it is time to."""
        self.last = cloud, state
        if time.monotonic() - self.written >= self.every:
            self.write()

    def write(self) -> None:
        """Writes what is remembered."""
        if self.last is not None:
            cloud, state = self.last
            x = state["state.x"]
            taken = np.stack(self.taken) if self.taken else np.empty((0, *x.shape), x.dtype)
            self.place.save_checkpoint(phase=np.array("draw"), cloud=np.array(cloud), taken=taken, **state)
        self.written = time.monotonic()


def _drawn(
    asked: _Asked,
    directory: Path,
    device: str,
    progress: Progress,
    keeper: _Keeper | None = None,
    saved: Arrays | None = None,
) -> Draws:
    _restore_energy(asked.scenario, directory)
    sized = load(directory / "scenario.yaml", {"sampler.samples": asked.particles})
    problem = build(sized, device=device, progress=progress)
    clouds = _clouds(problem, asked, progress, keeper, saved)
    n, replicas = asked.particles, asked.scenario.audit.replicas
    whose = np.arange(n * replicas).reshape(replicas, 1, n)
    return Draws(
        np.concatenate([_in_data_units(problem, x) for x in clouds]),
        problem.columns,
        np.repeat(np.arange(replicas), n * asked.pool),
        np.broadcast_to(whose, (replicas, asked.pool, n)).flatten(),
        np.tile(np.repeat(asked.looks, n), replicas),
        problem.filter is not None and problem.filter.couples,
        asked.seed,
        asked.burn_in,
        asked.thin,
        asked.pool,
        replicas,
        asked.scenario.fingerprint(),
        _moved(problem, asked, clouds),
    )


def _moved(problem: Problem, asked: _Asked, taken: list[np.ndarray]) -> float:
    """The share of the particles that are not where they started, of all clouds together."""
    last = taken[asked.pool - 1 :: asked.pool]
    starts = (start(problem, _key(asked, r)).numpy(force=True) for r in range(len(last)))
    return float(np.mean([(x != began).any(1).mean() for x, began in zip(last, starts, strict=True)]))


def _key(asked: _Asked, r: int) -> Key:
    return Key(asked.seed) if r == 0 else Key(asked.seed).fold("replica", r)


def _clouds(
    problem: Problem, asked: _Asked, progress: Progress, keeper: _Keeper | None, saved: Arrays | None
) -> list[np.ndarray]:
    """Every cloud, in sampler coordinates, after each of the looks, cloud after cloud."""
    replicas, looks = asked.scenario.audit.replicas, asked.looks
    taken = [] if keeper is None else keeper.taken
    title = "sampling" if problem.filter is None else f"filter: {problem.scenario.filter['kind']}"
    for r in range(len(taken) // asked.pool, replicas):
        key = _key(asked, r)

        def look(state: Arrays, r: int = r) -> None:
            step = int(state["step"])
            if step in looks and len(taken) == r * asked.pool + looks.index(step):
                taken.append(state["state.x"].copy())
            if keeper is not None:
                keeper.keep(r, state)

        name = title if replicas == 1 else f"{title}, cloud {r + 1} of {replicas}"
        course = Course(
            name,
            problem.sampler(filtered=True),
            problem.sets,
            problem.names,
            problem.betas,
            looks[-1],
            promised=problem.promised,
        )
        try:
            follow(
                course,
                key.fold("chain"),
                start(problem, key),
                progress=progress,
                save=look,
                saved=saved,
                every=0.0,
            )
        except KeyboardInterrupt:
            if keeper is not None:
                keeper.write()
            raise
        saved = None
    return taken


def _must_match(about: Mapping[str, str], before: Mapping[str, str], part: Path) -> None:
    """Refuses to continue what was asked for otherwise: a fault for each thing that differs."""
    found = [
        (name, before.get(name, "none"), value)
        for name, value in about.items()
        if before and before.get(name) != value
    ]
    way_out = "resume with what it was begun with, or choose another --out"
    faults = [
        Fault(f"was begun with {name} {was}, this draw has {value}; {way_out}", file=str(part))
        for name, was, value in found
    ]
    if faults:
        raise BadInput(faults)


def _scenario(directory: Path) -> Scenario:
    for name in ("scenario.yaml", "samples.npz", "trace.npz", "run.json"):
        if not (directory / name).is_file():
            raise BadInput(
                Fault(
                    f"holds no finished run ({name} is missing); give the directory of one",
                    file=str(directory),
                )
            )
    return load(directory / "scenario.yaml")


def _restore_energy(scenario: Scenario, directory: Path) -> None:
    """Puts the run's energy back into the cache that `build` looks in, where it is no longer there."""
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


def _in_data_units(problem: Problem, x: np.ndarray) -> np.ndarray:
    return problem.coordinates.saved(torch.from_numpy(x).to(problem.device)).numpy(force=True)
