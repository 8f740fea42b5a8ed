"""A run: scenario in, run directory out. Build, sample beside the unfiltered energy, save, audit, report; resumable at any moment.

The unfiltered chain uses the same start and the same noise, so the difference between the two clouds is the filter's and nothing else's.
"""

import json
import resource
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from barriers.budget import budget
from lem_safe import auditor
from lem_safe.auditor import AuditReport
from lem_safe.build import Problem, build, start
from lem_safe.catalogue import MAKERS, load, loads
from lem_safe.chain import CHECKPOINT_SECONDS, Course, Finished, follow
from lem_safe.diagnostics import diagnostics
from lem_safe.faults import BadInput, Fault
from lem_safe.files import read_npz, write_json, write_npz, write_text
from lem_safe.keys import BLOCK, Key
from lem_safe.learned import save_parts
from lem_safe.lyapunov import Stop, Stopped
from lem_safe.progress import Progress, Silent
from lem_safe.report import render
from lem_safe.run_directory import FINISHED, RESUME, RunDirectory, fresh_under, must_be_fresh
from lem_safe.scenario import Scenario
from lem_safe.versions import versions
from lem_safe.watching import ended, monitor, stop_rule

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True)
class Run:
    """A finished run: where it is, what was sampled, what the audit found."""

    directory: Path
    scenario: Scenario
    report: AuditReport

    @property
    def exit_status(self) -> int:
        """0 passed, 1 a tolerance was not met."""
        return 0 if self.report.passed else 1

    @property
    def samples(self) -> np.ndarray:
        """[n, d] in data units."""
        return read_npz(self.directory / "samples.npz")["x"]

    @property
    def trace(self) -> dict[str, np.ndarray]:
        """The arrays of trace.npz."""
        return read_npz(self.directory / "trace.npz")

    def to_json(self) -> str:
        """The content of audit.json."""
        return self.report.to_json()

    def plot_samples(self, ax: "Axes | None" = None) -> "Axes":
        """The samples, those inside an unsafe region crossed; on `ax` or on new axes, which are returned."""
        from lem_safe.report.plots import plot_samples

        return plot_samples(self.directory, ax)

    def plot_fractions(self, ax: "Axes | None" = None, constraint: str | None = None) -> "Axes":
        """The fraction inside one constrained region, by default the first, at every step; on `ax` or on new axes, which are returned."""
        from lem_safe.report.plots import plot_fractions

        return plot_fractions(self.directory, ax, constraint)

    def __repr__(self) -> str:
        return f"<Run {self.directory}: {self.report!r}>"

    def __str__(self) -> str:
        return f"{self.report.to_text()}\n{self.directory / 'report.html'}"

    def _repr_html_(self) -> str:
        return self.report._repr_html_()


def run(
    scenario: Scenario | str | Path,
    *,
    out: Path | str | None = None,
    seed: int | None = None,
    samples: int | None = None,
    steps: int | None = None,
    device: str = "cpu",
    resume: bool = False,
    threads: int | None = None,
    progress: Progress | None = None,
    strict: bool = False,
    checkpoint_seconds: float = CHECKPOINT_SECONDS,
) -> Run:
    """Runs a scenario (a file, a bundled name, or a loaded one) and writes the run directory `out`, by default a fresh one under runs/.

    Raises BadInput (exit 2) before anything is written, NumericalFailure (exit 3) with what was written intact, and on KeyboardInterrupt
    saves a checkpoint that `resume` continues from, bit for bit.
    """
    began = time.monotonic()
    progress = progress or Silent()
    if threads is not None:
        torch.set_num_threads(threads)
    overrides = {k: v for k, v in {"seed": seed, "sampler.samples": samples, "sampler.steps": steps}.items() if v is not None}
    chosen = loads(scenario.to_yaml(), overrides) if isinstance(scenario, Scenario) and overrides else scenario
    chosen = chosen if isinstance(chosen, Scenario) else load(chosen, overrides)
    if chosen.sweep is not None:
        raise BadInput(Fault("is several runs; use lem_safe.sweep, or lem-safe run", file=str(chosen.source or chosen.name), key="sweep"))
    path = Path(out) if out is not None else fresh_under(Path("runs"), chosen.name)
    if not resume:
        must_be_fresh(path, RESUME)
    with RunDirectory(path) as directory:
        if resume and directory.finished:
            return _again(directory, chosen, strict)
        problem = build(chosen, device=device, progress=progress)
        resumed, stopped = _sample(directory, problem, progress, checkpoint_seconds)
        report = _judge(directory, problem, strict)
        directory.drop_checkpoint()
        facts = _facts(problem, began, resumed, report, stopped)
        write_json(directory / FINISHED, facts)
        directory.forget_beginning()
        progress.start("report", 1)
        page = render(directory.path)
        progress.finish(str(page))
    return Run(path, chosen, report)


