"""Warnings before a run is sampled, about what cannot be repaired later: a start over a tolerance, a file too
short to start from, a certificate that no run can have.
"""

from collections.abc import Iterable

from barriers.arrays import torch
from barriers.budget import budget
from barriers.subspace import Subspace
from lem_safe.progress import Progress
from lem_safe.runs.own_rows import inside_rows
from lem_safe.runs.problem import Problem
from lem_safe.scenario import never_certified


def warn_of_start(problem: Problem, starts: Iterable[torch.Tensor], progress: Progress) -> None:
    """Warns where the start of any cloud exceeds a tolerance, within which a filter's promise begins, and
    where a file is too short.
    """
    inside, n, rows = [], problem.scenario.sampler.samples, None
    for x in starts:
        rows = len(torch.unique(x, dim=0)) if rows is None else rows
        inside.append([int(unsafe.contains(x).sum()) for unsafe in problem.sets])
    of = {"file": "the file of sampler.init has", "data": "the training data have"}.get(
        problem.scenario.sampler.init["kind"]
    )
    few = problem.data is None or len(problem.data.values) < n  # rows of a table may repeat
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


def warn_of_given(problem: Problem, progress: Progress) -> None:
    """Warns where a value that is given is farther outside the data than these are wide."""
    coordinates, data = problem.coordinates, problem.data
    if not isinstance(coordinates, Subspace) or data is None:
        return
    for j, value in coordinates.fixed.items():
        low, high = float(data.values[:, j].min()), float(data.values[:, j].max())
        if not 2 * low - high <= value <= 2 * high - low:
            progress.say(
                f"given: {problem.columns[j]} = {value:g} is far outside the data, which hold {low:.4g} to "
                f"{high:.4g}: nothing was learned there, and samples show what the energy's form says"
            )


def tell_of_rows(problem: Problem, progress: Progress) -> None:
    """Says how many rows that the energy was learned from are inside each constrained region."""
    if problem.data is not None:
        for counted in inside_rows(problem.scenario, problem.data.values, problem.columns):
            progress.say(counted)


def warn_of_certificate(problem: Problem, strict: bool, progress: Progress) -> None:
    """Warns where a required certificate is impossible."""
    judged = problem.scenario.judged()
    why = never_certified(problem.names, problem.betas, judged, couples=problem.couples)
    if why is not None and (strict or judged.require != "passed"):
        progress.say(
            f"a certificate is asked for ({'--strict' if strict else 'audit.require'}), and no run can "
            f"have it: {why}"
        )
