"""run.json: what ran, on which machine, with which settings, how long, and what the sampler measured."""

import math
import resource
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import numpy as np

from barriers.arrays import torch
from lem_safe.auditor import AuditReport
from lem_safe.data.concerns import concerns
from lem_safe.data.images import ImageSource
from lem_safe.data.typed import RowCoordinates
from lem_safe.keys import BLOCK, Key
from lem_safe.lyapunov import Stopped
from lem_safe.lyapunov.monitors import some
from lem_safe.provenance import versions
from lem_safe.runs.feasibility import never_together
from lem_safe.runs.fidelity import fidelity
from lem_safe.runs.problem import Problem
from lem_safe.runs.promise_check import Shortfall
from lem_safe.runs.starting import start
from lem_safe.samplers import Preconditioned
from lem_safe.samplers.metric import LARGEST

PARTICLES = 64
"""The number of final particles at which the contraction of a metric is measured."""


def facts(
    problem: Problem,
    *,
    began: float,
    resumed: int,
    report: AuditReport,
    stopped: Stopped,
    samples: np.ndarray,
    trace: Mapping[str, np.ndarray],
    missed: Sequence[Shortfall] = (),
) -> dict[str, Any]:
    """The content of run.json. began: by time.monotonic(). samples: as saved, [n, d], data units. missed:
    shortfalls of the filter's promise.
    """
    return {
        "schema_version": 1,
        "scenario": problem.scenario.name,
        "fingerprint": problem.scenario.fingerprint(),
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        "passed": report.passed,
        "seed": problem.scenario.seed,
        "device": str(problem.device),
        "dtype": problem.scenario.dtype,
        "dtype_chosen_because": problem.scenario.why_double,
        "energy": problem.origin,
        "laplacian": problem.energy.laplacian_method,
        "warnings": list(problem.warnings),
        "promise": _promise(problem, missed),
        **_together(problem),
        **_truncated(problem),
        "wall_seconds": round(time.monotonic() - began, 2),
        "peak_memory_mib": round(_peak_memory_mib(), 1),
        "resumed_from_step": resumed,
        "stopped": stopped._asdict(),
        "replicas": problem.scenario.audit.replicas,
        **_movement(report),
        **_step_size(trace),
        **_contraction(problem, samples),
        "particles_per_block": BLOCK,
        "threads": torch.get_num_threads(),
        **versions(),
    }


def _promise(problem: Problem, missed: Sequence[Shortfall]) -> dict[str, Any]:
    """What the filter promises, and where it fell short of that."""
    return {
        "scope": problem.scope,
        "shortfalls": [{**asdict(one), "text": str(one)} for one in missed],
    }