def _sample(directory: RunDirectory, problem: Problem, progress: Progress, every: float) -> tuple[int, Stopped]:
    """Both chains, from a checkpoint where there is one; returns the step resumed from, and how the stopping rule ended it.

    The rule judges the first chain, the unfiltered one where there are two; the other takes as many steps.
    """
    scenario = problem.scenario
    identity = _identity(problem)
    begun = directory.begun_with()
    if begun is not None:
        _must_match(identity, begun, directory.path)
    directory.begin_with(identity)
    saved = directory.checkpoint()
    write_text(directory / "scenario.yaml", scenario.to_yaml())
    save_parts(problem.parts, directory.path, scenario)
    key = Key(scenario.seed)
    x = start(problem, key)
    _warn_of_start(problem, x, progress)
    phases = ["filtered"] if problem.filter is None else ["reference", "filtered"]
    rule, watched = stop_rule(problem, x), monitor(problem)
    stopped, steps, resumed = None, scenario.sampler.steps, 0
    for phase in phases:
        name = {"reference": "reference.npz", "filtered": "samples.npz"}[phase]
        if (directory / name).exists():
            stopped = stopped or _ended(directory, problem, phase, rule)
            steps = stopped.step or steps
            continue
        mine = saved if saved is not None and str(saved["phase"]) == phase else None

        def save(state: dict[str, np.ndarray], phase: str = phase) -> None:
            directory.save_checkpoint(phase=np.array(phase), **state)

        title = "unfiltered" if phase == "reference" or problem.filter is None else f"filter: {scenario.filter['kind']}"
        course = Course(
            title,
            problem.sampler(filtered=phase == "filtered"),
            problem.sets,
            problem.names,
            problem.betas,
            steps,
            watched,
            rule if stopped is None else None,
            scenario.audit.after_step,
        )
        finished = follow(course, key.fold("chain"), x, progress=progress, save=save, saved=mine, every=every)
        resumed = max(resumed, finished.resumed_from_step)
        _keep(directory, problem, phase, finished)
        if stopped is None:
            stopped = _ended(directory, problem, phase, rule)
            steps = stopped.step or steps
            if rule.kind != "steps":
                progress.say(f"{rule.kind}: {stopped.reason}")
    if not (directory / "diagnostics.npz").exists():
        clouds = {n: read_npz(directory / f"{n}.npz")["x"] for n in ("samples", "reference") if (directory / f"{n}.npz").exists()}
        write_npz(directory / "diagnostics.npz", **diagnostics(problem, clouds))
    assert stopped is not None  # there is a chain
    return resumed, stopped


def _ended(directory: RunDirectory, problem: Problem, phase: str, rule: Stop) -> Stopped:
    """How the rule ended a chain that has left its files."""
    return ended(problem, rule, read_npz(directory / ("reference.npz" if phase == "reference" else "trace.npz")))


def _warn_of_start(problem: Problem, x: torch.Tensor, progress: Progress) -> None:
    """Says where the start itself is over a tolerance, as what a filter promises begins within it, and where a file is too short for it."""
    if problem.scenario.sampler.init["kind"] == "file" and (rows := len(torch.unique(x, dim=0))) < len(x):
        progress.say(
            f"the start repeats: the file of sampler.init has {rows:,} different rows for {len(x):,} particles, so several begin at one place; "
            "take more rows, fewer samples, or enough steps to forget the start"
        )
    for name, β, unsafe in zip(problem.names, problem.betas, problem.sets, strict=True):
        inside, n = int(unsafe.contains(x).sum()), x.shape[0]
        if inside > budget(β, n):
            progress.say(
                f"the start is over: {name} holds {inside} of {n:,} particles, tolerated {budget(β, n)}; "
                "the first steps will fail the audit; choose another sampler.init, or judge later steps with audit.after_step"
            )


