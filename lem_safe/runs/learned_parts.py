"""The learned parts of a scenario: every `trained` energy in it, at any key, trained once or read from the
cache, then composed.

A part is identified by its key, `energy` or `energy.energies[0]`, and by its own fingerprint: composing
energies differently, or with other weights, trains nothing again. In a run directory a part is
`energy.safetensors` where it is the scenario's energy itself, else KEY.safetensors with dots for brackets:
`energy.energies.0.safetensors`, `penalties.0.energy.safetensors`.
"""

import os
import re
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from lem_safe.checkpoints import FromFile
from lem_safe.data import Dataset
from lem_safe.data.concerns import concerns
from lem_safe.data.sources import FileTable
from lem_safe.energies.base import Energy
from lem_safe.errors import BadInput, Fault
from lem_safe.files import default_cache
from lem_safe.processes.group import ALONE, Group
from lem_safe.progress import Progress
from lem_safe.registry import make
from lem_safe.scenario import Scenario, must_run
from lem_safe.training.checkpoint import load_energy, save_energy
from lem_safe.training.trained import Trained


class Part(NamedTuple):
    """One learned energy: its key, its specification, its file in the cache, and its origin in this run."""

    key: str
    made: Trained
    file: Path
    origin: str

    @property
    def name(self) -> str:
        """The name of its file in a run directory."""
        return re.sub(r"\[(\d+)\]", r".\1", self.key) + ".safetensors"

    @property
    def truncated(self) -> dict[str, Any] | None:
        """The regions that truncate its rows, `by`, and the `share` of the mixture that is outside of them;
        None where there are none.
        """
        return None if self.made.truncated is None else load_energy(self.file).metadata["truncated"]


class Learner:
    """Builds energies, training or loading their learned parts; `parts` are these, in file order."""

    def __init__(self, seed: int, progress: Progress, cache: Path | None = None, group: Group = ALONE):
        self.seed, self.progress, self.cache, self.group = seed, progress, cache, group
        self.parts: list[Part] = []
        self.loaded: list[str] = []

    def make(self, spec: Mapping[str, Any], *key: str | int) -> Energy:
        """The energy at `key` of a scenario, over data units; BadInput, or NumericalFailure where training
        diverges.
        """
        made = make("energies", spec, path=key, learned=self._learn)
        return made if isinstance(made, Energy) else self._learn(made, key)

    @property
    def origin(self) -> str:
        """`analytic`, `checkpoint` (read from a file), `cached` (nothing was trained), or `trained`."""
        origins = {part.origin for part in self.parts}
        given = "checkpoint" if self.loaded else "analytic"
        return "trained" if "trained" in origins else "cached" if origins else given

    def data(self) -> Dataset | None:
        """The rows of the first learned part, which `init: data` draws from and the report shows."""
        return self.parts[0].made.data.load(self.seed) if self.parts else None

    def _learn(self, made: Trained | FromFile, path: tuple[str | int, ...]) -> Energy:
        key = dotted(path)
        if isinstance(made, FromFile):
            self.loaded.append(key)
            return made.load()
        for concern in concerns(made.data, made.data.load(self.seed)):
            self.progress.say(concern.text)
        for equal in made.data.equal if isinstance(made.data, FileTable) else ():
            self.progress.say(equal.in_words())
        self.progress.start(
            "training the energy" if key == "energy" else f"training {key}", made.training.steps
        )
        energy, origin = self._trained(made)
        self.progress.finish("reused from the cache" if origin == "cached" else "trained")
        self.parts.append(Part(key, made, made.path(self.seed, self.cache), origin))
        if self.group.leads and (cut := self.parts[-1].truncated) is not None:
            by = ", ".join(cut["by"])
            self.progress.say(
                f"truncated by {by}: {100 * cut['share']:.3g} % of the mixture that is fitted is outside"
            )
        return energy

    def _trained(self, made: Trained) -> tuple[Energy, str]:
        """The energy, from the cache or trained; of several processes, the one of process 0."""
        if not self.group.leads:
            made.train_along(self.seed, self.group)
            content, origin = self.group.hear()
            with tempfile.TemporaryDirectory() as folder:
                file = Path(folder) / "energy.safetensors"
                file.write_bytes(content)
                return load_energy(file).energy, origin
        energy, origin = made.load_or_train(
            self.seed, self.cache, self._report, self.progress.say, self.group
        )
        if self.group.size > 1:
            self.group.tell((made.path(self.seed, self.cache).read_bytes(), origin))
        return energy, origin

    def _report(self, step: int, total: int, loss: float, held_out: float | None) -> None:
        """The callback of training, shown as a task."""
        self.progress.update(
            step, f"loss {loss:.4f}" + ("" if held_out is None else f", held out {held_out:.4f}")
        )


def save_parts(parts: list[Part] | tuple[Part, ...], directory: Path, scenario: Scenario) -> None:
    """Writes every learned part as a file of the run directory, with the scenario's fingerprint added to its
    metadata.
    """
    for part in parts:
        _copy(part.file, directory / part.name, scenario)


def train(scenario: Scenario, out: Path | None, progress: Progress, group: Group = ALONE) -> Path:
    """Trains every learned part of a scenario, or finds it in the cache, and copies it to `out`; returns its
    path. group: the processes of which this one leads.

    `out` is a file where there is one part, and a new folder where there are several. BadInput where nothing
    is learned.
    """
    if out is not None and os.path.lexists(out):
        raise BadInput(Fault("exists already; choose another --out", file=str(out)))
    must_run(scenario)
    group.tell(("train", scenario))
    learner = learned(scenario, progress, group)
    if not learner.parts:
        kind = scenario.energy["kind"]
        raise BadInput(
            Fault(
                f"kind '{kind}' is given, not trained; lem-safe train needs energy: {{kind: trained, ...}}",
                key="energy.kind",
            )
        )
    if out is None:
        return learner.parts[0].file if len(learner.parts) == 1 else default_cache()
    if len(learner.parts) == 1:
        out.parent.mkdir(parents=True, exist_ok=True)
        _copy(learner.parts[0].file, out, scenario)
    else:
        out.mkdir(parents=True)
        save_parts(learner.parts, out, scenario)
    return out


def learned(scenario: Scenario, progress: Progress, group: Group) -> Learner:
    """The learner of a scenario after it has made its energies; in a job all processes ask for it."""
    learner = Learner(scenario.seed, progress, group=group)
    learner.make(scenario.energy, "energy")
    for i, penalty in enumerate(scenario.penalties):
        learner.make(penalty.energy, "penalties", i, "energy")
    return learner


def dotted(path: tuple[str | int, ...]) -> str:
    """("energy", "energies", 0) as energy.energies[0]."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).removeprefix(".")


def _copy(path: Path, to: Path, scenario: Scenario) -> None:
    saved = load_energy(path)
    save_energy(saved.energy, to, {**saved.metadata, "scenario_fingerprint": scenario.fingerprint()})
