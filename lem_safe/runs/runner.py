"""A run: scenario in, run directory out. Build, sample beside the unfiltered energy, save, audit, report;
resumable at any moment.

The unfiltered chain uses the same start and the same noise, so the difference between the two clouds is the
filter's and nothing else's. Under `audit: {replicas: R}` both are R independent clouds (see `clouds`), each
with a key of its own; the first is the run without replicas.
"""

import time
from collections.abc import Mapping
from pathlib import Path

from barriers.arrays import torch
from lem_safe.auditing import audit
from lem_safe.auditor import AuditReport, badge_json, badge_svg
from lem_safe.errors import BadInput, Fault
from lem_safe.files import read_npz, read_text, write_json, write_text
from lem_safe.lyapunov import Stopped
from lem_safe.processes.group import ALONE, Group
from lem_safe.progress import Progress, Silent
from lem_safe.registry import load, loads, own_regions
from lem_safe.report import render
from lem_safe.run_directory import FINISHED, RESUME, RunDirectory, fresh_under, must_be_fresh
from lem_safe.runs.chain import CHECKPOINT_SECONDS
from lem_safe.runs.given import Given
from lem_safe.runs.metadata import facts, of_data
from lem_safe.runs.phases import clouds, sample
from lem_safe.runs.pilot import PILOT, known_pilot, piloted
from lem_safe.runs.problem import Problem, build
from lem_safe.runs.result import Run
from lem_safe.runs.resume import difference, identity, must_match
from lem_safe.runs.spreading import must_spread
from lem_safe.runs.table_files import open_table
from lem_safe.runs.warnings import tell_of_rows, warn_of_certificate, warn_of_given
from lem_safe.scenario import Scenario, must_run


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
    with_report: bool = True,
    group: Group = ALONE,
) -> Run:
    """Runs a scenario (a file, the name of a bundled scenario, or a loaded one) and writes the run directory
    `out`, by default a new one under runs/.

    with_report: write report.html too; `lem-safe report` writes it later. group: the processes that sample
    together, of which this one leads (docs/many-processes.md).

    Raises BadInput (exit 2) before anything is written, and NumericalFailure (exit 3), which leaves what was
    written intact. On KeyboardInterrupt it saves a checkpoint; `resume` continues from it with bitwise
    identical results.
    """
    began = time.monotonic()
    progress = progress or Silent()
    if threads is not None:
        torch.set_num_threads(threads)
    chosen = _single(scenario, {"seed": seed, "sampler.samples": samples, "sampler.steps": steps})
    path = Path(out) if out is not None else fresh_under(Path("runs"), chosen.name)
    if not resume:
        must_be_fresh(path, RESUME)
    with RunDirectory(path) as directory:
        if resume and directory.finished:
            return _again(directory, chosen, strict, with_report)
        problem = _problem_begun(directory, chosen, device, resume, progress, threads, group)
        tell_of_rows(problem, progress)
        warn_of_given(problem, progress)
        warn_of_certificate(problem, strict, progress)
        report = _carried_out(directory, problem, progress, strict, began, checkpoint_seconds)
        if with_report:
            progress.start("report", 1)
            progress.finish(str(render(directory.path)))
    return Run(path, chosen, report)


def run_given(
    scenario: Scenario, given: Given, path: Path, *, device: str, progress: Progress, with_report: bool
) -> AuditReport:
    """Runs a scenario with parts that are objects into the fresh directory `path`, as `run` does; its page
    has to be made now, since the files only describe the objects.
    """
    began = time.monotonic()
    must_be_fresh(path)
    with RunDirectory(path) as directory:
        problem = build(scenario, device=device, progress=progress, given=given)
        problem, pilot = piloted(problem, progress)
        warn_of_certificate(problem, False, progress)
        if pilot is not None:
            write_json(directory / PILOT, pilot.to_dict())
        report = _carried_out(directory, problem, progress, False, began, CHECKPOINT_SECONDS)
        if with_report:
            render(directory.path, own_regions(scenario, problem.columns))
    return report