def _peak_memory_mib() -> float:
    """The most memory that this process has held; macOS counts it in bytes, Linux in KiB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1 << 20 if sys.platform == "darwin" else 1 << 10)


def together(problem: Problem) -> str | None:
    """Why the tolerances cannot hold together, over the points known to a run; None where they may."""
    known = [problem.coordinates(start(problem, Key(problem.scenario.seed)).double())]
    known += [] if problem.data is None else [problem.data.values.to(known[0])]
    return never_together(problem.scenario, torch.cat([some(x, 1000) for x in known]))


def _truncated(problem: Problem) -> dict[str, Any]:
    """What truncates the rows that the energy is learned from, and the share of its mixture outside of it."""
    found = [part.truncated for part in problem.parts if part.truncated is not None]
    return {"truncated": found[0]} if found else {}


def _together(problem: Problem) -> dict[str, str]:
    why = together(problem)
    return {} if why is None else {"constraints": why}


def of_data(problem: Problem, clouds: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """How far the unfiltered samples are from the rows the energy was learned from, and remarks on the rows.

    Empty where the energy is not learned, or is one of several. clouds: `reference` where there is an
    unfiltered cloud besides the samples, and `samples`, as saved, [n, d]. For images, one pixel of each is
    compared.
    """
    scenario, data = problem.scenario, problem.data
    if data is None or scenario.energy["kind"] != "trained" or scenario.penalties:
        return {}
    rows, x, columns = data.values.numpy(), clouds.get("reference", clouds["samples"]), list(problem.columns)
    if min(len(rows), len(x)) < 2:
        return {}
    source = problem.parts[0].made.data
    if isinstance(source, ImageSource):
        rows, x, columns = _pixels(rows), _pixels(x), ["a pixel"]
    said = concerns(source, data)
    if problem.scenario.given and not isinstance(problem.coordinates, RowCoordinates):
        return {"data": [concern.text for concern in said]}  # rows that have the values are not known
    if data.components is not None:  # columns of paths may be constant, and are in the data's own digits
        kept = np.flatnonzero(np.ptp(rows, axis=0) > 0)
        rows, x, columns = rows[:, kept], x[:, kept], [columns[j] for j in kept]
    if isinstance(problem.coordinates, RowCoordinates):
        rows, x, columns = _numbers(problem, problem.coordinates, rows, x)
        if not columns:
            return {"data": [concern.text for concern in said]}
    return {"data": [concern.text for concern in said], "fidelity": fidelity(rows, x, columns).to_dict(said)}


def _numbers(
    problem: Problem, coordinates: RowCoordinates, rows: np.ndarray, x: np.ndarray
) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Of a table, the ordered columns that a run does not hold fixed, missing values as the middle of the
    data's; of the rows, those that have the values that are given.
    """
    given, names = problem.scenario.given or {}, list(problem.columns)
    for name in given:
        j = names.index(name)
        own = x[0, j]
        rows = rows[np.isnan(rows[:, j]) if np.isnan(own) else rows[:, j] == own]
    kept = [j for j, name in enumerate(names) if name not in coordinates.words and name not in given]
    if len(rows) < 2:
        return rows, x, []
    known = [j for j in kept if not np.isnan(rows[:, j]).all()]
    middle = np.nanmedian(rows[:, known], axis=0) if known else np.zeros(0)
    filled = [np.where(np.isnan(v[:, known]), middle, v[:, known]) for v in (rows, x)]
    return filled[0], filled[1], [names[j] for j in known]


def _pixels(x: np.ndarray) -> np.ndarray:
    """One pixel of each image, a different one for each, [n, 1]."""
    n, d = x.shape
    return x[np.arange(n), 7919 * np.arange(n) % d][:, None]


def _movement(report: AuditReport) -> dict[str, Any]:
    """How many rows are distinct, how many particles moved, and how many moves were made."""
    found = {"distinct_rows": report.repeats.distinct} if report.repeats is not None else {}
    return found | ({"movement": asdict(report.movement)} if report.movement is not None else {})


def _step_size(trace: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """The step size that the sampler chose in its warm-up; for several clouds, the smallest and
    the largest.
    """
    if "step_size" not in trace:
        return {}
    h = trace["step_size"]
    return {
        "chosen_step_size": float(h[0])
        if len(h) == 1
        else {"least": float(h.min()), "largest": float(h.max())}
    }


def _contraction(problem: Problem, samples: np.ndarray) -> dict[str, Any]:
    """How fast a constant metric's flow contracts at the samples (E.11); empty for another sampler."""
    sampler = problem.sampler(filtered=False)
    if not isinstance(sampler, Preconditioned) or problem.coordinates.dimension > LARGEST:
        return {}
    state = sampler.init(start(problem, Key(problem.scenario.seed)))
    some = torch.from_numpy(
        samples[np.linspace(0, len(samples) - 1, min(PARTICLES, len(samples))).astype(int)]
    )
    found = sampler.contraction(
        state._replace(x=problem.coordinates.inverse(some.to(problem.device)).to(problem.dtype))
    )
    if not (math.isfinite(found.rate) and math.isfinite(found.stiffest)):
        return {}
    return {
        "contraction": {
            "rate": found.rate,
            "stiffest": found.stiffest,
            "factor_per_step": found.factor(sampler.step_size),
            "from": found.origin,
        }
    }
