"""Certification: a pilot, a frozen filter, and fresh independent samples until an anytime-valid bound decides
or the budget ends (A.20).

Nothing that the samples show changes how the next ones are drawn: multipliers and step size are frozen before
the first one, and every batch has a key of its own. So the samples, or the clouds, are independent draws from
one distribution, which is what the bound assumes. That distribution is the procedure's; it need not be the
equilibrium for the certificate to hold.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from barriers.arrays import torch
from barriers.filters.tilt import LARGEST
from lem_safe.certificates.certificate import FILE, Certificate
from lem_safe.certificates.evaluations import Asked, Evaluations
from lem_safe.certificates.plan import Plan, planned
from lem_safe.certificates.records import conclude
from lem_safe.errors import BadInput, Fault
from lem_safe.files import write_json, write_text
from lem_safe.keys import Key
from lem_safe.progress import Progress, Silent
from lem_safe.registry import load, loads, own_regions
from lem_safe.run_directory import RESUME, RunDirectory, fresh_under, must_be_fresh
from lem_safe.runs.chain import CHECKPOINT_SECONDS, follow
from lem_safe.runs.pilot import PILOT, Pilot, known_pilot, piloted
from lem_safe.runs.problem import Problem, build
from lem_safe.runs.replicas import follow_clouds
from lem_safe.runs.resume import identity, must_match
from lem_safe.runs.starting import start
from lem_safe.scenario import Scenario

DECIDED = ("certified", "violated")
STREAM = "certify"
"""The name of the random streams of the samples; a pilot's and a run's have others."""


@dataclass(frozen=True)
class Certified:
    """A finished certification: its directory and certificate."""

    path: Path
    certificate: Certificate

    @property
    def exit_status(self) -> int:
        return self.certificate.status

    def to_json(self) -> str:
        return self.certificate.to_json()

    def __str__(self) -> str:
        return f"{self.certificate}\n\n{self.path / FILE}"


def certify(
    scenario: Scenario | str | Path,
    *,
    out: Path | str | None = None,
    budget: int | None = None,
    seed: int | None = None,
    device: str = "cpu",
    threads: int | None = None,
    resume: bool = False,
    progress: Progress | None = None,
    checkpoint_seconds: float = CHECKPOINT_SECONDS,
    with_report: bool = True,
) -> Certified:
    """Certifies a scenario, or shows that it is violated, with at most `budget` samples, and writes the
    directory `out`: samples.npz, certificate.json, scenario.yaml, audit.json, report.html.

    budget: by default what the plan finds. Raises BadInput before anything is written where no certificate is
    possible, and NumericalFailure. On KeyboardInterrupt what is drawn is kept; `resume` continues with
    bitwise identical results.
    """
    progress = progress or Silent()
    if threads is not None:
        torch.set_num_threads(threads)
    chosen = scenario if isinstance(scenario, Scenario) else load(scenario)
    plan = planned(chosen if seed is None else chosen.overridden(seed=seed), budget)
    path = Path(out) if out is not None else fresh_under(Path("runs"), f"{plan.scenario.name}-certificate")
    if not resume:
        must_be_fresh(path, RESUME)
    with RunDirectory(path) as directory:
        if resume and (directory / FILE).exists():
            return _again(directory, plan, with_report)
        problem, pilot = _begun(directory, plan, device, resume, progress)
        drawn = _Drawing(directory, plan, problem, progress, checkpoint_seconds)
        drawn.until_decided()
        found = drawn.concluded(pilot, with_report)
        directory.drop_checkpoint()
        directory.forget_beginning()
    return Certified(path, found)


def _begun(
    directory: RunDirectory, plan: Plan, device: str, resume: bool, progress: Progress
) -> tuple[Problem, Pilot | None]:
    """The problem with everything frozen, in a directory that is marked as begun with it."""
    if not (resume or directory.is_fresh):  # somebody else has been here since
        raise BadInput(Fault(f"is not empty; {RESUME}", file=str(directory.path)))
    begun = directory.begun_with()
    if begun is not None:
        must_match(plan.scenario, device, begun, directory.path)
        if begun.get("budget") != str(plan.budget):
            message = (
                f"was begun with --budget {begun.get('budget')}; {RESUME.partition(',')[0]}, or that one"
            )
            raise BadInput(Fault(message, file=str(directory.path)))
    if plan.replaced:
        progress.say(
            f"certify: the particles of one cloud under {plan.replaced} depend on each other, so no bound "
            "can be computed from it; filter: {kind: tilt} takes its place. To certify "
            f"{plan.replaced} itself, set audit.replicas: independent clouds"
        )
    progress.say(f"certify: {plan}")
    problem = build(plan.scenario, device=device, progress=progress)
    directory.begin_with({**identity(plan.scenario, device), "budget": str(plan.budget)})
    write_text(directory / "scenario.yaml", plan.scenario.to_yaml())
    problem, pilot = piloted(problem, progress, known_pilot(directory.path), plan.pilot or None)
    if pilot is not None:
        write_json(directory / PILOT, pilot.to_dict())
    return _frozen(problem, pilot, progress), pilot


def _frozen(problem: Problem, pilot: Pilot | None, progress: Progress) -> Problem:
    """The problem whose scenario names the multipliers, and the step size of a warm-up, that were learned."""
    given: dict[str, Any] = {}
    if pilot is not None:
        μ = [min(m, LARGEST) for m in pilot.multipliers]  # no file holds an infinite number
        given["filter"] = _fixed(problem.scenario.filter, μ)
    if problem.scenario.sampler.own.get("adapt") is not None:
        given["sampler"] = _settled_step(problem, progress)
    if not given:
        return problem
    fixed = loads(problem.scenario.to_yaml(), given)
    return replace(problem, scenario=fixed.from_file(problem.scenario.source))


def _settled_step(problem: Problem, progress: Progress) -> dict[str, Any]:
    """The sampler with the step size that a warm-up on particles of its own chooses, and no warm-up."""
    key = Key(problem.scenario.seed).fold(STREAM, "warm-up")
    course = problem.course("warm-up", 1, filtered=True)
    done = follow(course, key.fold("chain"), start(problem, key), progress=progress)
    sampler = problem.scenario.content()["sampler"]
    return {
        **{name: value for name, value in sampler.items() if name != "adapt"},
        "step_size": float(done.trace["step_size"][0]),
    }


def _fixed(spec: Mapping[str, Any], multipliers: list[float]) -> dict[str, Any]:
    """A filter's specification with these multipliers where they were open."""
    if spec.get("multipliers") == "auto":
        return {"kind": spec["kind"], "multipliers": multipliers}
    if "filters" in spec:
        own = {key: value for key, value in spec.items() if key not in ("aim", "power")}
        return {**own, "filters": [_fixed(member, multipliers) for member in spec["filters"]]}
    return dict(spec)


