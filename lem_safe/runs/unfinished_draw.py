"""FILE.part, next to a file being drawn: the request and a checkpoint with the records so far and the state
of the current cloud. An interrupted draw continues from it with identical results; it is removed at the end.
"""

import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from lem_safe.errors import BadInput, Fault
from lem_safe.inputs import read_mapping
from lem_safe.run_directory import BEGUN, CHECKPOINT, RunDirectory
from lem_safe.runs.checkpoint import Arrays
from lem_safe.runs.resume import NOISE, OTHER_NOISE
from lem_safe.runs.sample_files import facts_of


def part_of(path: Path) -> Path:
    """The directory in which a draw into this file keeps its state."""
    return path.with_name(f"{path.name}.part")


def last_unfinished(directory: Path) -> Path | None:
    """The file of the most recently interrupted draw next to the run; None where there is none."""
    cut = [p for p in directory.glob("more*.npz.part") if (p / BEGUN).exists()]
    newest = max(cut, key=lambda p: p.stat().st_mtime, default=None)
    return None if newest is None else newest.with_suffix("")


def finished(path: Path, samples: int, seed: int | None, pool: int) -> bool:
    """Whether a file was drawn completely; BadInput where it exists but has another request."""
    if not (path.exists() and facts_of(path).exists()) or (part_of(path) / BEGUN).exists():
        return False
    try:
        about = read_mapping(facts_of(path), "choose another --out")
        was = {name: about[name] for name in ("samples", "seed", "pool")}
    except KeyError as error:
        raise BadInput(Fault("is damaged; choose another --out", file=str(facts_of(path)))) from error
    now = {"samples": samples, "seed": was["seed"] if seed is None else seed, "pool": pool}
    must_match(
        {name: str(value) for name, value in now.items()},
        {name: str(value) for name, value in was.items()},
        path,
    )
    return True


class Keeper:
    """The records of clouds so far and the state of the current ones, written every `every` seconds to
    `place`, or nowhere.

    taken: of the finished clouds, cloud by cloud. pending: of the current ones, [clouds, n, d] each.
    """

    def __init__(self, place: RunDirectory | None, every: float = 0.0):
        self.place, self.every, self.written = place, every, time.monotonic()
        self.taken: list[np.ndarray] = []
        self.pending: list[np.ndarray] = []
        self.last: tuple[int, Arrays] | None = None

    def restore(self, pool: int) -> Arrays | None:
        """The state of the current clouds, if there is one; BadInput for a checkpoint of something else."""
        assert self.place is not None, "nothing was written"
        saved = self.place.checkpoint()
        if saved is None or "slice" in saved:  # that of a draw in slices is its own
            return None
        try:
            taken = list(saved["taken"])
            whole = len(taken) // pool * pool  # an older version put the current cloud's records here too
            pending = list(saved["pending"]) if "pending" in saved else [x[None] for x in taken[whole:]]
            self.taken, self.pending = taken[:whole], pending
            return saved if int(saved["cloud"]) == whole // pool else None
        except (KeyError, ValueError, TypeError) as error:
            message = f"does not fit this draw ({error}); remove it to begin the draw again"
            raise BadInput(Fault(message, file=str(self.place / CHECKPOINT))) from error

    def keep(self, cloud: int, state: Arrays) -> None:
        """Stores the state of the draw, and writes it when due."""
        if self.place is None:
            return
        self.last = cloud, state
        if time.monotonic() - self.written >= self.every:
            self.write()

    def finish(self) -> None:
        """The current clouds are finished."""
        self.taken += [x for cloud in zip(*self.pending, strict=True) for x in cloud]
        self.pending = []

    def write(self) -> None:
        """Writes what is stored."""
        if self.place is not None and self.last is not None:
            cloud, state = self.last
            x = state["state.x"]
            named = {"taken": self.taken, "pending": self.pending}
            kept = {name: np.stack(rows) for name, rows in named.items() if rows}
            kept.setdefault("taken", np.empty((0, *x.shape), x.dtype))
            kept.setdefault("pending", np.empty((0, 1, *x.shape), x.dtype))
            self.place.save_checkpoint(phase=np.array("draw"), cloud=np.array(cloud), **kept, **state)
        self.written = time.monotonic()


def must_match(about: Mapping[str, str], before: Mapping[str, str], part: Path) -> None:
    """Refuses to continue a draw with another request: one fault for each difference."""
    found = [
        (name, before.get(name, "none"), value)
        for name, value in about.items()
        if before and before.get(name) != value
    ]
    way_out = "resume with what it was begun with, or choose another --out"
    faults = [
        Fault(f"{OTHER_NOISE if name == NOISE else words}; {way_out}", file=str(part))
        for name, was, value in found
        for words in [f"was begun with {name} {was}, this draw has {value}"]
    ]
    if faults:
        raise BadInput(faults)
