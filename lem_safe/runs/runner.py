"""A run: scenario in, run directory out. Build, sample beside the unfiltered energy, save, audit, report;
resumable at any moment.

The unfiltered chain uses the same start and the same noise, so the difference between the two clouds is the
filter's and nothing else's. Under `audit: {replicas: R}` both are R independent clouds (see `clouds`), each
with a key of its own; the first is the run without replicas.
"""

import time
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch

from barriers.budget import budget
from lem_safe import auditor
from lem_safe.auditor import AuditReport, badge_json, badge_svg, replica_arrays
from lem_safe.errors import BadInput, Fault
from lem_safe.files import read_npz, write_json, write_npz, write_text
from lem_safe.keys import Key
from lem_safe.lyapunov import Stop, Stopped
from lem_safe.progress import Progress, Silent
from lem_safe.registry import MAKERS, load, loads
from lem_safe.report import render
from lem_safe.run_directory import FINISHED, RESUME, RunDirectory, fresh_under, must_be_fresh
from lem_safe.runs.chain import CHECKPOINT_SECONDS, Course, Finished
from lem_safe.runs.diagnostics import diagnostics
from lem_safe.runs.learned_parts import save_parts
from lem_safe.runs.metadata import facts, of_data, together
from lem_safe.runs.monitoring import ended, monitor, stop_rule
from lem_safe.runs.problem import Problem, build, start
from lem_safe.runs.replicas import follow_clouds
from lem_safe.runs.result import Run
from lem_safe.runs.resume import difference, identity, must_match
from lem_safe.scenario import Scenario, never_certified


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
    """Runs a scenario (a file, the name of a bundled scenario, or a loaded one) and writes the run directory
    `out`, by default a new one under runs/.

    Raises BadInput (exit 2) before anything is written, and NumericalFailure (exit 3), which leaves what was
    written intact. On KeyboardInterrupt it saves a checkpoint; `resume` continues from it with bitwise
    identical results.
    """
    began = time.monotonic()
    progress = progress or Silent()
    if threads is not None:
        torch.set_num_threads(threads)
    overrides = {
        k: v
        for k, v in {"seed": seed, "sampler.samples": samples, "sampler.steps": steps}.items()
        if v is not None
    }
    chosen = (
        loads(scenario.to_yaml(), overrides) if isinstance(scenario, Scenario) and overrides else scenario
    )
    chosen = chosen if isinstance(chosen, Scenario) else load(chosen, overrides)
    if chosen.sweep is not None:
        raise BadInput(
            Fault(
                "is several runs; use lem_safe.sweep, or lem-safe run",
                file=str(chosen.source or chosen.name),
                key="sweep",
            )
        )
    path = Path(out) if out is not None else fresh_under(Path("runs"), chosen.name)
    if not resume:
        must_be_fresh(path, RESUME)
    with RunDirectory(path) as directory:
        if resume and directory.finished:
            return _again(directory, chosen, strict)
        if not (resume or directory.is_fresh):  # somebody else has been here since
            raise BadInput(Fault(f"is not empty; {RESUME}", file=str(path)))
        begun = directory.begun_with()
        if begun is not None:
            must_match(chosen, device, begun, path)
        problem = build(chosen, device=device, progress=progress)
        directory.begin_with(identity(chosen, device))
        _warn_of_certificate(problem, strict, progress)
        resumed, stopped = _sample(directory, problem, progress, checkpoint_seconds)
        report = _judge(directory, chosen, strict)
        directory.drop_checkpoint()
        found = {name: read_npz(directory / f"{name}.npz") for name in ("samples", "trace")}
        missed = problem.missed(found["trace"])
        for shortfall in missed:
            progress.say(str(shortfall))
        about = facts(
            problem,
            began=began,
            resumed=resumed,
            report=report,
            stopped=stopped,
            samples=found["samples"]["x"],
            trace=found["trace"],
            missed=missed,
        )
        clouds = {
            n: read_npz(directory / f"{n}.npz")["x"]
            for n in ("samples", "reference")
            if (directory / f"{n}.npz").exists()
        }
        write_json(directory / FINISHED, about | of_data(problem, clouds))
        directory.forget_beginning()
        progress.start("report", 1)
        page = render(directory.path)
        progress.finish(str(page))
    return Run(path, chosen, report)


