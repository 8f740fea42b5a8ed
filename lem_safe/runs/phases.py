"""The chains of a run, one after the other, each writing its files: the unfiltered energy's, then the
filter's.

They share the start and the noise, so the difference between the two clouds is due to the filter alone. The
stopping rule is evaluated on the first; the other takes the same number of steps.
"""

from dataclasses import replace
from typing import Any

import numpy as np

from lem_safe.auditor import replica_arrays
from lem_safe.files import read_npz, write_npz, write_text
from lem_safe.lyapunov import Stop, Stopped
from lem_safe.progress import Progress
from lem_safe.run_directory import RunDirectory
from lem_safe.runs.course import Course, Finished
from lem_safe.runs.diagnostics import diagnostics
from lem_safe.runs.learned_parts import save_parts
from lem_safe.runs.metadata import together
from lem_safe.runs.monitoring import ended, monitor, stop_rule
from lem_safe.runs.problem import Problem
from lem_safe.runs.spreading import followed_together
from lem_safe.runs.spreading_clouds import clouds_together
from lem_safe.runs.starting import beginning, cloud_key
from lem_safe.runs.table_files import write_table
from lem_safe.runs.warnings import warn_of_start

FILES = {"reference": ("reference.npz",), "filtered": ("trace.npz", "samples.npz")}
"""The files of each chain; the last one is written last."""


def sample(
    directory: RunDirectory, problem: Problem, progress: Progress, every: float
) -> tuple[int, Stopped]:
    """Both chains, from a checkpoint where there is one; returns the step resumed from, and how the stopping
    rule ended the first.
    """
    scenario, saved = problem.scenario, directory.checkpoint()
    write_text(directory / "scenario.yaml", scenario.to_yaml())
    save_parts(problem.parts, directory.path, scenario)
    x = beginning(problem, 0)[1]
    warn_of_start(problem, (beginning(problem, r)[1] for r in range(scenario.audit.replicas)), progress)
    if (apart := together(problem)) is not None:
        progress.say(f"the constraints: {apart}")
    rule, watched = stop_rule(problem, x), monitor(problem)
    stopped, steps, resumed = None, scenario.sampler.steps, 0
    for phase in ["filtered"] if problem.filter is None else ["reference", "filtered"]:
        first = stopped is None
        if not _done(directory, phase):
            course = replace(
                _course(problem, phase, steps),
                monitor=watched,
                stop=rule if first else None,
                not_before=scenario.audit.after_step,
            )
            mine = saved if saved is not None and str(saved["phase"]) == phase else None
            finished = _followed(directory, problem, phase, course, mine, progress, every)
            resumed = max(resumed, finished.resumed_from_step)
            if first and rule.kind != "steps":
                said = _ended(directory, problem, phase, rule)
                progress.say(f"{rule.kind}: {said.reason}")
                progress.say(f"{rule.kind} cannot see everything: {said.cannot_see}")
        stopped = stopped or _ended(directory, problem, phase, rule)
        steps = stopped.step or steps
    _diagnosed(directory, problem)
    assert stopped is not None  # there is a chain
    return resumed, stopped


def clouds(directory: RunDirectory) -> dict[str, np.ndarray]:
    """The samples written by the chains, by the name of their file."""
    found = {name: directory / f"{name}.npz" for name in ("samples", "reference")}
    return {name: read_npz(path)["x"] for name, path in found.items() if path.exists()}


def _course(problem: Problem, phase: str, steps: int) -> Course:
    unfiltered = phase == "reference" or problem.filter is None
    title = "unfiltered" if unfiltered else f"filter: {problem.scenario.filter['kind']}"
    return problem.course(title, steps, filtered=phase == "filtered")


def _followed(
    directory: RunDirectory,
    problem: Problem,
    phase: str,
    course: Course,
    saved: dict[str, np.ndarray] | None,
    progress: Progress,
    every: float,
) -> Finished:
    """Runs one chain to its end and writes its files."""

    def save(state: dict[str, np.ndarray]) -> None:
        directory.save_checkpoint(phase=np.array(phase), **state)

    options: dict[str, Any] = {"progress": progress, "save": save, "saved": saved, "every": every}
    options["filtered"] = phase == "filtered"
    if problem.scenario.audit.replicas > 1:
        finished = clouds_together(problem, course, **options)
    else:
        finished = followed_together(problem, cloud_key(problem, 0), course, **options)
    _keep(directory, problem, phase, finished)
    return finished


def _diagnosed(directory: RunDirectory, problem: Problem) -> None:
    """Writes diagnostics.npz, unless it exists undamaged."""
    if (directory / "diagnostics.npz").exists():
        directory.arrays("diagnostics.npz", "remove it, and it is made again")
    else:
        write_npz(directory / "diagnostics.npz", **diagnostics(problem, clouds(directory)))


def _done(directory: RunDirectory, phase: str) -> bool:
    """Whether a chain has written all its files; BadInput names one that is damaged."""
    if not all((directory / name).exists() for name in FILES[phase]):
        return False
    for name in FILES[phase]:
        directory.arrays(name, "remove it to sample that chain again")
    return True


def _ended(directory: RunDirectory, problem: Problem, phase: str, rule: Stop) -> Stopped:
    """How the rule ended a chain that has written its files."""
    return ended(
        problem, rule, read_npz(directory / ("reference.npz" if phase == "reference" else "trace.npz"))
    )


def _keep(directory: RunDirectory, problem: Problem, phase: str, finished: Finished) -> None:
    """Saves one chain; the samples last, as their presence marks the chain as done."""
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
    write_table(directory.path, problem, finished.x, float(finished.moved))
    write_npz(
        directory / "samples.npz",
        **arrays,
        coupled=np.array(problem.couples),
        seed=seed,
        moved=np.array(finished.moved),
    )