class _Drawing:
    """Batches, each with a key of its own, until the evaluations decide."""

    def __init__(
        self, directory: RunDirectory, plan: Plan, problem: Problem, progress: Progress, every: float
    ):
        self.directory, self.plan, self.problem = directory, plan, problem
        self.progress, self.every = progress, every
        self.x = np.empty((0, len(problem.columns)))
        self.moved = 1.0
        scenario = problem.scenario
        self.evaluations = Evaluations(
            Asked(problem.betas, scenario.audit.confidence, scenario.audit.correction), plan.particles
        )
        self.sets = own_regions(scenario, problem.columns)

    def until_decided(self) -> None:
        """Draws and evaluates batch after batch."""
        saved = self.directory.checkpoint()
        if saved is not None:
            self._restored(saved)
        while not self.evaluations.decided and len(self.x) < self.plan.budget:
            b, rest = len(self.evaluations.ends), self.plan.budget - len(self.x)
            self._take(*self._batch(b, min(self.plan.batch, rest), saved))
            saved = None
            self._save({})
            self.progress.finish(self._standing())

    def concluded(self, pilot: Pilot | None, with_report: bool) -> Certificate:
        """Writes the files of what was drawn, and returns the certificate."""
        return conclude(
            self.directory.path,
            self.plan,
            self.problem,
            pilot,
            self.x,
            self.evaluations,
            moved=self.moved,
            with_report=with_report,
            progress=self.progress,
        )

    def _batch(self, b: int, samples: int, saved: dict[str, np.ndarray] | None) -> tuple[np.ndarray, float]:
        """One batch as saved in a file, [samples, d], and the share of its particles that moved."""
        particles = self.plan.particles or samples
        sized = replace(self.problem, scenario=self.problem.scenario.overridden(samples=particles))
        key = Key(sized.scenario.seed).fold(STREAM, b)

        def begin(r: int) -> tuple[Key, torch.Tensor]:
            own = key.fold("replica", r)
            return own.fold("chain"), start(sized, own)

        done = follow_clouds(
            sized.course(f"batch {b + 1}", sized.scenario.sampler.steps, filtered=True),
            begin,
            samples // particles,
            progress=_Unfinished(self.progress),
            save=self._save,
            saved=saved if saved is not None and "state.x" in saved else None,
            every=self.every,
        )
        return sized.coordinates.saved(done.x).numpy(force=True), done.moved

    def _take(self, x: np.ndarray, moved: float) -> None:
        """Counts one batch, on the values as saved (A.1)."""
        n = len(self.x)
        self.moved = (self.moved * n + moved * len(x)) / (n + len(x))
        self.x = np.concatenate([self.x.astype(x.dtype), x])
        inside = self._inside(x)
        each = self.plan.particles or len(x)
        self.evaluations.add(inside.reshape(-1, each, inside.shape[1]).sum(1), len(x))

    def _inside(self, x: np.ndarray) -> np.ndarray:
        rows = torch.from_numpy(x.astype(np.float64))
        return np.stack([self.sets[name].contains(rows).numpy() for name in self.problem.names], 1)

    def _save(self, state: Mapping[str, np.ndarray]) -> None:
        self.directory.save_checkpoint(
            **{"phase": np.array(STREAM), **state},
            **{"drawn.x": self.x, "drawn.ends": np.array(self.evaluations.ends, dtype=np.int64)},
            **{"drawn.moved": np.array(self.moved)},
        )

    def _restored(self, saved: Mapping[str, np.ndarray]) -> None:
        """The batches of a checkpoint, counted again; BadInput where it belongs to something else."""
        try:
            x, ends, moved = saved["drawn.x"], saved["drawn.ends"].tolist(), float(saved["drawn.moved"])
            for first, last in zip([0, *ends], ends, strict=False):
                self._take(x[first:last], moved)
        except (KeyError, ValueError, IndexError) as error:
            message = f"does not fit this certification ({error}); remove it to begin again"
            raise BadInput(Fault(message, file="checkpoint.npz")) from error

    def _standing(self) -> str:
        """Where the constraints stand after the last batch."""
        n, found = self.evaluations.ends[-1], self.evaluations
        each = [
            f"{name} {k:,} (at most {100 * s.upper:.3g} %" + f", {s.verdict}" * (s.verdict in DECIDED) + ")"
            for name, k, s in zip(self.problem.names, found.counts, found.standings, strict=True)
        ]
        return f"inside {', '.join(each)} of {n:,}"


class _Unfinished:
    """The progress of a batch, which ends with what its evaluation found and not with its largest step."""

    def __init__(self, whole: Progress):
        self.start, self.update, self.say = whole.start, whole.update, whole.say

    def finish(self, note: str) -> None: ...


def _again(directory: RunDirectory, plan: Plan, with_report: bool) -> Certified:
    """A finished certification, read back from its files; a page that is missing is made again."""
    from lem_safe.report import render

    found = Certificate.read(directory / FILE)
    if found.seed != plan.scenario.seed or found.budget != plan.budget:
        raise BadInput(
            Fault("holds a certificate of another seed or budget; choose another --out", str(directory.path))
        )
    if with_report and not (directory / "report.html").exists():
        render(directory.path)
    return Certified(directory.path, found)
