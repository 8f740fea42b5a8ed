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
from lem_safe.scenario import bundled_scenarios, expected_verdict

T = TypeVar("T")


@dataclass
class Phases(Silent):
    """The processor time of each task, by the first word of its title."""

    seconds: dict[str, float] = field(default_factory=dict)
    _open: tuple[str, float] = ("", 0.0)

    def start(self, title: str, total: int) -> None:
        self._open = (title.split()[0].strip(":,"), time.process_time())

    def finish(self, note: str) -> None:
        title, began = self._open
        self.seconds[title] = self.seconds.get(title, 0.0) + time.process_time() - began


@dataclass(frozen=True)
class Ran:
    """A run, its samples with and without the filter, its seconds, and those of the filtered chain alone."""

    name: str
    run: Any
    samples: np.ndarray
    free: np.ndarray
    seconds: float
    filtered: float
    unfiltered: float

    def ours(self, inside: int, measures: dict[str, Any], told: str) -> Row:
        """The row of the scenario as it stands; SystemExit where its verdict is not the expected one."""
        verdict = "passed" if self.run.report.passed else "failed"
        expected = expected_verdict(bundled_scenarios()[self.name])
        if verdict != expected:
            raise SystemExit(f"benchmarks.gallery: {self.name}: {verdict}, and its file expects {expected}")
        return Row(
            entry=self.name,
            method=f"lem-safe, {self.run.scenario.filter['kind']}",
            role="ours",
            by=named("lem-safe"),
            samples=len(self.samples),
            inside=inside,
            seconds=self.seconds,
            measures=measures,
            told=told,
            verdict=verdict,
            said="\n".join(line.rstrip() for line in self.run.report.to_text().strip().splitlines()),
            ratio=round(self.filtered / self.unfiltered, 2),
            tolerated=max(c.beta for c in self.run.scenario.constraints),
        )

    def without(self, inside: int, measures: dict[str, Any], told: str = "") -> Row:
        """The row of its unfiltered samples, of the same start and noise."""
        return Row(
            self.name,
            "no constraint",
            "without",
            named("lem-safe"),
            len(self.free),
            inside,
            self.seconds - self.filtered,
            measures,
            told,
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
    phases = Phases()
    scenario = lem_safe.load(name, overrides)
    run, seconds = timed(lambda: lem_safe.run(scenario, out=out, progress=phases, with_report=False))
    return Ran(
        name,
        run,
        np.asarray(run.samples, dtype=np.float64),
        read_npz(out / "reference.npz")["x"].astype(np.float64),
        seconds,
        phases.seconds["filter"],
        phases.seconds["unfiltered"],
    )


def unfiltered(name: str, out: Path, overrides: dict[str, Any]) -> np.ndarray:
    """Samples of the scenario with these values replaced, `filter: {kind: none}` among them."""
    run = lem_safe.run(lem_safe.load(name, overrides), out=out, with_report=False)
    return np.asarray(run.samples, dtype=np.float64)


def timed(work: Callable[[], T]) -> tuple[T, float]:
    """What it gives, and its processor time."""
    began = time.process_time()
    found = work()
    return found, time.process_time() - began