def _carried_out(
    directory: RunDirectory,
    problem: Problem,
    progress: Progress,
    strict: bool,
    began: float,
    checkpoint_seconds: float,
) -> AuditReport:
    """Samples, audits and writes what is known of the run."""
    resumed, stopped = sample(directory, problem, progress, checkpoint_seconds)
    report = _judge(directory, problem.scenario, strict)
    directory.drop_checkpoint()
    _write_facts(directory, problem, progress, began=began, resumed=resumed, report=report, stopped=stopped)
    directory.forget_beginning()
    return report


def _single(scenario: Scenario | str | Path, replaced: Mapping[str, int | None]) -> Scenario:
    """The scenario with the values that are given in place of its own; BadInput where it is a sweep."""
    overrides = {key: value for key, value in replaced.items() if value is not None}
    if not isinstance(scenario, Scenario):
        chosen = load(scenario, overrides)
    else:
        must_run(scenario)
        chosen = loads(scenario.to_yaml(), overrides) if overrides else scenario
    if chosen.sweep is not None:
        raise BadInput(
            Fault(
                "is several runs; use lem_safe.sweep, or lem-safe run",
                file=str(chosen.source or chosen.name),
                key="sweep",
            )
        )
    return chosen


def _problem_begun(
    directory: RunDirectory,
    scenario: Scenario,
    device: str,
    resume: bool,
    progress: Progress,
    threads: int | None,
    group: Group,
) -> Problem:
    """What is to be sampled, with the directory marked as begun with it; BadInput where the directory was
    begun with something else.
    """
    if not (resume or directory.is_fresh):  # somebody else has been here since
        raise BadInput(Fault(f"is not empty; {RESUME}", file=str(directory.path)))
    begun = directory.begun_with()
    if begun is not None:
        must_match(scenario, device, begun, directory.path)
    if group.size > 1:
        group.tell(("build", scenario, device, threads))
    problem = build(scenario, device=group.device(device), progress=progress, group=group)
    must_spread(problem)
    problem, pilot = piloted(problem, progress, known_pilot(directory.path))
    directory.begin_with(identity(scenario, device))
    if pilot is not None:
        write_json(directory / PILOT, pilot.to_dict())
    return problem


def _write_facts(
    directory: RunDirectory,
    problem: Problem,
    progress: Progress,
    *,
    began: float,
    resumed: int,
    report: AuditReport,
    stopped: Stopped,
) -> None:
    """Writes run.json, whose presence says that the run is finished, and tells what the filter fell short
    of.
    """
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
    pilot = known_pilot(directory.path)
    about |= {} if pilot is None else {"pilot": pilot.to_dict()}
    write_json(directory / FINISHED, about | of_data(problem, clouds(directory)))


def _judge(directory: RunDirectory, scenario: Scenario, strict: bool, *, keep: bool = True) -> AuditReport:
    """The audit of the directory's samples and trace, which says itself what its rows are; `keep` writes
    audit.json and the badge.
    """
    way_out = "choose another --out and run it again"
    trace = directory.arrays("trace.npz", way_out)
    directory.arrays("samples.npz", way_out)
    rows = open_table(directory.path) or directory / "samples.npz"
    report = audit(rows, scenario, trace=trace, strict=strict)
    if keep:
        write_text(directory / "badge.json", badge_json(report.to_dict()))
        write_text(directory / "badge.svg", badge_svg(report.to_dict()))
        write_text(directory / "audit.json", report.to_json())
    return report


def _again(directory: RunDirectory, scenario: Scenario, strict: bool, with_report: bool) -> Run:
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
    written = directory / "audit.json"
    if written.exists():
        try:
            report = AuditReport.from_json(read_text(written))
        except (BadInput, UnicodeDecodeError) as error:
            raise BadInput(
                Fault("is damaged; remove it, and --resume audits the samples again", file=str(written))
            ) from error
    else:
        report = _judge(directory, scenario, False)
    for name in ("samples", "trace", "reference", "diagnostics"):
        if (directory / f"{name}.npz").exists():
            directory.arrays(f"{name}.npz", "choose another --out and run it again")
    if with_report and not (directory / "report.html").exists():
        render(directory.path)
    if strict:
        report = _judge(directory, scenario, True, keep=False)
    return Run(directory.path, scenario, report)