def _sample(
    directory: RunDirectory, problem: Problem, progress: Progress, every: float
) -> tuple[int, Stopped]:
    """Both chains, from a checkpoint where there is one; returns the step resumed from, and how the stopping
    rule ended it.

    The rule judges the first chain, the unfiltered one where there are two; the other takes as many steps.
    """
    scenario = problem.scenario
    saved = directory.checkpoint()
    write_text(directory / "scenario.yaml", scenario.to_yaml())
    save_parts(problem.parts, directory.path, scenario)
    replicas = scenario.audit.replicas

    def begin(r: int) -> tuple[Key, torch.Tensor]:
        key = Key(scenario.seed) if r == 0 else Key(scenario.seed).fold("replica", r)
        return key.fold("chain"), start(problem, key)

    x = begin(0)[1]
    _warn_of_start(problem, (begin(r)[1] for r in range(replicas)), progress)
    if (apart := together(problem)) is not None:
        progress.say(f"the constraints: {apart}")
    phases = ["filtered"] if problem.filter is None else ["reference", "filtered"]
    rule, watched = stop_rule(problem, x), monitor(problem)
    stopped, steps, resumed = None, scenario.sampler.steps, 0
    for phase in phases:
        if _done(directory, phase):
            stopped = stopped or _ended(directory, problem, phase, rule)
            steps = stopped.step or steps
            continue
        mine = saved if saved is not None and str(saved["phase"]) == phase else None

        def save(state: dict[str, np.ndarray], phase: str = phase) -> None:
            directory.save_checkpoint(phase=np.array(phase), **state)

        title = (
            "unfiltered"
            if phase == "reference" or problem.filter is None
            else f"filter: {scenario.filter['kind']}"
        )
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
            problem.promised if phase == "filtered" else None,
        )
        finished = follow_clouds(
            course, begin, replicas, progress=progress, save=save, saved=mine, every=every
        )
        resumed = max(resumed, finished.resumed_from_step)
        _keep(directory, problem, phase, finished)
        if stopped is None:
            stopped = _ended(directory, problem, phase, rule)
            steps = stopped.step or steps
            if rule.kind != "steps":
                progress.say(f"{rule.kind}: {stopped.reason}")
                progress.say(f"{rule.kind} cannot see everything: {stopped.cannot_see}")
    if (directory / "diagnostics.npz").exists():
        directory.arrays("diagnostics.npz", "remove it, and it is made again")
    else:
        clouds = {
            n: read_npz(directory / f"{n}.npz")["x"]
            for n in ("samples", "reference")
            if (directory / f"{n}.npz").exists()
        }
        write_npz(directory / "diagnostics.npz", **diagnostics(problem, clouds))
    assert stopped is not None  # there is a chain
    return resumed, stopped


FILES = {"reference": ("reference.npz",), "filtered": ("trace.npz", "samples.npz")}
"""What each chain leaves, the last of it last."""


def _done(directory: RunDirectory, phase: str) -> bool:
    """Whether a chain has left all its files, which are then whole: BadInput names one that is damaged."""
    if not all((directory / name).exists() for name in FILES[phase]):
        return False
    for name in FILES[phase]:
        directory.arrays(name, "remove it to sample that chain again")
    return True


def _ended(directory: RunDirectory, problem: Problem, phase: str, rule: Stop) -> Stopped:
    """How the rule ended a chain that has left its files."""
    return ended(
        problem, rule, read_npz(directory / ("reference.npz" if phase == "reference" else "trace.npz"))
    )


def _warn_of_start(problem: Problem, starts: Iterable[torch.Tensor], progress: Progress) -> None:
    """Says where the start of any cloud is over a tolerance, as what a filter promises begins within it, and
    where a file is too short.
    """
    inside, n, rows = [], problem.scenario.sampler.samples, None
    for x in starts:
        rows = len(torch.unique(x, dim=0)) if rows is None else rows
        inside.append([int(unsafe.contains(x).sum()) for unsafe in problem.sets])
    of = {"file": "the file of sampler.init has", "data": "the training data have"}.get(
        problem.scenario.sampler.init["kind"]
    )
    few = problem.data is None or len(problem.data.values) < n  # rows of a table may well repeat
    if of is not None and rows is not None and rows < n and few:
        progress.say(
            f"the start repeats: {of} {rows:,} different row{'s' * (rows != 1)} for {n:,} particles, so "
            "several begin at one place; "
            "take more rows, fewer samples, or enough steps to forget the start"
        )
    for i, (name, β) in enumerate(zip(problem.names, problem.betas, strict=True)):
        most, over = max(row[i] for row in inside), sum(row[i] > budget(β, n) for row in inside)
        where, upto = (f" in {over:,} of {len(inside):,} clouds", "up to ") if len(inside) > 1 else ("", "")
        if over:
            progress.say(
                f"the start is over{where}: {name} holds {upto}{most} of {n:,} particles, tolerated "
                f"{budget(β, n)}; "
                "the first steps will fail the audit; choose another sampler.init, or judge later steps "
                "with audit.after_step"
            )