def _keep(directory: RunDirectory, problem: Problem, phase: str, finished: Finished) -> None:
    """Saves one chain; the samples come last, as their presence says that the chain is done."""
    x = problem.coordinates.saved(finished.x).numpy(force=True)
    columns = np.array(problem.columns)
    if phase == "reference":
        watched = {name: rows for name, rows in finished.trace.items() if name.startswith(("monitor_", "stop_"))}
        write_npz(directory / "reference.npz", x=x, columns=columns, fraction=finished.trace["fraction"], **watched)
        return
    limits = problem.limits.double().numpy(force=True)
    write_npz(directory / "trace.npz", **finished.trace, limit=limits)
    write_npz(directory / "samples.npz", x=x, columns=columns, coupled=np.array(_coupled(problem)))


def _judge(directory: RunDirectory, problem: Problem, strict: bool) -> AuditReport:
    trace = read_npz(directory / "trace.npz")
    report = auditor.audit(
        directory / "samples.npz",
        problem.scenario,
        trace=trace,
        coupled=_coupled(problem),
        columns=problem.columns,
        strict=strict,
        makers=MAKERS,
    )
    write_text(directory / "audit.json", report.to_json())
    return report


def _coupled(problem: Problem) -> bool:
    """Whether the particles of the final cloud depend on one another (A.2)."""
    return problem.filter is not None and problem.filter.couples


def _identity(problem: Problem) -> dict[str, str]:
    """What a run must agree on with the one it continues, bit for bit."""
    return {
        "fingerprint": problem.scenario.fingerprint(), "device": problem.device.type, "dtype": str(problem.dtype), "block": str(BLOCK),
    }  # fmt: skip


def _must_match(identity: Mapping[str, str], begun: Mapping[str, str], path: Path) -> None:
    faults = [
        Fault(
            f"was begun with {name} {begun.get(name)}, this run has {value}; resume with what it was begun with, or choose a new --out",
            file=str(path),
        )
        for name, value in identity.items()
        if begun.get(name) != value
    ]
    if faults:
        raise BadInput(faults)


def _again(directory: RunDirectory, scenario: Scenario, strict: bool) -> Run:
    """A finished run, read back from its files."""
    begun_with = json.loads((directory / FINISHED).read_text(encoding="utf-8"))["fingerprint"]
    if begun_with != scenario.fingerprint():
        message = "holds a finished run of another scenario, or of data that have changed since; choose another --out"
        raise BadInput(Fault(message, file=str(directory.path)))
    if not (directory / "report.html").exists():
        render(directory.path)
    report = AuditReport.from_json((directory / "audit.json").read_text(encoding="utf-8"))
    if strict:
        trace, coupled = read_npz(directory / "trace.npz"), report.assumes.startswith("coupled")
        report = auditor.audit(directory / "samples.npz", scenario, trace=trace, coupled=coupled, strict=True, makers=MAKERS)
    return Run(directory.path, scenario, report)


def _facts(problem: Problem, began: float, resumed: int, report: AuditReport, stopped: Stopped) -> dict[str, Any]:
    """run.json: what ran where, with what, for how long."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 << 20 if sys.platform == "darwin" else 1 << 10)
    return {
        "schema_version": 1,
        "scenario": problem.scenario.name,
        "fingerprint": problem.scenario.fingerprint(),
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        "passed": report.passed,
        "seed": problem.scenario.seed,
        "device": str(problem.device),
        "dtype": problem.scenario.dtype,
        "energy": problem.origin,
        "laplacian": problem.energy.laplacian_method,
        "warnings": list(problem.warnings),
        "wall_seconds": round(time.monotonic() - began, 2),
        "peak_memory_mib": round(peak, 1),
        "resumed_from_step": resumed,
        "stopped": stopped._asdict(),
        "particles_per_block": BLOCK,
        "threads": torch.get_num_threads(),
        **versions(),
    }
