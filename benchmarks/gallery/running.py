"""A bundled scenario run for the gallery, with the processor time of its parts."""

import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

import lem_safe
from benchmarks.gallery.row import Row, named
from lem_safe.files import read_npz
from lem_safe.progress import Silent
from lem_safe.scenario import bundled_programs, bundled_scenarios, expected_verdict

T = TypeVar("T")


@dataclass
class Phases(Silent):
    """The processor time of each task, by the first word of its title."""

    seconds: dict[str, float] = field(default_factory=dict)
    _open: tuple[str, float] = ("", 0.0)

    @property
    def ratio(self) -> float:
        """The time of the filtered chain over that of the unfiltered one."""
        return self.seconds["filter"] / self.seconds["unfiltered"]

    def start(self, title: str, total: int) -> None:
        self._open = (title.split()[0].strip(":,"), time.process_time())

    def finish(self, note: str) -> None:
        title, began = self._open
        self.seconds[title] = self.seconds.get(title, 0.0) + time.process_time() - began


@dataclass(frozen=True)
class Ran:
    """A finished run of an entry: all of its seconds, and those of its chains."""

    name: str
    run: Any
    filter: str
    seconds: float
    phases: Phases

    @property
    def samples(self) -> np.ndarray:
        return np.asarray(self.run.samples, dtype=np.float64)

    @property
    def free(self) -> np.ndarray:
        """Without the filter, of the same start and noise."""
        return read_npz(self.run.directory / "reference.npz")["x"].astype(np.float64)

    @property
    def before(self) -> float:
        """The seconds without those of the filtered chain."""
        return self.seconds - self.phases.seconds["filter"]

    def ours(self, inside: int, measures: dict[str, Any], told: str) -> Row:
        """The row of the entry as it stands; SystemExit where its verdict is not the expected one."""
        verdict = "passed" if self.run.report.passed else "failed"
        expected = expected_verdict((bundled_scenarios() | bundled_programs())[self.name])
        if verdict != expected:
            raise SystemExit(f"benchmarks.gallery: {self.name}: {verdict}, and its file expects {expected}")
        said = self.run.report.to_text().strip().splitlines()
        return Row(
            entry=self.name,
            method=f"lem-safe, {self.filter}",
            role="ours",
            by=named("lem-safe"),
            samples=len(self.samples),
            inside=inside,
            seconds=self.seconds,
            measures=measures,
            told=told,
            verdict=verdict,
            said="\n".join(line.rstrip() for line in said),
            ratio=round(self.phases.ratio, 2),
            tolerated=max(c.beta for c in self.run.report.constraints),
        )

    def without(self, inside: int, measures: dict[str, Any], told: str) -> Row:
        """The row of its unfiltered samples."""
        return Row(
            entry=self.name,
            method="no constraint",
            role="without",
            by=named("lem-safe"),
            samples=len(self.free),
            inside=inside,
            seconds=self.before,
            measures=measures,
            told=told,
        )


@contextmanager
def fresh() -> Iterator[Path]:
    """A directory for one entry, whose energies are trained in it and nowhere else."""
    before = os.environ.get("LEM_SAFE_CACHE")
    with tempfile.TemporaryDirectory() as directory:
        os.environ["LEM_SAFE_CACHE"] = str(Path(directory) / "cache")
        try:
            yield Path(directory)
        finally:
            os.environ.pop("LEM_SAFE_CACHE")
            os.environ.update({} if before is None else {"LEM_SAFE_CACHE": before})


def ran(name: str, out: Path, overrides: dict[str, Any] | None = None) -> Ran:
    """The bundled scenario, or the same with some values replaced, run without a report page."""
    phases, scenario = Phases(), lem_safe.load(name, overrides)
    run, took = timed(lambda: lem_safe.run(scenario, out=out, progress=phases, with_report=False))
    return Ran(name, run, scenario.filter["kind"], took, phases)


def called(name: str, filter: str, work: Callable[[Phases], Any]) -> Ran:
    """The run that a program of the gallery makes, which is given the progress to report to."""
    phases = Phases()
    run, took = timed(lambda: work(phases))
    return Ran(name, run, filter, took, phases)


def unfiltered(name: str, out: Path, overrides: dict[str, Any]) -> np.ndarray:
    """Samples of the scenario with these values replaced and no filter."""
    free = lem_safe.load(name, {**overrides, "filter": {"kind": "none"}})
    return np.asarray(lem_safe.run(free, out=out, with_report=False).samples, dtype=np.float64)


def timed(work: Callable[[], T]) -> tuple[T, float]:
    """What it gives, and its processor time."""
    began = time.process_time()
    found = work()
    return found, time.process_time() - began