def _warn_of_certificate(problem: Problem, strict: bool, progress: Progress) -> None:
    """Says where a certificate is asked for that no run can have."""
    judged = problem.scenario.judged()
    why = never_certified(problem.names, problem.betas, judged, couples=_coupled(problem))
    if why is not None and (strict or judged.require != "passed"):
        progress.say(
            f"a certificate is asked for ({'--strict' if strict else 'audit.require'}), and no run can "
            f"have it: {why}"
        )


def _keep(directory: RunDirectory, problem: Problem, phase: str, finished: Finished) -> None:
    """Saves one chain; the samples come last, as their presence says that the chain is done."""
    x = problem.coordinates.saved(finished.x).numpy(force=True)
    arrays = {"x": x, "columns": np.array(problem.columns)}
    if (replicas := problem.scenario.audit.replicas) > 1:
        arrays |= replica_arrays(np.split(x, replicas))
    if phase == "reference":
        watched = {
            name: rows for name, rows in finished.trace.items() if name.startswith(("monitor_", "stop_"))
        }
        write_npz(directory / "reference.npz", **arrays, fraction=finished.trace["fraction"], **watched)
        return
    limits = problem.limits.double().numpy(force=True)
    write_npz(directory / "trace.npz", **finished.trace, limit=limits)
    seed = np.array(problem.scenario.seed)
    write_npz(
        directory / "samples.npz",
        **arrays,
        coupled=np.array(_coupled(problem)),
        seed=seed,
        moved=np.array(finished.moved),
    )


def _judge(directory: RunDirectory, scenario: Scenario, strict: bool, *, keep: bool = True) -> AuditReport:
    """The audit of the directory's samples and trace, which says itself what its rows are; `keep` writes
    audit.json and the badge.
    """
    way_out = "choose another --out and run it again"
    trace = directory.arrays("trace.npz", way_out)
    directory.arrays("samples.npz", way_out)
    report = auditor.audit(directory / "samples.npz", scenario, trace=trace, strict=strict, makers=MAKERS)
    if keep:
        write_text(directory / "badge.json", badge_json(report.to_dict()))
        write_text(directory / "badge.svg", badge_svg(report.to_dict()))
        write_text(directory / "audit.json", report.to_json())
    return report


def _coupled(problem: Problem) -> bool:
    """Whether the particles of the final cloud depend on one another (A.2)."""
    return problem.filter is not None and problem.filter.couples


def _again(directory: RunDirectory, scenario: Scenario, strict: bool) -> Run:
    """A finished run, read back from its files; an audit or a page that is not there is made again."""
    if directory.finished_with() != scenario.fingerprint():
        found = difference(scenario, directory.path)
        raise BadInput(
            Fault(
                f"holds a finished run of another scenario: {found}; choose another --out",
                file=str(directory.path),
            )
        )
    directory.forget_beginning()
    audit = directory / "audit.json"
    if audit.exists():
        try:
            report = AuditReport.from_json(audit.read_text(encoding="utf-8"))
        except (BadInput, UnicodeDecodeError) as error:
            raise BadInput(
                Fault("is damaged; remove it, and --resume audits the samples again", file=str(audit))
            ) from error
    else:
        report = _judge(directory, scenario, False)
    for name in ("samples", "trace", "reference", "diagnostics"):
        if (directory / f"{name}.npz").exists():
            directory.arrays(f"{name}.npz", "choose another --out and run it again")
    if not (directory / "report.html").exists():
        render(directory.path)
    if strict:
        report = _judge(directory, scenario, True, keep=False)
    return Run(directory.path, scenario, report)
