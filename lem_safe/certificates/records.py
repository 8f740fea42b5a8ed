"""The files of a finished certification, the certificate last but for the page, which can be made again."""

import hashlib
import math
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from barriers.arrays import torch
from lem_safe.auditing import Audited, write_audit_files
from lem_safe.auditor import replica_arrays
from lem_safe.auditor.audit import concluded
from lem_safe.auditor.audit_report import AuditReport
from lem_safe.auditor.opening import open_samples
from lem_safe.auditor.question import Question
from lem_safe.auditor.samples import Samples
from lem_safe.certificates.certificate import FILE, Certificate, CertifiedConstraint
from lem_safe.certificates.evaluations import Evaluations
from lem_safe.certificates.plan import Plan
from lem_safe.certificates.question import packed, paths, sha256_of
from lem_safe.data.parts import in_parts, parts_of
from lem_safe.data.typed import RowCoordinates
from lem_safe.files import write_npz
from lem_safe.progress import Progress
from lem_safe.provenance import versions
from lem_safe.registry import MAKERS
from lem_safe.runs.pilot import Pilot
from lem_safe.runs.problem import Problem
from lem_safe.runs.table_files import open_table, write_rows
from lem_safe.scenario import Scenario


def conclude(
    directory: Path,
    plan: Plan,
    problem: Problem,
    pilot: Pilot | None,
    x: np.ndarray,
    evaluations: Evaluations,
    *,
    moved: float,
    with_report: bool,
    progress: Progress,
) -> Certificate:
    """Writes samples.npz [n, d], the audit, the certificate and the page, and returns the certificate."""
    from lem_safe.report import render

    rows = {"x": x} if plan.particles is None else replica_arrays(np.split(x, len(x) // plan.particles))
    write_npz(
        directory / "samples.npz",
        **rows,
        columns=np.array(problem.columns),
        seed=np.array(problem.scenario.seed),
        moved=np.array(moved),
    )
    opened = _opened(directory, problem, x, plan.particles, moved)
    question = Question(problem.scenario, makers=MAKERS)
    report = concluded(opened, question, evaluations.standings, len(evaluations.ends))
    write_audit_files(directory, Audited(report, problem.scenario, opened, question))
    found = _certificate(directory, plan, problem, pilot, opened, question, evaluations, report)
    found.write(directory / FILE)
    if with_report:
        progress.start("report", 1)
        progress.finish(str(render(directory)))
    return found


def _opened(directory: Path, problem: Problem, x: np.ndarray, particles: int | None, moved: float) -> Samples:
    """The samples as they were written, to be audited: samples.npz, or of a table its file."""
    coordinates = problem.coordinates
    if not isinstance(coordinates, RowCoordinates):
        return open_samples(directory / "samples.npz")
    rows = coordinates.placed(torch.from_numpy(x.astype(np.float64))).numpy()
    replicas = 1 if particles is None else len(x) // particles
    write_rows(directory, problem, rows, moved=moved, replicas=replicas, coupled=False)
    opened = open_table(directory)
    assert opened is not None
    return opened


def rows_sha256(blocks: Iterable[np.ndarray]) -> str:
    """The hash of rows as little-endian float64, row by row; the blocks' boundaries do not matter."""
    found = hashlib.sha256()
    for block in blocks:
        found.update(np.ascontiguousarray(block, dtype="<f8").data)
    return found.hexdigest()


def _certificate(
    directory: Path,
    plan: Plan,
    problem: Problem,
    pilot: Pilot | None,
    opened: Samples,
    question: Question,
    evaluations: Evaluations,
    report: AuditReport,
) -> Certificate:
    scenario = problem.scenario
    asked, geometry = packed(scenario, directory)
    return Certificate(
        verdict=report.verdict,
        scenario=scenario.name,
        fingerprint=scenario.fingerprint(),
        confidence=report.confidence,
        correction=scenario.audit.correction,
        method=report.method,
        unit="sample" if plan.particles is None else "cloud",
        particles=plan.particles,
        samples=report.rows,
        sha256=rows_sha256(block.x.numpy() for block in question.match(opened).blocks(opened)),
        columns=report.columns,
        constraints=constraints_of(report),
        evaluations=tuple(evaluations.ends),
        budget=plan.budget,
        assumes=f"{report.assumes_detail} {_by_construction(plan)}",
        question=asked,
        geometry=geometry,
        seed=scenario.seed,
        filter=_plain(scenario.content()["filter"]),
        sampler=_plain(scenario.content()["sampler"]),
        pilot=None if pilot is None else _plain(pilot.to_dict()),
        replaced_filter=plan.replaced,
        data=tuple(_hashes(scenario)),
        software=versions(),
        issued=datetime.now(UTC).date().isoformat(),
    )


def _by_construction(plan: Plan) -> str:
    """Why the units are independent, and whose distribution is bounded."""
    unit = "sample" if plan.particles is None else "cloud"
    return (
        f"They are by construction: everything was frozen before the first was drawn, and every {unit} has "
        f"random numbers of its own. The distribution is that after {plan.scenario.sampler.steps:,} steps, "
        "settled or not."
    )


def constraints_of(report: AuditReport) -> tuple[CertifiedConstraint, ...]:
    """What an audit knows of each constraint, as a certificate says it; the bound is 1 without a claim."""
    return tuple(
        CertifiedConstraint(
            c.set,
            c.beta,
            c.violations,
            c.fraction,
            1.0 if c.upper_bound is None else c.upper_bound,
            c.verdict,
            c.decided_at,
        )
        for c in report.constraints
    )


def _hashes(scenario: Scenario) -> list[dict[str, str]]:
    """Name and hash of every file that a scenario reads."""
    files: Sequence[Path] = [
        file
        for path in dict.fromkeys(paths(scenario.content()))
        for file in ([part.path for part in parts_of(path)] if in_parts(path) else [path])
    ]
    return [{"name": file.name, "sha256": sha256_of(file)} for file in files]


def _plain(value: Any) -> Any:
    """Nested values as JSON has them: a path is its file's name, an infinite number is `inf`."""
    if isinstance(value, Path):
        return value.name
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, dict):
        return {key: _plain(part) for key, part in value.items()}
    return [_plain(part) for part in value] if isinstance(value, list | tuple) else value
