"""More samples from a finished run: its energy, its filter, its start, fresh noise; nothing is trained again.

A cloud of n particles takes `burn_in` steps and is then looked at `pool` times, `thin` steps apart: n · pool rows. Rows of one particle
are one Markov chain, not independent draws; the file numbers them by `chain`, and an audit counts chains. Where the filter couples
particles (A.2) the rows are one dependent cloud, which the file says too, so that no audit claims a bound for it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float

from lem_safe.build import Problem, build, start
from lem_safe.catalogue import load, make
from lem_safe.chain import Course, follow
from lem_safe.faults import BadInput, Fault
from lem_safe.files import read_npz, void, write_atomically, write_json, write_npz
from lem_safe.keys import Key
from lem_safe.progress import Progress, Silent
from lem_safe.scenario import Scenario
from lem_safe.training.checkpoint import load_energy, save_energy
from lem_safe.training.trained import Trained


@dataclass(frozen=True)
class Draws:
    """Rows in the data's units, snapshot after snapshot; `chain` and `step` say which particle each row is, and after which step."""

    x: Float[np.ndarray, "rows d"]
    columns: tuple[str, ...]
    chain: np.ndarray
    step: np.ndarray
    coupled: bool
    seed: int
    burn_in: int
    thin: int
    pool: int
    fingerprint: str

    @property
    def facts(self) -> dict[str, object]:
        """What they are, beside the numbers."""
        return {
            "schema_version": 1, "samples": len(self.x), "seed": self.seed, "burn_in": self.burn_in, "thin": self.thin,
            "pool": self.pool, "coupled": self.coupled, "fingerprint": self.fingerprint,
        }  # fmt: skip


def draw(
    directory: Path | str, samples: int, *, seed: int, burn_in: int | None = None, thin: int | None = None, pool: int = 1,
    device: str = "cpu", progress: Progress | None = None,
) -> Draws:  # fmt: skip
    """`samples` rows from the energy and the filter of a run directory, with the noise of `seed`.

    burn_in: steps before the first look, by default the run's own. thin: steps between looks, by default a tenth of burn_in.
    Raises BadInput for a directory without a run, for the run's own seed, for samples that `pool` does not divide; NumericalFailure.
    """
    directory = Path(directory)
    scenario = _scenario(directory)
    steps = len(read_npz(directory / "trace.npz")["step"]) if burn_in is None else burn_in
    between = max(1, steps // 10) if thin is None else thin
    faults = [
        Fault(f"must be > 0; got {value}", key=name)
        for name, value in (("samples", samples), ("burn_in", steps), ("thin", between), ("pool", pool))
        if value <= 0
    ]
    if not faults and samples % pool:
        nearest = samples - samples % pool or pool
        faults.append(
            Fault(f"must be a multiple of pool = {pool}, the rows of one cloud each time; take {nearest}", key="samples")
        )
    if seed == scenario.seed:
        faults.append(Fault(f"{seed} is the run's own, whose samples these would repeat; take another", key="seed"))
    if faults:
        raise BadInput(faults)
    _restore_energy(scenario, directory)
    sized = load(directory / "scenario.yaml", {"sampler.samples": samples // pool})
    problem = build(sized, device=device, progress=progress or Silent())
    looks = [steps + i * between for i in range(pool)]
    clouds = _clouds(problem, Key(seed), looks, progress or Silent())
    n = samples // pool
    return Draws(
        np.concatenate(clouds), problem.columns, np.tile(np.arange(n), pool), np.repeat(looks, n),
        problem.filter is not None and problem.filter.couples, seed, steps, between, pool, scenario.fingerprint(),
    )  # fmt: skip


def write(draws: Draws, path: Path) -> None:
    """The rows as .npz, .npy, .csv or .parquet, by the file's name, and what they are as .json beside it.

    Raises BadInput for another suffix, for a file that is there, and for dependent rows in a .npy, which could not say so.
    """
    _WRITERS[_suffix(path, draws.coupled or draws.pool > 1)](draws, path)
    write_json(facts_of(path), {**draws.facts, "file": path.name})


def facts_of(path: Path) -> Path:
    """Where `write` says what the rows of a file are."""
    return path.with_name(f"{path.name}.json")


def must_be_writable(path: Path, dependent: bool) -> None:
    """Refuses, before any work, a place that `write` would refuse."""
    _suffix(path, dependent)
    for file in (path, facts_of(path)):
        if file.exists():
            raise BadInput(Fault("is there already; choose another --out", file=str(file)))
    if not path.parent.is_dir():
        raise BadInput(Fault("no such directory; make it, or choose another --out", file=str(path.parent)))


def couples(directory: Path) -> bool:
    """Whether the filter of a run directory makes particles depend on one another; nothing is built or trained."""
    _scenario(directory)
    return bool(read_npz(directory / "samples.npz").get("coupled", False))


def _scenario(directory: Path) -> Scenario:
    for name in ("scenario.yaml", "samples.npz", "trace.npz", "run.json"):
        if not (directory / name).is_file():
            raise BadInput(Fault(f"holds no finished run ({name} is missing); give the directory of one", file=str(directory)))
    return load(directory / "scenario.yaml")


def _restore_energy(scenario: Scenario, directory: Path) -> None:
    """Puts the run's energy back into the cache that `build` looks in, where it is no longer there."""
    made = make("energies", scenario.energy)
    if not isinstance(made, Trained) or made.path(scenario.seed).is_file():
        return
    saved = load_energy(directory / "energy.safetensors")
    if saved.metadata.get("fingerprint") != made.fingerprint(scenario.seed):
        message = (
            "was trained on other data or settings than scenario.yaml now names; restore the data, or run the scenario again"
        )
        raise BadInput(Fault(message, file=str(directory / "energy.safetensors")))
    path = made.path(scenario.seed)
    path.parent.mkdir(parents=True, exist_ok=True)
    save_energy(saved.energy, path, saved.metadata)


def _clouds(problem: Problem, key: Key, looks: list[int], progress: Progress) -> list[np.ndarray]:
    """The cloud, in data units, after each of these steps."""
    found: dict[int, np.ndarray] = {}
    wanted = set(looks)

    def look(state: dict[str, np.ndarray]) -> None:
        step = int(state["step"])
        if step in wanted:
            found[step] = state["state.x"].copy()

    title = "sampling" if problem.filter is None else f"filter: {problem.scenario.filter['kind']}"
    course = Course(title, problem.sampler(filtered=True), problem.sets, problem.names, problem.betas, looks[-1])
    follow(course, key.fold("chain"), start(problem, key), progress=progress, save=look, every=0.0)
    return [_saved(problem, found[step]) for step in looks]


def _saved(problem: Problem, x: np.ndarray) -> np.ndarray:
    return problem.coordinates.saved(torch.from_numpy(x).to(problem.device)).numpy(force=True)


def _suffix(path: Path, dependent: bool) -> str:
    kind = path.suffix.lower()
    if kind not in _WRITERS:
        raise BadInput(Fault(f"'{path.suffix}' is not written; use one of {', '.join(_WRITERS)}", file=str(path)))
    if kind == ".npy" and dependent:
        raise BadInput(Fault("a .npy cannot say that its rows depend on one another; use .npz, .csv or .parquet", file=str(path)))
    return kind


def _write_npz(draws: Draws, path: Path) -> None:
    chains = {"chain": draws.chain} if draws.pool > 1 and not draws.coupled else {}
    named = {"columns": np.array(draws.columns), "coupled": np.array(draws.coupled), "seed": np.array(draws.seed)}
    write_npz(path, x=draws.x, step=draws.step, **named, **chains)


def _write_npy(draws: Draws, path: Path) -> None:
    write_atomically(path, lambda file: np.save(file, draws.x))


def _unit(draws: Draws, path: Path) -> tuple[str, np.ndarray] | None:
    """The column by which a table says that rows belong together: one coupled cloud, or the particles' chains."""
    if not draws.coupled and draws.pool == 1:
        return None
    name, numbers = ("replica", np.zeros_like(draws.chain)) if draws.coupled else ("chain", draws.chain)
    if name in draws.columns:
        message = f"needs the column '{name}' to say that rows depend on one another, but a coordinate has that name; use .npz"
        raise BadInput(Fault(message, file=str(path)))
    return name, numbers


def _write_csv(draws: Draws, path: Path) -> None:
    unit = _unit(draws, path)
    heads = [*draws.columns, *([unit[0]] if unit else [])]
    rows = draws.x.astype(np.float64)
    lines = (",".join(map(repr, row)) for row in rows.tolist())  # repr: the shortest text that is the same number again
    if unit:
        lines = (f"{line},{number}" for line, number in zip(lines, unit[1].tolist(), strict=True))
    write_atomically(path, lambda file: void(file.writelines(f"{line}\n".encode() for line in (",".join(heads), *lines))))


def _write_parquet(draws: Draws, path: Path) -> None:
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError:
        raise BadInput(Fault("writing .parquet needs pyarrow: pip install 'lem-safe[data]'", file=str(path))) from None
    unit = _unit(draws, path)
    arrays = {name: draws.x[:, i] for i, name in enumerate(draws.columns)} | ({unit[0]: unit[1]} if unit else {})
    write_atomically(path, lambda file: pq.write_table(pa.table(arrays), file))


_WRITERS: dict[str, Callable[[Draws, Path], None]] = {
    ".npz": _write_npz,
    ".npy": _write_npy,
    ".csv": _write_csv,
    ".parquet": _write_parquet,
}
